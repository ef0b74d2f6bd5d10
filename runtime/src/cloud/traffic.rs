//! What has gone over the line: requests and the bytes of their bodies, counted as they happen. It does not judge.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// `updates`.
    Pull,
    /// Every other call.
    Push,
}

impl Way {
    /// Its name, where requests are counted.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
        }
    }
}

/// What was carried one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Requests that were begun, also those that got no answer.
    pub requests: u64,
    /// Bytes of bodies sent.
    pub sent: u64,
    /// Bytes of bodies received, as they are after decoding.
    pub received: u64,
}

/// What was carried, by what it was for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Asking for updates.
    pub pulls: Carried,
    /// Everything else.
    pub pushes: Carried,
}

impl Carried {
    fn since(self, before: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(before.requests),
            sent: self.sent.saturating_sub(before.sent),
            received: self.received.saturating_sub(before.received),
        }
    }
}

impl Traffic {
    /// What came since `before`.
    #[must_use]
    pub fn since(self, before: Self) -> Self {
        Self {
            pulls: self.pulls.since(before.pulls),
            pushes: self.pushes.since(before.pushes),
        }
    }
}

/// The counts of one client.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pulls: Tally,
    pushes: Tally,
}

/// Where the answer to one request is counted.
#[derive(Clone, Debug, Default)]
pub struct Tally(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Meter {
    /// A request is about to leave.
    pub(super) fn begins(&self, way: Way, bytes: usize) -> Tally {
        let tally = match way {
            Way::Pull => &self.pulls,
            Way::Push => &self.pushes,
        };
        tally.0.requests.fetch_add(1, Ordering::Relaxed);
        tally.0.sent.fetch_add(bytes as u64, Ordering::Relaxed);
        tally.clone()
    }

    pub(super) fn read(&self) -> Traffic {
        Traffic {
            pulls: self.pulls.0.read(),
            pushes: self.pushes.0.read(),
        }
    }
}

impl Tally {
    /// A body, or what came of it.
    pub fn received(&self, bytes: usize) {
        self.0.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Counts {
    fn read(&self) -> Carried {
        Carried {
            requests: self.requests.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_since_is_told_by_what_it_was_for() {
        let meter = Meter::default();
        meter.begins(Way::Push, 10);
        let before = meter.read();
        meter.begins(Way::Pull, 0).received(7);
        meter.begins(Way::Push, 5);
        let since = meter.read().since(before);
        assert_eq!((since.pulls.requests, since.pulls.received), (1, 7));
        assert_eq!((since.pushes.requests, since.pushes.sent), (1, 5));
    }
}
