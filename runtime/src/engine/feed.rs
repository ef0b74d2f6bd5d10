//! The change feed for apps: read in order, waited for.

use crate::engine::Engine;
use crate::engine::api::{Feed, FeedEntry, FeedError, Unavailable};
use crate::store::rows::{FeedRow, RowError, decode};
use crate::store::{Direction, FEED_PREFIX, feed_key};
use selaras_core::id::EntityKey;
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Engine {
    /// At most `limit` entries after `since`, as soon as there is one, or none after `wait` (or at shutdown).
    ///
    /// # Errors
    /// [`FeedError::Truncated`] when entries after `since` are gone, or `since` was never given out.
    pub async fn feed(&self, since: u64, limit: usize, wait: Duration) -> Result<Feed, FeedError> {
        let mut moved = self.inner.feed.subscribe();
        moved.mark_unchanged();
        let deadline = tokio::time::sleep(wait);
        tokio::pin!(deadline);
        loop {
            let feed = self.read_feed(since, limit)?;
            if !feed.entries.is_empty() || wait.is_zero() {
                return Ok(feed);
            }
            tokio::select! {
                changed = moved.changed() => if changed.is_err() { return Ok(feed) },
                () = &mut deadline => return Ok(feed),
                () = self.inner.shutdown.cancelled() => return Ok(feed),
            }
        }
    }

    fn read_feed(&self, since: u64, limit: usize) -> Result<Feed, FeedError> {
        let store = self.inner.rows.store();
        let head = store.feed_head();
        let oldest = self.oldest_feed_entry(head)?;
        if since > head || since.saturating_add(1) < oldest {
            let epoch = store.feed_epoch();
            return Err(FeedError::Truncated { epoch, oldest, head });
        }
        let rows = store
            .scan(
                &feed_key(since + 1),
                &[FEED_PREFIX + 1],
                Direction::Forward,
                limit,
            )
            .map_err(|error| Unavailable::from(RowError::from(error)))?;
        let mut entries = Vec::with_capacity(rows.len());
        for (key, bytes) in rows {
            let row: FeedRow = decode(&key, &bytes).map_err(Unavailable::from)?;
            let seq = crate::store::keys::number(&key).unwrap_or_default();
            match EntityKey::parse(&row.entity_type, &row.entity_id) {
                Ok(key) => entries.push(entry(seq, key, row)),
                Err(error) => tracing::error!(seq, %error, "a feed entry names no entity"),
            }
        }
        Ok(Feed {
            epoch: store.feed_epoch(),
            entries,
            head,
        })
    }

    fn oldest_feed_entry(&self, head: u64) -> Result<u64, Unavailable> {
        let floor = self.inner.feed_floor.load(Ordering::Acquire);
        let store = self.inner.rows.store();
        let first = store
            .scan(&feed_key(floor + 1), &[FEED_PREFIX + 1], Direction::Forward, 1)
            .map_err(RowError::from)?;
        Ok(first
            .first()
            .and_then(|(key, _)| crate::store::keys::number(key))
            .unwrap_or(head + 1))
    }
}

fn entry(seq: u64, key: EntityKey, row: FeedRow) -> FeedEntry {
    FeedEntry {
        seq,
        key,
        version: row.version,
        deleted: row.deleted,
        origin: row.origin.as_str(),
        token_id: row.token_id,
        change_id: row.change_id,
    }
}
