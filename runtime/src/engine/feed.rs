//! The change feed for apps: read in order, waited for.

use crate::engine::Engine;
use crate::engine::api::{BROADCAST, Feed, FeedEntry, FeedError, Scope, Unavailable};
use crate::store::rows::{FeedRow, RowError, decode};
use crate::store::{Direction, FEED_PREFIX, feed_key};
use std::sync::atomic::Ordering;
use std::time::Duration;

impl Engine {
    /// At most `limit` entries after `since` of what `scope` covers, as soon as there is one, or none after `wait` (or at
    /// shutdown).
    ///
    /// # Errors
    /// [`FeedError::Truncated`] when entries after `since` are gone, or `since` was never given out.
    pub async fn feed(
        &self,
        since: u64,
        limit: usize,
        wait: Duration,
        scope: &Scope,
    ) -> Result<Feed, FeedError> {
        let mut moved = self.inner.feed.subscribe();
        moved.mark_unchanged();
        let deadline = tokio::time::sleep(wait);
        tokio::pin!(deadline);
        let mut since = since;
        loop {
            let feed = self.read_feed(since, limit, scope)?;
            if !feed.entries.is_empty() {
                return Ok(feed);
            }
            if feed.read_to > since {
                // Nothing of it was for who asks; there may be more.
                since = feed.read_to;
                continue;
            }
            if wait.is_zero() {
                return Ok(feed);
            }
            tokio::select! {
                changed = moved.changed() => if changed.is_err() { return Ok(feed) },
                () = &mut deadline => return Ok(feed),
                () = self.inner.shutdown.cancelled() => return Ok(feed),
            }
        }
    }

    /// The feed's newest entry, if one can go on after `since` of the feed that is named `epoch` (none: of this one).
    ///
    /// # Errors
    /// As [`Engine::feed`]; another epoch is another feed.
    pub fn feed_head_after(&self, epoch: Option<&str>, since: u64) -> Result<u64, FeedError> {
        let store = self.inner.rows.store();
        let (head, own) = (store.feed_head(), store.feed_epoch());
        let oldest = self.oldest_feed_entry(head)?;
        let strange = epoch.is_some_and(|epoch| epoch != own);
        if strange || since > head || since.saturating_add(1) < oldest {
            return Err(FeedError::Truncated {
                epoch: own,
                oldest,
                head,
            });
        }
        Ok(head)
    }

    /// The name of the feed: another one after the store went back in time.
    pub fn feed_epoch(&self) -> String {
        self.inner.rows.store().feed_epoch()
    }

    fn read_feed(&self, since: u64, limit: usize, scope: &Scope) -> Result<Feed, FeedError> {
        let head = self.feed_head_after(None, since)?;
        let store = self.inner.rows.store();
        let rows = store
            .scan(
                &feed_key(since + 1),
                &[FEED_PREFIX + 1],
                Direction::Forward,
                limit,
            )
            .map_err(|error| Unavailable::from(RowError::from(error)))?;
        let mut entries = Vec::with_capacity(rows.len());
        let mut read_to = since;
        for (key, bytes) in rows {
            let row: FeedRow = decode(&key, &bytes).map_err(Unavailable::from)?;
            let seq = crate::store::keys::number(&key).unwrap_or_default();
            read_to = seq;
            if row.entity_type == BROADCAST || scope.covers(&row.entity_type) {
                entries.push(entry(seq, row));
            }
        }
        Ok(Feed {
            epoch: store.feed_epoch(),
            entries,
            read_to,
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

fn entry(seq: u64, row: FeedRow) -> FeedEntry {
    FeedEntry {
        seq,
        entity_type: row.entity_type,
        entity_id: row.entity_id,
        version: row.version,
        deleted: row.deleted,
        origin: row.origin.as_str(),
        token_id: row.token_id,
        change_id: row.change_id,
    }
}
