//! One entity with its queue, as the rules see it. The rules change it in memory; the engine commits the
//! difference with the record's `rev` as precondition.

use crate::id::EntityKey;
use crate::item::{Item, ItemState};
use crate::record::{Record, Slot};

/// An entity and the items of it that were loaded: all of them, or only the first and the last.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// Its name.
    pub key: EntityKey,
    /// Its record; `rev` 0 when there is none yet.
    pub record: Record,
    /// Its queue in order of acceptance.
    pub items: Vec<Item>,
    /// Versions that are given out from now on are above it: the store went back in time, and what it gave out
    /// meanwhile is not to come again. Belongs to the store, not to the entity, and is not kept with it.
    pub version_floor: u64,
}

/// How far a version that is above the floor already goes ahead at its first growth after the store went back in time:
/// more changes than an entity sees between two backups.
const FAR: u64 = 1_000_000;

impl Entity {
    /// An entity nobody has heard of.
    pub fn new(key: EntityKey) -> Self {
        Self {
            key,
            record: Record::default(),
            items: Vec::new(),
            version_floor: 0,
        }
    }

    /// Gives the document its next version: not below `least`, and another than every one that was ever given out
    /// for it, also in a time that the store has lost (rule 3).
    pub(crate) fn grow_version(&mut self, least: u64) {
        let (record, floor) = (&mut self.record, self.version_floor);
        let next = (record.version + 1).max(least);
        record.version = match record.lifted < floor {
            true if next > floor => next + FAR,
            true => floor + 1,
            false => next,
        };
        record.lifted = floor;
    }

    /// Whether there is a record: a document or a tombstone.
    pub fn is_known(&self) -> bool {
        self.record.rev > 0
    }

    /// Whether the cloud's word for it may be our local id: it gave no name of its own, and was told of it, or may have
    /// been in a time that the store has lost (rule 9).
    pub fn answers_to_local_id(&self) -> bool {
        let record = &self.record;
        let may_be_told = self.is_known() && record.lifted < self.version_floor;
        record.answers_to_local_id() || (record.cloud_id.is_none() && may_be_told)
    }

    /// The next item the cloud must decide.
    pub fn head(&self) -> Option<&Item> {
        self.items.first()
    }

    /// Whether the outcome of an item is unknown.
    pub fn is_attempted(&self) -> bool {
        self.head().is_some_and(|head| head.state == ItemState::Attempted)
    }

    /// Whether the outlet has a state that the cloud was not told, or is withheld from it: only a verdict replaces
    /// that (promise 4).
    pub fn is_unsynced(&self) -> bool {
        !self.items.is_empty() || self.record.is_withheld()
    }

    /// Where its head belongs in the schedule. None: nothing to send, or held behind a conflict, an undecided
    /// update or a failed item.
    pub fn slot(&self, priority: u8) -> Option<Slot> {
        let head = self.head()?;
        let blocked = self.record.conflict.is_some()
            || head.state == ItemState::Failed
            || (self.record.inbox.is_some() && head.state != ItemState::Attempted);
        match head.due {
            _ if blocked => None,
            Some(at) => Some(Slot::Due {
                at,
                order: head.order,
            }),
            None => Some(Slot::Ready {
                priority,
                order: head.order,
            }),
        }
    }

    /// Whether an update waits that can be decided now.
    pub fn is_decidable(&self) -> bool {
        self.record.inbox.is_some() && self.record.conflict.is_none() && !self.is_attempted()
    }

    /// Brings the record's counts, slot and rev up to date after a change of the loaded entity. `before` is the
    /// entity as it was loaded.
    pub fn seal(&mut self, before: &Entity, priority: u8) {
        let failed = |e: &Entity| e.items.iter().filter(|i| i.state == ItemState::Failed).count();
        self.record.waiting = moved(self.record.waiting, before.items.len(), self.items.len());
        self.record.failed = moved(self.record.failed, failed(before), failed(self));
        self.record.slot = self.slot(priority);
        self.record.rev = before.record.rev + 1;
    }
}

fn moved(count: u32, before: usize, after: usize) -> u32 {
    let sum = i64::from(count) + after as i64 - before as i64;
    u32::try_from(sum.max(0)).unwrap_or(u32::MAX)
}
