//! `Idempotency-Key`: whatever an app repeats under its key gets the first answer, whatever happened meanwhile.

use crate::outlet::{Outlet, Reply, Setup};

/// A change that is repeated under a key, and one that is not the same.
struct Repeated {
    method: &'static str,
    path: &'static str,
    body: &'static str,
    if_match: Option<&'static str>,
    other: (&'static str, &'static str),
}

const CHANGES: [Repeated; 5] = [
    Repeated {
        method: "PUT",
        path: "entities/order/a",
        body: r#"{"n":2}"#,
        if_match: Some("\"1\""),
        other: ("entities/order/a", r#"{"n":3}"#),
    },
    Repeated {
        method: "PATCH",
        path: "entities/order/b",
        body: r#"{"n":2}"#,
        if_match: Some("\"1\""),
        other: ("entities/order/b", r#"{"n":3}"#),
    },
    Repeated {
        method: "DELETE",
        path: "entities/order/c",
        body: "",
        if_match: Some("\"1\""),
        other: ("entities/order/d", ""),
    },
    Repeated {
        method: "POST",
        path: "changes",
        body: r#"{"changes":[{"entity_type":"order","entity_id":"d","operation":"update","data":{"n":2}}]}"#,
        if_match: None,
        other: (
            "changes",
            r#"{"changes":[{"entity_type":"order","entity_id":"d","operation":"delete"}]}"#,
        ),
    },
    Repeated {
        method: "POST",
        path: "analytics/daily",
        body: r#"{"date":"2026-01-27","summary":{"total_orders":1,"total_revenue":9.80,"total_transactions":1,"payment_methods":{},"top_products":[],"hourly_breakdown":[]}}"#,
        if_match: None,
        other: (
            "analytics/daily",
            r#"{"date":"2026-01-28","summary":{"total_orders":1,"total_revenue":9.80,"total_transactions":1,"payment_methods":{},"top_products":[],"hourly_breakdown":[]}}"#,
        ),
    },
];

async fn send(outlet: &Outlet, change: &Repeated, key: &str) -> Reply {
    send_as(outlet, change, (change.path, change.body), key).await
}

async fn send_as(outlet: &Outlet, change: &Repeated, (path, body): (&str, &str), key: &str) -> Reply {
    let mut request = outlet
        .request(change.method, &format!("/api/v1/{path}"))
        .header("Idempotency-Key", key);
    if let Some(version) = change.if_match {
        request = request.header("If-Match", version);
    }
    if body.is_empty() {
        request.await
    } else {
        request.json(body).await
    }
}

async fn seeded() -> Outlet {
    let outlet = Setup::without_cloud().start().await;
    for id in ["a", "b", "c", "d"] {
        outlet.put("order", id, r#"{"n":1}"#).await.expect(201);
    }
    outlet
}

/// What a repeat must get again.
fn answer(reply: &Reply) -> (u16, &str, Option<&str>) {
    (reply.status, &reply.text, reply.header("etag"))
}

#[tokio::test]
async fn every_repeat_gets_the_first_answer_before_if_match_is_looked_at_also_after_a_power_cut() {
    let mut outlet = seeded().await;
    let mut first = Vec::new();
    for (at, change) in CHANGES.iter().enumerate() {
        let reply = send(&outlet, change, &format!("k-{at}")).await;
        assert!(reply.status < 300, "{}", reply.text);
        first.push(reply);
    }
    // Life goes on: versions move, the deleted one lives again.
    for id in ["a", "b", "c", "d"] {
        outlet.put("order", id, r#"{"n":9}"#).await;
    }
    let head = outlet.feed(0).await.num("head");
    for round in 0..2 {
        for (at, (change, first)) in CHANGES.iter().zip(&first).enumerate() {
            let again = send(&outlet, change, &format!("k-{at}")).await;
            assert_eq!(answer(&again), answer(first), "round {round}");
        }
        outlet = outlet.kill().await.start().await;
    }
    assert_eq!(outlet.feed(0).await.num("head"), head, "nothing was done again");
}

#[tokio::test]
async fn the_same_key_with_another_request_is_422_and_a_bad_key_400() {
    let outlet = seeded().await;
    for (at, change) in CHANGES.iter().enumerate() {
        let key = format!("k-{at}");
        let overlong = "k".repeat(129);
        for bad in ["", overlong.as_str()] {
            send(&outlet, change, bad)
                .await
                .expect_error(400, "invalid_header")
                .names("Idempotency-Key");
        }
        assert!(send(&outlet, change, &key).await.status < 300);
        send_as(&outlet, change, change.other, &key)
            .await
            .expect_error(422, "idempotency_key_reused");
    }
}
