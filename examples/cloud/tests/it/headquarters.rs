//! Headquarters: editing, lists, outlets, the outage, analytics, conflicts.

use http::Method;

use crate::harness::{BEGINNING, OUTLETS, TestCloud, item};

#[tokio::test]
async fn an_edit_makes_the_next_version_and_keeps_the_other_digits() {
    let cloud = TestCloud::start().await;
    cloud
        .push(
            0,
            &[item("create", "p-1", r#""price":9.80000019,"stock":1"#, "c1", 0)],
        )
        .await;
    let edited = cloud
        .hq(Method::PATCH, "/entities/product/p-1", r#"{"stock":2.50}"#)
        .await;
    assert!(
        edited
            .text
            .contains(r#"{"id":"p-1","price":9.80000019,"stock":2.50}"#),
        "{}",
        edited.text
    );
    assert_eq!(
        (&edited.data()["version"], &edited.data()["updated_by"]),
        (&2.into(), &"hq".into())
    );
    let again = cloud
        .hq(Method::PATCH, "/entities/product/p-1", r#"{"stock":2.50}"#)
        .await
        .data();
    assert_eq!(again["version"], 2, "an edit that changes nothing is no change");
    let by_cloud_id = again["cloud_id"].as_str().unwrap();
    let put = cloud
        .hq(
            Method::PUT,
            &format!("/entities/product/{by_cloud_id}"),
            r#"{"id":"p-1"}"#,
        )
        .await;
    assert_eq!(
        (&put.data()["version"], &put.data()["local_id"]),
        (&3.into(), &"p-1".into())
    );
}

#[tokio::test]
async fn an_entity_made_at_the_cloud_has_no_local_id_until_it_is_given_one() {
    let cloud = TestCloud::start().await;
    let made = cloud
        .hq(Method::POST, "/entities/product", r#"{"name":"new"}"#)
        .await
        .data();
    assert_eq!((&made["version"], made["local_id"].is_null()), (&1.into(), true));
    let page = cloud.pull(0, BEGINNING, 10).await.data();
    assert_eq!(page["items"][0]["cloud_id"], made["cloud_id"]);
    assert!(page["items"][0].get("local_id").is_none());
    let cloud_id = made["cloud_id"].as_str().unwrap();
    let doc = format!(r#""cloud_id":"{cloud_id}","name":"edited""#);
    let line = cloud
        .push(0, &[item("update", "01LOCAL", &doc, "c1", 1)])
        .await
        .remove(0);
    assert_eq!(
        (&line["status"], &line["local_id"]),
        (&"success".into(), &"01LOCAL".into())
    );
    assert_eq!(line["cloud_id"], made["cloud_id"]);
}

#[tokio::test]
async fn many_changes_go_together_or_not_at_all() {
    let cloud = TestCloud::start().await;
    let put =
        |id: &str| format!(r#"{{"entity_type":"product","id":"{id}","operation":"put","data":{{"n":1}}}}"#);
    let missing = r#"{"entity_type":"product","id":"none","operation":"patch","data":{"n":1}}"#;
    let body = format!(r#"{{"changes":[{},{missing}]}}"#, put("p-1"));
    cloud
        .hq(Method::POST, "/changes", &body)
        .await
        .refused(404, "not_found");
    cloud
        .hq(Method::GET, "/entities/product/p-1", "")
        .await
        .refused(404, "not_found");
    let body = format!(r#"{{"changes":[{},{}]}}"#, put("p-1"), put("p-2"));
    assert_eq!(cloud.hq(Method::POST, "/changes", &body).await.data()["count"], 2);
    let bad = r#"{"changes":[{"entity_type":"product","operation":"put"}]}"#;
    let answer = cloud.hq(Method::POST, "/changes", bad).await;
    answer.refused(422, "invalid_value");
    assert!(answer.text.contains("changes[0]: data is missing"));
}

#[tokio::test]
async fn lists_go_page_by_page() {
    let cloud = TestCloud::start().await;
    let items: Vec<_> = (0..5)
        .map(|n| item("create", &format!("p-{n}"), "", &format!("c{n}"), 0))
        .collect();
    cloud.push(0, &items).await;
    cloud.hq(Method::DELETE, "/entities/product/p-4", "").await.data();
    let first = cloud
        .hq(Method::GET, "/entities/product?limit=3", "")
        .await
        .data();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = cloud
        .hq(
            Method::GET,
            &format!("/entities/product?limit=3&cursor={cursor}"),
            "",
        )
        .await
        .data();
    assert_eq!((&first["count"], &second["count"]), (&3.into(), &1.into()));
    assert!(second["next_cursor"].is_null());
    let all = cloud
        .hq(Method::GET, "/entities/product?deleted=true", "")
        .await
        .data();
    assert_eq!(all["count"], 5);
    cloud
        .hq(Method::GET, "/entities/product?limit=0", "")
        .await
        .refused(422, "invalid_value");
    cloud
        .hq(Method::GET, "/entities/product?cursor=x", "")
        .await
        .refused(422, "invalid_value");
}

#[tokio::test]
async fn if_match_guards_an_edit() {
    let cloud = TestCloud::start().await;
    cloud.push(0, &[item("create", "p-1", "", "c1", 0)]).await;
    let bearer = format!("Bearer {}", crate::harness::HQ_KEY);
    let patch = async |version: &str| {
        let headers = [("authorization", bearer.as_str()), ("if-match", version)];
        cloud
            .call(Method::PATCH, "/hq/entities/product/p-1", &headers, r#"{"n":1}"#)
            .await
    };
    patch("\"2\"").await.refused(412, "version_mismatch");
    assert_eq!(patch("\"1\"").await.data()["version"], 2);
    patch("one").await.refused(422, "invalid_value");
}

#[tokio::test]
async fn an_edit_handed_over_later_keeps_its_time_but_stamps_never_go_back() {
    let cloud = TestCloud::start().await;
    cloud.push(0, &[item("create", "p-1", "", "c1", 0)]).await;
    let bearer = format!("Bearer {}", crate::harness::HQ_KEY);
    let edit = async |at: &str, body: &str| {
        let headers = [("authorization", bearer.as_str()), ("x-edited-at", at)];
        cloud
            .call(Method::PATCH, "/hq/entities/product/p-1", &headers, body)
            .await
    };
    let edited = edit("2026-01-28T17:00:00+07:00", r#"{"n":1}"#).await.data();
    assert_eq!(edited["updated_at"], "2026-01-28T10:00:00.000Z");
    let edited = edit("2026-01-01T00:00:00Z", r#"{"n":2}"#).await.data();
    assert_eq!(edited["updated_at"], "2026-01-28T10:00:00.000Z");
    edit("yesterday", r#"{"n":3}"#)
        .await
        .refused(422, "invalid_value");
}

#[tokio::test]
async fn the_outage_leaves_only_headquarters() {
    let cloud = TestCloud::start().await;
    cloud.hq(Method::POST, "/outage", r#"{"on":true}"#).await.data();
    cloud.pull(0, BEGINNING, 10).await.refused(503, "unavailable");
    cloud
        .call(Method::GET, "/api/v1/ping", &[], "")
        .await
        .refused(503, "unavailable");
    assert_eq!(cloud.hq(Method::GET, "/stats", "").await.data()["down"], true);
    cloud.hq(Method::POST, "/outage", r#"{"on":false}"#).await.data();
    cloud.pull(0, BEGINNING, 10).await.data();
}

#[tokio::test]
async fn a_new_outlet_can_call_at_once_and_its_key_never_comes_out() {
    let cloud = TestCloud::start().await;
    let register = r#"{"outlet_id":"outlet-3","code":"SBY-001","api_key":"key-of-outlet-three"}"#;
    cloud.hq(Method::POST, "/outlets", register).await.data();
    let headers = [("authorization", "Bearer key-of-outlet-three")];
    let ping = cloud.call(Method::GET, "/api/v1/ping", &headers, "").await;
    assert_eq!(ping.data()["outlet_id"], "outlet-3");
    assert!(
        !cloud
            .hq(Method::GET, "/outlets", "")
            .await
            .text
            .contains("key-of")
    );
    let taken = r#"{"outlet_id":"outlet-4","code":"X","api_key":"key-of-outlet-three"}"#;
    cloud
        .hq(Method::POST, "/outlets", taken)
        .await
        .refused(409, "key_conflict");
    let short = r#"{"outlet_id":"outlet-4","code":"X","api_key":"short"}"#;
    cloud
        .hq(Method::POST, "/outlets", short)
        .await
        .refused(422, "invalid_value");
}

#[tokio::test]
async fn a_day_is_stored_and_replaced() {
    let cloud = TestCloud::start().await;
    let day = |n: u32| {
        format!(
            r#"{{"outlet_id":"o","outlet_code":"c","date":"2026-01-27","summary":{{"total_revenue":{n}.10}}}}"#
        )
    };
    assert_eq!(
        cloud
            .outlet(0, Method::POST, "/analytics/daily", &day(1))
            .await
            .status,
        201
    );
    assert_eq!(
        cloud
            .outlet(0, Method::POST, "/analytics/daily", &day(2))
            .await
            .status,
        200
    );
    let shown = cloud.hq(Method::GET, "/analytics", "").await;
    assert!(
        shown.text.contains(r#""summary":{"total_revenue":2.10}"#),
        "{}",
        shown.text
    );
    let bad = day(1).replace("2026-01-27", "2026-13-27");
    cloud
        .outlet(0, Method::POST, "/analytics/daily", &bad)
        .await
        .refused(422, "invalid_value");
}

#[tokio::test]
async fn resolving_closes_a_conflict_once_and_applies_the_outlets_side_where_it_won() {
    let cloud = TestCloud::start().await;
    cloud
        .push(0, &[item("create", "p-1", r#""price":1"#, "c1", 0)])
        .await;
    cloud
        .hq(Method::PATCH, "/entities/product/p-1", r#"{"price":2}"#)
        .await
        .data();
    let line = cloud
        .push(0, &[item("update", "p-1", r#""price":3.0"#, "c2", 1)])
        .await
        .remove(0);
    let again = cloud
        .push(0, &[item("update", "p-1", r#""price":3.0"#, "c2", 1)])
        .await
        .remove(0);
    assert_eq!(line["conflict_id"], again["conflict_id"]);
    let path = format!("/conflicts/{}/resolve", line["conflict_id"].as_str().unwrap());
    let body = r#"{"strategy":"local_wins","resolved_by":"manager","notes":"n"}"#;
    cloud
        .outlet(1, Method::POST, &path, body)
        .await
        .refused(404, "not_found");
    let first = cloud.outlet(0, Method::POST, &path, body).await;
    assert!(
        first
            .text
            .contains(r#""resolved":true,"applied_value":3.0,"new_version":3"#),
        "{}",
        first.text
    );
    assert_eq!(cloud.outlet(0, Method::POST, &path, body).await.text, first.text);
    let shown = cloud.hq(Method::GET, "/conflicts", "").await.data();
    assert_eq!(
        (&shown[0]["status"], &shown[0]["resolved_by"]),
        (&"resolved".into(), &"manager".into())
    );
    assert_eq!(
        (&shown[0]["field"], &shown[0]["outlet_code"]),
        (&"price".into(), &OUTLETS[0].1.into())
    );
}

#[tokio::test]
async fn a_later_push_settles_a_conflict() {
    let cloud = TestCloud::start().await;
    cloud.push(0, &[item("create", "p-1", r#""n":1"#, "c1", 0)]).await;
    cloud
        .hq(Method::PATCH, "/entities/product/p-1", r#"{"n":2}"#)
        .await
        .data();
    let line = cloud
        .push(0, &[item("update", "p-1", r#""n":3"#, "c2", 1)])
        .await
        .remove(0);
    cloud.push(0, &[item("update", "p-1", r#""n":3"#, "c3", 2)]).await;
    let shown = cloud.hq(Method::GET, "/conflicts", "").await.data();
    assert_eq!(
        (&shown[0]["status"], &shown[0]["new_version"]),
        (&"settled".into(), &3.into())
    );
    // The outlet still says how it decided.
    let path = format!("/conflicts/{}/resolve", line["conflict_id"].as_str().unwrap());
    let answer = cloud
        .outlet(0, Method::POST, &path, r#"{"strategy":"local_wins"}"#)
        .await
        .data();
    assert_eq!(
        (&answer["new_version"], &answer["applied_value"]),
        (&3.into(), &3.into())
    );
}
