//! Webhooks over real sockets: signed, retried with the same body and id, durable, and quiet when told so.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::routing::post;
use http::{HeaderMap, Method, StatusCode};
use selaras_cloud::app;
use selaras_cloud::webhooks::sign;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::harness::{OUTLETS, TestCloud, item};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A webhook as the outlet got it.
struct Received {
    hook: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Received {
    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Script = (Arc<Mutex<VecDeque<StatusCode>>>, mpsc::UnboundedSender<Received>);

/// An outlet that answers with the given statuses first and 200 afterwards.
async fn outlet(statuses: &[u16]) -> (String, mpsc::UnboundedReceiver<Received>) {
    let statuses = statuses
        .iter()
        .map(|status| StatusCode::from_u16(*status).unwrap())
        .collect();
    let (sent, received) = mpsc::unbounded_channel();
    let take = async |State((statuses, sent)): State<Script>, Path(hook), headers: HeaderMap, body: Bytes| {
        sent.send(Received { hook, headers, body }).unwrap();
        statuses.lock().unwrap().pop_front().unwrap_or(StatusCode::OK)
    };
    let state: Script = (Arc::new(Mutex::new(statuses)), sent);
    let router = Router::new()
        .route("/api/v1/webhooks/cloud/{hook}", post(take))
        .with_state(state);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, received)
}

async fn register(cloud: &TestCloud, which: usize, url: &str) {
    let (id, code, _) = OUTLETS[which];
    let body = format!(
        r#"{{"outlet_id":"{id}","code":"{code}","webhook_url":"{url}","webhook_secret":"{SECRET}"}}"#
    );
    cloud.hq(Method::POST, "/outlets", &body).await.data();
}

fn deliver(cloud: &TestCloud) -> CancellationToken {
    let stop = CancellationToken::new();
    let (cloud, token) = (Arc::clone(&cloud.cloud), stop.clone());
    let client = app::webhook_client().unwrap();
    tokio::spawn(async move {
        cloud
            .postman
            .run(cloud.store.clone(), client, 1, token)
            .await
            .unwrap();
    });
    stop
}

async fn delivered(cloud: &TestCloud, count: u64) {
    while cloud.hq(Method::GET, "/stats", "").await.data()["webhooks"]["delivered"] != count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_edit_reaches_every_outlet_signed_in_both_ways() {
    let cloud = TestCloud::start().await;
    let _stop = deliver(&cloud);
    let (url, mut received) = outlet(&[]).await;
    register(&cloud, 0, &url).await;
    cloud
        .hq(Method::PUT, "/entities/product/p-1", r#"{"price":9.80000019}"#)
        .await
        .data();
    let hook = received.recv().await.unwrap();
    assert_eq!(hook.hook, "update");
    assert_eq!(hook.header("x-outlet-id"), OUTLETS[0].0);
    assert_eq!(
        hook.header("x-cloud-signature"),
        sign::cloud_signature(SECRET, &hook.body)
    );
    let at = hook.header("webhook-timestamp").parse().unwrap();
    let standard = sign::standard_signature(SECRET, hook.header("webhook-id"), at, &hook.body);
    assert_eq!(hook.header("webhook-signature"), standard);
    assert!(String::from_utf8_lossy(&hook.body).contains(r#""data":{"price":9.80000019}"#));
    assert_eq!(
        (&hook.json()["event"], &hook.json()["version"]),
        (&"update".into(), &1.into())
    );
    cloud.hq(Method::DELETE, "/entities/product/p-1", "").await.data();
    let hook = received.recv().await.unwrap();
    assert_eq!(
        (hook.hook.as_str(), &hook.json()["version"]),
        ("delete", &2.into())
    );
    delivered(&cloud, 2).await;
}

#[tokio::test]
async fn headquarters_tell_everybody_something_and_change_one_outlets_configuration() {
    let cloud = TestCloud::start().await;
    let _stop = deliver(&cloud);
    let (url, mut received) = outlet(&[]).await;
    register(&cloud, 0, &url).await;
    let message = r#"{"message":"Closing at 9","data":{"till":9.0}}"#;
    let told = cloud.hq(Method::POST, "/broadcast", message).await.data();
    assert_eq!(told["outlets"], 1);
    let hook = received.recv().await.unwrap();
    assert_eq!(hook.hook, "broadcast");
    assert!(
        String::from_utf8_lossy(&hook.body).ends_with(r#","message":"Closing at 9","data":{"till":9.0}}"#)
    );
    assert!(hook.json()["timestamp"].is_string());

    let config = format!(
        r#"{{"outlet_id":"{}","config":{{"outlet_name":"Kemang"}}}}"#,
        OUTLETS[0].0
    );
    cloud.hq(Method::POST, "/config", &config).await.data();
    let hook = received.recv().await.unwrap();
    assert_eq!(
        (hook.hook.as_str(), &hook.json()["config"]["outlet_name"]),
        ("config", &"Kemang".into())
    );
    for (path, bad, status) in [
        ("/broadcast", r#"{"message":""}"#, 422),
        ("/config", r#"{"config":7}"#, 422),
        ("/config", r#"{"config":{},"outlet_id":"nobody"}"#, 404),
    ] {
        assert_eq!(
            cloud.hq(Method::POST, path, bad).await.status.as_u16(),
            status,
            "{bad}"
        );
    }
}

#[tokio::test]
async fn a_failed_webhook_is_sent_again_with_the_same_id_and_body() {
    let cloud = TestCloud::start().await;
    let _stop = deliver(&cloud);
    let (url, mut received) = outlet(&[503, 401]).await;
    register(&cloud, 0, &url).await;
    cloud
        .hq(Method::PUT, "/entities/product/p-1", r#"{"n":1}"#)
        .await
        .data();
    let first = received.recv().await.unwrap();
    for _ in 0..2 {
        let again = received.recv().await.unwrap();
        assert_eq!(
            (again.header("webhook-id"), &again.body),
            (first.header("webhook-id"), &first.body)
        );
    }
    delivered(&cloud, 1).await;
}

#[tokio::test]
async fn an_undelivered_webhook_survives_a_restart_and_an_unreadable_one_is_given_up() {
    let cloud = TestCloud::start().await;
    let (url, mut received) = outlet(&[422]).await;
    register(&cloud, 0, &url).await;
    cloud
        .hq(Method::PUT, "/entities/product/p-1", r#"{"n":1}"#)
        .await
        .data();
    let cloud = cloud.restart().await;
    let _stop = deliver(&cloud);
    assert_eq!(received.recv().await.unwrap().json()["data"]["n"], 1);
    while cloud.hq(Method::GET, "/stats", "").await.data()["webhooks"]["given_up"] != 1 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn many_edits_come_as_one_bulk_update_and_notify_false_as_none() {
    let cloud = TestCloud::start().await;
    let (url, mut received) = outlet(&[]).await;
    register(&cloud, 0, &url).await;
    let put =
        |id: &str| format!(r#"{{"entity_type":"product","id":"{id}","operation":"put","data":{{"n":1}}}}"#);
    let body = format!(r#"{{"changes":[{},{}]}}"#, put("p-1"), put("p-2"));
    cloud
        .hq(Method::PATCH, "/entities/product/p-1?notify=false", "{}")
        .await
        .refused(404, "not_found");
    cloud.hq(Method::POST, "/changes", &body).await.data();
    cloud
        .hq(Method::PATCH, "/entities/product/p-1?notify=false", r#"{"n":2}"#)
        .await
        .data();
    assert_eq!(
        cloud.hq(Method::GET, "/stats", "").await.data()["webhooks"]["pending"],
        1
    );
    let _stop = deliver(&cloud);
    let hook = received.recv().await.unwrap();
    assert_eq!(hook.hook, "bulk-update");
    assert_eq!(hook.json()["updates"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_conflict_is_told_once_to_the_outlet_that_has_it() {
    let cloud = TestCloud::start().await;
    let (url, mut received) = outlet(&[]).await;
    register(&cloud, 0, &url).await;
    cloud
        .push(0, &[item("create", "p-1", r#""price":1"#, "c1", 0)])
        .await;
    cloud
        .hq(
            Method::PATCH,
            "/entities/product/p-1?notify=false",
            r#"{"price":2.50}"#,
        )
        .await
        .data();
    let refused = cloud
        .push(0, &[item("update", "p-1", r#""price":3"#, "c2", 1)])
        .await
        .remove(0);
    cloud
        .push(0, &[item("update", "p-1", r#""price":3"#, "c2", 1)])
        .await;
    assert_eq!(
        cloud.hq(Method::GET, "/stats", "").await.data()["webhooks"]["pending"],
        1
    );
    let _stop = deliver(&cloud);
    let hook = received.recv().await.unwrap();
    assert_eq!(hook.hook, "conflict");
    assert_eq!(hook.json()["conflict_id"], refused["conflict_id"]);
    assert_eq!(hook.json()["resolution_required"], true);
    let text = String::from_utf8_lossy(&hook.body);
    assert!(
        text.contains(r#""field":"price","cloud_value":2.50,"cloud_version":2"#),
        "{text}"
    );
    assert!(text.contains(r#""local_value":3,"#), "{text}");
}

#[tokio::test]
async fn no_webhook_leaves_during_an_outage() {
    let cloud = TestCloud::start().await;
    let (url, mut received) = outlet(&[]).await;
    register(&cloud, 0, &url).await;
    cloud.hq(Method::POST, "/outage", r#"{"on":true}"#).await.data();
    let _stop = deliver(&cloud);
    cloud
        .hq(Method::PUT, "/entities/product/p-1", r#"{"n":1}"#)
        .await
        .data();
    // The lane has had its turns meanwhile.
    for _ in 0..50 {
        assert_eq!(
            cloud.hq(Method::GET, "/stats", "").await.data()["webhooks"]["pending"],
            1
        );
    }
    assert!(received.try_recv().is_err());
    cloud.hq(Method::POST, "/outage", r#"{"on":false}"#).await.data();
    assert_eq!(received.recv().await.unwrap().hook, "update");
}

#[tokio::test]
async fn it_serves_on_a_free_port_and_stops_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let settings = crate::harness::settings(&dir);
    let stop = CancellationToken::new();
    let (told, ready) = tokio::sync::oneshot::channel();
    let server = tokio::spawn({
        let stop = stop.clone();
        async move {
            app::serve(([127, 0, 0, 1], 0).into(), &settings, stop, |address| {
                told.send(address).unwrap();
            })
            .await
        }
    });
    let url = format!("http://{}/api/v1/ping", ready.await.unwrap());
    let client = app::webhook_client().unwrap();
    let bearer = format!("Bearer {}", OUTLETS[0].2);
    let answer = client
        .get(url)
        .header("authorization", bearer)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    stop.cancel();
    server.await.unwrap().unwrap();
}
