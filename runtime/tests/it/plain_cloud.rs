//! A cloud that knows none of the extensions: no dedup, no versions in results, no pages, timestamps as
//! checkpoints. What must still hold with it.

use crate::harness::json_text::{at, content, elements};
use crate::harness::northwind;
use crate::outlet::Outlet;
use crate::scripted_cloud::{Call, Fault, ScriptedCloud};

#[tokio::test]
async fn real_invoices_arrive_once_each_and_the_echo_is_harmless() {
    let cloud = ScriptedCloud::plain().await;
    let outlet = Outlet::of(&cloud).await;
    let lines = northwind::all();
    outlet.hand_over(&lines).await;
    outlet.settle().await;
    // The echo comes with the next pull, and again, since plain checkpoints overlap.
    outlet.settle().await;
    for line in &lines {
        let state = cloud.state();
        assert_eq!(
            state.content(line.entity_type, &line.id),
            Some(content(&line.document)),
            "{}",
            line.id
        );
        assert_eq!(state.times_applied(line.entity_type, &line.id), 1, "{}", line.id);
    }
    assert_eq!(outlet.conflicts().await.len(), 0);
    assert_eq!(outlet.get("order", "ORD-10248").await.num("data.version"), 1);
}

#[tokio::test]
async fn headquarters_edits_and_deletes_arrive() {
    let cloud = ScriptedCloud::plain().await;
    let outlet = Outlet::of(&cloud).await;
    let products = northwind::of("product");
    outlet.hand_over(&products).await;
    outlet.settle().await;
    cloud
        .state()
        .edit("product", "prod-1", r#"{"name":"Chai","price":18.10}"#);
    cloud.state().delete("product", "prod-2");
    cloud.state().create("category", r#"{"name":"New"}"#);
    outlet.settle().await;
    assert_eq!(
        outlet.content("product", "prod-1").await.as_deref(),
        Some(r#"{"name":"Chai","price":18.10}"#)
    );
    assert_eq!(outlet.document("product", "prod-2").await, None);
    assert_eq!(outlet.list("category").await.len(), 1);
    assert_eq!(outlet.conflicts().await.len(), 0);
    assert_equal(&cloud, &outlet, "product").await;
}

#[tokio::test]
async fn a_conflict_is_seen_and_decided_without_the_clouds_help() {
    for (strategy, winner) in [("cloud_wins", r#"{"price":2}"#), ("local_wins", r#"{"price":3}"#)] {
        let cloud = ScriptedCloud::plain().await;
        let outlet = Outlet::of(&cloud).await;
        outlet
            .bind("product", &format!(r#"{{"strategy":"{strategy}"}}"#))
            .await;
        outlet.put("product", "p", r#"{"price":1}"#).await.expect(201);
        outlet.settle().await;
        // Such a cloud would let a push in between win unseen.
        outlet
            .contest(&cloud, ("product", "p"), r#"{"price":2}"#, r#"{"price":3}"#)
            .await;
        outlet.settle().await;
        assert_eq!(
            outlet.content("product", "p").await.as_deref(),
            Some(winner),
            "{strategy}"
        );
        assert_eq!(
            cloud.state().content("product", "p").as_deref(),
            Some(winner),
            "{strategy}"
        );
        assert_eq!(
            outlet.conflict_of("product", "p").await.str("data.strategy"),
            strategy
        );
    }
}

#[tokio::test]
async fn changes_both_ways_go_on_after_each_other() {
    let cloud = ScriptedCloud::plain().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.put("product", "p", r#"{"n":0}"#).await.expect(201);
    outlet.settle().await;
    for n in 1..6 {
        cloud
            .state()
            .edit("product", "p", &format!(r#"{{"n":{n},"by":"hq"}}"#));
        outlet.settle().await;
        outlet
            .patch("product", "p", &format!(r#"{{"by":"outlet {n}"}}"#))
            .await
            .expect(200);
        outlet.settle().await;
    }
    assert_eq!(
        outlet.content("product", "p").await.as_deref(),
        Some(r#"{"by":"outlet 5","n":5}"#)
    );
    assert_equal(&cloud, &outlet, "product").await;
    assert_eq!(outlet.conflicts().await.len(), 0);
}

#[tokio::test]
async fn a_lost_answer_is_healed_by_pulling_before_sending_again() {
    let cloud = ScriptedCloud::plain().await;
    let outlet = Outlet::of(&cloud).await;
    cloud.next(Call::Batch, Fault::DropAfter);
    outlet.put("order", "o", r#"{"total":440.0}"#).await.expect(201);
    outlet.settle().await;
    assert_eq!(cloud.faults_left(), 0);
    assert_eq!(cloud.state().entities.len(), 1);
    assert_eq!(cloud.state().times_applied("order", "o"), 1);
    assert_eq!(outlet.get("order", "o").await.str("data.sync_status"), "synced");
}

#[tokio::test]
async fn a_timestamp_checkpoint_is_asked_again_with_an_overlap() {
    let cloud = ScriptedCloud::plain().await;
    cloud.state().create("product", r#"{"name":"Chai"}"#);
    let outlet = Outlet::of(&cloud).await;
    outlet.settle().await;
    // Committed late at the cloud: stamped before the checkpoint that the outlet already has.
    let late = cloud.state().create("product", r#"{"name":"late"}"#);
    let stamp = cloud.state().now_ms() - 120_000;
    cloud.state().entities.get_mut(&late).unwrap().updated_at_ms = stamp;
    outlet.settle().await;
    assert_eq!(outlet.list("product").await.len(), 2);
}

#[tokio::test]
async fn a_deleted_one_stays_deleted_although_it_is_listed_again() {
    let cloud = ScriptedCloud::plain().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    outlet.settle().await;
    outlet.delete("product", "p").await.expect(200);
    outlet.settle().await;
    outlet.settle().await;
    assert_eq!(outlet.document("product", "p").await, None);
    assert!(cloud.state().find("product", "p").unwrap().deleted);
    assert_eq!(cloud.state().times_applied("product", "p"), 2);
}

/// Both sides hold the same living documents.
async fn assert_equal(cloud: &ScriptedCloud, outlet: &Outlet, entity_type: &str) {
    let list = format!("[{}]", outlet.list(entity_type).await.join(","));
    let mut here: Vec<_> = elements(&list)
        .iter()
        .filter_map(|e| at(e, "data").filter(|d| d != "null"))
        .map(|d| content(&d))
        .collect();
    let state = cloud.state();
    let of_type = state
        .entities
        .values()
        .filter(|e| e.entity_type == entity_type && !e.deleted);
    let mut there: Vec<_> = of_type.map(|e| content(&e.data)).collect();
    here.sort();
    there.sort();
    assert_eq!(here, there);
}
