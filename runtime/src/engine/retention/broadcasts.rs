//! Broadcasts go with the age of their entries in the feed, and when there are too many.

use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::engine::broadcast::BroadcastRow;
use crate::store::rows::{RowError, decode};
use crate::store::{Batch, Direction, keys};
use selaras_core::stamp::Millis;
use tokio_util::sync::CancellationToken;

/// Read at a time: each takes up to 20 KB.
const PAGE: usize = 50;

impl Engine {
    /// Keeps the newest `most` that are not from before `before` (none: the time is not known).
    pub(super) async fn tidy_broadcasts(
        &self,
        most: u64,
        before: Option<Millis>,
        stop: &CancellationToken,
    ) -> Result<u64, Unavailable> {
        let (from, mut to) = keys::all(keys::BROADCAST);
        let (mut kept, mut deleted) = (0, 0);
        while !stop.is_cancelled() {
            let store = self.inner.rows.store();
            let rows = store
                .scan(&from, &to, Direction::Backward, PAGE)
                .map_err(RowError::from)?;
            let Some((oldest, _)) = rows.last() else { break };
            to.clone_from(oldest);
            let mut batch = Batch::new();
            for (key, bytes) in rows {
                if kept >= most || before.is_some_and(|before| is_old(&key, &bytes, before)) {
                    batch.delete(key);
                } else {
                    kept += 1;
                }
            }
            deleted += self.delete(batch).await?;
            self.give_way(stop).await;
        }
        Ok(deleted)
    }
}

/// One that cannot be read helps nobody.
fn is_old(key: &[u8], bytes: &[u8], before: Millis) -> bool {
    match decode::<BroadcastRow>(key, bytes) {
        Ok(row) => row.received_at < before,
        Err(error) => {
            tracing::error!(%error, "a broadcast that cannot be read is removed");
            true
        }
    }
}
