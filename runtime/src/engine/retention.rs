//! What need not be kept for ever is removed: logs, decided conflicts, documents of tombstones, keys that make repeats
//! harmless, broadcasts, and the old entries of the feed and the audit log. A task of its own, soon after the start and then
//! hourly, in small commits, so that intake and runs are not slowed.
//!
//! What waits for the cloud or for a person is never removed. Ages are only judged when the time is known: a clock that is
//! wrong by years must not empty anything. Bounds in number hold at any time.

mod audit;
mod broadcasts;
mod feed;
mod history;
mod memory;
mod sweep;
mod tombstones;

use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::engine::broadcast::MOST as MOST_BROADCASTS;
use crate::store::rows::Rows;
use parking_lot::Mutex;
use selaras_core::stamp::Millis;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// After the start, when others have more to do.
const FIRST: Duration = Duration::from_secs(10);
/// Between two rounds.
const INTERVAL: Duration = Duration::from_secs(3600);
/// The same while the time is not known.
const AGAIN: Duration = Duration::from_secs(60);

/// The name of the row with the time up to which webhooks' keys were removed for want of room.
const WEBHOOK_FLOOR: &str = "webhook_floor";
/// The most keys of webhooks that are kept (about 30 MB): half an hour's of a cloud that sends 100 a second.
const MOST_WEBHOOKS: u64 = 200_000;

/// What the task and others know of each other.
pub(super) struct Tidying {
    /// A round is wanted now.
    wake: Notify,
    /// Keys of webhooks, about.
    webhooks: AtomicU64,
    /// See [`Engine::webhook_floor`]; 0: none.
    webhook_floor: AtomicI64,
    /// Where the next round goes on looking for tombstones.
    tombstones: Mutex<Option<Vec<u8>>>,
}

impl Tidying {
    /// As it was left.
    pub(super) fn stored(rows: &Rows) -> Result<Self, Unavailable> {
        let floor: Option<Millis> = rows.meta(WEBHOOK_FLOOR)?;
        Ok(Self {
            wake: Notify::new(),
            webhooks: AtomicU64::new(0),
            webhook_floor: AtomicI64::new(floor.map_or(0, |at| at.0)),
            tombstones: Mutex::new(None),
        })
    }

    /// A round is wanted now.
    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }
}

/// How many of each kind a round has removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tidied {
    logs: u64,
    conflicts: u64,
    tombstones: u64,
    keys: u64,
    webhooks: u64,
    feed: u64,
    broadcasts: u64,
    audit: u64,
}

impl Engine {
    /// Tidies up until `shutdown`. What a round was doing then is abandoned between two commits.
    pub async fn tidy(self, shutdown: CancellationToken) {
        let mut wait = FIRST;
        loop {
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = self.inner.tidying.wake.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
            wait = if self.knows_the_time() { INTERVAL } else { AGAIN };
            match self.tidy_once(MOST_WEBHOOKS, &shutdown).await {
                Ok(tidied) if tidied == Tidied::default() => {}
                Ok(tidied) => {
                    let Tidied {
                        logs,
                        conflicts,
                        tombstones,
                        keys,
                        webhooks,
                        feed,
                        broadcasts,
                        audit,
                    } = tidied;
                    tracing::info!(
                        logs,
                        conflicts,
                        tombstones,
                        keys,
                        webhooks,
                        feed,
                        broadcasts,
                        audit,
                        "tidied up"
                    );
                }
                Err(error) => tracing::error!(%error, "tidying up was not finished; the next round goes on"),
            }
        }
    }

    /// One round.
    async fn tidy_once(&self, most_webhooks: u64, stop: &CancellationToken) -> Result<Tidied, Unavailable> {
        let sync = self.settings().sync.clone();
        let now = self.knows_the_time().then(|| self.now());
        let before = |hours: u32| now.map(|now| now.plus_ms(-i64::from(hours) * 3_600_000));
        let mut tidied = Tidied {
            feed: self
                .trim_feed(
                    u64::from(sync.feed_max_entries),
                    before(24 * sync.feed_retention_days),
                    stop,
                )
                .await?,
            webhooks: self.tidy_webhooks(most_webhooks, now, stop).await?,
            broadcasts: self
                .tidy_broadcasts(MOST_BROADCASTS, before(24 * sync.feed_retention_days), stop)
                .await?,
            ..Tidied::default()
        };
        if let Some(audit) = before(24 * sync.audit_retention_days) {
            tidied.audit = self.trim_audit(audit, stop).await?;
        }
        if let (Some(logs), Some(conflicts), Some(tombstones), Some(repeats), Some(changes)) = (
            before(24 * sync.log_retention_days),
            before(24 * sync.conflict_retention_days),
            before(24 * sync.tombstone_retention_days),
            before(sync.idempotency_retention_hours),
            before(24 * sync.change_id_retention_days),
        ) {
            tidied.logs = self.tidy_logs(logs, stop).await?;
            tidied.conflicts = self.tidy_conflicts(conflicts, stop).await?;
            tidied.keys = self.tidy_keys(repeats, changes, stop).await?;
            tidied.tombstones = self.strip_tombstones(tombstones, stop).await?;
        }
        Ok(tidied)
    }

    /// Whether the cloud has told the time since the start, or nobody is there to tell it.
    fn knows_the_time(&self) -> bool {
        let settings = self.settings();
        let asks = settings.cloud.is_some() && settings.outlet.sync_enabled;
        !asks || self.inner.time.stamp().unmeasured.is_none()
    }

    /// A webhook's key was kept. Too many of them are not left until the next round.
    pub(super) fn webhook_kept(&self) {
        let kept = self.inner.tidying.webhooks.fetch_add(1, Ordering::Relaxed) + 1;
        if kept.is_multiple_of(MOST_WEBHOOKS / 4) && kept > MOST_WEBHOOKS {
            self.inner.tidying.wake();
        }
    }

    /// Webhooks up to this time of theirs may have come before, and their keys had to go for want of room: what is not
    /// newer is too old.
    pub fn webhook_floor(&self) -> Option<Millis> {
        let floor = self.inner.tidying.webhook_floor.load(Ordering::Relaxed);
        (floor != 0).then_some(Millis(floor))
    }
}

#[cfg(test)]
mod tests;
