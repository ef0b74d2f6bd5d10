//! The line and the cloud misbehave: it costs time and nothing else.

use crate::harness::json_text::{content, number_at, string_at};
use crate::harness::{northwind, wait};
use crate::outlet::Outlet;
use crate::push::sent;
use crate::scripted_cloud::{Call, Fault, ScriptedCloud};
use std::collections::BTreeSet;

#[tokio::test]
async fn a_lost_answer_does_not_duplicate_an_order() {
    for fault in [Fault::DropAfter, Fault::Truncated, Fault::NoResults] {
        let cloud = ScriptedCloud::start().await;
        let outlet = Outlet::of(&cloud).await;
        cloud.next(Call::Batch, fault.clone());
        outlet.put("order", "o-1", r#"{"total":440.0}"#).await.expect(201);
        outlet.settle().await;
        assert_eq!(cloud.faults_left(), 0, "{fault:?}");
        assert_eq!(cloud.state().times_applied("order", "o-1"), 1, "{fault:?}");
        assert_eq!(cloud.state().entities.len(), 1, "{fault:?}");
        let sent = sent(&cloud);
        assert!(
            sent.iter().all(|s| *s == sent[0]),
            "what was attempted does not change: {sent:?}"
        );
        assert_eq!(outlet.get("order", "o-1").await.str("data.sync_status"), "synced");
    }
}

#[tokio::test]
async fn every_kind_of_trouble_costs_time_and_nothing_else() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    for fault in [
        Fault::DropBefore,
        Fault::Status(500),
        Fault::Status(503),
        Fault::Status(401),
        Fault::Status(403),
        Fault::Status(404),
        Fault::RateLimited(1),
        Fault::Html,
        Fault::Body(r#"{"success":false,"error":"maintenance","message":"back soon"}"#.into()),
        Fault::Body("{}".into()),
        Fault::Truncated,
        Fault::DropAfter,
    ] {
        cloud.next(Call::Batch, fault);
    }
    let orders = &northwind::of("order")[..50];
    outlet.hand_over(orders).await;
    wait::until_true("the faults to be used up", || cloud.faults_left() == 0).await;
    outlet.settle().await;
    assert_eq!(outlet.status().await.num("data.failed_count"), 0);
    for line in orders {
        let state = cloud.state();
        assert_eq!(state.content("order", &line.id), Some(content(&line.document)));
        assert_eq!(state.times_applied("order", &line.id), 1);
    }
}

#[tokio::test]
async fn an_outage_uses_up_no_retries_and_ends_without_a_person() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    cloud.go_down();
    let orders = &northwind::of("order")[..30];
    outlet.hand_over(orders).await;
    // More failed runs than the three retries an item has.
    for _ in 0..6 {
        let run = outlet.run().await;
        assert_eq!(run.str("data.status"), "failed");
    }
    let status = outlet.status().await;
    assert_eq!(
        (status.num("data.pending_count"), status.num("data.failed_count")),
        (30, 0)
    );
    assert!(!status.truth("data.online"));
    assert!(status.string("data.last_error").is_some());
    cloud.behave();
    wait::until("the queue to drain by itself", || async {
        (outlet.status().await.num("data.pending_count") == 0).then_some(())
    })
    .await;
    assert!(
        orders
            .iter()
            .all(|line| cloud.state().times_applied("order", &line.id) == 1)
    );
}

#[tokio::test]
async fn a_strangers_results_settle_nothing() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    cloud.next(Call::Batch, Fault::Strangers);
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    outlet.settle().await;
    assert_eq!(cloud.state().times_applied("product", "p"), 1);
    assert_eq!(outlet.status().await.num("data.total_synced"), 1);
    outlet.get("product", "nobody").await.expect(404);
}

#[tokio::test]
async fn a_refused_change_fails_alone_and_is_cured_by_a_retry() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.configure("sync", r#"{"max_retries":1}"#).await.expect(200);
    cloud
        .state()
        .refused
        .insert("bad".into(), "price is missing".into());
    outlet.put("product", "bad", r#"{"n":1}"#).await.expect(201);
    outlet.put("product", "good", r#"{"n":1}"#).await.expect(201);
    outlet
        .run_until("the change to fail", |s| s.num("data.failed_count") == 1)
        .await;
    assert_eq!(cloud.state().times_applied("product", "good"), 1);
    let failed = outlet.failed().await;
    assert_eq!(string_at(&failed[0], "entity_id").as_deref(), Some("bad"));
    assert!(
        string_at(&failed[0], "error_message")
            .unwrap()
            .contains("price is missing")
    );
    assert_eq!(
        outlet.get("product", "bad").await.str("data.sync_status"),
        "failed"
    );
    let before: BTreeSet<_> = sent(&cloud).into_iter().map(|(id, _)| id).collect();

    cloud.state().refused.clear();
    let item = string_at(&failed[0], "id").unwrap();
    outlet
        .request("POST", &format!("/api/v1/sync/retry/{item}"))
        .await
        .expect(200);
    outlet.settle().await;
    assert_eq!(cloud.state().times_applied("product", "bad"), 1);
    let after: BTreeSet<_> = sent(&cloud).into_iter().map(|(id, _)| id).collect();
    assert_eq!(before, after, "a retry by hand keeps the change_id");
    outlet
        .request("POST", &format!("/api/v1/sync/retry/{item}"))
        .await
        .expect(404);
}

#[tokio::test]
async fn a_payload_that_the_cloud_cannot_take_is_found_and_the_rest_goes_on() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.configure("sync", r#"{"max_retries":1}"#).await.expect(200);
    cloud.always(Call::Batch, Fault::Status(422));
    outlet.put("product", "a", r#"{"n":1}"#).await.expect(201);
    outlet.put("product", "b", r#"{"n":1}"#).await.expect(201);
    outlet
        .run_until("both to be tried alone and given up", |s| {
            s.num("data.failed_count") == 2
        })
        .await;
    cloud.behave();
    outlet.request("POST", "/api/v1/sync/retry").await.expect(200);
    outlet.settle().await;
    assert_eq!(cloud.state().entities.len(), 2);
}

#[tokio::test]
async fn what_was_sent_before_a_power_cut_is_sent_again_unchanged() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    cloud.next(Call::Batch, Fault::HangBefore);
    outlet.put("order", "o", r#"{"n":1}"#).await.expect(201);
    wait::until_true("the batch to arrive", || cloud.calls(Call::Batch).len() == 1).await;
    outlet.put("order", "o", r#"{"n":2}"#).await.expect(200);
    let outlet = outlet.kill().await.start().await;
    outlet.settle().await;
    let sent = sent(&cloud);
    assert_eq!(sent[0], sent[1], "the attempt is durable");
    let state = cloud.state();
    let applied: Vec<_> = state
        .applied_to("order", "o")
        .iter()
        .filter_map(|a| number_at(&a.data, "n"))
        .collect();
    assert_eq!(applied, [1, 2]);
}

#[tokio::test]
async fn a_power_cut_between_the_clouds_deed_and_its_answer_repeats_nothing() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    cloud.next(Call::Batch, Fault::HangAfter);
    outlet.put("order", "o", r#"{"n":1}"#).await.expect(201);
    wait::until_true("the batch to take effect", || !cloud.state().applied.is_empty()).await;
    outlet.put("order", "o", r#"{"n":2}"#).await.expect(200);
    let outlet = outlet.kill().await.start().await;
    outlet.settle().await;
    assert_eq!(cloud.state().times_applied("order", "o"), 2);
    assert_eq!(cloud.state().content("order", "o").as_deref(), Some(r#"{"n":2}"#));
    assert_eq!(outlet.status().await.num("data.conflict_count"), 0);
}
