//! The levels of the moment for `/metrics`, from what is kept in memory. Never a scan of the store: the one look into it, at the
//! head of the queue, is made at most every few seconds.

use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::metrics::{Form, Level, Metrics};
use crate::store::{Condition, Counter, keys};
use selaras_core::item::ItemState;
use selaras_core::stamp::Millis;

/// How long the oldest change that was seen is told before it is looked for again.
const OLDEST_HOLDS_MS: u64 = 5_000;
/// Items out of retries that are passed over on the way to the oldest that waits.
const MOST_PASSED: usize = 100;

/// The oldest change that waits, as it was last seen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Oldest {
    /// When it was looked for, by the monotonic clock; none: never.
    seen_ms: Option<u64>,
    at: Option<Millis>,
}

impl Engine {
    /// What is counted.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// All metrics as text. Takes the same short time whatever the store holds.
    pub fn metrics_text(&self, form: Form) -> String {
        self.inner.metrics.render(form, self.levels())
    }

    #[expect(clippy::cast_precision_loss, reason = "counts, bytes and times below 2^52")]
    fn levels(&self) -> Vec<(Level, f64)> {
        let store = self.inner.rows.store();
        let count = |counter| store.counter(counter).max(0) as f64;
        let flag = |on: bool| if on { 1.0 } else { 0.0 };
        let seconds = |at: Millis| at.0 as f64 / 1000.0;
        let settings = self.settings();
        let (stats, room) = (store.stats(), store.room());
        let online = self.inner.link.lock().online();
        let backup = self.inner.backups.view().last_backup;
        let pending = count(Counter::Pending);
        vec![
            (Level::QueuePending, pending),
            (Level::QueueFailed, count(Counter::Failed)),
            (
                Level::QueueOldestAge,
                if pending > 0.0 { self.oldest_age() } else { 0.0 },
            ),
            (Level::OpenConflicts, count(Counter::OpenConflicts)),
            (Level::Parked, count(Counter::Parked)),
            (Level::Synced, count(Counter::Synced)),
            (
                Level::SyncEnabled,
                flag(settings.outlet.sync_enabled && settings.cloud.is_some()),
            ),
            (Level::SyncRunning, flag(self.inner.signals.is_running())),
            (
                Level::LastSuccess,
                self.inner.last_run.lock().success_at.map_or(0.0, seconds),
            ),
            (Level::CloudUp, online.map_or(f64::NAN, flag)),
            (
                Level::ClockOffset,
                self.inner
                    .time
                    .offset_ms()
                    .map_or(f64::NAN, |ms| ms as f64 / 1000.0),
            ),
            (
                Level::StoreUp,
                flag(store.report().condition != Condition::Reopening),
            ),
            (Level::StoreBytes, stats.bytes_on_disk as f64),
            (Level::StoreLiveBytes, stats.live_bytes as f64),
            (Level::DiskFree, room.free_bytes as f64),
            (Level::DiskMinFree, room.min_free_bytes as f64),
            (Level::PluginProblems, self.plugin_problems().len() as f64),
            (Level::LastBackup, backup.map_or(0.0, |backup| seconds(backup.at))),
        ]
    }

    /// Seconds since the oldest waiting change was taken in. NaN: it is behind too many that are out of retries, or the store
    /// cannot be read now.
    fn oldest_age(&self) -> f64 {
        let now_ms = self.mono_ms();
        let mut oldest = self.inner.oldest.lock();
        if oldest
            .seen_ms
            .is_none_or(|seen| now_ms.saturating_sub(seen) >= OLDEST_HOLDS_MS)
        {
            *oldest = Oldest {
                seen_ms: Some(now_ms),
                at: self.oldest_waiting().unwrap_or_default(),
            };
        }
        #[expect(clippy::cast_precision_loss, reason = "an age below centuries")]
        oldest
            .at
            .map_or(f64::NAN, |at| (self.now().minus(at).max(0) as f64) / 1000.0)
    }

    fn oldest_waiting(&self) -> Result<Option<Millis>, Unavailable> {
        let mut from = vec![keys::ITEM];
        for _ in 0..MOST_PASSED {
            let Some((key, row)) = self.inner.rows.items(&from, 1)?.pop() else {
                break;
            };
            let waits = row
                .map(|row| row.item)
                .filter(|item| item.state != ItemState::Failed);
            if let Some(item) = waits {
                return Ok(Some(item.created_at));
            }
            from = key;
            from.push(0);
        }
        Ok(None)
    }
}
