//! Tombstones at rest lose the documents they hold; their names and numbers stay, so that deletes stay deleted.

use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::engine::tx::{Load, Tx, TxError};
use crate::store::keys;
use selaras_core::id::EntityKey;
use selaras_core::stamp::Millis;
use selaras_core::tombstone::{holds_more, strip};
use tokio_util::sync::CancellationToken;

/// Records read at a time.
const PAGE: usize = 100;
/// Records looked at in one round; the next goes on from there. A million takes two days.
const MOST: usize = 20_000;

impl Engine {
    /// Strips tombstones from before `before`, as far as one round goes.
    pub(super) async fn strip_tombstones(
        &self,
        before: Millis,
        stop: &CancellationToken,
    ) -> Result<u64, Unavailable> {
        let (start, to) = keys::all(keys::RECORD);
        let mut from = self.inner.tidying.tombstones.lock().take().unwrap_or(start);
        let (mut stripped, mut looked_at) = (0, 0);
        while !stop.is_cancelled() && looked_at < MOST {
            let records = self.inner.rows.records(&from, &to, PAGE)?;
            let Some((last, _)) = records.last() else {
                return Ok(stripped);
            };
            from = keys::entity(keys::RECORD, last);
            from.push(0);
            looked_at += records.len();
            let old = records.into_iter().filter(|(_, record)| {
                holds_more(record) && self.inner.time.resolve(&record.modified) < before
            });
            stripped += self.strip(old.map(|(key, _)| key).collect()).await?;
            self.give_way(stop).await;
        }
        *self.inner.tidying.tombstones.lock() = Some(from);
        Ok(stripped)
    }

    /// What changes meanwhile is left to a later round.
    async fn strip(&self, mut keys: Vec<EntityKey>) -> Result<u64, Unavailable> {
        let settings = self.settings();
        while !keys.is_empty() {
            let mut tx = Tx::new(&self.inner.rows, &settings);
            let mut count = 0;
            for key in &keys {
                count += u64::from(strip(tx.entity(key, Load::Edges)?));
            }
            match tx.commit().await {
                Ok(_) => return Ok(count),
                Err(TxError::Raced(raced)) => keys.retain(|key| *key != raced),
                Err(TxError::Refused) => unreachable!("stripping adds no precondition of its own"),
                Err(TxError::Unavailable(error)) => return Err(error),
            }
        }
        Ok(0)
    }
}
