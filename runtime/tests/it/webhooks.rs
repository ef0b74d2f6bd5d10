//! The cloud calls: what is let in, what is refused, and that the same call twice is one.

mod forms;

use crate::harness::json_text::{elements, string_at};
use crate::outlet::{Hook, Outlet, Setup, stamp};
use crate::scripted_cloud::{Call, ScriptedCloud};

/// An outlet and its cloud, agreed on one product that the cloud knows as `cloud_id`.
async fn agreed() -> (ScriptedCloud, Outlet, String) {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet
        .put("product", "p", r#"{"name":"Chai","price":1}"#)
        .await
        .expect(201);
    outlet.settle().await;
    let cloud_id = outlet.get("product", "p").await.str("data.cloud_id");
    (cloud, outlet, cloud_id)
}

/// Headquarters changed the product, and the cloud says so.
fn update(cloud_id: &str, version: u64, data: &str) -> String {
    format!(
        r#"{{"event":"update","timestamp":"{}","entity_type":"product","cloud_id":"{cloud_id}","data":{data},"version":{version},"updated_by":"hq"}}"#,
        stamp(0)
    )
}

#[tokio::test]
async fn a_signed_update_is_applied_byte_for_byte() {
    let (_cloud, outlet, cloud_id) = agreed().await;
    let document = r#"{"name":"Chai","price":9.80000019,"n":12345678901234567890}"#;
    let reply = outlet
        .hook(&Hook::signed("update", &update(&cloud_id, 2, document)))
        .await
        .expect(200);
    assert_eq!(reply.str("resolution"), "applied");
    assert_eq!(reply.num("local_version"), 2);
    assert!(reply.string("applied_at").is_some());
    assert_eq!(outlet.document("product", "p").await.as_deref(), Some(document));
    assert_eq!(outlet.get("product", "p").await.num("data.cloud_version"), 2);
}

#[tokio::test]
async fn the_same_webhook_twice_is_one_also_after_a_power_cut() {
    let (_cloud, outlet, cloud_id) = agreed().await;
    let hook = Hook::signed("update", &update(&cloud_id, 2, r#"{"price":2}"#));
    outlet.hook(&hook).await.expect(200);
    let head = outlet.feed(0).await.num("head");
    let again = outlet.hook(&hook).await.expect(200);
    assert!(again.truth("duplicate"));
    let outlet = outlet.kill().await.start().await;
    assert_eq!(
        outlet.document("product", "p").await.as_deref(),
        Some(r#"{"price":2}"#)
    );
    assert!(outlet.hook(&hook).await.expect(200).truth("duplicate"));
    assert_eq!(outlet.feed(0).await.num("head"), head);
}

#[tokio::test]
async fn who_cannot_sign_is_not_let_in() {
    let (_cloud, outlet, cloud_id) = agreed().await;
    let body = update(&cloud_id, 2, r#"{"price":666}"#);
    let good = Hook::signed("update", &body);
    let signature = good.get("X-Cloud-Signature").to_owned();
    let mut flipped = signature.clone().into_bytes();
    flipped[0] = if flipped[0] == b'0' { b'1' } else { b'0' };
    let flipped = String::from_utf8(flipped).unwrap();
    for bad in [
        Hook::unsigned("update", &body),
        Hook::signed_with("another secret", "update", &body),
        good.clone().tampered(&body.replace("666", "1")),
        good.clone().header("X-Cloud-Signature", ""),
        good.clone().header("X-Cloud-Signature", &signature[..32]),
        good.clone().header("X-Cloud-Signature", &flipped),
        Hook::standard(b"another secret", "update", "msg_1", 0, &body),
    ] {
        outlet.hook(&bad).await.expect(401);
    }
    assert_eq!(
        outlet.document("product", "p").await.as_deref(),
        Some(r#"{"name":"Chai","price":1}"#)
    );
    // The refused ones left nothing behind that would make this a repeat.
    let prefixed = good.header("X-Cloud-Signature", &format!("sha256={signature}"));
    let taken = outlet.hook(&prefixed).await.expect(200);
    assert_ne!(taken.raw("duplicate").as_deref(), Some("true"));
}

#[tokio::test]
async fn an_unset_secret_closes_the_webhooks() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Setup::of(&cloud).without("WEBHOOK_SECRET").start().await;
    let body = update("c-1", 1, "{}");
    for hook in [
        Hook::signed("update", &body),
        Hook::unsigned("update", &body),
        Hook::signed_with("", "update", &body),
    ] {
        outlet
            .hook(&hook)
            .await
            .expect_error(503, "webhook_not_configured");
    }
}

#[tokio::test]
async fn the_previous_secret_is_still_taken() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Setup::of(&cloud)
        .env("WEBHOOK_SECRET", "the new secret")
        .env("WEBHOOK_SECRET_PREVIOUS", "the old secret")
        .start()
        .await;
    for (secret, id) in [("the new secret", "c-1"), ("the old secret", "c-2")] {
        outlet
            .hook(&Hook::signed_with(secret, "update", &update(id, 1, "{}")))
            .await
            .expect(200);
    }
    outlet
        .hook(&Hook::signed_with(
            "an older one",
            "update",
            &update("c-3", 1, "{}"),
        ))
        .await
        .expect(401);
}

#[tokio::test]
async fn standard_webhooks_are_taken_and_deduplicated_by_their_id() {
    let cloud = ScriptedCloud::start().await;
    let secret = b"twenty-four secret bytes";
    let whsec = format!(
        "whsec_{}",
        base64::Engine::encode(&base64::engine::general_purpose::STANDARD, secret)
    );
    let outlet = Setup::of(&cloud).env("WEBHOOK_SECRET", &whsec).start().await;
    let first = update("c-1", 1, r#"{"n":1}"#);
    outlet
        .hook(&Hook::standard(secret, "update", "msg_1", 0, &first))
        .await
        .expect(200);
    // A retry is stamped anew; its id is the same.
    assert!(
        outlet
            .hook(&Hook::standard(secret, "update", "msg_1", 2, &first))
            .await
            .expect(200)
            .truth("duplicate")
    );
    for far in [-3600, 3600] {
        let hook = Hook::standard(secret, "update", "msg_2", far, &first);
        outlet.hook(&hook).await.expect_error(401, "stale_timestamp");
    }
    let other_id = Hook::standard(secret, "update", "msg_3", 0, &first).header("webhook-id", "msg_4");
    outlet.hook(&other_id).await.expect(401);
}

#[tokio::test]
async fn the_age_goes_by_the_bodys_stamp() {
    let (_cloud, outlet, cloud_id) = agreed().await;
    let aged = |seconds: i64, version: u64| {
        let body = format!(
            r#"{{"event":"update","timestamp":"{}","entity_type":"product","cloud_id":"{cloud_id}","data":{{"v":{version}}},"version":{version}}}"#,
            stamp(seconds)
        );
        Hook::signed("update", &body)
    };
    outlet
        .hook(&aged(-97 * 3600, 7))
        .await
        .expect_error(401, "stale_timestamp");
    outlet
        .hook(&aged(600, 7))
        .await
        .expect_error(401, "stale_timestamp");
    // A cloud that retries for days keeps the first stamp.
    outlet.hook(&aged(-95 * 3600, 2)).await.expect(200);
    outlet.hook(&aged(60, 3)).await.expect(200);
    assert_eq!(
        outlet.document("product", "p").await.as_deref(),
        Some(r#"{"v":3}"#)
    );
}

#[tokio::test]
async fn another_outlets_webhook_is_refused() {
    let (_cloud, outlet, cloud_id) = agreed().await;
    let hook = Hook::signed("update", &update(&cloud_id, 2, "{}")).header("X-Outlet-ID", "someone-else");
    outlet.hook(&hook).await.expect(403);
}

#[tokio::test]
async fn a_body_that_cannot_be_used_names_its_field() {
    let (_cloud, outlet, _) = agreed().await;
    outlet
        .hook(&Hook::signed("update", r#"{"event":"#))
        .await
        .expect(400);
    outlet.hook(&Hook::signed("update", "[]")).await.expect(400);
    let wrong = Hook::signed("delete", &update("c-1", 1, "{}"));
    outlet.hook(&wrong).await.expect(422).names("event");
    let nobody = r#"{"event":"update","entity_type":"product","data":{}}"#;
    let refused = outlet.hook(&Hook::signed("update", nobody)).await.expect(422);
    assert!(!refused.named_fields().is_empty());
    let untyped = r#"{"event":"update","cloud_id":"c-1","data":{}}"#;
    outlet
        .hook(&Hook::signed("update", untyped))
        .await
        .expect(422)
        .names("entity_type");
    let huge = format!(
        r#"{{"event":"update","cloud_id":"c","data":{{"x":"{}"}}}}"#,
        "x".repeat(20 << 20)
    );
    outlet.hook(&Hook::unsigned("update", &huge)).await.expect(413);
}

#[tokio::test]
async fn an_older_version_is_stale_and_an_equal_document_is_agreement() {
    let (_cloud, outlet, cloud_id) = agreed().await;
    outlet
        .hook(&Hook::signed("update", &update(&cloud_id, 5, r#"{"v":5}"#)))
        .await
        .expect(200);
    let late = outlet
        .hook(&Hook::signed("update", &update(&cloud_id, 4, r#"{"v":4}"#)))
        .await
        .expect(200);
    assert_eq!(late.str("resolution"), "stale");
    assert_eq!(
        outlet.document("product", "p").await.as_deref(),
        Some(r#"{"v":5}"#)
    );
    let same = outlet
        .hook(&Hook::signed("update", &update(&cloud_id, 6, r#"{ "v" : 5 }"#)))
        .await
        .expect(200);
    assert_eq!(same.str("resolution"), "agreed");
}

#[tokio::test]
async fn a_delete_deletes_and_stays() {
    let (_cloud, outlet, cloud_id) = agreed().await;
    let body = format!(
        r#"{{"event":"delete","timestamp":"{0}","entity_type":"product","cloud_id":"{cloud_id}","version":3,"deleted_at":"{0}"}}"#,
        stamp(0)
    );
    let reply = outlet.hook(&Hook::signed("delete", &body)).await.expect(200);
    assert!(["applied", "deleted"].contains(&&*reply.str("resolution")));
    assert_eq!(outlet.document("product", "p").await, None);
    let late = outlet
        .hook(&Hook::signed("update", &update(&cloud_id, 2, r#"{"back":1}"#)))
        .await
        .expect(200);
    assert_eq!(late.str("resolution"), "stale");
    assert_eq!(outlet.document("product", "p").await, None);
}

#[tokio::test]
async fn an_update_that_meets_an_unsynced_change_goes_to_the_strategy() {
    let (cloud, outlet, cloud_id) = agreed().await;
    outlet.bind("product", r#"{"strategy":"cloud_wins"}"#).await;
    cloud.go_down();
    outlet.put("product", "p", r#"{"price":3}"#).await.expect(200);
    let body = update(&cloud_id, 2, r#"{"price":2}"#);
    let reply = outlet.hook(&Hook::signed("update", &body)).await.expect(200);
    // While its change is in the air it waits in the inbox.
    assert!(
        ["cloud_wins", "pending"].contains(&&*reply.str("resolution")),
        "{}",
        reply.text
    );
    cloud.state().edit("product", "p", r#"{"price":2}"#);
    cloud.behave();
    outlet.settle().await;
    assert_eq!(
        outlet.content("product", "p").await.as_deref(),
        Some(r#"{"price":2}"#)
    );
    assert_eq!(
        outlet.conflict_of("product", "p").await.str("data.decision"),
        "take_cloud"
    );
}

#[tokio::test]
async fn in_a_bulk_one_bad_element_fails_alone() {
    let (_cloud, outlet, cloud_id) = agreed().await;
    let body = format!(
        r#"{{"timestamp":"{}","updates":[
            {{"entity_type":"product","cloud_id":"{cloud_id}","data":{{"v":2.50}},"version":2}},
            {{"entity_type":"product","data":{{}}}}, 7,
            {{"entity_type":"category","cloud_id":"c-9","data":{{"name":"Tea"}},"version":1}}]}}"#,
        stamp(0)
    );
    let hook = Hook::signed("bulk-update", &body);
    let reply = outlet.hook(&hook).await.expect(200);
    assert_eq!((reply.num("success_count"), reply.num("failed_count")), (2, 2));
    assert_eq!(reply.raw("results").map(|r| elements(&r).len()), Some(4));
    assert_eq!(
        outlet.document("product", "p").await.as_deref(),
        Some(r#"{"v":2.50}"#)
    );
    assert_eq!(outlet.list("category").await.len(), 1);
    assert!(outlet.hook(&hook).await.expect(200).truth("duplicate"));
}

#[tokio::test]
async fn the_conflict_hook_is_a_hint_and_the_decision_is_told_to_the_cloud() {
    let (cloud, outlet, cloud_id) = agreed().await;
    outlet.bind("product", r#"{"strategy":"local_wins"}"#).await;
    cloud.state().edit("product", "p", r#"{"price":2}"#);
    outlet.put("product", "p", r#"{"price":3}"#).await.expect(200);
    let body = format!(
        r#"{{"event":"conflict","timestamp":"{}","entity_type":"product","cloud_id":"{cloud_id}","local_id":"p","conflict_id":"cf 1/x",
            "conflict":{{"field":"price","cloud_value":666,"cloud_version":2,"local_value":3,"local_version":2}},"resolution_required":true}}"#,
        stamp(0)
    );
    let reply = outlet.hook(&Hook::signed("conflict", &body)).await.expect(200);
    assert!(reply.string("resolution").is_some(), "{}", reply.text);
    outlet.settle().await;
    crate::harness::wait::until_true("the decision to be told", || {
        !cloud.calls(Call::Resolve).is_empty()
    })
    .await;
    let told = cloud.calls(Call::Resolve).remove(0);
    assert!(
        told.path.ends_with("/conflicts/cf%201%2Fx/resolve"),
        "{}",
        told.path
    );
    assert_eq!(string_at(&told.body, "strategy").as_deref(), Some("local_wins"));
    let content = cloud.state().content("product", "p");
    assert_eq!(
        content.as_deref(),
        Some(r#"{"price":3}"#),
        "cloud_value is never applied"
    );
    assert_eq!(
        outlet.content("product", "p").await.as_deref(),
        Some(r#"{"price":3}"#)
    );
}

#[tokio::test]
async fn the_same_body_to_another_path_is_another_webhook() {
    let (_cloud, outlet, cloud_id) = agreed().await;
    let body = format!(
        r#"{{"timestamp":"{}","entity_type":"product","cloud_id":"{cloud_id}","data":{{"v":2}},"version":2}}"#,
        stamp(0)
    );
    outlet.hook(&Hook::signed("update", &body)).await.expect(200);
    let other = outlet.hook(&Hook::signed("update", &body).to("delete")).await;
    assert_ne!(other.raw("duplicate").as_deref(), Some("true"), "{}", other.text);
}
