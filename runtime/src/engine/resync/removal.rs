//! What a full listing did not show ends here (rule 14): only where the cloud said that it has shown everything, only what
//! both sides had and agreed on, and nothing that was written since the listing began. Each ending is a tombstone and an entry of
//! the feed.

use super::{WALK, Walk};
use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::engine::tx::{Load, Tx, TxError, feed_row};
use crate::store::keys;
use crate::store::rows::{Origin, put_meta};
use crate::store::seen::{Shown, is_written};
use selaras_core::id::EntityKey;
use selaras_core::resync::{end_unseen, ends_unseen};

/// Records looked at for one commit.
const PAGE: usize = 200;

impl Walk {
    /// Whether the listing shows by what is not in it that it is not there.
    fn tells_absence(&self) -> bool {
        self.complete && self.unreadable == 0 && !self.keeps && !self.found_all()
    }

    /// Where the records asked for lie, in order.
    fn ranges(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        if self.scope.everything {
            return vec![keys::all(keys::RECORD)];
        }
        let types = self
            .scope
            .types
            .iter()
            .map(|entity_type| keys::type_range(keys::RECORD, entity_type));
        let entities = self.scope.entities.iter().map(|key| {
            let from = keys::entity(keys::RECORD, key);
            let mut to = from.clone();
            to.push(0);
            (from, to)
        });
        let mut ranges: Vec<_> = types.chain(entities).collect();
        ranges.sort();
        ranges
    }
}

impl Engine {
    /// Ends what the listing did not show. False: `until` said stop before it was done.
    pub(super) async fn remove_unseen(
        &self,
        walk: &mut Walk,
        until: impl Fn() -> bool,
    ) -> Result<bool, Unavailable> {
        if !walk.tells_absence() {
            return Ok(true);
        }
        let shown = Shown::read(&self.inner.rows, walk.listing)?;
        let done = walk.removing.clone().unwrap_or_default();
        for (start, to) in walk.ranges() {
            let mut from = start.max(done.clone());
            while from < to {
                let records = self.inner.rows.records(&from, &to, PAGE)?;
                let Some((last, _)) = records.last() else { break };
                from = keys::entity(keys::RECORD, last);
                from.push(0);
                let unseen = records
                    .into_iter()
                    .filter(|(key, record)| ends_unseen(record) && !shown.has(key));
                walk.removing = Some(from.clone());
                self.end(walk, unseen.map(|(key, _)| key).collect()).await?;
                if until() {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    async fn end(&self, walk: &mut Walk, keys: Vec<EntityKey>) -> Result<(), Unavailable> {
        loop {
            let settings = self.settings();
            let mut tx = Tx::new(&self.inner.rows, &settings);
            tx.is_listed = true;
            let mut ended = 0;
            for key in &keys {
                let entity = tx.entity(key, Load::Whole)?;
                // What is written after it was read fails the commit.
                if is_written(&self.inner.rows, walk.listing, key)?
                    || !end_unseen(entity, self.inner.time.stamp())
                {
                    continue;
                }
                ended += 1;
                let row = feed_row(entity, Origin::Cloud, self.now());
                tx.feed(&row);
                tracing::info!(%key, "the cloud's full listing does not have it: it ends here");
            }
            let next = Walk {
                removed: walk.removed + ended,
                ..walk.clone()
            };
            put_meta(&mut tx.batch, WALK, &next);
            match tx.commit().await {
                Ok(_) => {
                    self.inner.feed_moved();
                    *self.inner.resync.walk.lock() = Some(next.clone());
                    *walk = next;
                    return Ok(());
                }
                Err(TxError::Raced(_) | TxError::Refused) => {}
                Err(TxError::Unavailable(error)) => return Err(error),
            }
        }
    }
}
