//! When a backup is made by itself: soon after there is something to lose, hourly until there are as many as are kept,
//! then at the interval. After a failure it is tried again within the hour.
//!
//! The times are those in the files' names, so a restart changes nothing. It must not know how one is made.

use crate::engine::Engine;
use crate::store::archive;
use selaras_core::stamp::Millis;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// From the first change of a new outlet to its first backup.
const FIRST_DELAY_MS: u64 = 10_000;
/// An outlet without a change has settings to lose, too.
const WITHOUT_CHANGES_MS: u64 = 600_000;
/// The first ones, and the next try after a failure.
const SOON_MS: u64 = 3_600_000;

impl Engine {
    /// Makes backups until `stop`. Its owner waits for it.
    pub async fn keep_backups(self, stop: CancellationToken) {
        match self.inner.backups.policy.every_ms {
            None => stop.cancelled().await,
            Some(every_ms) => tokio::select! {
                () = stop.cancelled() => {}
                () = self.make_backups(every_ms) => {}
            },
        }
        // One under way ends before its engine does.
        drop(self.inner.backups.making.lock().await);
    }

    async fn make_backups(&self, every_ms: u64) {
        let mut failed = false;
        loop {
            let due = self.next_backup(every_ms, failed);
            if due.first {
                self.something_to_lose().await;
            }
            // In short steps: the wall clock may be set meanwhile.
            let step = due.in_ms.min(SOON_MS);
            tokio::time::sleep(Duration::from_millis(step)).await;
            if step == due.in_ms {
                failed = self.back_up().await.is_err();
            }
        }
    }

    /// A directory that cannot be read is one without backups: making one there says why it cannot be read.
    fn next_backup(&self, every_ms: u64, failed: bool) -> Due {
        let policy = &self.inner.backups.policy;
        let kept = archive::list(&policy.dir).unwrap_or_default();
        let newest = kept.first().and_then(|path| archive::made_at(path));
        let few = kept.len() < policy.keep;
        due(self.now(), newest, few, failed, every_ms)
    }

    async fn something_to_lose(&self) {
        let mut head = self.inner.feed.subscribe();
        tokio::select! {
            // An error: the engine is gone, and so is who waits here.
            _ = head.wait_for(|head| *head > 0) => {}
            () = tokio::time::sleep(Duration::from_millis(WITHOUT_CHANGES_MS)) => {}
        }
    }
}

/// When the next one is due.
#[derive(Debug, PartialEq, Eq)]
struct Due {
    in_ms: u64,
    /// There is none yet.
    first: bool,
}

fn due(now: Millis, newest: Option<Millis>, few: bool, failed: bool, every_ms: u64) -> Due {
    let soon = every_ms.min(SOON_MS);
    let first = newest.is_none() && !failed;
    let in_ms = match newest {
        _ if failed => soon,
        None => FIRST_DELAY_MS.min(every_ms),
        Some(newest) => {
            let every = if few { soon } else { every_ms };
            // Made after now: the clock was set back, and says nothing about its age.
            let age = u64::try_from(now.minus(newest)).unwrap_or(every);
            every.saturating_sub(age).max(FIRST_DELAY_MS.min(every))
        }
    };
    Due { in_ms, first }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * SOON_MS;

    fn in_ms(age_ms: i64, few: bool, failed: bool) -> u64 {
        let now = Millis(1_800_000_000_000);
        due(now, Some(now.plus_ms(-age_ms)), few, failed, DAY).in_ms
    }

    #[test]
    fn the_first_one_comes_soon_then_hourly_then_at_the_interval() {
        let first = due(Millis(0), None, true, false, DAY);
        assert_eq!(
            first,
            Due {
                in_ms: FIRST_DELAY_MS,
                first: true
            }
        );
        assert_eq!(in_ms(600_000, true, false), SOON_MS - 600_000);
        assert_eq!(in_ms(600_000, false, false), DAY - 600_000);
    }

    #[test]
    fn one_that_is_overdue_comes_shortly_after_the_start() {
        assert_eq!(in_ms(5 * DAY as i64, false, false), FIRST_DELAY_MS);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_put_it_off() {
        assert_eq!(in_ms(-(400 * DAY as i64), false, false), FIRST_DELAY_MS);
    }

    #[test]
    fn after_a_failure_it_is_tried_again_within_the_hour_and_without_waiting_for_changes() {
        assert_eq!(in_ms(600_000, false, true), SOON_MS);
        let none_yet = due(Millis(0), None, true, true, DAY);
        assert_eq!(
            none_yet,
            Due {
                in_ms: SOON_MS,
                first: false
            }
        );
    }
}
