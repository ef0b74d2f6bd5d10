//! How many requests a minute the cloud takes, counted in a sliding window.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

/// What is allowed, and what came.
#[derive(Default)]
pub(super) struct Quota {
    /// None: as many as there are.
    allowed: Option<usize>,
    taken: VecDeque<Instant>,
    refusals: usize,
}

impl Quota {
    pub fn of(requests: usize) -> Self {
        Self {
            allowed: Some(requests),
            ..Self::default()
        }
    }

    pub fn refusals(&self) -> usize {
        self.refusals
    }

    /// Counts a request that came now; the seconds to wait, when it is over what is allowed.
    pub fn over(&mut self) -> Option<u32> {
        let allowed = self.allowed?;
        let now = Instant::now();
        while self.taken.front().is_some_and(|taken| *taken + MINUTE < now) {
            self.taken.pop_front();
        }
        if self.taken.len() < allowed {
            self.taken.push_back(now);
            return None;
        }
        self.refusals += 1;
        let left = self.taken.front().map_or(MINUTE, |taken| *taken + MINUTE - now);
        Some(u32::try_from(left.as_secs()).unwrap_or(60) + 1)
    }
}
