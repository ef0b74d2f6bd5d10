//! Whoever sends too much, too slowly or not at all: it is refused or let go, and apps are answered meanwhile.

use crate::outlet::{Outlet, Setup};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

const HERE: &str = "127.0.0.1";
const ELSEWHERE: &str = "127.0.0.2";

/// A connection from one of this machine's addresses.
async fn connect(outlet: &Outlet, from: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.parse().unwrap(), 0)).unwrap();
    socket.connect(outlet.address()).await.unwrap()
}

async fn crowd(outlet: &Outlet, count: usize, says: &str) -> Vec<TcpStream> {
    let mut crowd = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = connect(outlet, HERE).await;
        // One who gave way to a newcomer already may not hear it.
        stream.write_all(says.as_bytes()).await.ok();
        crowd.push(stream);
    }
    crowd
}

/// What is heard until the outlet closes the connection.
async fn heard(mut stream: TcpStream) -> String {
    let mut heard = Vec::new();
    // A connection that is cut may be reset.
    stream.read_to_end(&mut heard).await.ok();
    String::from_utf8_lossy(&heard).into_owned()
}

/// An answer over a connection of its own.
async fn asked(outlet: &Outlet, from: &str, request: &str) -> String {
    let mut stream = connect(outlet, from).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    heard(stream).await
}

/// An app writes and reads, from the crowd's address and from another.
async fn apps_are_answered(outlet: &Outlet) {
    outlet.put("product", "p", r#"{"price":9.80}"#).await;
    assert_eq!(
        outlet.document("product", "p").await.as_deref(),
        Some(r#"{"price":9.80}"#)
    );
    for from in [HERE, ELSEWHERE] {
        let path = "/api/v1/entities/product/p";
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
            outlet.bearer()
        );
        let answer = asked(outlet, from, &request).await;
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains("9.80"),
            "{from}: {answer}"
        );
    }
}

/// Room for so many connections of this process; says so where there is none.
fn room_for(connections: u64) -> bool {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= connections) {
        return true;
    }
    let current = Some(connections);
    let raised = setrlimit(Resource::Nofile, Rlimit { current, maximum });
    if let Err(error) = raised {
        eprintln!("SKIPPED: {connections} open files are needed, and the system allows {maximum:?}: {error}");
    }
    raised.is_ok()
}

#[tokio::test]
async fn a_thousand_half_sent_requests_keep_no_app_waiting_and_are_let_go() {
    if !room_for(2_000) {
        return;
    }
    let outlet = Setup::without_cloud().start().await;
    let half = crowd(
        &outlet,
        1_000,
        "PUT /api/v1/entities/product/p HTTP/1.1\r\nHost: x\r\nX-Sl",
    )
    .await;
    apps_are_answered(&outlet).await;
    for stream in half {
        assert_eq!(heard(stream).await, "");
    }
    apps_are_answered(&outlet).await;
}

#[tokio::test]
async fn five_thousand_idle_connections_make_place_for_those_who_ask() {
    if !room_for(6_000) {
        return;
    }
    let outlet = Setup::without_cloud().start().await;
    let idle = crowd(&outlet, 5_000, "").await;
    apps_are_answered(&outlet).await;
    // Those who came first went first; who stays is served.
    let mut idle = idle.into_iter();
    assert_eq!(heard(idle.next().unwrap()).await, "");
    let mut last = idle.next_back().unwrap();
    last.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    assert!(heard(last).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn slow_bodies_take_no_place_of_requests_and_end_in_their_time() {
    if !room_for(2_000) {
        return;
    }
    let setup = Setup::without_cloud()
        .env("MAX_REQUESTS", "8")
        .env("BODY_TIMEOUT_SECONDS", "20");
    let outlet = setup.start().await;
    let slow = format!(
        "PUT /api/v1/entities/product/q HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 20\r\n\r\n{{\"slow\":",
        outlet.bearer()
    );
    let slow = crowd(&outlet, 500, &slow).await;
    apps_are_answered(&outlet).await;
    for stream in slow {
        let answer = heard(stream).await;
        assert!(
            answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"request_id\""),
            "{answer}"
        );
    }
    outlet.get("product", "q").await.expect(404);
}

#[tokio::test]
async fn a_body_of_20_mb_is_refused_before_it_is_here() {
    let outlet = Setup::without_cloud().start().await;
    let head = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Length: 20971520\r\n\r\n",
            outlet.bearer()
        )
    };
    for path in [
        "/api/v1/changes",
        "/api/v1/auth/login",
        "/api/v1/webhooks/cloud/update",
    ] {
        // Nothing of it is sent, and the answer comes.
        let mut stream = connect(&outlet, HERE).await;
        stream.write_all(head(path).as_bytes()).await.unwrap();
        let mut answer = vec![0; 13];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 413 ", "{path}");
    }
    // All of it is sent, and the answer is not lost.
    let mut stream = connect(&outlet, HERE).await;
    stream
        .write_all(head("/api/v1/changes").as_bytes())
        .await
        .unwrap();
    stream.write_all(&vec![b' '; 20_971_520]).await.unwrap();
    stream.shutdown().await.unwrap();
    let answer = heard(stream).await;
    assert!(
        answer.starts_with("HTTP/1.1 413 ") && answer.contains("\"request_id\""),
        "{answer}"
    );
    apps_are_answered(&outlet).await;
}

fn deep(levels: usize) -> String {
    let inside = levels - 1;
    format!(r#"{{"a":{}{}}}"#, "[".repeat(inside), "]".repeat(inside))
}

#[tokio::test]
async fn json_that_is_5000_deep_is_refused_and_the_depth_can_be_set() {
    let outlet = Setup::without_cloud().env("MAX_JSON_DEPTH", "10").start().await;
    for body in [deep(5_000), deep(11)] {
        outlet
            .put("product", "p", &body)
            .await
            .expect_error(400, "invalid_json");
    }
    outlet.put("product", "p", &deep(10)).await.expect(201);
    let setup = outlet.stop().await.without("MAX_JSON_DEPTH");
    let outlet = setup.start().await;
    outlet
        .put("product", "q", &deep(5_000))
        .await
        .expect_error(400, "invalid_json");
    outlet.put("product", "q", &deep(128)).await.expect(201);
    apps_are_answered(&outlet).await;
}

#[tokio::test]
async fn each_limit_is_what_it_is_set_to() {
    let setup = Setup::without_cloud()
        .env("MAX_BODY_MB", "1")
        .env("MAX_HEADER_KB", "8")
        .env("MAX_FEED_WAITERS", "1")
        .env("MAX_FEED_STREAMS", "1");
    let outlet = setup.start().await;
    let large = format!(r#"{{"changes":[],"x":"{}"}}"#, "x".repeat(1_100_000));
    let refused = outlet.request("POST", "/api/v1/changes").json(large).await;
    refused.expect_error(413, "payload_too_large");
    let long = format!(
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n",
        "x".repeat(9_000)
    );
    assert!(
        asked(&outlet, ELSEWHERE, &long)
            .await
            .starts_with("HTTP/1.1 431 ")
    );

    // One may wait and one may stream; the next of each is told to come later.
    let get = |path: &str| {
        format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
            outlet.bearer()
        )
    };
    for (path, code) in [
        ("/api/v1/changes?since=0&wait=60", "too_many_waiters"),
        ("/api/v1/changes/stream", "too_many_streams"),
    ] {
        // Whoever comes first waits and hears nothing of its end; the other is told.
        let request = get(path);
        let told = tokio::select! {
            told = asked(&outlet, ELSEWHERE, &request) => told,
            told = asked(&outlet, "127.0.0.3", &request) => told,
        };
        assert!(
            told.starts_with("HTTP/1.1 503 ") && told.contains("retry-after: ") && told.contains(code),
            "{told}"
        );
    }
}

#[tokio::test]
async fn an_address_has_its_share_of_the_connections_and_no_more() {
    let setup = Setup::without_cloud().env("MAX_CONNECTIONS_PER_ADDRESS", "1");
    let outlet = setup.start().await;
    let stream = format!(
        "GET /api/v1/changes/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        outlet.bearer()
    );
    let mut streaming = connect(&outlet, ELSEWHERE).await;
    streaming.write_all(stream.as_bytes()).await.unwrap();
    streaming.read_exact(&mut [0; 12]).await.unwrap();
    let mut second = connect(&outlet, ELSEWHERE).await;
    let mut told = vec![0; 13];
    second.read_exact(&mut told).await.unwrap();
    assert_eq!(told, b"HTTP/1.1 503 ");
    let live = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert!(
        asked(&outlet, "127.0.0.3", live)
            .await
            .starts_with("HTTP/1.1 200 ")
    );
}

#[tokio::test]
async fn a_head_and_an_idle_connection_have_the_time_that_is_set() {
    let setup = Setup::without_cloud()
        .env("HEADER_TIMEOUT_SECONDS", "1")
        .env("IDLE_TIMEOUT_SECONDS", "2");
    let outlet = setup.launch().await;
    // Were it the defaults, these would take longer than a test waits with others.
    let began = tokio::time::Instant::now();
    assert_eq!(asked(&outlet, HERE, "GET /healthz HT").await, "");
    assert_eq!(asked(&outlet, HERE, "").await, "");
    let answer = asked(&outlet, HERE, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(75), "{:?}", began.elapsed());
}
