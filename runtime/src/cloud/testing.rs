//! A server for this module's tests that shows a request's very bytes and answers with any bytes at all.

use super::client::{Client, CloudConfig};
use super::trust::Trust;
use crate::secret::Secret;
use selaras_core::clock::Clock;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// A clock that stands still, and is certain about randomness.
pub(super) struct FixedClock;

impl Clock for FixedClock {
    fn wall_ms(&self) -> i64 {
        1_769_511_600_000
    }
    fn mono_ms(&self) -> u64 {
        5_000
    }
    fn boot(&self) -> u64 {
        7
    }
    fn random(&self) -> u64 {
        0xabc
    }
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(1);
    }
}

/// A configuration for an address.
pub(super) fn config(base_url: &str) -> CloudConfig {
    CloudConfig {
        base_url: base_url.to_owned(),
        api_key: Secret::new("key-123"),
        outlet_id: "550e/8400".to_owned(),
        outlet_code: "JKT-001".to_owned(),
        allow_http: false,
        request_timeout: Duration::from_secs(20),
    }
}

/// One request as it came over the wire.
pub(super) struct Seen {
    pub line: String,
    /// Lines of the head, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

/// A server that gives the answers it was made with, one a connection, then refuses.
pub(super) struct Wire {
    pub client: Client,
    pub url: String,
    seen: mpsc::Receiver<Seen>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Wire {
    /// Answers with these bytes and closes; an empty answer closes without a word.
    pub async fn answering(answers: Vec<Vec<u8>>) -> Self {
        Self::limited(answers, 1 << 20).await
    }

    /// The same with a limit on what the client takes.
    pub async fn limited(answers: Vec<Vec<u8>>, max_answer_bytes: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (tell, seen) = mpsc::channel(16);
        let task = tokio::spawn(async move {
            for answer in answers {
                let (mut socket, _) = listener.accept().await.unwrap();
                let request = read_request(&mut socket).await;
                tell.send(request).await.unwrap();
                // The client may hang up before it has all: that is some tests' point.
                let _ = socket.write_all(&answer).await;
                let _ = socket.shutdown().await;
            }
        });
        let client = Client::within(
            config(&format!("{url}/api/v1/")),
            Arc::new(FixedClock),
            &Trust::default(),
            max_answer_bytes,
        )
        .unwrap();
        Self {
            client,
            url,
            seen,
            task,
        }
    }

    /// The next request that came.
    pub async fn seen(&mut self) -> Seen {
        self.seen.recv().await.unwrap()
    }
}

/// An answer with a body and its length.
pub(super) fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}")
        .into_bytes()
}

async fn read_request(socket: &mut TcpStream) -> Seen {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break at;
        }
        assert_ne!(
            socket.read_buf(&mut bytes).await.unwrap(),
            0,
            "the request ended in its head"
        );
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let headers: Vec<_> = lines
        .map(|l| l.split_once(": ").unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(n, _)| n == "content-length")
        .map_or(0, |(_, v)| v.parse().unwrap());
    while bytes.len() < head_end + 4 + length {
        assert_ne!(
            socket.read_buf(&mut bytes).await.unwrap(),
            0,
            "the request ended in its body"
        );
    }
    let body = String::from_utf8(bytes[head_end + 4..].to_vec()).unwrap();
    Seen { line, headers, body }
}
