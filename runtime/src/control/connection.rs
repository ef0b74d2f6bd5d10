//! The outlet's end of one conversation. Every wait has an end: a peer that takes nothing or sends nothing is left.

use super::protocol::{Bytes, End, HEAD_BYTES, Kind, MAX_COMMAND_BYTES, MAX_FRAME_BYTES, head, parse_head};
use serde::Serialize;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long the line that asks may take.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the peer may take no bytes.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// How long the peer may think about its next lines: they may come from a slow program.
const READ_TIMEOUT: Duration = Duration::from_secs(600);
/// How often a peer that waits hears that the work goes on.
const SIGN_EVERY: Duration = Duration::from_secs(1);

/// One conversation.
pub(super) struct Connection {
    stream: BufReader<UnixStream>,
}

impl Connection {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// The line that asks, without its end.
    pub(super) async fn command(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(MAX_COMMAND_BYTES as u64 + 1);
        within(COMMAND_TIMEOUT, limited.read_until(b'\n', &mut line)).await?;
        match line.pop() {
            Some(b'\n') => Ok(line),
            _ => Err(ErrorKind::InvalidData.into()),
        }
    }

    /// The peer's next bytes; none: it said that there are no more.
    pub(super) async fn next_data(&mut self) -> io::Result<Option<Vec<u8>>> {
        within(READ_TIMEOUT, async {
            let mut bytes = [0; HEAD_BYTES];
            self.stream.read_exact(&mut bytes).await?;
            let (kind, len) = parse_head(bytes).ok_or(ErrorKind::InvalidData)?;
            let mut data = Vec::new();
            // Memory is taken as bytes arrive.
            (&mut self.stream).take(len as u64).read_to_end(&mut data).await?;
            match kind {
                Kind::Data if data.len() == len => Ok(Some(data)),
                Kind::End if len == 0 => Ok(None),
                Kind::Data => Err(ErrorKind::UnexpectedEof.into()),
                Kind::End | Kind::Progress => Err(ErrorKind::InvalidData.into()),
            }
        })
        .await
    }

    /// Sends bytes of what was asked for, in as many frames as it takes.
    pub(super) async fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        for part in bytes.chunks(MAX_FRAME_BYTES) {
            self.frame(Kind::Data, part).await?;
        }
        Ok(())
    }

    /// Says how far it is.
    pub(super) async fn progress(&mut self, how_far: &impl Serialize) -> io::Result<()> {
        let json = serde_json::to_vec(how_far)?;
        self.frame(Kind::Progress, &json).await
    }

    /// Says how it ended.
    pub(super) async fn end(&mut self, outcome: Result<serde_json::Value, String>) -> io::Result<()> {
        let end = match outcome {
            Ok(data) => End {
                ok: true,
                data: Some(data),
                error: None,
            },
            Err(error) => End {
                ok: false,
                data: None,
                error: Some(error),
            },
        };
        let json = serde_json::to_vec(&end)?;
        self.frame(Kind::End, &json).await?;
        self.stream.get_mut().shutdown().await
    }

    /// Waits for some work, and says meanwhile that it goes on.
    pub(super) async fn waiting<T>(
        &mut self,
        work: impl Future<Output = T>,
        bytes: &AtomicU64,
    ) -> io::Result<T> {
        let mut work = pin!(work);
        loop {
            match timeout(SIGN_EVERY, work.as_mut()).await {
                Ok(done) => return Ok(done),
                Err(_) => {
                    let bytes = bytes.load(Ordering::Relaxed);
                    self.progress(&Bytes { bytes }).await?;
                }
            }
        }
    }

    async fn frame(&mut self, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        let head = head(kind, bytes.len());
        let stream = self.stream.get_mut();
        within(WRITE_TIMEOUT, stream.write_all(&head)).await?;
        // A slow peer has the time for each part.
        for part in bytes.chunks(64 << 10) {
            within(WRITE_TIMEOUT, stream.write_all(part)).await?;
        }
        Ok(())
    }
}

async fn within<T>(time: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(time, work)
        .await
        .unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}
