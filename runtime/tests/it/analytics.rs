//! A day's summary on its way to the cloud: durable, sent by its own call, and in nobody's way.

use crate::harness::json_text::string_at;
use crate::harness::wait;
use crate::outlet::{OUTLET_CODE, OUTLET_ID, Outlet, Reply};
use crate::scripted_cloud::{Call, Fault, ScriptedCloud};

/// A summary with this revenue, in a spelling of its own.
fn summary(revenue: &str) -> String {
    format!(
        r#"{{ "total_orders":12,"total_revenue":{revenue},"total_transactions":13,"payment_methods":{{"cash":7.10}},"top_products":[],"hourly_breakdown":[{{"hour":9}}]}}"#
    )
}

fn day(date: &str, revenue: &str) -> String {
    format!(r#"{{"date":"{date}","summary":{}}}"#, summary(revenue))
}

async fn hand_over(outlet: &Outlet, body: &str) -> Reply {
    outlet.request("POST", "/api/v1/analytics/daily").json(body).await
}

/// The bodies that the cloud got.
fn arrived(cloud: &ScriptedCloud) -> Vec<String> {
    cloud
        .calls(Call::Analytics)
        .into_iter()
        .map(|call| call.body)
        .collect()
}

/// The contract's body.
fn wire(date: &str, revenue: &str) -> String {
    let summary = summary(revenue);
    format!(
        r#"{{"outlet_id":"{OUTLET_ID}","outlet_code":"{OUTLET_CODE}","date":"{date}","summary":{summary}}}"#
    )
}

#[tokio::test]
async fn a_days_summary_arrives_to_the_byte_although_the_power_was_cut() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    cloud.go_down();
    let taken = hand_over(&outlet, &day("2026-01-27", "12345678901234567890.90")).await;
    assert_eq!(taken.expect(201).str("data.sync_status"), "pending");
    let outlet = outlet.kill().await.start().await;
    cloud.behave();
    cloud.forget_requests();
    outlet.settle().await;
    assert_eq!(arrived(&cloud), [wire("2026-01-27", "12345678901234567890.90")]);
    let kept = outlet.get("analytics.daily", "2026-01-27").await.expect(200);
    assert_eq!(kept.str("data.sync_status"), "synced");
    assert!(cloud.state().applied.is_empty(), "it is no entity of the cloud's");
}

#[tokio::test]
async fn a_later_summary_takes_the_place_of_an_unsent_one_and_the_same_again_changes_nothing() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    cloud.go_down();
    for revenue in ["1.00", "2.00", "2.0"] {
        hand_over(&outlet, &day("2026-01-27", revenue)).await.expect(201);
    }
    hand_over(&outlet, &day("2026-01-28", "3.00")).await.expect(201);
    assert_eq!(outlet.queue().await.len(), 2);
    cloud.behave();
    cloud.forget_requests();
    outlet.settle().await;
    let mut bodies = arrived(&cloud);
    bodies.sort();
    assert_eq!(bodies, [wire("2026-01-27", "2.00"), wire("2026-01-28", "3.00")]);

    let again = hand_over(&outlet, &day("2026-01-28", "3.00")).await.expect(201);
    assert_eq!(again.str("data.sync_status"), "synced");
    hand_over(&outlet, &day("2026-01-28", "4.00")).await.expect(201);
    outlet.settle().await;
    assert_eq!(arrived(&cloud)[2..], [wire("2026-01-28", "4.00")]);
}

#[tokio::test]
async fn a_cloud_without_the_call_holds_nothing_else_and_a_person_may_try_again_or_give_up() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.configure("sync", r#"{"max_retries":0}"#).await.expect(200);
    cloud.always(Call::Analytics, Fault::Status(404));
    for date in ["2026-01-27", "2026-01-28"] {
        hand_over(&outlet, &day(date, "1.00")).await.expect(201);
    }
    outlet
        .run_until("both to have failed", |status| {
            status.num("data.failed_count") == 2
        })
        .await;
    outlet.put("order", "o", r#"{"n":1}"#).await.expect(201);
    wait::until("the order to arrive", || async {
        outlet.run().await;
        (cloud.state().times_applied("order", "o") == 1).then_some(())
    })
    .await;
    let failed = outlet.failed().await;
    let why = string_at(&failed[0], "error_message").unwrap();
    assert!(why.contains("takes no daily summaries"), "{why}");

    let id = string_at(&failed[0], "id").unwrap();
    let give_up = outlet.request("DELETE", &format!("/api/v1/sync/queue/{id}"));
    give_up.json(r#"{"reason":"nobody reads it"}"#).await.expect(200);
    cloud.behave();
    let retried = string_at(&failed[1], "id").unwrap();
    outlet
        .request("POST", &format!("/api/v1/sync/retry/{retried}"))
        .await
        .expect(200);
    outlet.settle().await;
    assert_eq!(arrived(&cloud).last(), Some(&wire("2026-01-28", "1.00")));
    assert_eq!(outlet.status().await.num("data.failed_count"), 0);
}

#[tokio::test]
async fn a_call_that_always_fails_leaves_the_line_to_others_and_uses_up_no_retry() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.configure("sync", r#"{"max_retries":0}"#).await.expect(200);
    cloud.always(Call::Analytics, Fault::Status(500));
    hand_over(&outlet, &day("2026-01-27", "1.00")).await.expect(201);
    wait::until("the call to have failed", || async {
        outlet.run().await;
        let queue = outlet.queue().await;
        string_at(&queue[0], "error_message").map(drop)
    })
    .await;
    outlet.put("order", "o", r#"{"n":1}"#).await.expect(201);
    outlet
        .run_until("the rest to be synced", |status| {
            status.num("data.pending_count") == 1
        })
        .await;
    assert_eq!(cloud.state().times_applied("order", "o"), 1);
    assert_eq!(outlet.status().await.num("data.failed_count"), 0);
    cloud.behave();
    outlet.settle().await;
    assert_eq!(arrived(&cloud).last(), Some(&wire("2026-01-27", "1.00")));
}

#[tokio::test]
async fn a_summary_that_cannot_be_used_names_its_fields() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    let bad = r#"{"date":"27-01-2026","summary":{"total_orders":"12"},"outlet_id":"another","colour":"red"}"#;
    let reply = hand_over(&outlet, bad).await.expect(422);
    for field in [
        "date",
        "summary.total_orders",
        "summary.top_products",
        "outlet_id",
        "colour",
    ] {
        assert!(
            reply.named_fields().iter().any(|name| name == field),
            "{}",
            reply.text
        );
    }
    hand_over(&outlet, "[]").await.expect(400);
    let whole = wire("2026-01-27", "1.00");
    hand_over(&outlet, &whole).await.expect(201);
    outlet.settle().await;
    assert_eq!(arrived(&cloud), [whole]);
    // The type is the runtime's own.
    outlet
        .put("analytics.daily", "2026-01-27", "{}")
        .await
        .expect(422)
        .names("entity_type");
    outlet.delete("analytics.daily", "2026-01-27").await.expect(422);
    outlet
        .configure("entities/analytics.daily", r#"{"priority":0}"#)
        .await
        .expect(422)
        .names("entity_type");
}
