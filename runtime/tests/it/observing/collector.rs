//! A collector of traces: takes what is posted, or takes it and never answers.

use parking_lot::Mutex;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One request.
#[derive(Clone, Debug)]
pub struct Post {
    /// Request line and headers.
    pub head: String,
    body: Vec<u8>,
}

impl Post {
    /// Whether a text is in the body: protobuf has them as they are.
    pub fn holds(&self, text: &str) -> bool {
        self.body
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    }
}

/// A running collector. Dropping it stops it.
pub struct Collector {
    url: String,
    taken: Arc<Mutex<Vec<Post>>>,
    task: JoinHandle<()>,
}

impl Collector {
    /// One that takes everything.
    pub async fn start() -> Self {
        Self::of(true).await
    }

    /// One that never answers.
    pub async fn silent() -> Self {
        Self::of(false).await
    }

    async fn of(answers: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let kept = taken.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let kept = kept.clone();
                connections.spawn(async move {
                    // A connection that its outlet ends is at its end.
                    let _ = serve(stream, &kept, answers).await;
                });
            }
        });
        Self { url, taken, task }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it was sent so far.
    pub fn taken(&self) -> Vec<Post> {
        self.taken.lock().clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, taken: &Mutex<Vec<Post>>, answers: bool) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end + 4]).into_owned();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let whole = end + 4 + length.map_or(0, |length| length.parse::<usize>().unwrap());
            if bytes.len() >= whole {
                let body = bytes[end + 4..whole].to_vec();
                bytes.drain(..whole);
                taken.lock().push(Post { head, body });
                if answers {
                    stream
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                        .await?;
                }
                continue;
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
}
