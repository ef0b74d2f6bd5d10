//! Connections over real sockets on loopback.

use super::*;
use crate::http::testing;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

const LIVE: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
/// A login whose body has not arrived yet.
const HALF_A_LOGIN: &[u8] =
    b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";

struct Running {
    address: SocketAddr,
    stop: CancellationToken,
    served: JoinHandle<usize>,
}

async fn start(limits: Limits) -> Running {
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = server.local_addr();
    let stop = CancellationToken::new();
    let served = tokio::spawn(server.serve(testing::app().await, limits, None, stop.clone()));
    Running {
        address,
        stop,
        served,
    }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stopped(self) -> usize {
        self.stop.cancel();
        self.served.await.unwrap()
    }
}

/// Reads until `end` was seen.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut seen = String::new();
    let mut buffer = [0; 1024];
    while !seen.contains(end) {
        let count = stream.read(&mut buffer).await.unwrap();
        assert_ne!(count, 0, "closed after {seen:?}");
        seen.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    seen
}

async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(LIVE).await.unwrap();
    read_until(stream, "}}").await
}

#[tokio::test]
async fn port_zero_is_reported_and_a_connection_serves_many_requests() {
    let running = start(Limits::default()).await;
    assert_ne!(running.address.port(), 0);
    let mut stream = running.connect().await;
    for _ in 0..3 {
        let answer = ask(&mut stream).await;
        assert!(
            answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("x-request-id: "),
            "{answer}"
        );
    }
    assert_eq!(running.stopped().await, 0);
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_end() {
    let running = start(Limits {
        drain_timeout: Duration::from_secs(60),
        ..Limits::default()
    })
    .await;
    let mut stream = running.connect().await;
    ask(&mut stream).await;
    assert_eq!(running.stopped().await, 0);
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_request_in_hand_is_finished_after_the_signal_to_stop() {
    let running = start(Limits {
        drain_timeout: Duration::from_secs(60),
        ..Limits::default()
    })
    .await;
    let mut stream = running.connect().await;
    stream.write_all(HALF_A_LOGIN).await.unwrap();
    read_until(&mut stream, "100 Continue\r\n\r\n").await;
    running.stop.cancel();
    stream.write_all(b"{}").await.unwrap();
    let answer = read_until(&mut stream, "missing_fields").await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(running.stopped().await, 0);
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_at_the_deadline() {
    let running = start(Limits {
        drain_timeout: Duration::from_millis(20),
        ..Limits::default()
    })
    .await;
    let mut stream = running.connect().await;
    stream.write_all(HALF_A_LOGIN).await.unwrap();
    read_until(&mut stream, "100 Continue\r\n\r\n").await;
    assert_eq!(running.stopped().await, 1);
}

#[tokio::test]
async fn over_the_limit_the_longest_idle_gives_way_to_a_newcomer() {
    let running = start(Limits {
        max_per_address: 2,
        ..Limits::default()
    })
    .await;
    let mut oldest = running.connect().await;
    ask(&mut oldest).await;
    let mut younger = running.connect().await;
    ask(&mut younger).await;
    let mut newcomer = running.connect().await;
    ask(&mut newcomer).await;
    assert_eq!(oldest.read(&mut [0; 16]).await.unwrap(), 0);
    ask(&mut younger).await;
    running.stopped().await;
}

#[tokio::test]
async fn where_all_are_being_served_a_newcomer_is_told_so() {
    let running = start(Limits {
        max_per_address: 1,
        ..Limits::default()
    })
    .await;
    let mut busy = running.connect().await;
    busy.write_all(HALF_A_LOGIN).await.unwrap();
    read_until(&mut busy, "100 Continue\r\n\r\n").await;
    let mut newcomer = running.connect().await;
    let answer = read_until(&mut newcomer, "\"request_id\"").await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(
        answer.contains("retry-after: 1") && answer.contains("too_many_connections"),
        "{answer}"
    );
    busy.write_all(b"{}").await.unwrap();
    read_until(&mut busy, "missing_fields").await;
    running.stopped().await;
}

/// What came until the end of the connection.
async fn rest_of(stream: &mut TcpStream) -> String {
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    String::from_utf8(rest).unwrap()
}

#[tokio::test]
async fn a_head_that_does_not_end_is_cut_long_before_an_idle_connection() {
    let running = start(Limits {
        header_timeout: Duration::from_millis(20),
        ..Limits::default()
    })
    .await;
    let mut idle = running.connect().await;
    ask(&mut idle).await;
    let mut slow = running.connect().await;
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHos").await.unwrap();
    assert_eq!(rest_of(&mut slow).await, "");
    ask(&mut idle).await;
    // The same after a request.
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHos").await.unwrap();
    assert_eq!(rest_of(&mut idle).await, "");
    running.stopped().await;
}

#[tokio::test]
async fn a_connection_on_which_nothing_is_asked_is_let_go() {
    let running = start(Limits {
        idle_timeout: Duration::from_millis(20),
        ..Limits::default()
    })
    .await;
    let mut silent = running.connect().await;
    assert_eq!(rest_of(&mut silent).await, "");
    let mut asked_once = running.connect().await;
    ask(&mut asked_once).await;
    assert_eq!(rest_of(&mut asked_once).await, "");
    running.stopped().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_before_it_comes_and_its_sender_hears_of_it() {
    let running = start(Limits::default()).await;
    let head =
        |length| format!("POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    // Who sends nothing of it.
    let mut waiting = running.connect().await;
    waiting.write_all(head(20_000_000).as_bytes()).await.unwrap();
    let answer = read_until(&mut waiting, "\"request_id\"").await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    // Who sends all of it before looking.
    let mut sending = running.connect().await;
    sending.write_all(head(20_000_000).as_bytes()).await.unwrap();
    sending.write_all(&vec![b'x'; 20_000_000]).await.unwrap();
    sending.shutdown().await.unwrap();
    let answer = rest_of(&mut sending).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    running.stopped().await;
}

#[tokio::test]
async fn too_many_header_bytes_are_431() {
    let running = start(Limits {
        max_header_bytes: 8192,
        ..Limits::default()
    })
    .await;
    let mut stream = running.connect().await;
    let request = format!(
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: {}\r\n\r\n",
        "x".repeat(9000)
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let answer = read_until(&mut stream, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}
