//! How long a connection may stay at what it is at. The bodies' time is the handlers', the answers' the stall guard's.

use super::roster::{Phase, Seat};
use crate::http::Limits;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// Watches one connection. It must be polled by the task that serves the connection: then each change of phase is seen,
/// and a timer is touched only when a connection comes to rest.
pub(super) struct Pace<'a> {
    seat: &'a Seat,
    header_timeout: Duration,
    idle_timeout: Duration,
    alarm: Pin<Box<Sleep>>,
}

impl<'a> Pace<'a> {
    /// Begins to watch.
    pub(super) fn new(seat: &'a Seat, limits: &Limits) -> Self {
        Self {
            seat,
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
            alarm: Box::pin(tokio::time::sleep(limits.idle_timeout)),
        }
    }

    /// Resolves to the phase that has lasted too long. Cancel-safe.
    pub(super) async fn overdue(&mut self) -> Phase {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Phase> {
        loop {
            let (phase, since) = self.seat.phase();
            let at_most = match phase {
                Phase::Idle => self.idle_timeout,
                Phase::Head => self.header_timeout,
                Phase::Handshake | Phase::Body | Phase::Busy | Phase::Leaving => return Poll::Pending,
            };
            let deadline = since + at_most;
            if Instant::now() >= deadline {
                return Poll::Ready(phase);
            }
            // An alarm that rings too early looks again; so a request costs no timer.
            if self.alarm.is_elapsed() || self.alarm.deadline() > deadline {
                self.alarm.as_mut().reset(deadline);
            }
            if self.alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}
