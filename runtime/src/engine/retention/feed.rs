//! The feed's old entries go from its beginning, by age and by number. Apps that fall further behind begin anew.

use super::sweep::PAGE;
use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::store::rows::{FeedRow, RowError, decode};
use crate::store::{Batch, Direction, FEED_PREFIX, keys};
use selaras_core::stamp::Millis;
use std::sync::atomic::Ordering;
use tokio_util::sync::CancellationToken;

impl Engine {
    /// Removes entries from the beginning of the feed until at most `most` are left and the first is not from before
    /// `before` (none: the time is not known).
    pub(super) async fn trim_feed(
        &self,
        most: u64,
        before: Option<Millis>,
        stop: &CancellationToken,
    ) -> Result<u64, Unavailable> {
        let mut deleted = 0;
        while !stop.is_cancelled() {
            let store = self.inner.rows.store();
            let floor = self.inner.feed_floor.load(Ordering::Acquire);
            let last_gone = store.feed_head().saturating_sub(most).max(floor);
            let rows = store
                .scan(&[FEED_PREFIX], &[FEED_PREFIX + 1], Direction::Forward, PAGE)
                .map_err(RowError::from)?;
            let looked_at = rows.len();
            let mut batch = Batch::new();
            let old = rows.into_iter().take_while(|(key, bytes)| {
                keys::number(key).is_none_or(|seq| seq <= last_gone)
                    || before.is_some_and(|before| is_old(key, bytes, before))
            });
            for (key, _) in old {
                batch.delete(key);
            }
            let gone = self.delete(batch).await?;
            deleted += gone;
            if gone == 0 || (gone as usize) < looked_at {
                break;
            }
            self.give_way(stop).await;
        }
        Ok(deleted)
    }
}

/// An entry without a time is from before they had one, and one that cannot be read helps nobody.
fn is_old(key: &[u8], bytes: &[u8], before: Millis) -> bool {
    match decode::<FeedRow>(key, bytes) {
        Ok(row) => row.at.is_none_or(|at| at < before),
        Err(error) => {
            tracing::error!(%error, "an entry of the feed that cannot be read is removed");
            true
        }
    }
}
