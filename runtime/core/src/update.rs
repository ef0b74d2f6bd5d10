//! A state of an entity that came from the cloud: by pull, by webhook or with a push result.

use crate::id::CloudId;
use crate::json::Doc;
use crate::stamp::Millis;
use serde::{Deserialize, Serialize};

/// What the cloud says of an entity, in the cloud's shape.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Update {
    /// The cloud's id.
    pub cloud_id: Option<CloudId>,
    /// The cloud's number of this state.
    pub version: Option<u64>,
    /// The cloud's stamp of this state (`updated_at`, `deleted_at`, `timestamp`).
    pub stamp: Option<Millis>,
    /// Who changed it there.
    pub by: Option<String>,
    /// The change of ours that made it, where the cloud says so.
    pub change_id: Option<String>,
    /// The document as the cloud has it; none: deleted.
    pub body: Option<Doc>,
}

impl Update {
    /// Whether the cloud says when it came to be. An update without number and stamp can be applied where nothing is
    /// unsynced; else the entity is better pulled (rule 4).
    pub fn is_ordered(&self) -> bool {
        self.version.is_some() || self.stamp.is_some()
    }
}

/// An update's state in the outlet's shape, after its mapper.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// A document.
    Doc(Doc),
    /// Deleted.
    Deleted,
    /// The mapper keeps it from the outlet; why.
    Skipped(String),
}

impl Seen {
    /// The document; none where it is deleted (or skipped).
    pub fn doc(&self) -> Option<&Doc> {
        match self {
            Self::Doc(doc) => Some(doc),
            Self::Deleted | Self::Skipped(_) => None,
        }
    }
}
