//! The calls over real sockets: what leaves, byte for byte, and what becomes of every kind of answer.

use super::super::testing::{FixedClock, Wire, config, http};
use super::super::{LinkError, ResultStatus, Timing};
use super::*;
use selaras_core::offset::Reading;
use selaras_core::stamp::Millis;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

fn item() -> PushItem {
    PushItem {
        entity_type: "product".into(),
        operation: "create",
        data: r#"{"id":"p","price":9.80000019}"#.into(),
        change_id: "01J".into(),
        base_version: 0,
    }
}

#[tokio::test]
async fn every_header_of_the_contract_leaves_with_a_batch() {
    let body = r#"{"success":true,"data":{"results":[{"change_id":"01J","status":"success","version":1}]}}"#;
    let answer = http("200 OK", "Date: Tue, 27 Jan 2026 11:00:02 GMT\r\n", body);
    let mut wire = Wire::answering(vec![answer]).await;
    let results = wire
        .client
        .push_batch(&[item()], "2026-01-27T11:00:00Z")
        .await
        .unwrap();
    assert_eq!(results.value[0].status, ResultStatus::Success);
    let now = Reading {
        wall: Millis(1_769_511_600_000),
        mono_ms: 5_000,
        boot: 7,
    };
    assert_eq!(
        results.timing,
        Some(Timing {
            sent: now,
            received: now,
            date: Millis(1_769_511_602_000)
        })
    );

    let seen = wire.seen().await;
    assert_eq!(seen.line, "POST /api/v1/outlets/550e%2F8400/sync/batch HTTP/1.1");
    assert_eq!(seen.header("authorization"), Some("Bearer key-123"));
    assert_eq!(seen.header("x-outlet-id"), Some("550e/8400"));
    assert_eq!(seen.header("x-outlet-code"), Some("JKT-001"));
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(
        seen.header("user-agent"),
        Some(concat!("selaras/", env!("CARGO_PKG_VERSION")))
    );
    assert_eq!(
        seen.header("x-request-id"),
        Some("0000000000000abc0000000000000abc")
    );
    assert_eq!(
        seen.header("idempotency-key"),
        Some(&*hex::encode(Sha256::digest(&seen.body)))
    );
    assert_eq!(
        seen.body,
        concat!(
            r#"{"outlet_id":"550e/8400","outlet_code":"JKT-001","sync_timestamp":"2026-01-27T11:00:00Z","items":["#,
            r#"{"entity_type":"product","operation":"create","data":{"id":"p","price":9.80000019},"change_id":"01J","base_version":0}]}"#
        )
    );
}

#[tokio::test]
async fn a_checkpoint_is_escaped_and_a_get_has_no_idempotency_key() {
    let page = r#"{"success":true,"data":{"products":[{"cloud_id":"c","n":1e400}],"sync_checkpoint":"x","has_more":true}}"#;
    let mut wire = Wire::answering(vec![http("200 OK", "", page), http("200 OK", "", page)]).await;
    let answer = wire
        .client
        .updates("2026-01-27T10:30:00+07:00 &x", Some(500))
        .await
        .unwrap();
    assert_eq!(answer.timing, None);
    assert_eq!(answer.value.elements[0].data.as_deref(), Some(r#"{"n":1e400}"#));
    assert!(answer.value.has_more);
    wire.client.updates("a", None).await.unwrap();

    let seen = wire.seen().await;
    assert_eq!(
        seen.line,
        "GET /api/v1/outlets/550e%2F8400/updates?since=2026-01-27T10%3A30%3A00%2B07%3A00%20%26x&limit=500 HTTP/1.1"
    );
    assert_eq!(seen.header("idempotency-key"), None);
    assert_eq!(seen.header("content-type"), Some("application/json"));
    assert_eq!(seen.header("authorization"), Some("Bearer key-123"));
    assert_eq!(
        wire.seen().await.line,
        "GET /api/v1/outlets/550e%2F8400/updates?since=a HTTP/1.1"
    );
}

#[tokio::test]
async fn the_other_calls_go_where_the_contract_says() {
    let resolved = r#"{"success":true,"data":{"resolved":true,"applied_value":{"p": 1.0},"new_version":4,"resolved_at":"t"}}"#;
    let made = r#"{"success":true,"data":{"cloud_id":"c-1","version":1}}"#;
    let mut wire = Wire::answering(vec![
        http("200 OK", "", "pong"),
        http("201 Created", "", made),
        http("200 OK", "", resolved),
        http("201 Created", "", ""),
    ])
    .await;
    wire.client.ping().await.unwrap();
    let document = wire
        .client
        .push_document("orders", r#"{"id":"o"}"#)
        .await
        .unwrap();
    assert_eq!(document.value.cloud_id.as_deref(), Some("c-1"));
    let resolution = Resolution {
        conflict_id: "c/1".into(),
        strategy: "local_wins".into(),
        resolved_by: "admin".into(),
        notes: "\"quoted\"\n".into(),
    };
    let told = wire.client.resolve_conflict(&resolution).await.unwrap();
    assert_eq!(
        (told.value.resolved, told.value.new_version),
        (Some(true), Some(4))
    );
    assert_eq!(told.value.applied_value.as_deref(), Some(r#"{"p": 1.0}"#));
    wire.client
        .analytics_daily(r#"{"date":"2026-01-27"}"#)
        .await
        .unwrap();

    assert_eq!(wire.seen().await.line, "GET /api/v1/ping HTTP/1.1");
    let seen = wire.seen().await;
    assert_eq!(
        (&*seen.line, &*seen.body),
        (
            "POST /api/v1/outlets/550e%2F8400/orders HTTP/1.1",
            r#"{"id":"o"}"#
        )
    );
    let seen = wire.seen().await;
    assert_eq!(
        seen.line,
        "POST /api/v1/outlets/550e%2F8400/conflicts/c%2F1/resolve HTTP/1.1"
    );
    assert_eq!(
        seen.body,
        r#"{"strategy":"local_wins","resolved_by":"admin","notes":"\"quoted\"\n"}"#
    );
    let seen = wire.seen().await;
    assert_eq!(
        seen.line,
        "POST /api/v1/outlets/550e%2F8400/analytics/daily HTTP/1.1"
    );
}

#[tokio::test]
async fn an_id_that_no_address_can_carry_is_not_sent() {
    let wire = Wire::answering(vec![]).await;
    let resolution = Resolution {
        conflict_id: "..".into(),
        strategy: String::new(),
        resolved_by: String::new(),
        notes: String::new(),
    };
    assert_eq!(
        wire.client
            .resolve_conflict(&resolution)
            .await
            .unwrap_err()
            .code(),
        "not_found"
    );
}

#[tokio::test]
async fn refusals_keep_what_they_say() {
    let wire = Wire::answering(vec![
        http("429 Too Many Requests", "Retry-After: 9\r\n", "{}"),
        http(
            "503 Service Unavailable",
            "Retry-After: Tue, 27 Jan 2026 11:00:30 GMT\r\n",
            "<html>",
        ),
        http("401 Unauthorized", "", r#"{"message":"expired"}"#),
        http("307 Temporary Redirect", "Location: http://evil.test/\r\n", ""),
        http("410 Gone", "", ""),
    ])
    .await;
    let mut told = Vec::new();
    for _ in 0..5 {
        told.push(wire.client.updates("x", None).await.unwrap_err());
    }
    assert_eq!(
        told[0],
        LinkError::RateLimited {
            retry_after: Some(Duration::from_secs(9))
        }
    );
    assert_eq!(told[1].retry_after(), Some(Duration::from_secs(30)));
    assert_eq!(told[2], LinkError::Unauthorized("expired".into()));
    assert!(told[3].to_string().contains("http://evil.test/"));
    assert_eq!(told[4], LinkError::Gone);
}

#[tokio::test]
async fn nobody_hears_of_a_redirect_to_them() {
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let target = format!(
        "Location: http://{}/api/v1/ping\r\n",
        elsewhere.local_addr().unwrap()
    );
    let statuses = [
        "301 Moved Permanently",
        "302 Found",
        "303 See Other",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ];
    let wire = Wire::answering(statuses.map(|status| http(status, &target, "")).to_vec()).await;
    for status in statuses {
        let told = wire.client.ping().await.unwrap_err();
        assert!(
            told.to_string().contains("redirects are not followed"),
            "{status}: {told}"
        );
    }
    let come = elsewhere.accept().map(|_| "somebody came").unwrap_err();
    assert_eq!(come.kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_broken_connection_is_told_from_an_absent_one() {
    let cut = http("200 OK", "", r#"{"success":true}"#);
    let wire = Wire::answering(vec![
        vec![],
        cut[..cut.len() - 4].to_vec(),
        b"not http at all\r\n\r\n".to_vec(),
    ])
    .await;
    for _ in 0..3 {
        let error = wire.client.ping().await.unwrap_err();
        assert_eq!(error.code(), "interrupted", "{error}");
        assert!(!error.surely_not_applied());
    }
    let url = wire.url.clone();
    drop(wire);
    let absent = loop {
        // The aborted server's socket closes when its task is dropped; until then it may still take a connection.
        let client = Client::new(config(&url), Arc::new(FixedClock)).unwrap();
        match client.ping().await.unwrap_err() {
            LinkError::Interrupted(_) => tokio::task::yield_now().await,
            other => break other,
        }
    };
    assert_eq!(absent.code(), "unreachable");
    assert!(absent.to_string().contains("refused"), "{absent}");
    assert!(!absent.to_string().contains(&url), "{absent}");
}

#[tokio::test]
async fn a_silent_cloud_times_out() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(&format!("http://{}", listener.local_addr().unwrap()));
    config.request_timeout = Duration::from_millis(50);
    let client = Client::new(config, Arc::new(FixedClock)).unwrap();
    assert_eq!(
        client.ping().await.unwrap_err(),
        LinkError::Timeout(Duration::from_millis(50))
    );
}

#[tokio::test]
async fn an_endless_answer_is_cut_off() {
    let endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"400\r\n".to_vec(), vec![b' '; 1024], b"\r\n".to_vec()].concat();
    let endless = [endless, chunk.repeat(64)].concat();
    let stated = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_vec();
    let wire = Wire::limited(vec![endless, stated], 10_000).await;
    for _ in 0..2 {
        let error = wire.client.updates("x", None).await.unwrap_err();
        assert_eq!(error, LinkError::Nonsense("longer than 10000 bytes".into()));
    }
}

#[tokio::test]
async fn a_long_batch_and_its_long_answer_pass_whole() {
    let long = "x".repeat(400_000);
    let result =
        format!(r#"{{"success":true,"data":{{"results":[{{"status":"failed","error":"{long}"}}]}}}}"#);
    let mut wire = Wire::answering(vec![http("200 OK", "", &result)]).await;
    let mut item = item();
    item.data = format!(r#"{{"note":"{long}"}}"#).into();
    let results = wire.client.push_batch(&[item], "t").await.unwrap();
    assert_eq!(
        results.value[0].status,
        ResultStatus::Failed {
            error: long.clone(),
            retryable: None
        }
    );
    let seen = wire.seen().await;
    assert!(seen.body.contains(&long));
    assert_eq!(
        seen.header("idempotency-key"),
        Some(&*hex::encode(Sha256::digest(&seen.body)))
    );
}
