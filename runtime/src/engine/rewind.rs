//! After the store went back in time (a backup took its place, or a part of it was lost): what may have been sent since
//! is put in doubt, everything is pulled again, and until that is done nothing is pushed. So the cloud's effects are not
//! repeated, and what it has settles what waits here.
//!
//! That the store went back is told by a row that others write ([`rewound`](crate::store::rewound)); what being in doubt
//! means is core's rule. Each step is in the store, so it goes on where it was interrupted.

use crate::cloud::LinkError;
use crate::engine::Engine;
use crate::engine::api::{Event, Unavailable, WentBack};
use crate::engine::pull::CHECKPOINT;
use crate::engine::settings::Settings;
use crate::engine::tx::{Load, Tx, TxError};
use crate::store::rewound::{REWOUND, Rewound};
use crate::store::rows::{LogRow, Rows, put, put_meta};
use crate::store::{Batch, keys};
use selaras_core::doubt::doubt;
use selaras_core::id::EntityKey;
use selaras_core::json::{Doc, quote};
use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

/// The name of the row with the place in the feed up to which nothing can be read.
pub(super) const FEED_FLOOR: &str = "feed_floor";
/// Items looked at for one commit.
const PAGE: usize = 200;
/// Pulls that may fail although the cloud answers, before what waits is sent without them: with the backoff of pulls,
/// more than an hour. A cloud whose updates never work again is no reason to keep everything from it.
const MOST_PULL_FAILURES: u32 = 20;

/// That the store went back, if it did.
pub(super) fn stored(rows: &Rows) -> Result<Option<Rewound>, Unavailable> {
    Ok(rows.meta(REWOUND)?)
}

impl Engine {
    /// Puts in doubt what a store that went back in time may have sent since. Nothing else may be done with the engine
    /// before it has answered.
    ///
    /// # Errors
    /// When the store does not answer; it goes on where it was at the next start.
    pub async fn rewind(&self) -> Result<(), Unavailable> {
        self.find_audit_end().await?;
        let Some(row) = self.inner.rewound.lock().clone() else {
            return Ok(());
        };
        if !row.pulled {
            tracing::warn!(
                cause = row.cause.as_str(),
                detail = row.detail,
                lost_commits = row.lost_commits,
                at = row.at.to_rfc3339(),
                "the store went back in time: everything is pulled from the cloud before anything is pushed"
            );
        }
        if row.doubted {
            return Ok(());
        }
        self.close_old_feed().await?;
        let (mut from, _) = keys::all(keys::ITEM);
        let mut doubted = 0;
        loop {
            let items = self.inner.rows.items(&from, PAGE)?;
            let Some((last, _)) = items.last() else { break };
            from.clone_from(last);
            from.push(0);
            let open = items.into_iter().filter_map(|(_, row)| row);
            let keys = open.filter(|row| !row.item.is_open()).map(|row| row.key);
            doubted += self.put_in_doubt(keys.collect()).await?;
        }
        let row = Rewound { doubted: true, ..row };
        let mut batch = Batch::new();
        batch.delete(keys::named(keys::META, CHECKPOINT.as_bytes()));
        self.note(&row, doubted, &mut batch);
        self.inner.rows.store().commit(batch).await?;
        *self.inner.rewound.lock() = Some(row);
        tracing::warn!(
            entities = doubted,
            "what waits for the cloud may have been sent already"
        );
        Ok(())
    }

    /// Places in the feed from before mean something else than they did, so nobody reads on from them. Nothing was added
    /// to the feed yet, also when this was interrupted before.
    async fn close_old_feed(&self) -> Result<(), Unavailable> {
        let head = self.inner.rows.store().feed_head();
        let mut batch = Batch::new();
        put_meta(&mut batch, FEED_FLOOR, &head);
        self.inner.rows.store().commit(batch).await?;
        self.inner.feed_floor.store(head, Ordering::Release);
        Ok(())
    }

    /// Returns how many entities had something that is in doubt now.
    async fn put_in_doubt(&self, keys: BTreeSet<EntityKey>) -> Result<u64, Unavailable> {
        let settings = self.settings();
        loop {
            let mut tx = Tx::new(&self.inner.rows, &settings);
            let mut count = 0;
            for key in &keys {
                count += u64::from(doubt(tx.entity(key, Load::Whole)?));
            }
            match tx.commit().await {
                Ok(_) => return Ok(count),
                Err(TxError::Raced(_) | TxError::Refused) => {}
                Err(TxError::Unavailable(error)) => return Err(error),
            }
        }
    }

    /// Writes the row, and a line in the sync log for admins.
    fn note(&self, row: &Rewound, doubted: u64, batch: &mut Batch) {
        put_meta(batch, REWOUND, row);
        let details = format!(
            "{{\"rewound\":{{\"cause\":{},\"lost_commits\":{},\"entities_in_doubt\":{doubted}}}}}",
            quote(row.cause.as_str()),
            row.lost_commits
                .map_or_else(|| "null".to_owned(), |n| n.to_string()),
        );
        let line = LogRow {
            push: false,
            entity_type: None,
            entity_count: doubted,
            status: 1,
            error_message: Some(format!(
                "the store went back in time ({}): {}",
                row.cause.as_str(),
                row.detail
            )),
            started_at: self.now(),
            duration_ms: 0,
            details: Doc::from_trusted(details),
        };
        let number = self.inner.rows.store().reserve();
        put(batch, keys::numbered(keys::LOG, number), &line);
        let event = Event::new("system", "store.rewound", row.cause.as_str())
            .with("detail", row.detail.as_str())
            .with("lost_commits", row.lost_commits)
            .with("entities_in_doubt", doubted);
        self.record(batch, &event);
    }

    /// Whether everything is still to be pulled since the store went back.
    pub(super) fn awaits_pull(&self) -> bool {
        self.inner.rewound.lock().as_ref().is_some_and(|row| !row.pulled)
    }

    /// Whether what waits is kept back until then. Not where it cannot be pulled, for good or for long: what is in doubt
    /// is then sent under its old names, and it is up to the cloud to know them.
    pub(super) fn holds_pushes(&self, settings: &Settings, pull_trouble: Option<&LinkError>) -> bool {
        let refused = pull_trouble.is_some_and(|error| {
            matches!(
                error,
                LinkError::NotFound(_) | LinkError::Gone | LinkError::Refused { .. }
            )
        });
        let failures = self.inner.pull_failures.load(Ordering::Relaxed);
        self.awaits_pull() && settings.sync.pull_enabled && !refused && failures < MOST_PULL_FAILURES
    }

    /// A pull has come to its end: since the checkpoint was forgotten, that is everything.
    pub(super) async fn pulled_to_the_end(&self) -> Result<(), Unavailable> {
        let Some(row) = self.inner.rewound.lock().clone().filter(|row| !row.pulled) else {
            return Ok(());
        };
        let row = Rewound { pulled: true, ..row };
        let mut batch = Batch::new();
        put_meta(&mut batch, REWOUND, &row);
        self.inner.rows.store().commit(batch).await?;
        *self.inner.rewound.lock() = Some(row);
        tracing::info!("everything was pulled since the store went back in time; what waits is pushed again");
        Ok(())
    }

    /// That the store went back, as shown.
    pub(super) fn went_back(&self) -> Option<WentBack> {
        self.inner.rewound.lock().clone().map(|row| WentBack {
            at: row.at,
            cause: row.cause.as_str(),
            detail: row.detail,
            lost_commits: row.lost_commits,
            pulled: row.pulled,
        })
    }
}

#[cfg(test)]
mod tests;
