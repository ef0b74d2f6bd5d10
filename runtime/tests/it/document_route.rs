//! Types whose documents go by a route of their own: `orders`, `transactions`, `products`.

use crate::harness::json_text::{at, string_at};
use crate::harness::wait;
use crate::outlet::Outlet;
use crate::scripted_cloud::{Call, Fault, ScriptedCloud};

async fn orders() -> (ScriptedCloud, Outlet) {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.bind("order", r#"{"route":"document"}"#).await;
    (cloud, outlet)
}

#[tokio::test]
async fn creates_and_updates_go_by_the_route_and_deletes_in_a_batch() {
    let (cloud, outlet) = orders().await;
    outlet.put("order", "o", r#"{"total":1.50}"#).await.expect(201);
    outlet.settle().await;
    let order = outlet.get("order", "o").await;
    assert_eq!(order.str("data.sync_status"), "synced");
    assert_eq!(order.num("data.cloud_version"), 1);
    let cloud_id = order.str("data.cloud_id");
    outlet.put("order", "o", r#"{"total":2.50}"#).await.expect(200);
    outlet.settle().await;
    let calls = cloud.calls(Call::Document);
    assert_eq!(calls.len(), 2);
    assert!(
        calls
            .iter()
            .all(|call| call.path.ends_with("/orders") && call.method == "POST")
    );
    assert_eq!(string_at(&calls[0].body, "local_id").as_deref(), Some("o"));
    assert_eq!(at(&calls[0].body, "total").as_deref(), Some("1.50"));
    assert_eq!(string_at(&calls[1].body, "cloud_id"), Some(cloud_id));
    assert_eq!(outlet.get("order", "o").await.num("data.cloud_version"), 2);
    assert!(cloud.calls(Call::Batch).is_empty());
    outlet.delete("order", "o").await.expect(200);
    outlet.settle().await;
    assert_eq!(cloud.calls(Call::Batch).len(), 1);
    assert_eq!(cloud.state().content("order", "o"), None);
}

#[tokio::test]
async fn a_lost_answer_of_a_document_is_healed_without_a_second_order() {
    let (cloud, outlet) = orders().await;
    cloud.next(Call::Document, Fault::DropAfter);
    outlet.put("order", "o", r#"{"total":1}"#).await.expect(201);
    outlet.settle().await;
    assert_eq!(cloud.state().entities.len(), 1);
    assert_eq!(outlet.get("order", "o").await.str("data.sync_status"), "synced");
}

#[tokio::test]
async fn a_document_that_the_cloud_refuses_fails_alone_with_its_words() {
    let (cloud, outlet) = orders().await;
    outlet.configure("sync", r#"{"max_retries":0}"#).await.expect(200);
    for status in [400, 422, 409] {
        cloud.next(Call::Document, Fault::Status(status));
        let id = format!("o-{status}");
        outlet.put("order", &id, r#"{"total":1}"#).await.expect(201);
        outlet
            .run_until("it to fail", |run| run.num("data.failed_count") == 1)
            .await;
        let failed = outlet.failed().await.remove(0);
        assert_eq!(string_at(&failed, "entity_id"), Some(id.clone()));
        let error = string_at(&failed, "error_message").unwrap();
        assert!(
            error.contains(&status.to_string()) && error.contains("the script says so"),
            "{error}"
        );
        outlet.put("product", &id, r#"{"n":1}"#).await.expect(201);
        outlet
            .run_until("the others to flow", |_| {
                cloud.state().times_applied("product", &id) == 1
            })
            .await;
        let retry = format!("/api/v1/sync/retry/{}", string_at(&failed, "id").unwrap());
        outlet.request("POST", &retry).await.expect(200);
        outlet.settle().await;
        assert_eq!(cloud.state().times_applied("order", &id), 1);
    }
}

#[tokio::test]
async fn what_a_refused_document_met_at_the_cloud_is_pulled_and_decided() {
    let (cloud, outlet) = orders().await;
    outlet.bind("order", r#"{"strategy":"cloud_wins"}"#).await;
    outlet.put("order", "o", r#"{"total":1}"#).await.expect(201);
    outlet.settle().await;
    cloud.state().edit("order", "o", r#"{"total":2}"#);
    cloud.always(Call::Document, Fault::Status(409));
    outlet.put("order", "o", r#"{"total":3}"#).await.expect(200);
    // Pushed by itself, soon after the change and without a pull before it.
    wait::until_true("the refusal", || cloud.count(Call::Document) == 2).await;
    outlet.settle().await;
    assert_eq!(
        outlet.document("order", "o").await.as_deref(),
        Some(r#"{"total":2}"#)
    );
    assert_eq!(
        outlet.conflict_of("order", "o").await.str("data.decision"),
        "take_cloud"
    );
}

#[tokio::test]
async fn a_route_that_the_cloud_does_not_have_holds_only_its_own_type() {
    let (cloud, outlet) = orders().await;
    for status in [404, 405, 500] {
        cloud.always(Call::Document, Fault::Status(status));
        let id = format!("o-{status}");
        outlet.put("order", &id, r#"{"total":1}"#).await.expect(201);
        outlet.put("product", &id, r#"{"n":1}"#).await.expect(201);
        outlet
            .run_until("the others to flow", |_| {
                cloud.state().times_applied("product", &id) == 1 && cloud.count(Call::Document) > 0
            })
            .await;
        assert_eq!(
            outlet.status().await.num("data.failed_count"),
            0,
            "no retry is used up"
        );
        cloud.behave();
        outlet.settle().await;
        assert_eq!(cloud.state().times_applied("order", &id), 1);
        cloud.forget_requests();
    }
}

#[tokio::test]
async fn an_answer_that_speaks_of_another_document_names_nothing_of_this_one() {
    let (cloud, outlet) = orders().await;
    let body = r#"{"success":true,"data":{"cloud_id":"c-stranger","local_id":"other","version":9,"synced_at":"2026-01-27T10:35:00Z"}}"#;
    cloud.next(Call::Document, Fault::Body(body.to_owned()));
    outlet.put("order", "o", r#"{"total":1}"#).await.expect(201);
    outlet.settle().await;
    assert_eq!(cloud.state().times_applied("order", "o"), 1);
    let order = outlet.get("order", "o").await;
    assert_ne!(order.str("data.cloud_id"), "c-stranger");
    assert_eq!(order.num("data.cloud_version"), 1);
}
