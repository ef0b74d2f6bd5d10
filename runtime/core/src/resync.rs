//! Fetching again (rule 14): which entities a listing of everything the cloud has is fetched for, what an element of it means,
//! and what becomes of an entity that a full listing did not show. How a listing is asked for, and how far it has come, is
//! the engine's.

use crate::entity::Entity;
use crate::id::{EntityKey, EntityType};
use crate::offset::Stamp;
use crate::receive::{Received, receive};
use crate::record::{Base, Record, SyncStatus};
use crate::update::{Seen, Update};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Entities that are named one by one at most; with more of them their types are fetched whole.
const MOST_NAMED: usize = 200;

/// What is fetched again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// All there is.
    pub everything: bool,
    /// All of these types.
    pub types: BTreeSet<EntityType>,
    /// Single ones.
    pub entities: BTreeSet<EntityKey>,
}

impl Scope {
    /// All there is.
    pub fn everything() -> Self {
        Self {
            everything: true,
            ..Self::default()
        }
    }

    /// All of one type.
    pub fn of_type(entity_type: EntityType) -> Self {
        Self {
            types: BTreeSet::from([entity_type]),
            ..Self::default()
        }
    }

    /// One entity.
    pub fn of_entity(key: EntityKey) -> Self {
        Self {
            entities: BTreeSet::from([key]),
            ..Self::default()
        }
    }

    /// Whether only entities with names are meant.
    pub fn is_named(&self) -> bool {
        !self.everything && self.types.is_empty()
    }

    /// Whether all of a type is meant.
    pub fn takes_type(&self, entity_type: &EntityType) -> bool {
        self.everything || self.types.contains(entity_type)
    }

    /// Whether the entity is meant.
    pub fn takes(&self, key: &EntityKey) -> bool {
        self.takes_type(&key.entity_type) || self.entities.contains(key)
    }

    /// Whether all of `other` is meant.
    pub fn holds(&self, other: &Self) -> bool {
        let types = || other.types.iter().all(|entity_type| self.takes_type(entity_type));
        self.everything || (!other.everything && types() && other.entities.iter().all(|key| self.takes(key)))
    }

    /// Takes in what `other` means.
    pub fn widen(&mut self, other: Self) {
        self.everything |= other.everything;
        self.types.extend(other.types);
        self.entities.extend(other.entities);
        if self.everything {
            *self = Self::everything();
            return;
        }
        if self.entities.len() > MOST_NAMED {
            self.types
                .extend(self.entities.iter().map(|key| key.entity_type.clone()));
        }
        let types = &self.types;
        self.entities.retain(|key| !types.contains(&key.entity_type));
    }
}

/// Takes an element of a listing into the entity, as [`receive`] does. The listing was asked for after everything that was
/// sent, so where nothing is unsynced an equal number is no repeat from before: what it says is what the cloud has. A
/// deletion of ours stays one all the same (promise 7): some clouds go on listing what is deleted.
pub fn refetch(entity: &mut Entity, update: &Update, seen: &Seen) -> Received {
    let lives = entity.record.doc.is_some() && update.body.is_some();
    if lives && !entity.is_unsynced() && entity.record.is_numbered_as(update) {
        entity.record.past = None;
    }
    receive(entity, update, seen)
}

/// Whether a full listing has shown the entity as it is: an element of it that is not older than what the record rests on. What
/// the cloud lists after it can only be of later changes, which are pulled.
pub fn is_shown(record: &Record, update: &Update) -> bool {
    record.rev > 0 && record.cloud_version > 0 && update.version >= Some(record.cloud_version)
}

/// Whether the entity ends here when a full listing does not show it: both sides had it and agreed, and nothing of it waits
/// for anyone.
pub fn ends_unseen(record: &Record) -> bool {
    record.doc.is_some()
        && record.cloud_id.is_some()
        && record.base == Base::Same
        && record.inbox.is_none()
        && record.waiting == 0
        && record.sync_status() == SyncStatus::Synced
}

/// The entity is not at the cloud any more: it becomes a tombstone. Its name and number stay; listed again, also under the
/// same number, it lives again. False: it is not one that ends so. The entity must hold all its items.
pub fn end_unseen(entity: &mut Entity, stamp: Stamp) -> bool {
    if !ends_unseen(&entity.record) || !entity.items.is_empty() {
        return false;
    }
    entity.grow_version(0);
    let record = &mut entity.record;
    record.doc = None;
    record.set_base(Base::Same);
    record.past = None;
    record.settled = None;
    record.modified = record.modified.later(stamp);
    record.modified_by = None;
    true
}

#[cfg(test)]
mod tests;
