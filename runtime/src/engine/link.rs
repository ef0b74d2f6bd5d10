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
    /// Refusals for the rate since the last success.
    refusals: u32,
    /// The cloud wants no request before this (monotonic ms), or would refuse it: nothing may cut it short.
    quiet_until: Option<u64>,
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
        self.refusals = 0;
        self.paused_until = None;
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
        self.last_error = Some(error.to_string());
        let over_limit = matches!(error, LinkError::OverLimit { .. });
        let refused = matches!(error, LinkError::RateLimited { .. });
        let count = if over_limit || refused {
            &mut self.refusals
        } else {
            &mut self.failures
        };
        *count = count.saturating_add(1);
        let attempt = *count;
        let backoff = Backoff {
            initial_ms: FIRST_PAUSE_MS.min(u64::from(settings.initial_backoff_seconds) * 1000),
            multiplier: 2.0,
            max_ms: LONGEST_PAUSE_MS.min(u64::from(settings.max_backoff_seconds) * 1000),
        };
        let drawn = backoff.delay_ms(attempt, random);
        let asked = error
            .retry_after()
            .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        let until = Some(now_ms.saturating_add(asked.unwrap_or(drawn)));
        if over_limit || refused {
            // No trouble of the line: the cloud answers, and is not asked whether it is there again.
            self.quiet_until = self.quiet_until.max(until);
            self.online = if refused { Some(true) } else { self.online };
            return;
        }
        self.online = Some(error.heard());
        self.paused_until = until;
        if matches!(error, LinkError::Server { .. } | LinkError::Timeout(_)) && sent > 1 {
            self.batch_limit = Some((sent / 2).max(1));
        }
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
        left_ms(self.paused_until.max(self.quiet_until), now_ms)
    }

    /// How long the cloud still wants no request.
    pub fn quiet_ms(&self, now_ms: u64) -> Option<u64> {
        left_ms(self.quiet_until, now_ms)
    }

    /// Whether the last call got an answer; none before the first.
    pub fn online(&self) -> Option<bool> {
        self.online
    }
}

fn left_ms(until: Option<u64>, now_ms: u64) -> Option<u64> {
    until
        .map(|until| until.saturating_sub(now_ms))
        .filter(|left| *left > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn failed(link: &mut Link, error: &LinkError, sent: usize) {
        link.failed(error, sent, &SyncSettings::default(), 1_000, u64::MAX);
    }

    #[test]
    fn what_the_cloud_asked_for_is_kept_though_another_answer_comes() {
        let mut link = Link::default();
        let wait = Some(Duration::from_secs(20));
        failed(&mut link, &LinkError::RateLimited { retry_after: wait }, 1);
        link.succeeded();
        failed(&mut link, &LinkError::Timeout(Duration::from_secs(1)), 1);
        link.succeeded();
        assert_eq!(
            (link.quiet_ms(1_000), link.pause_ms(1_000)),
            (Some(20_000), Some(20_000))
        );
        assert_eq!((link.quiet_ms(21_000), link.pause_ms(21_000)), (None, None));
    }

    #[test]
    fn a_limit_is_no_doubt_in_the_line_and_a_halved_batch_stays_the_lower_limit() {
        let mut link = Link::default();
        failed(&mut link, &LinkError::RateLimited { retry_after: None }, 100);
        assert!(!link.is_doubtful() && link.quiet_ms(1_000).is_some());
        assert_eq!((link.online(), link.batch_limit(1_000)), (Some(true), 1_000));
        failed(&mut link, &LinkError::Timeout(Duration::from_secs(30)), 1_000);
        assert_eq!(link.batch_limit(1_000), 500);
        assert_eq!(link.batch_limit(100), 100);
    }

    #[test]
    fn only_what_carried_items_lets_the_next_carry_more() {
        let mut link = Link::default();
        for sent in [4, 2] {
            failed(&mut link, &LinkError::Timeout(Duration::from_secs(30)), sent);
            link.succeeded();
        }
        assert_eq!(link.batch_limit(100), 1, "pulls in between change nothing");
        link.carried();
        assert_eq!(link.batch_limit(100), 2);
    }
}
