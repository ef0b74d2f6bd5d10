//! Bodies on their way in and out, which tell a connection's seat how far its request is.

use super::roster::{Phase, Seat};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

/// A request's body.
pub(super) struct Incoming<B> {
    inner: B,
    seat: Arc<Seat>,
    whole: bool,
}

impl<B: Body> Incoming<B> {
    /// The request's head is here.
    pub(super) fn new(inner: B, seat: Arc<Seat>) -> Self {
        let whole = inner.is_end_stream();
        seat.enter(if whole { Phase::Busy } else { Phase::Body });
        Self { inner, seat, whole }
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Incoming<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if frame.is_none() || self.inner.is_end_stream() {
            self.whole = true;
            self.seat.enter(Phase::Busy);
        } else if !self.whole {
            self.seat.enter(Phase::Body);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> Drop for Incoming<B> {
    fn drop(&mut self) {
        if !self.whole {
            self.seat.leave_unread();
            self.seat.enter(Phase::Busy);
        }
    }
}

/// An answer's body. When it is dropped, the answer is made and the connection waits for the next request.
pub(super) struct Outgoing<B> {
    inner: B,
    seat: Arc<Seat>,
}

impl<B> Outgoing<B> {
    /// The answer's head is here.
    pub(super) fn new(inner: B, seat: Arc<Seat>) -> Self {
        Self { inner, seat }
    }
}

impl<B: Body + Unpin> Body for Outgoing<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> Drop for Outgoing<B> {
    fn drop(&mut self) {
        self.seat.enter(Phase::Idle);
    }
}
