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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::engine::api::{Hook, HookBroadcast, PageRequest};
    use crate::engine::settings::Defaults;
    use crate::engine::testing::engine_over;
    use crate::store::MemoryStore;
    use std::sync::Arc;

    const START: i64 = 1_769_509_800_000;

    async fn engine_with(broadcasts: i64) -> Engine {
        let clock = Arc::new(ManualClock::new(START, 1));
        let store = Arc::new(MemoryStore::new("epoch"));
        let engine = engine_over(store, clock.clone(), Defaults::default());
        for number in 0..broadcasts {
            let hook = Hook::Broadcast(HookBroadcast {
                sent_at: Millis(START),
                message: number.to_string(),
                level: "info".to_owned(),
                data: None,
            });
            assert!(engine.hook(hook, &[]).await.unwrap().broadcast_id.is_some());
            clock.advance(1000);
        }
        engine
    }

    fn left(engine: &Engine) -> Vec<String> {
        let all = PageRequest {
            after: None,
            limit: 500,
        };
        let page = engine.broadcasts(all).unwrap();
        page.items
            .into_iter()
            .map(|broadcast| broadcast.message)
            .collect()
    }

    #[tokio::test]
    async fn of_too_many_broadcasts_the_newest_stay_also_over_pages() {
        let engine = engine_with(120).await;
        let stop = CancellationToken::new();
        assert_eq!(engine.tidy_broadcasts(3, None, &stop).await.unwrap(), 117);
        assert_eq!(left(&engine), ["119", "118", "117"]);
    }

    #[tokio::test]
    async fn broadcasts_go_when_they_are_old() {
        let engine = engine_with(4).await;
        let stop = CancellationToken::new();
        let before = Some(Millis(START + 2000));
        assert_eq!(engine.tidy_broadcasts(1000, before, &stop).await.unwrap(), 2);
        assert_eq!(left(&engine), ["3", "2"]);
        assert_eq!(engine.tidy_broadcasts(1000, before, &stop).await.unwrap(), 0);
    }
}
