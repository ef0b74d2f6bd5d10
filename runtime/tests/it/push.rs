//! Changes reach the cloud: whole, once, in order, whatever happens on the way.

use crate::harness::json_text::{
    RUNTIME_FIELDS, at, content, elements, members, number_at, string_at, without,
};
use crate::harness::northwind;
use crate::outlet::{API_KEY, OUTLET_CODE, OUTLET_ID, Outlet};
use crate::scripted_cloud::{Call, ScriptedCloud};
use std::collections::BTreeSet;

/// Every item that was sent, in order: change_id and data.
pub fn sent(cloud: &ScriptedCloud) -> Vec<(String, String)> {
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
