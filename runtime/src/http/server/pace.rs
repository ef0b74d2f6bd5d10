//! How long a connection may stay at what it is at. The bodies' time is the handlers', the answers' the stall guard's.

use super::roster::{Phase, Seat};
use crate::http::Limits;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Sleep, sleep};

/// Watches one connection. It must be polled by the task that serves the connection: then each change of phase is seen,
/// and a timer is touched only when a connection comes to rest.
pub(super) struct Pace<'a> {
    seat: &'a Seat,
    header_timeout: Duration,
    idle_timeout: Duration,
    alarm: Pin<Box<Sleep>>,
    /// When it rings.
    alarm_ms: u64,
}

impl<'a> Pace<'a> {
    /// Begins to watch.
    pub(super) fn new(seat: &'a Seat, limits: &Limits) -> Self {
        Self {
            seat,
            header_timeout: limits.header_timeout,
            idle_timeout: limits.idle_timeout,
            alarm: Box::pin(sleep(limits.idle_timeout)),
            alarm_ms: seat.now_ms().saturating_add(ms(limits.idle_timeout)),
        }
    }

    /// Resolves to the phase that has lasted too long. Cancel-safe.
    pub(super) async fn overdue(&mut self) -> Phase {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Phase> {
        loop {
            let (phase, since_ms) = self.seat.phase();
            let at_most = match phase {
                Phase::Idle => self.idle_timeout,
                Phase::Head => self.header_timeout,
                Phase::Handshake | Phase::Body | Phase::Busy | Phase::Leaving => return Poll::Pending,
            };
            let deadline_ms = since_ms.saturating_add(ms(at_most));
            let left_ms = deadline_ms.saturating_sub(self.seat.now_ms());
            if left_ms == 0 {
                return Poll::Ready(phase);
            }
            // An alarm that rings too early looks again; so a request costs no timer.
            if self.alarm.is_elapsed() || self.alarm_ms > deadline_ms {
                self.alarm.set(sleep(Duration::from_millis(left_ms)));
                self.alarm_ms = deadline_ms;
            }
            if self.alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
