//! Pushing: results, dedup, conflicts, deletes, the per-document calls.

use http::Method;
use serde_json::Value;

use crate::harness::{OUTLETS, TestCloud, item};

#[tokio::test]
async fn a_document_comes_back_to_the_digit_and_without_the_runtimes_fields() {
    let cloud = TestCloud::start().await;
    let doc = r#""name":"Téh \"x\"","price":9.80000019,"big":12345678901234567890,"z":0.10,"e":1e400"#;
    let results = cloud.push(0, &[item("create", "p-1", doc, "c1", 0)]).await;
    assert_eq!(results[0]["status"], "success");
    assert_eq!(results[0]["version"], 1);
    assert_eq!(results[0]["change_id"], "c1");
    let page = cloud.pull(1, "1970-01-01T00:00:00Z", 10).await;
    let wanted = r#""data":{"id":"p-1","name":"Téh \"x\"","price":9.80000019,"big":12345678901234567890,"z":0.10,"e":1e400}"#;
    assert!(page.text.contains(wanted), "{}", page.text);
}

#[tokio::test]
async fn a_change_id_takes_effect_once_also_after_a_restart() {
    let cloud = TestCloud::start().await;
    let create = item("create", "p-1", r#""n":1"#, "c1", 0);
    let first = cloud.push(0, std::slice::from_ref(&create)).await;
    cloud.push(0, &[item("update", "p-1", r#""n":2"#, "c2", 1)]).await;
    let cloud = cloud.restart().await;
    let again = cloud.push(0, std::slice::from_ref(&create)).await;
    assert_eq!(again[0]["status"], "duplicate");
    assert_eq!(again[0]["cloud_id"], first[0]["cloud_id"]);
    assert_eq!(
        cloud.hq(Method::GET, "/entities/product/p-1", "").await.data()["version"],
        2
    );
}

#[tokio::test]
async fn a_refused_change_id_is_not_remembered() {
    let cloud = TestCloud::start().await;
    cloud.push(0, &[item("create", "p-1", r#""n":1"#, "c1", 0)]).await;
    cloud
        .hq(Method::PATCH, "/entities/product/p-1", r#"{"n":2}"#)
        .await
        .data();
    assert_eq!(
        cloud.push(0, &[item("update", "p-1", r#""n":3"#, "c2", 1)]).await[0]["status"],
        "conflict"
    );
    assert_eq!(
        cloud.push(0, &[item("update", "p-1", r#""n":3"#, "c2", 2)]).await[0]["status"],
        "success"
    );
}

#[tokio::test]
async fn an_older_base_version_gets_the_clouds_side_and_changes_nothing() {
    let cloud = TestCloud::start().await;
    let made = cloud
        .push(0, &[item("create", "p-1", r#""price":1.10"#, "c1", 0)])
        .await;
    cloud
        .push(1, &[item("update", "p-1", r#""price":2.20"#, "d1", 1)])
        .await;
    let results = cloud
        .push(0, &[item("update", "p-1", r#""price":3.30"#, "c2", 1)])
        .await;
    let line = &results[0];
    assert_eq!(line["status"], "conflict");
    assert_eq!(line["cloud"]["cloud_id"], made[0]["cloud_id"]);
    assert_eq!(line["cloud"]["version"], 2);
    assert_eq!(line["cloud"]["updated_by"], OUTLETS[1].1);
    assert_eq!(line["cloud"]["deleted"], false);
    assert_eq!(line["cloud"]["data"].to_string(), r#"{"id":"p-1","price":2.2}"#);
    let batch = format!(r#"{{"items":[{}]}}"#, item("delete", "p-1", "", "c3", 1));
    let text = cloud.outlet(0, Method::POST, "/sync/batch", &batch).await.text;
    assert!(
        text.contains(r#""price":2.20"#) && text.contains(r#""success":0,"failed":1"#),
        "{text}"
    );
}

#[tokio::test]
async fn an_update_of_what_was_deleted_is_a_conflict_with_a_tombstone_and_a_create_brings_it_back() {
    let cloud = TestCloud::start().await;
    let made = cloud.push(0, &[item("create", "p-1", r#""n":1"#, "c1", 0)]).await;
    cloud.hq(Method::DELETE, "/entities/product/p-1", "").await.data();
    let line = cloud
        .push(0, &[item("update", "p-1", r#""n":2"#, "c2", 1)])
        .await
        .remove(0);
    assert_eq!(
        (&line["status"], &line["cloud"]["deleted"]),
        (&"conflict".into(), &true.into())
    );
    assert_eq!(line["cloud"]["data"], Value::Null);
    let line = cloud
        .push(0, &[item("create", "p-1", r#""n":2"#, "c3", 0)])
        .await
        .remove(0);
    assert_eq!(
        (&line["status"], &line["version"]),
        (&"success".into(), &3.into())
    );
    assert_eq!(line["cloud_id"], made[0]["cloud_id"]);
}

#[tokio::test]
async fn a_delete_leaves_a_tombstone_and_a_second_one_is_a_success() {
    let cloud = TestCloud::start().await;
    cloud.push(0, &[item("create", "p-1", r#""n":1"#, "c1", 0)]).await;
    let line = cloud
        .push(0, &[item("delete", "p-1", "", "c2", 1)])
        .await
        .remove(0);
    assert_eq!(
        (&line["status"], &line["version"]),
        (&"success".into(), &2.into())
    );
    let line = cloud
        .push(1, &[item("delete", "p-1", "", "d1", 1)])
        .await
        .remove(0);
    assert_eq!(
        (&line["status"], &line["version"]),
        (&"success".into(), &2.into())
    );
    let line = cloud
        .push(1, &[item("delete", "never", "", "d2", 0)])
        .await
        .remove(0);
    assert_eq!(
        (&line["status"], &line["version"]),
        (&"success".into(), &Value::Null)
    );
}

#[tokio::test]
async fn an_outlet_without_extensions_is_served_and_the_last_writer_wins() {
    let cloud = TestCloud::start().await;
    let plain = |n: u32| {
        format!(r#"{{"entity_type":"product","operation":"update","data":{{"local_id":"p-1","n":{n}}}}}"#)
    };
    for n in 1..=3 {
        assert_eq!(
            cloud.push(n % 2, &[plain(n as u32)]).await[0]["status"],
            "success"
        );
    }
    assert_eq!(
        cloud.hq(Method::GET, "/entities/product/p-1", "").await.data()["data"]["n"],
        3
    );
}

#[tokio::test]
async fn a_bad_item_fails_alone() {
    let cloud = TestCloud::start().await;
    let long = "x".repeat(129);
    let results = cloud
        .push(
            0,
            &[
                item("create", "p-1", r#""n":1"#, "c1", 0),
                item("upsert", "p-2", "", "c2", 0),
                item("create", &long, "", "c3", 0),
                r#"{"entity_type":"product","operation":"create","data":[1],"change_id":"c4"}"#.to_owned(),
                r#"{"entity_type":"product","operation":"create","data":{"n":1},"change_id":"c5"}"#
                    .to_owned(),
                "17".to_owned(),
                item("create", "p-3", r#""n":1"#, "c6", 0),
            ],
        )
        .await;
    let statuses: Vec<_> = results
        .iter()
        .map(|line| line["status"].as_str().unwrap())
        .collect();
    assert_eq!(
        statuses,
        [
            "success", "failed", "failed", "failed", "failed", "failed", "success"
        ]
    );
    assert!(
        results[1..6]
            .iter()
            .all(|line| line["retryable"] == false && line["error"].is_string())
    );
    assert_eq!(results[2]["change_id"], "c3");
}

#[tokio::test]
async fn the_time_of_an_edit_is_kept_but_never_lies_in_the_future() {
    let cloud = TestCloud::start().await;
    cloud.push(0, &[item("create", "p-1", r#""n":1"#, "c1", 0)]).await;
    let at = cloud.hq(Method::GET, "/entities/product/p-1", "").await.data()["updated_at"].clone();
    assert_eq!(at, "2026-01-27T10:00:00.000Z");
    let ahead = item("update", "p-1", r#""n":2"#, "c2", 1).replace("2026-01-27", "2999-01-01");
    cloud.push(0, &[ahead]).await;
    let at = cloud.hq(Method::GET, "/entities/product/p-1", "").await.data()["updated_at"].to_string();
    assert!(!at.contains("2999"), "{at}");
}

#[tokio::test]
async fn documents_one_by_one_are_created_replaced_and_deduplicated_by_their_key() {
    let cloud = TestCloud::start().await;
    let (id, _, key) = OUTLETS[0];
    let bearer = format!("Bearer {key}");
    let post = async |path: &str, idempotency: &str, body: &str| {
        let headers = [
            ("authorization", bearer.as_str()),
            ("idempotency-key", idempotency),
        ];
        cloud
            .call(
                Method::POST,
                &format!("/api/v1/outlets/{id}{path}"),
                &headers,
                body,
            )
            .await
    };
    for path in ["/orders", "/transactions", "/products"] {
        let made = post(path, "k1", r#"{"local_id":"x-1","total":1.10}"#).await;
        assert_eq!(made.status, 201, "{path}: {}", made.text);
        assert_eq!(made.data()["local_id"], "x-1");
    }
    let made = post("/orders", "k2", r#"{"local_id":"x-2","total":1.10}"#).await;
    let again = post("/orders", "k2", r#"{"local_id":"x-2","total":1.10}"#).await;
    let next = post("/orders", "k3", r#"{"local_id":"x-2","total":1.20}"#).await;
    assert_eq!(
        [made.status.as_u16(), again.status.as_u16(), next.status.as_u16()],
        [201, 200, 200]
    );
    assert_eq!(
        [
            &made.data()["version"],
            &again.data()["version"],
            &next.data()["version"]
        ],
        [1, 1, 2]
    );
    post("/orders", "k4", "{").await.refused(400, "malformed_request");
    post("/orders", "k5", r#"{"total":1}"#)
        .await
        .refused(422, "invalid_value");
}
