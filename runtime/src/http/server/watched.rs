//! A stream that tells a connection's seat when bytes come, and that does not slam the door on a peer that is still
//! sending: closing a socket with unread bytes resets it, and the peer would lose the answer that tells it why.

use super::roster::{Phase, Seat};
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// After a body was refused so much more of it is read and thrown away.
const DISCARD_BYTES: usize = 32 * 1024 * 1024;
/// And for so long.
const DISCARD_TIMEOUT: Duration = Duration::from_secs(5);

/// Watches the innermost stream, below TLS.
pub(super) struct Watched<S> {
    inner: S,
    seat: Arc<Seat>,
    farewell: Option<Farewell>,
}

/// What follows the end of our side.
struct Farewell {
    deadline: Pin<Box<Sleep>>,
    left: usize,
}

impl<S> Watched<S> {
    /// Watches `inner` for `seat`.
    pub(super) fn new(inner: S, seat: Arc<Seat>) -> Self {
        Self {
            inner,
            seat,
            farewell: None,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.seat.heard();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.farewell.is_none() {
            ready!(Pin::new(&mut this.inner).poll_shutdown(cx))?;
            if !this.seat.is_unread() {
                return Poll::Ready(Ok(()));
            }
            this.seat.enter(Phase::Leaving);
        }
        let farewell = this.farewell.get_or_insert_with(|| Farewell {
            deadline: Box::pin(tokio::time::sleep(DISCARD_TIMEOUT)),
            left: DISCARD_BYTES,
        });
        let mut scrap = [0; 16 * 1024];
        loop {
            if farewell.deadline.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut buf = ReadBuf::new(&mut scrap);
            ready!(Pin::new(&mut this.inner).poll_read(cx, &mut buf))?;
            let count = buf.filled().len();
            farewell.left = farewell.left.saturating_sub(count);
            if count == 0 || farewell.left == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
