//! The queue as it is shown.

use super::{MOST_SCANNED, after};
use crate::engine::Engine;
use crate::engine::api::{Page, PageRequest, QueryError, QueueFilter, QueueStatus, QueueView, Unavailable};
use crate::store::keys;
use crate::store::rows::ItemRow;
use selaras_core::id::EntityKey;
use selaras_core::item::{Item, ItemState};
use selaras_core::record::Slot;

impl Engine {
    /// The queue in order of acceptance. Failed items have a list of their own, however long the queue is.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store cannot be read.
    pub fn queue(&self, filter: &QueueFilter, page: PageRequest) -> Result<Page<QueueView>, QueryError> {
        let kind = if filter.status == Some(QueueStatus::Failed) {
            keys::FAILED
        } else {
            keys::ITEM
        };
        let (start, to) = keys::all(kind);
        let mut from = after(start, &to, page.after)?;
        let rows = &self.inner.rows;
        let mut items = Vec::new();
        let mut last = None;
        let mut scanned = 0;
        loop {
            let found = match kind {
                keys::FAILED => rows.failed_items(&from, page.limit + 1),
                _ => rows.items(&from, page.limit + 1),
            };
            let found = found.map_err(Unavailable::from)?;
            let end = found.len() <= page.limit;
            scanned += found.len();
            for (key, row) in found {
                if items.len() == page.limit {
                    return Ok(Page { items, next: last });
                }
                // An item that went its way since the list was read is no longer part of it.
                if let Some(row) = row {
                    items.extend(self.queue_view(row, filter)?);
                }
                from.clone_from(&key);
                last = Some(key);
            }
            if end || scanned >= MOST_SCANNED {
                return Ok(Page {
                    items,
                    next: last.filter(|_| !end),
                });
            }
            from.push(0);
        }
    }

    fn queue_view(&self, row: ItemRow, filter: &QueueFilter) -> Result<Option<QueueView>, Unavailable> {
        let ItemRow { key, item } = row;
        let elsewhere = filter.entity_type.as_ref().is_some_and(|t| *t != key.entity_type)
            || filter.entity_id.as_ref().is_some_and(|id| id != key.id.as_str());
        if elsewhere {
            return Ok(None);
        }
        let status = self.queue_status(&key, &item)?;
        if filter.status.is_some_and(|wanted| wanted != status) {
            return Ok(None);
        }
        Ok(Some(QueueView {
            id: item.order.to_string(),
            key,
            operation: item.operation,
            status,
            retry_count: item.retries,
            max_retries: self.settings().sync.max_retries,
            error_message: item.error,
            created_at: item.created_at,
            next_attempt_at: item.due,
            payload: item.snapshot,
        }))
    }

    /// Held: behind an open conflict, an undecided update or an earlier item of its entity.
    pub(in crate::engine) fn queue_status(
        &self,
        key: &EntityKey,
        item: &Item,
    ) -> Result<QueueStatus, Unavailable> {
        Ok(match item.state {
            ItemState::Failed => QueueStatus::Failed,
            ItemState::Attempted => QueueStatus::Attempted,
            ItemState::Pending => {
                let slot = self.inner.rows.record(key)?.and_then(|record| record.slot);
                let order = slot.map(|slot| match slot {
                    Slot::Ready { order, .. } | Slot::Due { order, .. } => order,
                });
                if order == Some(item.order) {
                    QueueStatus::Pending
                } else {
                    QueueStatus::Held
                }
            }
        })
    }
}
