//! A lean HTTP client over one kept connection: requests are bytes made beforehand, of an answer only status and
//! body are looked at. It shares the machine's cores with what it measures.

use anyhow::{Context, bail};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One connection.
pub struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

/// An answer.
pub struct Reply<'a> {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: &'a [u8],
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            read: Vec::with_capacity(4096),
        })
    }

    /// Sends a whole request and reads its answer.
    ///
    /// # Errors
    /// When the connection breaks off, or the answer has no length.
    pub async fn send(&mut self, request: &[u8]) -> anyhow::Result<Reply<'_>> {
        self.stream.write_all(request).await?;
        self.read.clear();
        let (mut head, mut length) = (None, 0);
        loop {
            if let Some(head) = head
                && self.read.len() >= head + length
            {
                let body = &self.read[head..head + length];
                return Ok(Reply {
                    status: status(&self.read)?,
                    body,
                });
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                bail!("the connection broke off in the middle of an answer");
            }
            if head.is_none()
                && let Some(end) = find(&self.read, b"\r\n\r\n")
            {
                length = content_length(&self.read[..end])?;
                head = Some(end + 4);
            }
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn status(head: &[u8]) -> anyhow::Result<u16> {
    let text = head.get(9..12).context("no status")?;
    Ok(std::str::from_utf8(text)?.parse()?)
}

fn content_length(head: &[u8]) -> anyhow::Result<usize> {
    const NAME: &[u8] = b"content-length: ";
    let at = find(head, NAME).context("an answer without content-length")? + NAME.len();
    let digits: Vec<u8> = head[at..]
        .iter()
        .copied()
        .take_while(u8::is_ascii_digit)
        .collect();
    Ok(std::str::from_utf8(&digits)?.parse()?)
}

/// A request's bytes.
pub fn request(method: &str, path: &str, token: Option<&str>, body: &str) -> Vec<u8> {
    let token = token.map_or(String::new(), |token| {
        format!("authorization: Bearer {token}\r\n")
    });
    format!(
        "{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n{token}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
