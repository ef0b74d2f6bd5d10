//! Conflicts: decided as the strategy's name says, equal on both sides afterwards, and on record.

use crate::harness::json_text::{content, string_at};
use crate::outlet::{Outlet, Reply};
use crate::scripted_cloud::ScriptedCloud;

const BASE: &str = r#"{"name":"Chai","price":1}"#;
const LOCAL: &str = r#"{"name":"Chai","price":3.10}"#;
const CLOUD: &str = r#"{"name":"Chai","price":2}"#;
/// Far beyond any delay of a test.
const HOUR_MS: i64 = 3_600_000;

/// An outlet and its cloud, agreed on one product.
async fn agreed(strategy: &str) -> (ScriptedCloud, Outlet) {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    // Only what a test asks for runs: a run of the outlet's own could see one side's change before the other is made.
    outlet
        .request("PUT", "/api/v1/config/sync")
        .json(r#"{"push_delay_ms":3600000}"#)
        .await
        .expect(200);
    outlet
        .bind("product", &format!(r#"{{"strategy":"{strategy}"}}"#))
        .await;
    outlet.put("product", "p", BASE).await.expect(201);
    outlet.settle().await;
    (cloud, outlet)
}

/// Both sides hold `document` (`None`: deleted), and the one conflict is decided; answers its record.
async fn both_hold(cloud: &ScriptedCloud, outlet: &Outlet, document: Option<&str>) -> Reply {
    outlet.settle().await;
    assert_eq!(
        outlet.content("product", "p").await.as_deref(),
        document,
        "at the outlet"
    );
    assert_eq!(
        cloud.state().content("product", "p").as_deref(),
        document,
        "at the cloud"
    );
    let conflict = outlet.conflict_of("product", "p").await;
    assert_eq!(conflict.str("data.status"), "resolved");
    assert!(!conflict.str("data.reason").is_empty());
    assert!(conflict.string("data.resolved_at").is_some());
    assert_eq!(outlet.status().await.num("data.conflict_count"), 0);
    let entity = outlet.get("product", "p").await;
    assert_eq!(entity.str("data.sync_status"), "synced");
    conflict
}

#[tokio::test]
async fn cloud_wins_takes_the_clouds_document_and_keeps_the_outlets_on_record() {
    let (cloud, outlet) = agreed("cloud_wins").await;
    outlet.contest(&cloud, ("product", "p"), CLOUD, LOCAL).await;
    let conflict = both_hold(&cloud, &outlet, Some(CLOUD)).await;
    assert_eq!(conflict.str("data.strategy"), "cloud_wins");
    assert_eq!(conflict.str("data.decision"), "take_cloud");
    assert_eq!(
        conflict.raw("data.local.data").as_deref(),
        Some(LOCAL),
        "the loser stays on record"
    );
    assert_eq!(conflict.raw("data.base.data").as_deref(), Some(BASE));
    assert_eq!(conflict.str("data.plugin_digest").len(), 64);
    assert_eq!(
        cloud.state().times_applied("product", "p"),
        1,
        "the loser was never pushed"
    );
}

#[tokio::test]
async fn local_wins_pushes_the_outlets_document_over_the_clouds() {
    let (cloud, outlet) = agreed("local_wins").await;
    outlet.contest(&cloud, ("product", "p"), CLOUD, LOCAL).await;
    let conflict = both_hold(&cloud, &outlet, Some(LOCAL)).await;
    assert_eq!(conflict.str("data.decision"), "keep_local");
    assert_eq!(content(&conflict.raw("data.cloud.data").unwrap()), CLOUD);
    assert_eq!(outlet.get("product", "p").await.num("data.cloud_version"), 3);
}

#[tokio::test]
async fn newest_wins_goes_by_the_stamps_both_ways() {
    for (from_now, winner) in [(HOUR_MS, CLOUD), (-HOUR_MS, LOCAL)] {
        let (cloud, outlet) = agreed("newest_wins").await;
        outlet.hold().await;
        cloud.state().edit_stamped("product", "p", CLOUD, from_now);
        outlet.put("product", "p", LOCAL).await.expect(200);
        outlet.go_on().await;
        both_hold(&cloud, &outlet, Some(winner)).await;
    }
}

#[tokio::test]
async fn newest_wins_is_the_default_and_a_tie_goes_to_the_cloud() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.put("product", "p", BASE).await.expect(201);
    outlet.settle().await;
    outlet.hold().await;
    cloud.state().edit("product", "p", CLOUD);
    let stamp = cloud.state().find("product", "p").unwrap().updated_at_ms;
    let stamp = selaras_core::stamp::Millis(stamp).to_rfc3339();
    let change = format!(
        r#"{{"changes":[{{"entity_type":"product","entity_id":"p","operation":"update","data":{LOCAL},"updated_at":"{stamp}"}}]}}"#
    );
    outlet
        .request("POST", "/api/v1/changes")
        .json(change)
        .await
        .expect(201);
    outlet.go_on().await;
    let conflict = both_hold(&cloud, &outlet, Some(CLOUD)).await;
    assert_eq!(conflict.str("data.strategy"), "newest_wins");
}

#[tokio::test]
async fn a_delete_meets_an_edit_and_the_strategy_decides_that_too() {
    // Deleted here, edited there.
    for (strategy, winner) in [("cloud_wins", Some(CLOUD)), ("local_wins", None)] {
        let (cloud, outlet) = agreed(strategy).await;
        outlet.hold().await;
        cloud.state().edit("product", "p", CLOUD);
        outlet.delete("product", "p").await.expect(200);
        outlet.go_on().await;
        both_hold(&cloud, &outlet, winner).await;
    }
    // Edited here, deleted there.
    for (strategy, winner) in [("cloud_wins", None), ("local_wins", Some(LOCAL))] {
        let (cloud, outlet) = agreed(strategy).await;
        outlet.hold().await;
        cloud.state().delete("product", "p");
        outlet.put("product", "p", LOCAL).await.expect(200);
        outlet.go_on().await;
        both_hold(&cloud, &outlet, winner).await;
    }
}

#[tokio::test]
async fn the_same_edit_on_both_sides_is_agreement_and_no_conflict() {
    let (cloud, outlet) = agreed("manual").await;
    outlet
        .contest(&cloud, ("product", "p"), r#"{"price":3.10,"name":"Chai"}"#, LOCAL)
        .await;
    outlet.settle().await;
    assert_eq!(outlet.conflicts().await.len(), 0);
    assert_eq!(cloud.state().times_applied("product", "p"), 1);

    outlet.hold().await;
    cloud.state().delete("product", "p");
    outlet.delete("product", "p").await.expect(200);
    outlet.go_on().await;
    outlet.settle().await;
    assert_eq!(outlet.conflicts().await.len(), 0);
}

#[tokio::test]
async fn manual_waits_for_a_person_and_holds_only_its_own_entity() {
    let (cloud, outlet) = agreed("manual").await;
    outlet.contest(&cloud, ("product", "p"), CLOUD, LOCAL).await;
    outlet.put("product", "other", r#"{"n":1}"#).await.expect(201);
    outlet
        .run_until("the conflict to open", |s| s.num("data.conflict_count") == 1)
        .await;
    outlet
        .run_until("the other to be pushed", |_| {
            cloud.state().times_applied("product", "other") == 1
        })
        .await;
    let open = outlet.conflict_of("product", "p").await;
    assert_eq!(open.str("data.status"), "open");
    assert_eq!(open.raw("data.local.data").as_deref(), Some(LOCAL));
    assert_eq!(
        outlet.get("product", "p").await.str("data.sync_status"),
        "conflict"
    );
    assert_eq!(
        cloud.state().content("product", "p").as_deref(),
        Some(CLOUD),
        "nothing is overwritten meanwhile"
    );

    // Changes go on being accepted, and raise the rev.
    let newer = r#"{"name":"Chai","price":4}"#;
    outlet.put("product", "p", newer).await.expect(200);
    let id = open.str("data.id");
    let stale = format!(r#"{{"strategy":"local_wins","rev":{}}}"#, open.num("data.rev"));
    outlet.resolve(&id, &stale).await.expect(409);
    let rev = outlet.conflict_of("product", "p").await.num("data.rev");
    let decision = format!(r#"{{"strategy":"local_wins","notes":"asked the chef","rev":{rev}}}"#);
    let resolved = outlet.resolve(&id, &decision).await.expect(200);
    assert_eq!(resolved.str("data.status"), "resolved");
    let conflict = both_hold(&cloud, &outlet, Some(newer)).await;
    assert_eq!(conflict.str("data.notes"), "asked the chef");
    assert_eq!(conflict.str("data.resolved_by"), "admin");
    outlet
        .resolve(&id, r#"{"strategy":"cloud_wins"}"#)
        .await
        .expect(409);
}

#[tokio::test]
async fn a_person_may_merge_and_both_sides_take_it() {
    let (cloud, outlet) = agreed("manual").await;
    outlet.contest(&cloud, ("product", "p"), CLOUD, LOCAL).await;
    outlet
        .run_until("the conflict to open", |s| s.num("data.conflict_count") == 1)
        .await;
    let id = outlet.conflict_of("product", "p").await.str("data.id");
    outlet
        .resolve(&id, r#"{"strategy":"merged"}"#)
        .await
        .expect(422)
        .names("data");
    outlet
        .resolve(&id, r#"{"strategy":"no_such_plugin"}"#)
        .await
        .expect(422);
    outlet.resolve(&id, r#"{"strategy":"manual"}"#).await.expect(422);
    outlet
        .resolve("no-such-conflict", r#"{"strategy":"cloud_wins"}"#)
        .await
        .expect(404);
    let merged = r#"{"name":"Chai","price":2.50}"#;
    outlet
        .resolve(&id, &format!(r#"{{"strategy":"merged","data":{merged}}}"#))
        .await
        .expect(200);
    both_hold(&cloud, &outlet, Some(merged)).await;
}

#[tokio::test]
async fn an_open_conflict_survives_a_restart() {
    let (cloud, outlet) = agreed("manual").await;
    outlet.contest(&cloud, ("product", "p"), CLOUD, LOCAL).await;
    outlet
        .run_until("the conflict to open", |s| s.num("data.conflict_count") == 1)
        .await;
    let outlet = outlet.kill().await.start().await;
    assert_eq!(outlet.document("product", "p").await.as_deref(), Some(LOCAL));
    let id = outlet.conflict_of("product", "p").await.str("data.id");
    outlet
        .resolve(&id, r#"{"strategy":"cloud_wins"}"#)
        .await
        .expect(200);
    both_hold(&cloud, &outlet, Some(CLOUD)).await;
}

#[tokio::test]
async fn the_mapper_translates_both_ways_without_losing_a_digit() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    let settings = r#"{"mapper":"catalog_mapper","settings":{"price_fields":["price"],"minor_digits":2}}"#;
    outlet.bind("menu_item", settings).await;
    outlet
        .put(
            "menu_item",
            "m",
            r#"{"name":"Nasi","price":12345678901234567890}"#,
        )
        .await
        .expect(201);
    outlet.settle().await;
    let there = cloud.state().content("menu_item", "m").unwrap();
    assert_eq!(there, r#"{"name":"Nasi","price":123456789012345678.90}"#);
    cloud
        .state()
        .edit("menu_item", "m", r#"{"name":"Nasi","price":0.07}"#);
    outlet.settle().await;
    assert_eq!(
        outlet.content("menu_item", "m").await.as_deref(),
        Some(r#"{"name":"Nasi","price":7}"#)
    );
}

#[tokio::test]
async fn the_embedded_plugins_are_listed_with_what_is_bound_to_them() {
    let (_cloud, outlet) = agreed("local_wins").await;
    let plugins = outlet.read("plugins").await.expect(200).list();
    let names: Vec<_> = plugins.iter().filter_map(|p| string_at(p, "name")).collect();
    for name in [
        "cloud_wins",
        "local_wins",
        "newest_wins",
        "manual",
        "catalog_mapper",
        "field_merge",
        "counter_merge",
    ] {
        assert!(names.iter().any(|n| n == name), "{names:?}");
    }
    let one = outlet.read("plugins/local_wins").await.expect(200);
    assert_eq!(one.str("data.state"), "active");
    assert_eq!(one.str("data.kind"), "strategy");
}
