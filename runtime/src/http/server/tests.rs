//! Connections over real sockets on loopback.

use super::*;
use crate::http::testing;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
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
    let served = tokio::spawn(server.serve(testing::app().await, limits, stop.clone()));
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
async fn a_connection_over_the_limit_waits_for_its_turn() {
    let running = start(Limits {
        max_connections: 1,
        ..Limits::default()
    })
    .await;
    let mut first = running.connect().await;
    ask(&mut first).await;
    let mut second = running.connect().await;
    second.write_all(LIVE).await.unwrap();
    let too_early = tokio::time::timeout(Duration::from_millis(50), second.readable()).await;
    assert!(
        too_early.is_err(),
        "the second connection was served beside the first"
    );
    drop(first);
    read_until(&mut second, "}}").await;
    running.stopped().await;
}

#[tokio::test]
async fn a_peer_that_sends_no_request_is_let_go() {
    let running = start(Limits {
        header_timeout: Duration::from_millis(20),
        ..Limits::default()
    })
    .await;
    let mut stream = running.connect().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHos").await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(
        !rest.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&rest)
    );
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
