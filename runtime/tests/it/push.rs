//! Changes reach the cloud: whole, once, in order, whatever happens on the way.

use crate::harness::json_text::{
    RUNTIME_FIELDS, at, content, elements, members, number_at, string_at, without,
};
use crate::harness::{northwind, wait};
use crate::outlet::{API_KEY, OUTLET_CODE, OUTLET_ID, Outlet};
use crate::scripted_cloud::{Call, Fault, ScriptedCloud};
use std::collections::BTreeSet;

/// Every item that was sent, in order: change_id and data.
fn sent(cloud: &ScriptedCloud) -> Vec<(String, String)> {
    let items = |body: &str| at(body, "items").unwrap();
    cloud
        .calls(Call::Batch)
        .iter()
        .flat_map(|batch| elements(&items(&batch.body)))
        .map(|item| (string_at(&item, "change_id").unwrap(), at(&item, "data").unwrap()))
        .collect()
}

#[tokio::test]
async fn real_invoices_arrive_equal_to_the_digit_and_once_each() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    let lines = northwind::all();
    outlet.hand_over(&lines).await;
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
    let status = outlet.status().await;
    assert_eq!(status.num("data.total_synced"), 1815);
    assert_eq!(
        (status.num("data.failed_count"), status.num("data.conflict_count")),
        (0, 0)
    );
    let order = outlet.get("order", "ORD-10248").await;
    assert_eq!(order.str("data.sync_status"), "synced");
    assert!(order.string("data.cloud_id").is_some());
    assert_eq!(order.num("data.cloud_version"), 1);
}

#[tokio::test]
async fn numbers_that_no_float_can_hold_arrive_as_written() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    let document = r#"{"a":12345678901234567890,"b":0.10,"c":9.80000019,"d":1e400,"e":[-0, 1.0E+2]}"#;
    outlet.put("odd", "x", document).await.expect(201);
    outlet.settle().await;
    let (_, data) = sent(&cloud).remove(0);
    let names = RUNTIME_FIELDS;
    let values: Vec<_> = members(&without(&data, &names));
    assert_eq!(values, members(document));
}

#[tokio::test]
async fn every_request_carries_the_contracts_headers_and_a_batch_its_fields() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet
        .put("product", "p", r#"{"name":"Chai","id":"mine","version":"own"}"#)
        .await
        .expect(201);
    outlet.settle().await;
    let requests = cloud.requests();
    for request in &requests {
        assert_eq!(
            request.header("authorization"),
            Some(&*format!("Bearer {API_KEY}"))
        );
        assert_eq!(request.header("x-outlet-id"), Some(OUTLET_ID));
        assert_eq!(request.header("x-outlet-code"), Some(OUTLET_CODE));
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert!(request.header("user-agent").unwrap().starts_with("selaras/"));
        assert_eq!(
            request.header("idempotency-key").is_some(),
            request.method == "POST"
        );
    }
    let ids: BTreeSet<_> = requests
        .iter()
        .map(|r| r.header("x-request-id").unwrap())
        .collect();
    assert_eq!(ids.len(), requests.len(), "each request has an id of its own");
    let (change_id, data) = sent(&cloud).remove(0);
    assert!(!change_id.is_empty());
    assert_eq!(string_at(&data, "id").as_deref(), Some("p"));
    assert_eq!(string_at(&data, "local_id").as_deref(), Some("p"));
    assert_eq!(string_at(&data, "outlet_code").as_deref(), Some(OUTLET_CODE));
    assert_eq!(number_at(&data, "version"), Some(1));
    assert_eq!(string_at(&data, "cloud_id"), None);
}

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
async fn the_queue_and_the_log_tell_what_waits_and_what_was_done() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    cloud.go_down();
    outlet.put("product", "p", r#"{"price":0.10}"#).await.expect(201);
    assert_eq!(outlet.run().await.str("data.status"), "failed");
    let queue = outlet.queue().await;
    assert_eq!(queue.len(), 1);
    assert_eq!(string_at(&queue[0], "entity_id").as_deref(), Some("p"));
    assert_eq!(string_at(&queue[0], "operation").as_deref(), Some("create"));
    assert_eq!(at(&queue[0], "payload").as_deref(), Some(r#"{"price":0.10}"#));
    cloud.behave();
    outlet.settle().await;
    assert_eq!(outlet.queue().await.len(), 0);
    let pushed = outlet
        .read("sync/logs?sync_type=push&status=success")
        .await
        .expect(200)
        .list();
    assert!(
        pushed.iter().any(|l| number_at(l, "entity_count") == Some(1)),
        "{pushed:?}"
    );
    let failed = outlet.read("sync/logs?status=failed").await.expect(200).list();
    assert!(
        failed.iter().all(|l| string_at(l, "error_message").is_some()),
        "{failed:?}"
    );
    assert!(!failed.is_empty());
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
async fn the_changes_of_one_entity_arrive_in_the_order_they_were_made() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.bind("product", r#"{"coalesce":false}"#).await;
    cloud.go_down();
    for n in 0..8 {
        for id in ["a", "b"] {
            assert!(outlet.put("product", id, &format!(r#"{{"n":{n}}}"#)).await.status < 300);
        }
    }
    outlet.delete("product", "b").await.expect(200);
    cloud.behave();
    outlet.settle().await;
    let state = cloud.state();
    for id in ["a", "b"] {
        let order: Vec<_> = state
            .applied_to("product", id)
            .iter()
            .filter_map(|a| number_at(&a.data, "n"))
            .collect();
        assert_eq!(order, (0..8).collect::<Vec<_>>(), "{id}");
    }
    assert_eq!(
        state.applied_to("product", "b").last().unwrap().operation,
        "delete"
    );
    assert_eq!(state.content("product", "b"), None);
    assert_eq!(state.content("product", "a").as_deref(), Some(r#"{"n":7}"#));
}

#[tokio::test]
async fn waiting_changes_fold_and_a_create_that_was_deleted_is_never_sent() {
    let cloud = ScriptedCloud::start().await;
    cloud.go_down();
    let outlet = Outlet::of(&cloud).await;
    outlet
        .request("POST", "/api/v1/config/sync/toggle")
        .json(r#"{"enabled":false}"#)
        .await
        .expect(200);
    for n in 0..5 {
        assert!(
            outlet
                .put("product", "a", &format!(r#"{{"n":{n}}}"#))
                .await
                .status
                < 300
        );
    }
    outlet.put("product", "b", "{}").await.expect(201);
    outlet.delete("product", "b").await.expect(200);
    cloud.behave();
    outlet
        .request("POST", "/api/v1/config/sync/toggle")
        .json(r#"{"enabled":true}"#)
        .await
        .expect(200);
    outlet.settle().await;
    let state = cloud.state();
    assert_eq!(state.applied.len(), 1);
    assert_eq!(state.applied[0].operation, "create");
    assert_eq!(state.content("product", "a").as_deref(), Some(r#"{"n":4}"#));
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

#[tokio::test]
async fn documents_go_by_their_own_route_where_a_type_says_so() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.bind("order", r#"{"route":"document"}"#).await;
    let orders = &northwind::of("order")[..10];
    outlet.hand_over(orders).await;
    outlet.settle().await;
    assert_eq!(cloud.calls(Call::Document).len(), 10);
    assert!(cloud.calls(Call::Batch).is_empty());
    for line in orders {
        assert_eq!(
            cloud.state().content("order", &line.id),
            Some(content(&line.document))
        );
    }
}
