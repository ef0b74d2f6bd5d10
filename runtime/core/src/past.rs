//! What the base was before: kept while pushes that the cloud answered without a number have moved the record on from
//! the last number it stated. A repeat of that state, or a late echo of one of those pushes, is then known by its
//! content (rules 4 and 5; promise 7). It judges and remembers; what follows from it is decided in `receive`.

use crate::id::CloudId;
use crate::json::Doc;
use crate::payload::same_state;
use crate::record::Record;
use crate::stamp::Millis;
use crate::update::Update;
use serde::{Deserialize, Serialize};

/// How many former states are kept. More pushes than this between two pulls are rare, since changes fold.
const MOST_STATES: usize = 4;
/// How many former names are kept. An entity that both sides delete and make again more often is a test.
const MOST_NAMES: usize = 8;

/// The states a record has moved on from without a stated number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// Former bases, oldest first: the one that the cloud numbered last, then what was pushed since.
    pub states: Vec<Option<Doc>>,
}

/// A name that the entity had at the cloud, and where its deletion stands there, as far as the cloud has said so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct Former {
    /// The name.
    pub id: CloudId,
    /// The deletion's number; 0: none is known.
    pub version: u64,
    /// The deletion's stamp.
    pub stamp: Option<Millis>,
}

/// How a former name is kept; in older stores the name alone.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Kept {
    Name(CloudId),
    Whole(CloudId, u64, Option<Millis>),
}

impl From<Kept> for Former {
    fn from(kept: Kept) -> Self {
        let (id, version, stamp) = match kept {
            Kept::Name(id) => (id, 0, None),
            Kept::Whole(id, version, stamp) => (id, version, stamp),
        };
        Self { id, version, stamp }
    }
}

impl From<Former> for Kept {
    fn from(former: Former) -> Self {
        Self::Whole(former.id, former.version, former.stamp)
    }
}

impl Former {
    /// Whether the cloud says that `update` came after the deletion.
    fn is_before(&self, update: &Update) -> bool {
        match update.version {
            Some(version) if self.version > 0 => version > self.version,
            _ => matches!((update.stamp, self.stamp), (Some(new), Some(gone)) if new > gone),
        }
    }
}

impl Record {
    /// The name that the record's numbers belong to: its own, or the one it parted with last.
    fn numbered_name(&self) -> Option<&CloudId> {
        self.cloud_id
            .as_ref()
            .or(self.former_ids.last().map(|former| &former.id))
    }

    /// Whether the cloud speaks of the entity under another name than the one its deleted predecessor had: numbers
    /// begin anew with it.
    pub(crate) fn begins_anew(&self, cloud_id: Option<&CloudId>) -> bool {
        matches!((self.numbered_name(), cloud_id), (Some(known), Some(new)) if known != new)
    }

    /// Whether this is the name of a predecessor that has had a successor at the cloud since.
    pub(crate) fn is_former(&self, cloud_id: &CloudId) -> bool {
        match &self.cloud_id {
            Some(known) => known != cloud_id,
            None => self.was_called(cloud_id) && self.numbered_name() != Some(cloud_id),
        }
    }

    /// Whether it parted with this name.
    pub(crate) fn was_called(&self, cloud_id: &CloudId) -> bool {
        self.former_ids.iter().any(|former| former.id == *cloud_id)
    }

    /// Whether `update` shows that another entity has a name this one parted with: it lives, and came after the
    /// deletion.
    pub(crate) fn is_taken_up(&self, update: &Update) -> bool {
        let former = |id: &CloudId| self.former_ids.iter().find(|former| former.id == *id);
        let parted = update.cloud_id.as_ref().filter(|id| self.is_former(id));
        update.body.is_some()
            && parted
                .and_then(former)
                .is_some_and(|former| former.is_before(update))
    }

    /// Notes where a deletion under a former name stands.
    pub fn note_deletion(&mut self, update: &Update) {
        let Some(id) = update.cloud_id.as_ref().filter(|id| self.is_former(id)) else {
            return;
        };
        let former = self.former_ids.iter_mut().find(|former| former.id == *id);
        if let Some(former) = former.filter(|_| update.body.is_none()) {
            former.version = former.version.max(update.version.unwrap_or(0));
            former.stamp = former.stamp.max(update.stamp);
        }
    }

    /// Another entity has this name now.
    pub fn give_up_name(&mut self, cloud_id: &CloudId) {
        self.former_ids.retain(|former| former.id != *cloud_id);
        let waiting = |update: &mut Update| update.cloud_id.as_ref() == Some(cloud_id);
        self.inbox.take_if(waiting);
    }

    /// The cloud's entity is gone, and the outlet's goes on as a new one there (rule 8): `named` or the name it had
    /// becomes a former one, which its numbers belong to until there is another.
    pub(crate) fn part_with_name(&mut self, named: Option<&CloudId>) {
        let known = self.cloud_id.take();
        let Some(id) = named.cloned().or(known) else {
            return;
        };
        // What the cloud has numbered and stamped last is the deletion, unless pushes without a number came after it.
        let stated = self.base_doc() == Some(None) && self.past.is_none();
        let former = Former {
            version: if stated { self.cloud_version } else { 0 },
            stamp: self.cloud_stamp.filter(|_| stated),
            id,
        };
        self.former_ids.retain(|other| other.id != former.id);
        if self.former_ids.len() == MOST_NAMES {
            self.former_ids.remove(0);
        }
        self.former_ids.push(former);
    }

    /// The cloud calls the entity this.
    pub(crate) fn set_cloud_id(&mut self, id: CloudId) {
        if self.begins_anew(Some(&id)) {
            self.part_with_name(None);
            self.cloud_version = 0;
            self.cloud_stamp = None;
            self.past = None;
        }
        self.former_ids.retain(|former| former.id != id);
        self.cloud_id = Some(id);
    }

    /// Whether the cloud says where `update` stands, in the terms it uses for this record.
    pub(crate) fn is_placed(&self, update: &Update) -> bool {
        update.version.is_some() || (self.cloud_version == 0 && update.stamp.is_some())
    }

    /// Called before another state becomes the base. Without a number for that, the old one is remembered.
    pub(crate) fn leave_base(&mut self, stated: bool) {
        if stated {
            self.past = None;
            return;
        }
        let Some(state) = self.base_doc().map(|doc| doc.cloned()) else {
            return;
        };
        let past = self.past.get_or_insert_default();
        if past.states.len() == MOST_STATES {
            // The first is what the cloud numbered: repeats are most often of that one.
            past.states.remove(1);
        }
        past.states.push(state);
    }

    /// Whether `update`, whose content in the outlet's shape is `seen`, only says again what the base was before.
    pub(crate) fn is_past(&self, update: &Update, seen: Option<&Doc>) -> bool {
        let Some(past) = &self.past else { return false };
        let stamps = update.stamp.zip(self.cloud_stamp);
        let placed_before = match update.version {
            // The very number, and not stamped later: the repeat of what bore it.
            Some(version) if version == self.cloud_version => stamps.is_none_or(|(new, known)| new <= known),
            // Too low for the base, where each push took a number of its own.
            Some(version) => version < self.cloud_version.max(1) + past.states.len() as u64,
            None => stamps.is_some_and(|(new, known)| new <= known),
        };
        placed_before && past.states.iter().any(|state| same_state(state.as_ref(), seen))
    }
}
