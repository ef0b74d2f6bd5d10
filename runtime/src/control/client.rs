//! The asker's end: blocking, for commands.

use super::protocol::{Command, End, HEAD_BYTES, Kind, MAX_FRAME_BYTES, head, parse_head};
use super::socket;
use serde::de::DeserializeOwned;
use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The outlet gives a sign every second while it works, and many may wait for a turn.
const TIMEOUT: Duration = Duration::from_secs(300);

/// A conversation with a running outlet.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

/// What the outlet says.
#[derive(Debug)]
pub enum Answer<E> {
    /// The next bytes of what was asked for.
    Data(Vec<u8>),
    /// How far it is, as JSON.
    Progress(Vec<u8>),
    /// It is done.
    End(E),
}

/// Why a conversation did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The outlet says why.
    #[error("{0}")]
    Refused(String),
    /// It stopped, or was killed.
    #[error("the outlet broke off before it was done: see whether it still runs, and try again")]
    BrokenOff,
    /// It says nothing for minutes.
    #[error("the outlet does not answer: it serves a few commands at a time; try again later")]
    Silent,
    /// The connection failed.
    #[error("the outlet cannot be asked")]
    Io(#[source] io::Error),
    /// What came is none of the protocol.
    #[error("the outlet answers in a way that this program does not know: are both of the same version?")]
    Nonsense,
}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => Self::BrokenOff,
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Silent,
            _ => Self::Io(error),
        }
    }
}

impl Client {
    /// Connects to the outlet that runs in this data directory; none: none does.
    ///
    /// # Errors
    /// When there is one, but it cannot be asked.
    pub fn connect(data_dir: &Path) -> io::Result<Option<Self>> {
        let Some(stream) = socket::connect(data_dir)? else {
            return Ok(None);
        };
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Some(Self {
            stream: BufReader::new(stream),
        }))
    }

    /// Asks.
    ///
    /// # Errors
    /// When the outlet is gone.
    pub fn ask(&mut self, command: &Command) -> Result<(), ClientError> {
        let mut line = serde_json::to_vec(command).map_err(io::Error::from)?;
        line.push(b'\n');
        Ok(self.stream.get_mut().write_all(&line)?)
    }

    /// Sends bytes, at most [`MAX_FRAME_BYTES`].
    ///
    /// # Errors
    /// When the outlet is gone. What it said last may tell why: see [`Client::answer`].
    pub fn data(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        if bytes.len() > MAX_FRAME_BYTES {
            return Err(ClientError::Io(ErrorKind::InvalidInput.into()));
        }
        self.frame(Kind::Data, bytes)
    }

    /// Says that there are no more bytes.
    ///
    /// # Errors
    /// As [`Client::data`].
    pub fn no_more(&mut self) -> Result<(), ClientError> {
        self.frame(Kind::End, &[])
    }

    /// What the outlet says next.
    ///
    /// # Errors
    /// See [`ClientError`]; whatever came before is not whole then.
    pub fn answer<E: DeserializeOwned>(&mut self) -> Result<Answer<E>, ClientError> {
        let mut bytes = [0; HEAD_BYTES];
        self.stream.read_exact(&mut bytes)?;
        let (kind, len) = parse_head(bytes).ok_or(ClientError::Nonsense)?;
        let mut data = Vec::new();
        (&mut self.stream).take(len as u64).read_to_end(&mut data)?;
        if data.len() < len {
            return Err(ClientError::BrokenOff);
        }
        match kind {
            Kind::Data => Ok(Answer::Data(data)),
            Kind::Progress => Ok(Answer::Progress(data)),
            Kind::End => end(&data).map(Answer::End),
        }
    }

    fn frame(&mut self, kind: Kind, bytes: &[u8]) -> Result<(), ClientError> {
        let stream = self.stream.get_mut();
        stream.write_all(&head(kind, bytes.len()))?;
        Ok(stream.write_all(bytes)?)
    }
}

fn end<E: DeserializeOwned>(json: &[u8]) -> Result<E, ClientError> {
    let end: End = serde_json::from_slice(json).map_err(|_| ClientError::Nonsense)?;
    match end {
        End { ok: true, data, .. } => {
            serde_json::from_value(data.unwrap_or_default()).map_err(|_| ClientError::Nonsense)
        }
        End { error, .. } => Err(ClientError::Refused(
            error.unwrap_or_else(|| "the outlet does not say why".to_owned()),
        )),
    }
}
