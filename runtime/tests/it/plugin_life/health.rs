//! A version whose calls fail goes back to the one before it, or out of use.

use super::{NAME, actions, conflict, install, quiet, use_version};
use crate::harness::strategy::{Does, strategy};
use crate::harness::wait;
use crate::outlet::{Outlet, Setup};
use crate::scripted_cloud::ScriptedCloud;

/// Half of four calls: the second that breaks is one too many.
const IMPATIENT: &str = r#"{"plugin_error_percent":50,"plugin_error_window":4}"#;

async fn shown(outlet: &Outlet) -> crate::outlet::Reply {
    outlet.read(&format!("plugins/{NAME}")).await.expect(200)
}

async fn bound(cloud: &ScriptedCloud) -> Outlet {
    let outlet = quiet(Setup::of(cloud)).await;
    outlet.configure("sync", IMPATIENT).await.expect(200);
    outlet
}

#[tokio::test]
async fn a_version_that_breaks_goes_back_to_the_one_before_by_itself_and_says_so() {
    let cloud = ScriptedCloud::start().await;
    let outlet = bound(&cloud).await;
    let one = use_version(&outlet, "1.0.0", Does::KeepsLocal).await;
    outlet
        .bind("product", &format!(r#"{{"strategy":"{NAME}"}}"#))
        .await;
    let two = use_version(&outlet, "2.0.0", Does::Breaks).await;
    for id in ["a", "b"] {
        let open = conflict(&cloud, &outlet, id).await;
        assert_eq!(open.str("data.error"), "plugin-trap");
        assert_eq!(open.str("data.plugin_digest"), two);
    }
    wait::until("it to go back", || async {
        (shown(&outlet).await.str("data.digest") == one).then_some(())
    })
    .await;
    let decided = conflict_after(&cloud, &outlet, "c").await;
    assert_eq!(decided, "keep_local");
    let plugin = shown(&outlet).await;
    assert_eq!(
        (plugin.str("data.state"), plugin.num("data.fell_back")),
        ("active".into(), 1)
    );
    let problem = plugin.str("data.problem");
    assert!(
        problem.contains("2 of the last 2 calls of version 2.0.0"),
        "{problem}"
    );
    let problems = outlet.status().await.raw("data.plugin_problems").unwrap();
    assert!(problems.contains("went back to version 1.0.0"), "{problems}");
    assert!(outlet.log().contains("a plugin went back to its earlier version"));
    assert_eq!(
        actions(&outlet, NAME).await[0],
        ("rollback".to_owned(), "system".to_owned())
    );
    let outlet = outlet.kill().await.start().await;
    assert_eq!(shown(&outlet).await.str("data.digest"), one);
    super::activate(&outlet, NAME, &two).await.expect(200);
    let problems = outlet.status().await.raw("data.plugin_problems").unwrap();
    assert_eq!(problems, "[]", "who activates it again has seen it");
}

/// What was decided of one more conflict; the two that are open hold nothing else.
async fn conflict_after(cloud: &ScriptedCloud, outlet: &Outlet, id: &str) -> String {
    conflict(cloud, outlet, id).await.str("data.decision")
}

#[tokio::test]
async fn without_an_earlier_version_it_is_taken_out_of_use_until_a_person_says_otherwise() {
    let cloud = ScriptedCloud::start().await;
    let outlet = bound(&cloud).await;
    let only = use_version(&outlet, "1.0.0", Does::Breaks).await;
    outlet
        .bind("product", &format!(r#"{{"strategy":"{NAME}"}}"#))
        .await;
    for id in ["a", "b"] {
        conflict(&cloud, &outlet, id).await;
    }
    wait::until("it to be taken out of use", || async {
        (shown(&outlet).await.str("data.state") == "suspended").then_some(())
    })
    .await;
    let outlet = outlet.kill().await.start().await;
    let open = conflict(&cloud, &outlet, "c").await;
    assert_eq!(open.str("data.error"), "plugin-missing");
    assert_eq!(open.str("data.status"), "open");
    assert_eq!(
        actions(&outlet, NAME).await[0],
        ("suspend".to_owned(), "system".to_owned())
    );
    super::activate(&outlet, NAME, &only).await.expect(200);
    assert_eq!(shown(&outlet).await.str("data.state"), "active");
    assert_eq!(
        conflict(&cloud, &outlet, "d").await.str("data.error"),
        "plugin-trap"
    );
}

#[tokio::test]
async fn errors_of_its_own_take_a_version_back_but_none_out_of_use() {
    let cloud = ScriptedCloud::start().await;
    let outlet = bound(&cloud).await;
    let one = use_version(&outlet, "1.0.0", Does::Refuses).await;
    outlet
        .bind("product", &format!(r#"{{"strategy":"{NAME}"}}"#))
        .await;
    for id in ["a", "b", "c"] {
        conflict(&cloud, &outlet, id).await;
    }
    wait::until("it to be noticed", || async {
        outlet
            .log()
            .contains("refuses most of what it is asked")
            .then_some(())
    })
    .await;
    assert_eq!(shown(&outlet).await.str("data.state"), "active");
    let two = install(&outlet, &strategy(NAME, "1.0.1", Does::Refuses)).await;
    super::activate(&outlet, NAME, &two).await.expect(200);
    for id in ["d", "e"] {
        conflict(&cloud, &outlet, id).await;
    }
    wait::until("it to go back", || async {
        (shown(&outlet).await.str("data.digest") == one).then_some(())
    })
    .await;
}
