//! Keys, rates, sizes and routes: what is refused, and how.

use http::Method;

use crate::harness::{BEGINNING, OUTLETS, TestCloud, item};

#[tokio::test]
async fn only_a_known_key_for_the_right_outlet_gets_in() {
    let cloud = TestCloud::start().await;
    let (mine, other) = (OUTLETS[0], OUTLETS[1]);
    let bearer = format!("Bearer {}", mine.2);
    let path = format!("/api/v1/outlets/{}/updates", mine.0);
    cloud
        .call(Method::GET, &path, &[], "")
        .await
        .refused(401, "unauthorized");
    cloud
        .call(Method::GET, &path, &[("authorization", "Bearer nobody")], "")
        .await
        .refused(401, "unauthorized");
    cloud
        .call(Method::GET, &path, &[("authorization", &bearer)], "")
        .await
        .data();
    let headers = [("authorization", bearer.as_str()), ("x-outlet-id", other.0)];
    cloud
        .call(Method::GET, &path, &headers, "")
        .await
        .refused(403, "forbidden");
    let path = format!("/api/v1/outlets/{}/updates", other.0);
    cloud
        .call(Method::GET, &path, &[("authorization", &bearer)], "")
        .await
        .refused(403, "forbidden");
    cloud
        .call(Method::GET, "/hq/stats", &[("authorization", &bearer)], "")
        .await
        .refused(401, "unauthorized");
}

#[tokio::test]
async fn without_a_key_headquarters_endpoints_are_closed() {
    let cloud = TestCloud::with(|settings| settings.hq_key = None).await;
    cloud
        .hq(Method::GET, "/stats", "")
        .await
        .refused(403, "forbidden");
}

#[tokio::test]
async fn over_the_rate_is_429_with_the_seconds_to_wait() {
    let cloud = TestCloud::with(|settings| settings.rate_limit = 3).await;
    for _ in 0..3 {
        cloud.pull(0, BEGINNING, 1).await.data();
    }
    let refused = cloud.pull(0, BEGINNING, 1).await;
    refused.refused(429, "rate_limit_exceeded");
    let wait = refused.json()["retry_after"].as_u64().unwrap();
    assert!((1..=20).contains(&wait));
    assert_eq!(refused.retry_after, Some(wait.to_string()));
    cloud.pull(1, BEGINNING, 1).await.data();
}

#[tokio::test]
async fn too_many_items_and_too_many_bytes_are_413() {
    let cloud = TestCloud::start().await;
    let items: Vec<_> = (0..1001)
        .map(|n| item("create", &format!("p-{n}"), "", &format!("c{n}"), 0))
        .collect();
    let body = format!(r#"{{"items":[{}]}}"#, items.join(","));
    cloud
        .outlet(0, Method::POST, "/sync/batch", &body)
        .await
        .refused(413, "payload_too_large");
    let body = format!(r#"{{"items":[],"x":"{}"}}"#, "x".repeat(10 * 1024 * 1024));
    cloud
        .outlet(0, Method::POST, "/sync/batch", &body)
        .await
        .refused(413, "payload_too_large");
    assert_eq!(cloud.hq(Method::GET, "/stats", "").await.data()["changes"], 0);
}

#[tokio::test]
async fn what_is_not_understood_is_refused_in_the_contracts_shape() {
    let cloud = TestCloud::start().await;
    for body in ["", "{", "[]", r#"{"items":{}}"#, "{\"items\":[]}x"] {
        cloud
            .outlet(0, Method::POST, "/sync/batch", body)
            .await
            .refused(400, "malformed_request");
    }
    cloud
        .outlet(0, Method::GET, "/nothing", "")
        .await
        .refused(404, "not_found");
    cloud
        .outlet(0, Method::GET, "/sync/batch", "")
        .await
        .refused(405, "method_not_allowed");
    cloud
        .hq(Method::GET, "/nothing", "")
        .await
        .refused(404, "not_found");
    cloud
        .hq(Method::DELETE, "/stats", "")
        .await
        .refused(405, "method_not_allowed");
    cloud
        .hq(Method::PUT, "/entities/product/p-1", "[1]")
        .await
        .refused(400, "malformed_request");
}
