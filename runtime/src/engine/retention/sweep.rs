//! Going over all rows of a kind: page by page, deleting in small commits, with pauses for others.

use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::store::rows::{RowError, decode};
use crate::store::{Batch, Direction, keys};
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Most deletes of one commit.
pub(super) const PAGE: usize = 500;
/// Between two pages.
const PAUSE: Duration = Duration::from_millis(2);
/// The same while a run is going.
const PAUSE_FOR_A_RUN: Duration = Duration::from_millis(50);

impl Engine {
    /// Deletes the rows of `kind` for which `gone` says so, reading `page` of them at a time; returns how many. A row that
    /// cannot be read stays, and is named in the log.
    pub(super) async fn sweep<T: DeserializeOwned>(
        &self,
        kind: u8,
        page: usize,
        stop: &CancellationToken,
        mut gone: impl FnMut(&T) -> Result<bool, Unavailable>,
    ) -> Result<u64, Unavailable> {
        let (mut from, to) = keys::all(kind);
        let mut deleted = 0;
        while !stop.is_cancelled() {
            let store = self.inner.rows.store();
            let rows = store
                .scan(&from, &to, Direction::Forward, page)
                .map_err(RowError::from)?;
            let Some((last, _)) = rows.last() else { break };
            from.clone_from(last);
            from.push(0);
            let mut batch = Batch::new();
            for (key, bytes) in rows {
                match decode::<T>(&key, &bytes) {
                    Ok(row) if gone(&row)? => {
                        batch.delete(key);
                    }
                    Ok(_) => {}
                    Err(error) => tracing::error!(%error, "a row that cannot be read is kept"),
                }
            }
            deleted += self.delete(batch).await?;
            self.give_way(stop).await;
        }
        Ok(deleted)
    }

    /// Commits deletions; returns how many.
    pub(super) async fn delete(&self, batch: Batch) -> Result<u64, Unavailable> {
        let deleted = batch.writes.iter().filter(|(_, value)| value.is_none()).count();
        if !batch.changes_nothing() {
            self.inner.rows.store().commit(batch).await?;
        }
        Ok(deleted as u64)
    }

    /// Lets others go first.
    pub(super) async fn give_way(&self, stop: &CancellationToken) {
        let running = self.inner.signals.is_running();
        let pause = if running { PAUSE_FOR_A_RUN } else { PAUSE };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}
