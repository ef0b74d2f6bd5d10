//! The memory of what came before: keys that make a repeat harmless are kept for as long as a repeat may come.

use super::sweep::PAGE;
use super::{Tidying, WEBHOOK_FLOOR};
use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::engine::intake::Kept;
use crate::store::rows::put_meta;
use crate::store::{Batch, keys};
use selaras_core::stamp::Millis;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use tokio_util::sync::CancellationToken;

/// A webhook's own time may be 96 hours old when it comes and 5 minutes ahead, and a retry may be on its way for some
/// hours: the contract's 101 hours.
const WEBHOOKS_MS: i64 = 101 * 3_600_000;
/// How far a webhook's own time may be ahead of when it came.
const AHEAD_MS: i64 = 5 * 60_000;
const MINUTE_MS: i64 = 60_000;

impl Engine {
    /// Removes requests' idempotency keys from before `repeats`, and apps' change_ids from before `changes`.
    pub(super) async fn tidy_keys(
        &self,
        repeats: Millis,
        changes: Millis,
        stop: &CancellationToken,
    ) -> Result<u64, Unavailable> {
        let mut deleted = 0;
        for (kind, before) in [(keys::IDEMPOTENCY, repeats), (keys::CHANGE_ID, changes)] {
            deleted += self
                .sweep(kind, PAGE, stop, |kept: &Kept| Ok(kept.at < before))
                .await?;
        }
        Ok(deleted)
    }

    /// Removes webhooks' keys that are old by `now` (none: the time is not known), and when there are still more than
    /// `most`, the oldest of them. What they would have recognised is then refused by its own time.
    pub(super) async fn tidy_webhooks(
        &self,
        most: u64,
        now: Option<Millis>,
        stop: &CancellationToken,
    ) -> Result<u64, Unavailable> {
        let Tidying { webhooks, .. } = &self.inner.tidying;
        webhooks.store(0, Ordering::Relaxed);
        let before = now.map(|now| now.plus_ms(-WEBHOOKS_MS));
        let mut minutes: BTreeMap<i64, u64> = BTreeMap::new();
        let mut deleted = self
            .sweep(keys::WEBHOOK, PAGE, stop, |came: &Millis| {
                let old = before.is_some_and(|before| *came < before);
                if !old {
                    *minutes.entry(came.0.div_euclid(MINUTE_MS)).or_default() += 1;
                }
                Ok(old)
            })
            .await?;
        let mut kept: u64 = minutes.values().sum();
        if kept > most {
            // Some more, so that it is not the same again with the next one.
            let enough = most - most / 10;
            let mut last = i64::MIN;
            while kept > enough
                && let Some((minute, count)) = minutes.pop_first()
            {
                (last, kept) = (minute, kept - count);
            }
            self.raise_webhook_floor(Millis((last + 1) * MINUTE_MS + AHEAD_MS))
                .await?;
            let full = |came: &Millis| Ok(came.0.div_euclid(MINUTE_MS) <= last);
            let evicted = self.sweep(keys::WEBHOOK, PAGE, stop, full).await?;
            tracing::warn!(evicted, "so many webhooks came that the oldest keys had to go");
            deleted += evicted;
        }
        webhooks.fetch_add(kept, Ordering::Relaxed);
        Ok(deleted)
    }

    /// Before the keys go.
    async fn raise_webhook_floor(&self, floor: Millis) -> Result<(), Unavailable> {
        let floor = self.webhook_floor().map_or(floor, |known| known.max(floor));
        let mut batch = Batch::new();
        put_meta(&mut batch, WEBHOOK_FLOOR, &floor);
        self.inner.rows.store().commit(batch).await?;
        self.inner.tidying.webhook_floor.store(floor.0, Ordering::Relaxed);
        Ok(())
    }
}
