//! A version beside the active one answers the same questions; what it says is told, and never used.

use super::{NAME, activate, conflict, install, quiet, use_version};
use crate::harness::json_text::string_at;
use crate::harness::mapper;
use crate::harness::strategy::{Does, strategy};
use crate::harness::wait;
use crate::outlet::{Outlet, Setup};
use crate::scripted_cloud::ScriptedCloud;

async fn beside(outlet: &Outlet, name: &str, digest: &str) {
    outlet
        .request("PUT", &format!("/api/v1/plugins/{name}/shadow"))
        .json(format!(r#"{{"digest":"{digest}"}}"#))
        .await
        .expect(200);
}

async fn differences(outlet: &Outlet, name: &str, at_least: usize) -> Vec<String> {
    wait::until("differences", || async {
        let list = outlet
            .read(&format!("plugins/{name}/differences"))
            .await
            .expect(200)
            .list();
        (list.len() >= at_least).then_some(list)
    })
    .await
}

#[tokio::test]
async fn what_a_version_beside_the_active_one_would_decide_is_told_and_never_used() {
    let cloud = ScriptedCloud::start().await;
    let outlet = quiet(Setup::of(&cloud)).await;
    let one = use_version(&outlet, "1.0.0", Does::KeepsLocal).await;
    outlet
        .bind("product", &format!(r#"{{"strategy":"{NAME}"}}"#))
        .await;
    let two = install(&outlet, &strategy(NAME, "2.0.0", Does::TakesCloud)).await;
    let path = format!("/api/v1/plugins/{NAME}/shadow");
    let itself = outlet
        .request("PUT", &path)
        .json(format!(r#"{{"digest":"{one}"}}"#))
        .await;
    itself.expect_error(409, "version_in_use");
    beside(&outlet, NAME, &two).await;
    let decided = conflict(&cloud, &outlet, "a").await;
    assert_eq!(decided.str("data.decision"), "keep_local");
    assert_eq!(decided.str("data.plugin_digest"), one);
    let found = differences(&outlet, NAME, 1).await;
    let of = |field| string_at(&found[0], field).unwrap();
    assert_eq!(
        (of("call"), of("entity_type"), of("entity_id")),
        ("resolve".into(), "product".into(), "a".into())
    );
    assert_eq!(
        (of("active.digest"), of("active.outcome")),
        (one.clone(), "keep_local".into())
    );
    assert_eq!(
        (of("shadow.digest"), of("shadow.outcome")),
        (two.clone(), "take_cloud".into())
    );
    let shown = outlet.read(&format!("plugins/{NAME}")).await.expect(200);
    assert_eq!(shown.str("data.shadow.digest"), two);
    assert_eq!(
        (
            shown.num("data.shadow.compared"),
            shown.num("data.shadow.differed")
        ),
        (1, 1)
    );

    let outlet = outlet.kill().await.start().await;
    assert_eq!(differences(&outlet, NAME, 1).await.len(), 1, "it is kept");
    conflict(&cloud, &outlet, "b").await;
    assert_eq!(
        differences(&outlet, NAME, 2).await.len(),
        2,
        "it goes on after a restart"
    );
    outlet.request("DELETE", &path).await.expect(200);
    let shown = outlet.read(&format!("plugins/{NAME}")).await.expect(200);
    assert_eq!(shown.raw("data.shadow").as_deref(), Some("null"));
}

#[tokio::test]
async fn a_version_beside_the_active_one_that_breaks_harms_nothing() {
    let cloud = ScriptedCloud::start().await;
    let outlet = quiet(Setup::of(&cloud)).await;
    outlet
        .configure("sync", r#"{"plugin_error_percent":1,"plugin_error_window":1}"#)
        .await
        .expect(200);
    let one = use_version(&outlet, "1.0.0", Does::KeepsLocal).await;
    outlet
        .bind("product", &format!(r#"{{"strategy":"{NAME}"}}"#))
        .await;
    let two = install(&outlet, &strategy(NAME, "2.0.0", Does::Breaks)).await;
    beside(&outlet, NAME, &two).await;
    conflict(&cloud, &outlet, "a").await;
    let found = differences(&outlet, NAME, 1).await;
    assert_eq!(string_at(&found[0], "shadow.outcome").as_deref(), Some("failed"));
    conflict(&cloud, &outlet, "b").await;
    let shown = outlet.read(&format!("plugins/{NAME}")).await.expect(200);
    assert_eq!(
        (shown.str("data.digest"), shown.str("data.state")),
        (one, "active".into())
    );
    assert_eq!(shown.num("data.errors"), 0, "its failures are its own");
}

#[tokio::test]
async fn documents_are_mapped_by_both_and_the_active_ones_are_sent() {
    let cloud = ScriptedCloud::start().await;
    let outlet = quiet(Setup::of(&cloud)).await;
    let one = install(&outlet, &mapper::passing("shop", "1.0.0")).await;
    let two = install(&outlet, &mapper::broken("shop")).await;
    activate(&outlet, "shop", &one).await.expect(200);
    outlet.bind("note", r#"{"mapper":"shop"}"#).await;
    beside(&outlet, "shop", &two).await;
    outlet.put("note", "n", r#"{"n":1}"#).await.expect(201);
    outlet.settle().await;
    assert_eq!(cloud.state().content("note", "n").as_deref(), Some(r#"{"n":1}"#));
    let found = differences(&outlet, "shop", 1).await;
    let calls: Vec<_> = found.iter().filter_map(|d| string_at(d, "call")).collect();
    assert!(calls.contains(&"to_cloud".to_owned()), "{calls:?}");
    assert_eq!(outlet.status().await.num("data.parked_count"), 0);
}
