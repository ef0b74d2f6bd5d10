//! What a person does with the queue: put failed items back, give one up.

use crate::engine::Engine;
use crate::engine::api::{Actor, Event, QueueFilter, QueueStatus, RetryError, Unavailable};
use crate::engine::tx::{Load, Tx, TxError};
use crate::store::rows::{ItemRow, RowError};
use crate::store::{Direction, keys};
use selaras_core::item::ItemState;
use selaras_core::push::{give_up, retry};
use selaras_core::resync::Scope;

/// Items put back in one commit.
const BATCH: usize = 200;

impl Engine {
    /// Puts a failed item back, its retries unused, and starts a run.
    ///
    /// # Errors
    /// See [`RetryError`].
    pub async fn retry(&self, id: &str, actor: &Actor) -> Result<(), RetryError> {
        let row = self.item(id)?;
        if row.item.state != ItemState::Failed {
            let status = self.queue_status(&row.key, &row.item)?;
            return Err(RetryError::WrongState {
                id: id.to_owned(),
                status,
                why: "only a failed item is put back",
            });
        }
        self.put_back(vec![row], Some(actor)).await?;
        self.trigger();
        Ok(())
    }

    /// Puts all failed items that fit the filter back and starts a run. Returns how many.
    ///
    /// # Errors
    /// When the store does not answer; some may be put back then.
    pub async fn retry_all(&self, filter: &QueueFilter, actor: &Actor) -> Result<u64, Unavailable> {
        let (mut from, to) = keys::all(keys::FAILED);
        let rows = &self.inner.rows;
        let mut count = 0;
        loop {
            let page = rows
                .store()
                .scan(&from, &to, Direction::Forward, BATCH)
                .map_err(RowError::from)?;
            let Some((last, _)) = page.last() else { break };
            from.clone_from(last);
            from.push(0);
            let mut failed = Vec::with_capacity(page.len());
            for order in page.iter().filter_map(|(key, _)| keys::number(key)) {
                failed.extend(rows.item(order)?.filter(|row| {
                    filter
                        .entity_type
                        .as_ref()
                        .is_none_or(|t| *t == row.key.entity_type)
                        && filter
                            .entity_id
                            .as_ref()
                            .is_none_or(|id| id == row.key.id.as_str())
                }));
            }
            count += self.put_back(failed, Some(actor)).await?;
        }
        if count > 0 {
            self.trigger();
        }
        Ok(count)
    }

    /// Puts failed items back, for a person or (none) by itself. Returns how many still were.
    pub(super) async fn put_back(
        &self,
        rows: Vec<ItemRow>,
        actor: Option<&Actor>,
    ) -> Result<u64, Unavailable> {
        if rows.is_empty() {
            return Ok(0);
        }
        loop {
            let settings = self.settings();
            let mut tx = Tx::new(&self.inner.rows, &settings);
            let mut back = Vec::new();
            for row in &rows {
                if retry(tx.entity(&row.key, Load::Whole)?, row.item.order) {
                    back.push(row.item.order.to_string());
                }
            }
            let count = back.len() as u64;
            if let (Some(actor), false) = (actor, back.is_empty()) {
                let event = Event::new(&actor.id, "queue.retry", back.join(","));
                self.record(&mut tx.batch, &event.with("count", count));
            }
            match tx.commit().await {
                Ok(_) => return Ok(count),
                Err(TxError::Unavailable(error)) => return Err(error),
                Err(TxError::Raced(_) | TxError::Refused) => {}
            }
        }
    }

    /// Gives an item up: it is not sent any more, its record is marked as diverged, and the entity is fetched again.
    ///
    /// # Errors
    /// See [`RetryError`].
    pub async fn give_up(&self, id: &str, reason: &str, actor: &Actor) -> Result<(), RetryError> {
        let row = self.item(id)?;
        loop {
            let settings = self.settings();
            let pulls = settings.sync.pull_enabled;
            let mut tx = Tx::new(&self.inner.rows, &settings);
            let entity = tx.entity(&row.key, Load::Whole).map_err(Unavailable::from)?;
            let attempted = entity
                .items
                .iter()
                .any(|i| i.order == row.item.order && i.state == ItemState::Attempted);
            if attempted && self.inner.signals.is_running() {
                return Err(RetryError::WrongState {
                    id: id.to_owned(),
                    status: QueueStatus::Attempted,
                    why: "it is on its way to the cloud; wait for the run to end",
                });
            }
            if give_up(entity, row.item.order).is_none() {
                return Err(RetryError::NotFound(id.to_owned()));
            }
            // What the cloud was never told of it need not be asked.
            let asks = pulls && (entity.record.cloud_id.is_some() || entity.record.create_sent);
            let asking = match asks {
                true => Some(self.asking(Scope::of_entity(row.key.clone())).await),
                false => None,
            };
            if let Some(asking) = &asking {
                asking.put(&mut tx.batch);
            }
            let event = Event::new(&actor.id, "queue.give_up", id)
                .with("entity_type", row.key.entity_type.as_str())
                .with("entity_id", row.key.id.as_str())
                .with("reason", reason);
            self.record(&mut tx.batch, &event);
            match tx.commit().await {
                Ok(_) => {
                    if let Some(asking) = asking {
                        self.asked(asking);
                    }
                    break;
                }
                Err(TxError::Unavailable(error)) => return Err(error.into()),
                Err(TxError::Raced(_) | TxError::Refused) => {}
            }
        }
        tracing::warn!(key = %row.key, item = id, reason, by = actor.id, "a queue item was given up");
        self.trigger();
        Ok(())
    }

    fn item(&self, id: &str) -> Result<ItemRow, RetryError> {
        let not_found = || RetryError::NotFound(id.to_owned());
        let order = id.parse().map_err(|_| not_found())?;
        self.inner
            .rows
            .item(order)
            .map_err(Unavailable::from)?
            .ok_or_else(not_found)
    }
}
