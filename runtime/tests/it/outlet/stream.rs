//! The feed as server-sent events, read from a socket byte by byte, as an app's client does.

use super::Outlet;
use crate::harness::wait::DEADLINE;
use std::collections::VecDeque;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// One event.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What a client sends as `Last-Event-ID`.
    pub id: String,
    /// Its data.
    pub data: String,
}

/// An open stream.
pub struct Stream {
    socket: BufReader<TcpStream>,
    /// Text that is no whole block yet.
    text: String,
    events: VecDeque<Event>,
    id: String,
}

impl Outlet {
    /// Opens a stream; `last`: as a client that comes again.
    pub async fn stream(&self, query: &str, last: Option<&str>) -> Result<Stream, u16> {
        let address = self.base.trim_start_matches("http://");
        let token = self.token.as_deref().unwrap_or_default();
        let last = last.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
        let head = format!(
            "GET /api/v1/changes/stream{query} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n{last}\r\n"
        );
        let mut socket = BufReader::new(TcpStream::connect(address).await.expect("a connection"));
        socket.write_all(head.as_bytes()).await.expect("sent");
        let mut lines = Vec::new();
        loop {
            let line = line_of(&mut socket).await;
            if line.is_empty() {
                break;
            }
            lines.push(line.to_lowercase());
        }
        let status = lines[0].split(' ').nth(1).and_then(|word| word.parse().ok());
        match status.expect("a status") {
            200 => {}
            other => return Err(other),
        }
        for header in ["content-type: text/event-stream", "transfer-encoding: chunked"] {
            assert!(lines.iter().any(|line| line == header), "{lines:?}");
        }
        Ok(Stream {
            socket,
            text: String::new(),
            events: VecDeque::new(),
            id: String::new(),
        })
    }
}

impl Stream {
    /// The next event; none: the stream has come to its proper end.
    pub async fn next(&mut self) -> Option<Event> {
        while self.events.is_empty() {
            self.read().await?;
        }
        self.events.pop_front()
    }

    /// What the outlet says at once: with it the client knows its place.
    pub async fn greeting(&mut self) {
        self.read().await.expect("a stream that is open");
    }

    async fn read(&mut self) -> Option<()> {
        let chunk = tokio::time::timeout(DEADLINE, self.chunk())
            .await
            .expect("something, or the end, within the deadline")?;
        self.text.push_str(&chunk);
        while let Some(end) = self.text.find("\n\n") {
            let block: String = self.text.drain(..end + 2).collect();
            self.take(&block);
        }
        Some(())
    }

    /// The last id that was told, with an event or without one.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn take(&mut self, block: &str) {
        let mut data = None;
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("id", id)) => id.clone_into(&mut self.id),
                Some(("data", text)) => data = Some(text.to_owned()),
                // A comment, or how soon to come again.
                Some(("" | "retry", _)) | None => {}
                Some(other) => panic!("no line of a stream: {other:?}"),
            }
        }
        let id = self.id.clone();
        self.events.extend(data.map(|data| Event { id, data }));
    }

    /// One chunk of the body; none: the last.
    async fn chunk(&mut self) -> Option<String> {
        let size = line_of(&mut self.socket).await;
        let size = usize::from_str_radix(&size, 16).expect("the size of a chunk");
        let mut bytes = vec![0; size + 2];
        self.socket.read_exact(&mut bytes).await.expect("a whole chunk");
        bytes.truncate(size);
        (size > 0).then(|| String::from_utf8(bytes).expect("UTF-8"))
    }
}

async fn line_of(socket: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    socket.read_line(&mut line).await.expect("a line");
    line.trim_end().to_owned()
}
