//! The store's room and health, for those above and for the engine's own restraint: what makes the store grow is refused
//! while the disk is nearly full, what drains it goes on.

use crate::engine::Engine;
use crate::engine::api::{StoreHealth, Unavailable};
use crate::store::Compacted;

const MIB: u64 = 1 << 20;

impl Engine {
    /// Whether something new may be taken in.
    ///
    /// # Errors
    /// [`Unavailable::DiskFull`] below the watermark.
    pub(super) fn room_for_changes(&self) -> Result<(), Unavailable> {
        let room = self.inner.rows.store().room();
        if room.takes_changes() {
            return Ok(());
        }
        Err(Unavailable::DiskFull(format!(
            "{} MB are free and {} are kept for what is in the queue already (MIN_FREE_MB): free some space, or let the \
             queue drain",
            room.free_bytes / MIB,
            room.min_free_bytes / MIB
        )))
    }

    /// Whether the cloud's updates are fetched: also for a while after changes are refused.
    pub(super) fn room_for_updates(&self) -> bool {
        self.inner.rows.store().room().takes_updates()
    }

    /// How the store is.
    pub fn store_health(&self) -> StoreHealth {
        let store = self.inner.rows.store();
        let (report, stats, room) = (store.report(), store.stats(), store.room());
        StoreHealth {
            state: report.condition.as_str(),
            error: report.error.map(|error| error.to_string()),
            bytes_on_disk: stats.bytes_on_disk,
            live_bytes: stats.live_bytes,
            free_bytes: room.free_bytes,
            min_free_bytes: room.min_free_bytes,
            accepts_changes: room.takes_changes() && store.health().is_ok(),
            recovered: report
                .steps
                .into_iter()
                .map(|step| (step.at, step.what))
                .collect(),
        }
    }

    /// Rewrites the database so that it takes no more room than it needs. Changes wait meanwhile.
    ///
    /// # Errors
    /// Why it could not be done; nothing is lost then.
    pub async fn compact(&self) -> Result<Compacted, String> {
        self.inner.rows.store().compact().await
    }
}
