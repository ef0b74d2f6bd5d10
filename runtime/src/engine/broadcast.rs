//! Broadcasts of the company: taken in with their dedup key and an entry in the feed, kept for apps to read, and bounded in
//! number. They are about no entity, and nothing of them goes back to the cloud.

use crate::engine::Engine;
use crate::engine::api::{
    BROADCAST, BroadcastView, HookBroadcast, HookError, HookOutcome, Page, PageRequest, QueryError,
    Unavailable,
};
use crate::store::rows::{FeedRow, Origin, encode, put};
use crate::store::{Batch, keys};
use selaras_core::stamp::Millis;
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU64, Ordering};

/// The most that are kept; each is about 20 KB at most.
pub(super) const MOST: u64 = 1000;

/// A broadcast as kept, under its number.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct BroadcastRow {
    message: String,
    level: String,
    data: Option<String>,
    sent_at: Millis,
    pub(super) received_at: Millis,
}

/// Broadcasts taken in since their number was last looked at.
#[derive(Default)]
pub(super) struct Broadcasts {
    fresh: AtomicU64,
}

impl Engine {
    pub(super) async fn take_broadcast(
        &self,
        broadcast: HookBroadcast,
        taken: impl Fn(&mut Batch),
    ) -> Result<HookOutcome, HookError> {
        self.room_for_changes()?;
        let number = self.inner.rows.store().reserve();
        let now = self.now();
        let mut batch = Batch::new();
        taken(&mut batch);
        let row = BroadcastRow {
            message: broadcast.message,
            level: broadcast.level,
            data: broadcast.data.map(|raw| raw.to_string()),
            sent_at: broadcast.sent_at,
            received_at: now,
        };
        put(&mut batch, keys::numbered(keys::BROADCAST, number), &row);
        batch.append_feed(encode(&FeedRow {
            entity_type: BROADCAST.to_owned(),
            entity_id: number.to_string(),
            version: 1,
            deleted: false,
            origin: Origin::Cloud,
            token_id: None,
            change_id: None,
            at: Some(now),
        }));
        if !self.commit_hook(batch).await? {
            return Ok(self.duplicate());
        }
        self.inner.feed_moved();
        let fresh = self.inner.broadcasts.fresh.fetch_add(1, Ordering::Relaxed) + 1;
        if fresh >= MOST / 4 {
            self.inner.broadcasts.fresh.store(0, Ordering::Relaxed);
            self.inner.tidying.wake();
        }
        Ok(HookOutcome {
            broadcast_id: Some(number.to_string()),
            ..self.taken_in(Vec::new())
        })
    }

    /// Broadcasts, newest first.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store cannot be read.
    pub fn broadcasts(&self, page: PageRequest) -> Result<Page<BroadcastView>, QueryError> {
        self.newest_first(keys::BROADCAST, page, |number, row| Ok(Some(view(number, row))))
    }

    /// One broadcast, by the id that its entry in the feed names.
    ///
    /// # Errors
    /// When there is none of this id (any more), or the store cannot be read.
    pub fn broadcast(&self, id: &str) -> Result<BroadcastView, QueryError> {
        let number = id.parse().map_err(|_| QueryError::NotFound(WHAT))?;
        let row: Option<BroadcastRow> = self
            .inner
            .rows
            .get(&keys::numbered(keys::BROADCAST, number))
            .map_err(Unavailable::from)?;
        row.map(|row| view(number, row)).ok_or(QueryError::NotFound(WHAT))
    }
}

const WHAT: &str = "broadcast";

fn view(number: u64, row: BroadcastRow) -> BroadcastView {
    BroadcastView {
        id: number.to_string(),
        message: row.message,
        level: row.level,
        data: row.data,
        sent_at: row.sent_at,
        received_at: row.received_at,
    }
}
