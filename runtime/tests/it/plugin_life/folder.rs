//! The plugins folder is watched: what is put there is used, what is taken away is not, unless a type is bound to it.

use super::{NAME, activate, install};
use crate::harness::strategy::{Does, strategy};
use crate::harness::wait;
use crate::outlet::{Outlet, Setup};
use std::fs;
use std::path::PathBuf;

fn folder(outlet: &Outlet) -> PathBuf {
    let folder = outlet.setup().data_dir().join("plugins");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The version that is active; none: there is none.
async fn version(outlet: &Outlet) -> Option<String> {
    let shown = outlet.read(&format!("plugins/{NAME}")).await;
    (shown.status == 200 && shown.str("data.state") == "active").then(|| shown.str("data.version"))
}

async fn comes_to(outlet: &Outlet, wanted: Option<&str>) {
    wait::until("the folder to be looked at", || async {
        (version(outlet).await.as_deref() == wanted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_put_into_the_folder_is_used_and_what_is_taken_out_is_not() {
    let outlet = Setup::without_cloud().start().await;
    let file = folder(&outlet).join("rule.wasm");
    let first = strategy(NAME, "1.0.0", Does::KeepsLocal);
    fs::write(&file, &first).unwrap();
    comes_to(&outlet, Some("1.0.0")).await;
    let shown = outlet.read(&format!("plugins/{NAME}")).await;
    assert_eq!(shown.str("data.source"), "rule.wasm");
    // Half of the next version: it is refused, the version before stays, until the file is whole.
    let second = strategy(NAME, "2.0.0", Does::TakesCloud);
    fs::write(&file, &second[..second.len() / 2]).unwrap();
    wait::until("the half file to be refused", || async {
        let problems = outlet.status().await.raw("data.plugin_problems").unwrap();
        problems.contains("rule.wasm").then_some(())
    })
    .await;
    assert_eq!(version(&outlet).await.as_deref(), Some("1.0.0"));
    fs::write(&file, &second).unwrap();
    comes_to(&outlet, Some("2.0.0")).await;
    assert_eq!(
        outlet.status().await.raw("data.plugin_problems").as_deref(),
        Some("[]")
    );
    let by: Vec<_> = super::actions(&outlet, NAME)
        .await
        .into_iter()
        .map(|(_, by)| by)
        .collect();
    assert!(by.iter().all(|by| by == "folder"), "{by:?}");

    outlet
        .bind("product", &format!(r#"{{"strategy":"{NAME}"}}"#))
        .await;
    fs::remove_file(&file).unwrap();
    wait::until("that it is gone to be noticed", || async {
        outlet
            .log()
            .contains("types are bound to it, so it stays in use")
            .then_some(())
    })
    .await;
    assert_eq!(version(&outlet).await.as_deref(), Some("2.0.0"));
    outlet.bind("product", r#"{"strategy":"manual"}"#).await;
    fs::write(&file, &second).unwrap();
    let outlet = outlet.restart().await;
    assert_eq!(version(&outlet).await.as_deref(), Some("2.0.0"));
    fs::remove_file(folder(&outlet).join("rule.wasm")).unwrap();
    comes_to(&outlet, None).await;
}

#[tokio::test]
async fn what_an_admin_decides_of_a_file_holds_over_a_restart_until_the_file_changes() {
    let outlet = Setup::without_cloud().start().await;
    let other = install(&outlet, &strategy(NAME, "0.9.0", Does::KeepsLocal)).await;
    let file = folder(&outlet).join("rule.wasm");
    fs::write(&file, strategy(NAME, "1.0.0", Does::KeepsLocal)).unwrap();
    comes_to(&outlet, Some("1.0.0")).await;
    activate(&outlet, NAME, &other).await.expect(200);
    let outlet = outlet.restart().await;
    assert_eq!(version(&outlet).await.as_deref(), Some("0.9.0"));
    fs::write(&file, strategy(NAME, "1.1.0", Does::KeepsLocal)).unwrap();
    comes_to(&outlet, Some("1.1.0")).await;
}
