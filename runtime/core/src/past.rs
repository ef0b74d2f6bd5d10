//! What the base was before: kept while pushes that the cloud answered without a number have moved the record on from
//! the last number it stated. A repeat of that state, or a late echo of one of those pushes, is then known by its
//! content (rules 4 and 5; promise 7). It judges and remembers; what follows from it is decided in `receive`.

use crate::id::CloudId;
use crate::json::Doc;
use crate::payload::same_state;
use crate::record::Record;
use crate::update::Update;
use serde::{Deserialize, Serialize};

/// How many former states are kept. More pushes than this between two pulls are rare, since changes fold.
const MOST_STATES: usize = 4;

/// The states a record has moved on from without a stated number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Past {
    /// The cloud's name of the entity that was deleted there, where the outlet's goes on as a new one (rule 8): the
    /// record's numbers are still those of this name.
    pub former_id: Option<CloudId>,
    /// Former bases, oldest first: the one that the cloud numbered last, then what was pushed since.
    pub states: Vec<Option<Doc>>,
}

impl Record {
    /// Whether the cloud speaks of the entity under another name than the one its deleted predecessor had: numbers
    /// begin anew with it.
    pub(crate) fn begins_anew(&self, cloud_id: Option<&CloudId>) -> bool {
        let former = self
            .cloud_id
            .as_ref()
            .or_else(|| self.past.as_ref().and_then(|past| past.former_id.as_ref()));
        matches!((former, cloud_id), (Some(former), Some(new)) if former != new)
    }

    /// Forgets the line of numbers of a predecessor.
    pub(crate) fn begin_anew(&mut self) {
        self.cloud_version = 0;
        self.cloud_stamp = None;
        self.past = None;
    }

    /// Whether the cloud says where `update` stands, in the terms it uses for this record.
    pub(crate) fn is_placed(&self, update: &Update) -> bool {
        update.version.is_some() || (self.cloud_version == 0 && update.stamp.is_some())
    }

    /// Called before another state becomes the base. Without a number for that, the old one is remembered.
    pub(crate) fn leave_base(&mut self, stated: bool) {
        if stated {
            return self.forget_past();
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

    /// A number was stated for the base: what was before it is told by that.
    pub(crate) fn forget_past(&mut self) {
        match &mut self.past {
            Some(past) if past.former_id.is_some() => past.states.clear(),
            past => *past = None,
        }
    }

    /// Whether `update`, whose content in the outlet's shape is `seen`, only says again what the base was before.
    /// `waits`: whether changes of the outlet do.
    pub(crate) fn is_past(&self, update: &Update, seen: Option<&Doc>, waits: bool) -> bool {
        let Some(past) = &self.past else { return false };
        let stamps = update.stamp.zip(self.cloud_stamp);
        let placed_before = match update.version {
            // The very number, and not stamped later: the repeat of what bore it.
            Some(version) if version == self.cloud_version => stamps.is_none_or(|(new, known)| new <= known),
            // Too low for the base, where each push took a number of its own.
            Some(version) => version < self.cloud_version.max(1) + past.states.len() as u64,
            // It could be anything; what waits is not given up for it.
            None if update.stamp.is_none() => waits,
            None => stamps.is_some_and(|(new, known)| new <= known),
        };
        placed_before && past.states.iter().any(|state| same_state(state.as_ref(), seen))
    }
}
