//! Makes a store consistent of whose rows some are missing: what follows from other rows is made anew, what lacks a part is
//! left out and named.
//!
//! Works on a store that nobody uses yet. Owns which kinds follow from others; what a change means is core's.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use selaras_core::conflict::{Conflict, Phase};
use selaras_core::entity::Entity;
use selaras_core::id::EntityKey;
use selaras_core::record::{Record, Slot};
use selaras_core::requeue::requeue;
use selaras_core::share::default_priority;
use sha2::{Digest, Sha256};

use super::{
    Batch, Counter, Direction, Store, StoreError,
    entity_rows::write_entity,
    keys,
    rows::{ParkedRow, Rows, decode},
    salvage::Salvaged,
};

/// Rows that are read, and entities that are written, at a time.
const PAGE: usize = 256;
/// Entities that are named in the report.
const NAMED: usize = 20;

/// Whether a key's row follows from others.
pub(super) fn is_derived(key: &[u8]) -> bool {
    matches!(
        key.first(),
        Some(
            &(keys::ENTITY_ITEM
                | keys::READY
                | keys::DUE
                | keys::FAILED
                | keys::INBOX
                | keys::OPEN_CONFLICT
                | keys::PARKED_OF)
        )
    )
}

/// Mends a store that lacks all derived rows and whose counts of what is there are zero, but for the parked updates, which
/// were counted as they were read.
///
/// # Errors
/// When the store fails.
pub(super) fn mend(store: Arc<dyn Store>, report: &mut Salvaged) -> Result<(), StoreError> {
    let mut mending = Mending {
        rows: Rows::new(store),
        batch: Batch::new(),
        report,
        open_conflicts: HashSet::new(),
        highest: 0,
        runtime: tokio::runtime::Builder::new_current_thread().build()?,
    };
    mending.conflicts()?;
    mending.parked()?;
    let mut queues = mending.queues()?;
    mending.records(&mut queues)?;
    mending.without_record(queues)?;
    mending.commit()
}

type Queues = HashMap<EntityKey, Vec<u64>>;

struct Mending<'a> {
    rows: Rows,
    batch: Batch,
    report: &'a mut Salvaged,
    open_conflicts: HashSet<String>,
    /// The highest number of an item or a parked update; where the store's own row is lost, its numbers begin below.
    highest: u64,
    /// Waits for commits; this thread is nobody's worker.
    runtime: tokio::runtime::Runtime,
}

impl Mending<'_> {
    /// Notes which conflicts are open.
    fn conflicts(&mut self) -> Result<(), StoreError> {
        self.each(keys::CONFLICT, |this, key, value| {
            match decode::<Conflict>(key, value) {
                Ok(conflict) if conflict.phase == Phase::Open => {
                    let number = keys::number(key).unwrap_or_default();
                    this.batch
                        .put(keys::numbered(keys::OPEN_CONFLICT, number), Vec::new());
                    this.open_conflicts.insert(conflict.id);
                }
                Ok(_) => {}
                Err(_) => {
                    this.batch.delete(key);
                }
            }
            Ok(())
        })
    }

    /// Parked updates are found by their entity's name again; what cannot be read is no longer one.
    fn parked(&mut self) -> Result<(), StoreError> {
        self.each(keys::PARKED, |this, key, value| {
            let number = keys::number(key).unwrap_or_default();
            this.highest = this.highest.max(number);
            match decode::<ParkedRow>(key, value) {
                Ok(row) => {
                    if let Some(slot) = row.slot() {
                        this.batch.put(slot, number.to_be_bytes());
                    }
                }
                Err(_) => {
                    this.report.broken += 1;
                    this.batch.delete(key);
                    this.batch.count(Counter::Parked, -1);
                }
            }
            Ok(())
        })
    }

    /// The queue of each entity; items that lack a part are taken out.
    fn queues(&mut self) -> Result<Queues, StoreError> {
        let mut queues = Queues::new();
        self.each(keys::ITEM, |this, key, _| {
            let order = keys::number(key).unwrap_or_default();
            this.highest = this.highest.max(order);
            match this.rows.item(order) {
                Ok(Some(row)) => queues.entry(row.key).or_default().push(order),
                Ok(None) | Err(_) => {
                    this.report.lost_items += 1;
                    this.batch.delete(key);
                }
            }
            Ok(())
        })?;
        Ok(queues)
    }

    /// Writes each record again with what follows from it; those that lack a part are taken out.
    fn records(&mut self, queues: &mut Queues) -> Result<(), StoreError> {
        self.each(keys::RECORD, |this, row, _| {
            let Some(key) = keys::parse_entity(&row[1..]) else {
                this.batch.delete(row);
                return Ok(());
            };
            let orders = queues.remove(&key).unwrap_or_default();
            match this.rows.record(&key) {
                Ok(Some(record)) => this.write(&key, record, &orders),
                Ok(None) | Err(_) => {
                    this.batch.delete(row);
                    if orders.is_empty() {
                        this.lose(&key);
                        Ok(())
                    } else {
                        this.commit()?;
                        this.of_its_queue(&key, &orders)
                    }
                }
            }
        })
    }

    /// Items whose record is gone.
    fn without_record(&mut self, queues: Queues) -> Result<(), StoreError> {
        for (key, orders) in queues {
            self.of_its_queue(&key, &orders)?;
        }
        Ok(())
    }

    /// A record as its queue tells it: the newest snapshot is its document, and the cloud may have it already.
    fn of_its_queue(&mut self, key: &EntityKey, orders: &[u64]) -> Result<(), StoreError> {
        let newest = orders
            .last()
            .and_then(|order| self.rows.item(*order).ok().flatten());
        let Some(newest) = newest else {
            self.lose(key);
            return Ok(());
        };
        let item = newest.item;
        let record = Record {
            version: item.version,
            doc: item.snapshot,
            modified: item.modified,
            create_sent: true,
            ..Record::default()
        };
        self.write(key, record, orders)
    }

    fn write(&mut self, key: &EntityKey, mut record: Record, orders: &[u64]) -> Result<(), StoreError> {
        let mut items = Vec::with_capacity(orders.len());
        for order in orders {
            if let Ok(Some(row)) = self.rows.item(*order) {
                items.push(row.item);
            }
        }
        let missing = u64::from(record.waiting).saturating_sub(items.len() as u64);
        self.report.lost_items += missing;
        record.conflict = record.conflict.filter(|id| self.open_conflicts.contains(id));
        let priority = match record.slot {
            Some(Slot::Ready { priority, .. }) => priority,
            _ => default_priority(key.entity_type.as_str()),
        };
        // As if nothing of it were written: all that follows is written.
        let before = Entity {
            record: Record {
                rev: record.rev,
                ..Record::default()
            },
            ..Entity::new(key.clone())
        };
        record.waiting = 0;
        record.failed = 0;
        let mut after = Entity {
            record,
            items,
            ..Entity::new(key.clone())
        };
        if missing > 0 {
            // The cloud was not told of what is here: it is, or the record says that it was not.
            self.highest = (self.highest + 1).max(self.rows.store().reserve());
            let order = self.highest;
            let change_id = change_id(key, after.record.version);
            requeue(&mut after, order, change_id);
        }
        let rows = self.rows.clone();
        let owns = |id: &selaras_core::id::CloudId| {
            matches!(
                rows.by_cloud_id(key.entity_type.as_str(), id.as_str()),
                Ok(Some(_))
            )
        };
        write_entity(&mut self.batch, &before, &mut after, priority, owns);
        if self.batch.writes.len() > PAGE * 4 {
            self.commit()?;
        }
        Ok(())
    }

    fn lose(&mut self, key: &EntityKey) {
        self.report.lost_entity_count += 1;
        if self.report.lost_entities.len() < NAMED {
            self.report.lost_entities.push(key.to_string());
        }
    }

    /// Visits each row of a kind, in pages.
    fn each(
        &mut self,
        kind: u8,
        mut visit: impl FnMut(&mut Self, &[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (mut from, to) = keys::all(kind);
        loop {
            let page = self.rows.store().scan(&from, &to, Direction::Forward, PAGE)?;
            for (key, value) in &page {
                visit(self, key, value)?;
            }
            self.commit()?;
            match page.into_iter().next_back() {
                Some((mut last, _)) => {
                    last.push(0);
                    from = last;
                }
                None => return Ok(()),
            }
        }
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let batch = std::mem::take(&mut self.batch);
        if batch.changes_nothing() {
            return Ok(());
        }
        let committed = self.runtime.block_on(self.rows.store().commit(batch));
        committed
            .map(drop)
            .map_err(|error| StoreError::Engine(Box::new(error)))
    }
}

/// The id of the change to this version that stands in for a lost one: the same, however often the store is mended.
fn change_id(key: &EntityKey, version: u64) -> String {
    let mut name = Sha256::new();
    for part in [key.entity_type.as_str(), key.id.as_str()] {
        name.update(part);
        name.update([0]);
    }
    name.update(version.to_be_bytes());
    format!("mended-{}", hex::encode(&name.finalize()[..16]))
}

#[cfg(test)]
mod tests;
