//! The outlet's configuration: by environment, by API, live, and without ever showing the key.

use crate::harness::json_text::{at, elements, quote};
use crate::harness::wait;
use crate::outlet::{API_KEY, OUTLET_CODE, OUTLET_ID, Outlet, Reply, Setup};
use crate::scripted_cloud::{Call, Fault, ScriptedCloud};

fn whole(cloud: &ScriptedCloud) -> String {
    format!(
        r#"{{"outlet_id":"{OUTLET_ID}","outlet_code":"{OUTLET_CODE}","cloud_api_url":{},"cloud_api_key":"{API_KEY}"}}"#,
        quote(cloud.url())
    )
}

#[tokio::test]
async fn an_outlet_is_configured_over_the_api_and_syncs_at_once() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Setup::without_cloud().start().await;
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    outlet.read("config/outlet").await.expect(404);
    assert_eq!(outlet.run().await.str("data.status"), "failed");

    let made = outlet
        .request("POST", "/api/v1/config/outlet")
        .json(whole(&cloud))
        .await
        .expect(201);
    assert_eq!(
        made.str("data.outlet_name"),
        OUTLET_CODE,
        "the name is the code unless given"
    );
    assert!(made.truth("data.sync_enabled"));
    outlet.settle().await;
    assert_eq!(cloud.state().times_applied("product", "p"), 1);
    outlet
        .request("POST", "/api/v1/config/outlet")
        .json(whole(&cloud))
        .await
        .expect(409);

    let outlet = outlet.restart().await;
    let kept = outlet.read("config/outlet").await.expect(200);
    assert_eq!(kept.str("data.outlet_id"), OUTLET_ID);
    assert_eq!(
        kept.num("data.sync_interval_minutes"),
        5,
        "the stored interval wins over the environment's 60"
    );
}

#[tokio::test]
async fn missing_and_impossible_fields_are_named() {
    let outlet = Setup::without_cloud().start().await;
    let post = |body: &str| outlet.request("POST", "/api/v1/config/outlet").json(body);
    let refused = post(r#"{"outlet_code":"X"}"#).await.expect(400);
    assert_eq!(
        refused.named_fields(),
        ["outlet_id", "cloud_api_url", "cloud_api_key"]
    );
    for (url, why) in [
        ("http://cloud.example.com", "https"),
        ("ftp://cloud.example.com", "scheme"),
        ("https://user:secret@cloud.example.com", "user"),
        ("not an address", "address"),
    ] {
        let body = format!(
            r#"{{"outlet_id":"o","outlet_code":"c","cloud_api_url":"{url}","cloud_api_key":"{API_KEY}"}}"#
        );
        let refused = post(&body).await.expect(422).names("cloud_api_url");
        assert!(refused.text.contains(why), "{}", refused.text);
        assert!(
            !refused.text.contains("secret") && !refused.text.contains(API_KEY),
            "{}",
            refused.text
        );
    }
    outlet.read("config/outlet").await.expect(404);
}

#[tokio::test]
async fn the_key_never_comes_out() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    let shown = outlet.read("config/outlet").await.expect(200);
    assert_eq!(shown.str("data.cloud_api_key_masked"), "sk_l****cdef");
    let changed = outlet
        .configure("outlet", r#"{"cloud_api_key":"sk_live_fedcba9876543210"}"#)
        .await
        .expect(200);
    assert!(!changed.text.contains("fedcba98"));
    outlet.settle().await;
    let last = cloud.requests().pop().unwrap();
    assert_eq!(
        last.header("authorization"),
        Some("Bearer sk_live_fedcba9876543210")
    );
    cloud.next(Call::Updates, Fault::Status(401));
    outlet.run().await;
    let log = outlet.log();
    for secret in [
        "sk_live",
        crate::outlet::ADMIN_PASSWORD,
        crate::outlet::WEBHOOK_SECRET,
    ] {
        assert!(!log.contains(secret), "a secret is in the log");
    }
    assert!(!outlet.status().await.text.contains("sk_live"));
}

#[tokio::test]
async fn a_new_address_is_used_without_a_restart() {
    let (old, new) = (ScriptedCloud::start().await, ScriptedCloud::start().await);
    let outlet = Outlet::of(&old).await;
    outlet.settle().await;
    let asked = old.requests().len();
    let body = format!(
        r#"{{"cloud_api_url":{}}}"#,
        quote(&format!("{}/api/v1/", new.url()))
    );
    outlet.configure("outlet", &body).await.expect(200);
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    // The new cloud never gave out the old one's checkpoint; it says so, and the outlet starts again.
    new.next(Call::Updates, Fault::Status(410));
    outlet.settle().await;
    assert_eq!(new.state().times_applied("product", "p"), 1);
    assert_eq!(old.requests().len(), asked);
    let outlet = outlet.restart().await;
    let shown = outlet.read("config/outlet").await.expect(200);
    assert!(
        shown.str("data.cloud_api_url").starts_with(new.url()),
        "stored fields win over the environment"
    );
}

#[tokio::test]
async fn another_outlet_id_over_existing_data_must_be_meant() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    outlet
        .configure("outlet", r#"{"outlet_id":"another"}"#)
        .await
        .expect(409);
    assert_eq!(
        outlet.read("config/outlet").await.str("data.outlet_id"),
        OUTLET_ID
    );
    outlet
        .configure("outlet", r#"{"outlet_id":"another","rebind":true}"#)
        .await
        .expect(200);
    assert_eq!(
        outlet.read("config/outlet").await.str("data.outlet_id"),
        "another"
    );
}

#[tokio::test]
async fn the_profile_is_kept_as_written() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    let profile = r#"{"outlet_name":"Sudirman","receipt_footer":"Terima kasih","social_media":{"ig": "@a"},"target_spend_per_pax":75000.50}"#;
    outlet.configure("outlet", profile).await.expect(200);
    let outlet = outlet.restart().await;
    let shown = outlet.read("config/outlet").await.expect(200);
    assert_eq!(shown.str("data.outlet_name"), "Sudirman");
    assert_eq!(
        shown.raw("data.target_spend_per_pax").as_deref(),
        Some("75000.50")
    );
    assert_eq!(shown.raw("data.social_media").as_deref(), Some(r#"{"ig": "@a"}"#));
}

#[tokio::test]
async fn the_test_call_tells_what_is_wrong_with_the_cloud() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    let test = |body: &str| outlet.request("POST", "/api/v1/config/outlet/test").json(body);
    let fine = test("{}").await.expect(200);
    assert!(fine.truth("data.reachable") && fine.truth("data.authorized"));
    assert!(fine.num("data.latency_ms") >= 0);
    assert!(fine.num("data.clock_offset_ms").abs() < 5000);
    cloud.next(Call::Ping, Fault::Status(401));
    let refused = test("{}").await.expect(200);
    assert!(refused.truth("data.reachable") && !refused.truth("data.authorized"));
    let nowhere = test(r#"{"cloud_api_url":"http://127.0.0.1:1"}"#)
        .await
        .expect(200);
    assert!(!nowhere.truth("data.reachable"));
    assert!(nowhere.str("data.error").contains("reached"), "{}", nowhere.text);
    let shown = outlet.read("config/outlet").await.expect(200);
    assert_eq!(
        shown.str("data.cloud_api_url"),
        cloud.url(),
        "a test changes nothing"
    );
}

#[tokio::test]
async fn sync_settings_are_checked_and_kept() {
    let outlet = Setup::without_cloud().unhurried().start().await;
    let before = outlet.read("config/sync").await.expect(200);
    assert_eq!(
        (before.num("data.batch_size"), before.num("data.max_retries")),
        (100, 3)
    );
    assert_eq!(before.num("data.initial_backoff_seconds"), 60);
    outlet
        .configure("sync", r#"{"batch_size":0}"#)
        .await
        .expect(422)
        .names("batch_size");
    outlet
        .configure("sync", r#"{"batch_size":1001}"#)
        .await
        .expect(422)
        .names("batch_size");
    outlet
        .configure("sync", r#"{"batch_size":"many"}"#)
        .await
        .expect(422)
        .names("batch_size");
    outlet
        .configure("sync", r#"{"batch_sise":5}"#)
        .await
        .expect(422)
        .names("batch_sise");
    outlet.configure("sync", r#"{"batch_size":7}"#).await.expect(200);
    let outlet = outlet.restart().await;
    assert_eq!(outlet.read("config/sync").await.num("data.batch_size"), 7);
}

#[tokio::test]
async fn the_batch_size_is_what_leaves() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet
        .configure("sync", r#"{"batch_size":7,"batch_size_max":7}"#)
        .await
        .expect(200);
    outlet.hand_over(&crate::harness::northwind::of("product")).await;
    outlet.settle().await;
    for batch in cloud.calls(Call::Batch) {
        let items = at(&batch.body, "items").unwrap();
        assert!(elements(&items).len() <= 7);
    }
    assert_eq!(cloud.state().applied.len(), 77);
}

#[tokio::test]
async fn a_binding_is_checked_and_in_force_at_once() {
    let outlet = Setup::without_cloud().start().await;
    let default = outlet.read("config/entities/product").await.expect(200);
    assert_eq!(default.str("data.strategy"), "newest_wins");
    assert_eq!(default.str("data.collection"), "products");
    assert_eq!(
        outlet
            .read("config/entities/category")
            .await
            .str("data.collection"),
        "categories"
    );
    outlet
        .configure("entities/product", r#"{"strategy":"no_such"}"#)
        .await
        .expect(422)
        .names("strategy");
    outlet
        .configure("entities/product", r#"{"mapper":"newest_wins"}"#)
        .await
        .expect(422)
        .names("mapper");
    outlet
        .configure("entities/*", r#"{"strategy":"cloud_wins"}"#)
        .await
        .expect(200);
    assert_eq!(
        outlet.read("config/entities/order").await.str("data.strategy"),
        "cloud_wins"
    );
    outlet
        .configure("entities/product", r#"{"max_document_bytes":100}"#)
        .await
        .expect(200);
    let long = format!(r#"{{"x":"{}"}}"#, "x".repeat(200));
    outlet.put("product", "p", &long).await.expect(413);
    outlet.put("order", "o", &long).await.expect(201);
}

#[tokio::test]
async fn what_a_plugin_call_may_cost_is_set_by_type_and_within_bounds() {
    let outlet = Setup::without_cloud().start().await;
    let timeout = |reply: Reply| reply.num("data.limits.timeout_ms");
    assert_eq!(timeout(outlet.read("config/entities/product").await), 100);
    outlet
        .configure(
            "entities/*",
            r#"{"limits":{"timeout_ms":250,"memory_bytes":4194304}}"#,
        )
        .await
        .expect(200);
    let reply = outlet
        .configure("entities/product", r#"{"limits":{"timeout_ms":500}}"#)
        .await
        .expect(200);
    assert_eq!(
        reply.num("data.limits.memory_bytes"),
        4_194_304,
        "as the default says"
    );
    assert_eq!(timeout(outlet.read("config/entities/product").await), 500);
    assert_eq!(timeout(outlet.read("config/entities/order").await), 250);
    outlet
        .configure(
            "entities/product",
            r#"{"limits":{"timeout_ms":0,"memory_bytes":1}}"#,
        )
        .await
        .expect(422)
        .names("limits.timeout_ms")
        .names("limits.memory_bytes");
    outlet
        .configure("entities/product", r#"{"limits":{"patience":1}}"#)
        .await
        .expect(422)
        .names("limits.patience");
    let outlet = outlet.restart().await;
    assert_eq!(timeout(outlet.read("config/entities/product").await), 500);
    outlet
        .configure("entities/product", r#"{"limits":{}}"#)
        .await
        .expect(200);
    assert_eq!(timeout(outlet.read("config/entities/product").await), 250);
}

#[tokio::test]
async fn a_type_may_have_another_name_on_the_wire() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet
        .bind("dish", r#"{"cloud_type":"menu_entry","collection":"carte"}"#)
        .await;
    outlet.put("dish", "d", r#"{"n":1}"#).await.expect(201);
    outlet.settle().await;
    assert_eq!(cloud.state().times_applied("menu_entry", "d"), 1);
    cloud.state().edit("menu_entry", "d", r#"{"n":2}"#);
    outlet.settle().await;
    assert_eq!(outlet.content("dish", "d").await.as_deref(), Some(r#"{"n":2}"#));
}

#[tokio::test]
async fn the_clouds_clock_is_measured() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.settle().await;
    let offset = wait::until("an offset", || async {
        let status = outlet.status().await;
        status.raw("data.clock_offset_ms").filter(|o| o != "null")
    })
    .await;
    assert!(offset.parse::<i64>().unwrap().abs() < 5000, "{offset}");
}
