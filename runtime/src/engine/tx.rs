//! One commit over entities: loads them once, lets the rules change them, writes the difference. The precondition is
//! each record's `rev`; who slipped in is named, so that the caller can look again.

use crate::engine::api::Unavailable;
use crate::engine::parking::Held;
use crate::engine::settings::Settings;
use crate::store::entity_rows::write_entity;
use crate::store::rows::{FeedRow, RowError, Rows};
use crate::store::seen::put_written;
use crate::store::{Batch, CommitError, Committed, Expect, Key, StoreError};
use selaras_core::entity::Entity;
use selaras_core::id::{CloudId, EntityId, EntityKey, EntityType};
use selaras_core::json::Doc;
use selaras_core::stamp::Millis;
use std::collections::{HashMap, HashSet};

impl From<RowError> for Unavailable {
    fn from(error: RowError) -> Self {
        match error {
            RowError::Store(error) => unavailable(&error),
            garbled @ RowError::Garbled { .. } => Self::Store(garbled.to_string()),
        }
    }
}

impl From<CommitError> for Unavailable {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Failed(error) => unavailable(&error),
            other => Self::Store(other.to_string()),
        }
    }
}

fn unavailable(error: &StoreError) -> Unavailable {
    if error.is_full() {
        Unavailable::DiskFull(error.to_string())
    } else {
        Unavailable::Store(error.to_string())
    }
}

/// Why a commit was not made.
#[derive(Debug)]
pub enum TxError {
    /// This entity changed meanwhile; nothing was written.
    Raced(EntityKey),
    /// A precondition of the caller's own did not hold; nothing was written.
    Refused,
    /// The store failed.
    Unavailable(Unavailable),
}

impl From<RowError> for TxError {
    fn from(error: RowError) -> Self {
        Self::Unavailable(error.into())
    }
}

/// How much of an entity is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// All its items.
    Whole,
    /// The first two and the last item.
    Edges,
}

/// One commit in the making.
pub struct Tx<'a> {
    rows: &'a Rows,
    settings: &'a Settings,
    entities: Vec<(Entity, Entity)>,
    index: HashMap<EntityKey, usize>,
    /// Who was handed out to be changed since `named` was brought up to date.
    touched: Vec<usize>,
    /// Entities of this commit by the cloud id they had when last looked at.
    named: HashMap<CloudId, Vec<usize>>,
    released: HashSet<CloudId>,
    /// Cloud ids that were asked for, and no record had them.
    free: HashSet<(EntityType, CloudId)>,
    /// It takes in a page of a listing, which marks all that it shows by itself.
    pub is_listed: bool,
    /// Preconditions besides the records' revs; one that fails says that this entity changed meanwhile.
    guards: Vec<(Expect, EntityKey)>,
    /// What is parked of entities that were asked for, by their slot, as this commit leaves it.
    pub(super) parked: HashMap<Key, Option<Held>>,
    /// The caller's own writes, preconditions and feed entries.
    pub batch: Batch,
}

impl<'a> Tx<'a> {
    /// An empty commit.
    pub fn new(rows: &'a Rows, settings: &'a Settings) -> Self {
        Self {
            rows,
            settings,
            entities: Vec::new(),
            index: HashMap::new(),
            touched: Vec::new(),
            named: HashMap::new(),
            released: HashSet::new(),
            free: HashSet::new(),
            is_listed: false,
            guards: Vec::new(),
            parked: HashMap::new(),
            batch: Batch::new(),
        }
    }

    /// The entity, loaded at its first mention.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn entity(&mut self, key: &EntityKey, load: Load) -> Result<&mut Entity, RowError> {
        let at = match self.index.get(key) {
            Some(at) => *at,
            None => {
                let entity = match load {
                    Load::Whole => self.rows.entity(key)?,
                    Load::Edges => self.rows.entity_edges(key)?,
                };
                self.track(entity.clone(), entity)
            }
        };
        self.touched.push(at);
        Ok(&mut self.entities[at].1)
    }

    /// Adds an entity that was loaded and changed outside.
    pub fn track(&mut self, before: Entity, after: Entity) -> usize {
        let at = self.entities.len();
        self.index.insert(after.key.clone(), at);
        self.touched.push(at);
        self.entities.push((before, after));
        at
    }

    /// How the entity stands in this commit, if it is part of it.
    pub fn get(&self, key: &EntityKey) -> Option<&Entity> {
        self.index.get(key).map(|at| &self.entities[*at].1)
    }

    /// The entity that the cloud knows by `cloud_id`, this commit's own changes included.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn by_cloud_id(
        &mut self,
        entity_type: &EntityType,
        cloud_id: &CloudId,
    ) -> Result<Option<EntityId>, RowError> {
        for at in std::mem::take(&mut self.touched) {
            if let Some(id) = &self.entities[at].1.record.cloud_id {
                self.named.entry(id.clone()).or_default().push(at);
            }
        }
        // What was noted may have changed since; what is so now is noted.
        let noted = self.named.get(cloud_id).into_iter().flatten();
        let here = noted.map(|at| &self.entities[*at].1).find(|entity| {
            entity.key.entity_type == *entity_type && entity.record.cloud_id.as_ref() == Some(cloud_id)
        });
        if let Some(entity) = here {
            return Ok(Some(entity.key.id.clone()));
        }
        let found = self.rows.by_cloud_id(entity_type.as_str(), cloud_id.as_str())?;
        if found.is_none() {
            self.free.insert((entity_type.clone(), cloud_id.clone()));
        }
        Ok(found.and_then(|id| EntityId::parse(&id).ok()))
    }

    /// Leaves an entity out of this commit again: it is written by other means.
    pub fn forget(&mut self, key: &EntityKey) {
        if let Some(at) = self.index.remove(key) {
            let (before, after) = &mut self.entities[at];
            *after = before.clone();
            self.touched.push(at);
        }
    }

    /// The caller itself has given this cloud id to an entity of this commit.
    pub fn release(&mut self, cloud_id: &CloudId) {
        self.released.insert(cloud_id.clone());
    }

    /// Adds a precondition that stands for the entity, beside its record's.
    pub fn guard(&mut self, key: &EntityKey, expect: Expect) {
        self.guards.push((expect, key.clone()));
    }

    /// Writes to the feed that the entity's document changed.
    pub fn feed(&mut self, row: &FeedRow) {
        self.batch.append_feed(crate::store::rows::encode(row));
    }

    /// Commits. Durable when it answers.
    ///
    /// # Errors
    /// See [`TxError`].
    pub async fn commit(self) -> Result<(Committed, Vec<Entity>), TxError> {
        let Self {
            rows,
            settings,
            entities,
            released,
            free,
            is_listed,
            guards,
            mut batch,
            ..
        } = self;
        let own = batch.expects.len();
        let mut owners = Vec::new();
        for (expect, key) in guards {
            batch.expects.push(expect);
            owners.push(key);
        }
        let mut sealed = Vec::with_capacity(entities.len());
        let listing = rows.listing().filter(|_| !is_listed);
        for (before, mut after) in entities {
            let key = after.key.clone();
            // A row that came since then fails the commit, and it is looked at again.
            let is_free = |id: &CloudId| free.contains(&(key.entity_type.clone(), id.clone()));
            let owns = |id: &CloudId| {
                released.contains(id)
                    || !is_free(id)
                        && matches!(rows.by_cloud_id(key.entity_type.as_str(), id.as_str()),
                         Ok(Some(owner)) if owner == key.id.as_str())
            };
            let priority = settings.rules(&key.entity_type).priority;
            let expects = write_entity(&mut batch, &before, &mut after, priority, owns);
            if let Some(listing) = listing.filter(|_| expects > 0) {
                put_written(&mut batch, listing, &after.key);
            }
            owners.extend(std::iter::repeat_n(&after.key, expects).cloned());
            sealed.push(after);
        }
        if batch.changes_nothing() {
            return Ok((Committed::default(), sealed));
        }
        match rows.store().commit(batch).await {
            Ok(committed) => Ok((committed, sealed)),
            Err(CommitError::Precondition { index }) if index < own => Err(TxError::Refused),
            Err(CommitError::Precondition { index }) => Err(TxError::Raced(owners.swap_remove(index - own))),
            Err(error) => Err(TxError::Unavailable(error.into())),
        }
    }
}

/// A feed entry's row for an entity as it stands at `now`.
pub fn feed_row(entity: &Entity, origin: crate::store::rows::Origin, now: Millis) -> FeedRow {
    FeedRow {
        entity_type: entity.key.entity_type.to_string(),
        entity_id: entity.key.id.to_string(),
        version: entity.record.version,
        deleted: entity.record.doc.is_none(),
        origin,
        token_id: None,
        change_id: None,
        at: Some(now),
    }
}

/// An empty JSON object.
pub fn empty_object() -> Doc {
    Doc::from_trusted("{}".to_owned())
}
