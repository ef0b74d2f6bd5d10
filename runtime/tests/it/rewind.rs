//! An outlet that was restored from a backup of an earlier time: what the cloud has taken meanwhile does not take effect
//! again, no version means something else than it did, and both sides come to hold the same.

use crate::backup::commands::selaras;
use crate::harness::wait;
use crate::outlet::{Outlet, Setup};
use crate::scripted_cloud::{Call, Fault, ScriptedCloud};
use std::collections::BTreeMap;

/// What apps have seen: each version of each product, and its document then.
type Seen = BTreeMap<(String, i64), Option<String>>;

/// Notes what an app sees now, and fails when it saw something else under the same version before.
async fn look(outlet: &Outlet, seen: &mut Seen) {
    for id in ["a", "b", "c", "d", "e"] {
        let reply = outlet.get("product", id).await;
        if reply.status != 200 {
            continue;
        }
        let content = outlet.content("product", id).await;
        let before = seen.insert((id.to_owned(), reply.num("data.version")), content.clone());
        assert!(
            before.is_none_or(|before| before == content),
            "{id}: {}",
            reply.text
        );
    }
}

async fn back_up(outlet: &Outlet) {
    let file = outlet.setup().dir().join("shop.backup");
    let ran = crate::backup::commands::command(outlet.setup(), &["backup", file.to_str().unwrap()]).await;
    ran.expect(0);
}

/// The outlet, stopped, and set up on what was backed up.
async fn go_back(outlet: Outlet) -> Setup {
    let setup = outlet.stop().await;
    let file = setup.dir().join("shop.backup");
    let target = setup.dir().join("restored");
    let setup = setup.env("DATA_DIR", target.to_str().unwrap());
    selaras(&setup, &["restore", file.to_str().unwrap()]).expect(0);
    setup
}

async fn nothing_takes_effect_twice(cloud: ScriptedCloud, knows_repeats: bool) {
    let mut seen = Seen::new();
    let outlet = Outlet::of(&cloud).await;
    for id in ["a", "b"] {
        outlet.put("product", id, r#"{"price":1}"#).await.expect(201);
    }
    outlet.settle().await;
    cloud.go_down();
    // These wait when the backup is made.
    outlet.put("product", "a", r#"{"price":2}"#).await.expect(200);
    outlet.put("product", "c", r#"{"price":1}"#).await.expect(201);
    outlet.put("product", "d", r#"{"price":1}"#).await.expect(201);
    look(&outlet, &mut seen).await;
    back_up(&outlet).await;
    let feed = outlet.feed(0).await.num("head");

    // What is lost here, and is at the cloud.
    cloud.behave();
    outlet.settle().await;
    outlet.delete("product", "b").await.expect(200);
    outlet.delete("product", "d").await.expect(200);
    outlet.put("product", "e", r#"{"price":5}"#).await.expect(201);
    if knows_repeats {
        outlet.put("product", "a", r#"{"price":3}"#).await.expect(200);
    }
    outlet.settle().await;
    cloud.state().edit("product", "c", r#"{"price":9}"#);
    outlet.settle().await;
    look(&outlet, &mut seen).await;
    // And what is lost for good: nobody else ever heard of it.
    cloud.go_down();
    outlet.put("product", "c", r#"{"price":77}"#).await.expect(200);
    look(&outlet, &mut seen).await;
    let effects = cloud.state().applied.len();
    let outlet = go_back(outlet).await.start().await;
    assert!(!outlet.status().await.truth("data.store.rewound.pulled"));
    look(&outlet, &mut seen).await;

    cloud.behave();
    outlet.settle().await;
    look(&outlet, &mut seen).await;
    let applied = cloud.state().applied.clone();
    assert_eq!(applied.len(), effects, "{applied:#?}");
    assert_eq!(outlet.conflicts().await.len(), 0);
    for (id, content) in [
        (
            "a",
            Some(if knows_repeats {
                r#"{"price":3}"#
            } else {
                r#"{"price":2}"#
            }),
        ),
        ("b", None),
        ("c", Some(r#"{"price":9}"#)),
        ("d", None),
    ] {
        assert_eq!(
            outlet.content("product", id).await.as_deref(),
            content,
            "{id} here"
        );
        assert_eq!(
            cloud.state().content("product", id).as_deref(),
            content,
            "{id} there"
        );
    }
    let status = outlet.status().await;
    assert_eq!(status.str("data.store.rewound.cause"), "restored");
    assert!(status.truth("data.store.rewound.pulled"));
    assert_eq!(status.num("data.pending_count"), 0);
    assert!(outlet.log().contains("the store went back in time"));
    let logs = outlet.read("sync/logs").await.expect(200);
    assert!(logs.text.contains("the store went back in time"), "{}", logs.text);

    // Life goes on, under versions that nobody has seen.
    for id in ["a", "c"] {
        outlet.put("product", id, r#"{"price":100}"#).await.expect(200);
    }
    look(&outlet, &mut seen).await;
    outlet.settle().await;
    assert_eq!(cloud.state().applied.len(), effects + 2);
    look(&outlet, &mut seen).await;
    // An app that reads on from where it was begins anew.
    let gone = outlet
        .read(&format!("changes?since={feed}"))
        .await
        .expect_error(410, "feed_truncated");
    let head = gone.num("data.head");
    assert!(head > feed && !gone.str("data.epoch").is_empty());
    outlet.feed(head).await;
    outlet.stop().await;
}

#[tokio::test]
async fn after_a_restore_nothing_takes_effect_twice() {
    nothing_takes_effect_twice(ScriptedCloud::start().await, true).await;
}

#[tokio::test]
async fn after_a_restore_nothing_takes_effect_twice_at_a_cloud_without_extensions() {
    nothing_takes_effect_twice(ScriptedCloud::plain().await, false).await;
}

/// A restored outlet with one change that never reached the cloud.
async fn with_one_waiting(cloud: &ScriptedCloud, updates: Fault) -> Outlet {
    cloud.go_down();
    let outlet = Outlet::of(cloud).await;
    outlet.put("product", "a", r#"{"price":1}"#).await.expect(201);
    back_up(&outlet).await;
    let setup = go_back(outlet).await;
    cloud.behave();
    cloud.always(Call::Updates, updates);
    setup.start().await
}

#[tokio::test]
async fn nothing_is_pushed_before_everything_was_pulled() {
    let cloud = ScriptedCloud::start().await;
    let outlet = with_one_waiting(&cloud, Fault::Status(500)).await;
    let asked = cloud.calls(Call::Updates).len();
    wait::until("the outlet to ask for updates again", || async {
        outlet.run().await;
        (cloud.calls(Call::Updates).len() >= asked + 3).then_some(())
    })
    .await;
    assert_eq!(cloud.state().times_applied("product", "a"), 0);
    assert!(!outlet.status().await.truth("data.store.rewound.pulled"));
    cloud.behave();
    outlet.settle().await;
    assert_eq!(cloud.state().times_applied("product", "a"), 1);
    assert!(outlet.status().await.truth("data.store.rewound.pulled"));
    outlet.stop().await;
}

#[tokio::test]
async fn a_cloud_that_has_no_updates_gets_what_waits_all_the_same() {
    let cloud = ScriptedCloud::start().await;
    let outlet = with_one_waiting(&cloud, Fault::Status(404)).await;
    wait::until("the change to be pushed", || async {
        outlet.run().await;
        (cloud.state().times_applied("product", "a") == 1).then_some(())
    })
    .await;
    assert_eq!(outlet.status().await.num("data.pending_count"), 0);
    outlet.stop().await;
}
