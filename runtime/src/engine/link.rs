//! The line to the cloud as experience shows it: whether it answers, when to try again, and how much at a time
//! (rule 6). No retry of an item is used up here.

use crate::cloud::LinkError;
use crate::engine::api::SyncSettings;
use selaras_core::backoff::Backoff;

/// First pause after a failure; the line is probed by a ping, which costs little.
const FIRST_PAUSE_MS: u64 = 2_000;
/// Longest pause: when the line is back, it is noticed within this time.
const LONGEST_PAUSE_MS: u64 = 60_000;
/// Requests under way at once on a line that works.
const WINDOW: usize = 3;

/// What is known of the line.
#[derive(Debug, Default)]
pub struct Link {
    /// Failures since the last success.
    failures: u32,
    /// No request before this (monotonic ms).
    paused_until: Option<u64>,
    /// The pause was asked for by the cloud: nothing may cut it short.
    rate_limited: bool,
    /// Whether the last call got an answer.
    online: Option<bool>,
    /// Items a request at most, while the cloud has trouble with more.
    batch_limit: Option<usize>,
    /// The last failure in words.
    pub last_error: Option<String>,
}

impl Link {
    /// A call succeeded.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.paused_until = None;
        self.rate_limited = false;
        self.online = Some(true);
    }

    /// A request with items succeeded: the next may carry more. A ping or a pull that succeeds says nothing of that; if
    /// it did, a document that the cloud breaks over would never come to be sent alone.
    pub fn carried(&mut self) {
        self.batch_limit = self
            .batch_limit
            .map(|limit| limit.saturating_mul(2))
            .filter(|limit| *limit < 1000);
    }

    /// A call failed; pauses the link. `sent`: how many items it carried.
    pub fn failed(
        &mut self,
        error: &LinkError,
        sent: usize,
        settings: &SyncSettings,
        now_ms: u64,
        random: u64,
    ) {
        self.failures = self.failures.saturating_add(1);
        self.online = Some(error.heard());
        self.rate_limited = matches!(error, LinkError::RateLimited { .. });
        let backoff = Backoff {
            initial_ms: FIRST_PAUSE_MS.min(u64::from(settings.initial_backoff_seconds) * 1000),
            multiplier: 2.0,
            max_ms: LONGEST_PAUSE_MS.min(u64::from(settings.max_backoff_seconds) * 1000),
        };
        let drawn = backoff.delay_ms(self.failures, random);
        let asked = error
            .retry_after()
            .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        self.paused_until = Some(now_ms.saturating_add(asked.unwrap_or(drawn)));
        if matches!(error, LinkError::Server { .. } | LinkError::Timeout(_)) && sent > 1 {
            self.batch_limit = Some((sent / 2).max(1));
        }
        self.last_error = Some(error.to_string());
    }

    /// Items a request may carry now.
    pub fn batch_limit(&self, batch_size: usize) -> usize {
        self.batch_limit
            .map_or(batch_size, |limit| limit.min(batch_size))
            .max(1)
    }

    /// Requests that may be under way at once now.
    pub fn window(&self) -> usize {
        if self.failures > 0 || self.batch_limit.is_some() {
            1
        } else {
            WINDOW
        }
    }

    /// Whether the next run begins with a ping.
    pub fn is_doubtful(&self) -> bool {
        self.failures > 0
    }

    /// How long the link still rests.
    pub fn pause_ms(&self, now_ms: u64) -> Option<u64> {
        self.paused_until
            .map(|until| until.saturating_sub(now_ms))
            .filter(|left| *left > 0)
    }

    /// Whether the cloud itself asked for the pause.
    pub fn is_rate_limited(&self) -> bool {
        self.rate_limited
    }

    /// Whether the last call got an answer; none before the first.
    pub fn online(&self) -> Option<bool> {
        self.online
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_carried_items_lets_the_next_carry_more() {
        let mut link = Link::default();
        let broken = LinkError::Server {
            status: 500,
            excerpt: String::new(),
            retry_after: None,
        };
        for sent in [4, 2] {
            link.failed(&broken, sent, &SyncSettings::default(), 0, 0);
            link.succeeded();
        }
        assert_eq!(link.batch_limit(100), 1, "pulls in between change nothing");
        link.carried();
        assert_eq!(link.batch_limit(100), 2);
    }
}
