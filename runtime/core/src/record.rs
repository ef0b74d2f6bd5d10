//! The outlet's state of one entity, and its words. Owns no rule of change: those are in `accept`, `push`,
//! `receive` and `settle`.

use crate::id::CloudId;
use crate::json::Doc;
use crate::offset::Stamp;
use crate::past::{Former, Past};
use crate::stamp::Millis;
use crate::update::Update;
use serde::{Deserialize, Serialize};

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// The entity begins to live.
    Create,
    /// Its document changes.
    Update,
    /// It becomes a tombstone.
    Delete,
}

impl Operation {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// Where a record stands towards the cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncStatus {
    /// Changes wait to be pushed.
    Pending,
    /// Nothing waits; the cloud has the document.
    Synced,
    /// A conflict waits for a person.
    Conflict,
    /// A change is out of retries.
    Failed,
    /// The mapper keeps it from the cloud.
    Filtered,
    /// A change was given up; the cloud may hold something else.
    Diverged,
}

impl SyncStatus {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Synced => "synced",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
            Self::Filtered => "filtered",
            Self::Diverged => "diverged",
        }
    }
}

/// The document both sides last agreed on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Base {
    /// They never did: the cloud does not have the entity.
    #[default]
    Never,
    /// It is the record's own document (or tombstone).
    Same,
    /// Another one; none: a tombstone.
    Other(Option<Doc>),
}

/// What happened to the record besides its queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// Nothing in particular.
    #[default]
    Plain,
    /// The mapper skipped it on the way to the cloud.
    Filtered,
    /// A change of it was given up.
    Diverged,
}

/// Where the head of an entity's queue stands in the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Slot {
    /// As soon as there is a run; lower priority and order first.
    Ready {
        /// The type's priority.
        priority: u8,
        /// The item's place in the order of acceptance.
        order: u64,
    },
    /// Not before.
    Due {
        /// The end of its backoff.
        at: Millis,
        /// The item's place in the order of acceptance.
        order: u64,
    },
}

/// The outlet's state of one entity.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Grows with every write of the record or its items; guards commits. 0: not stored yet.
    pub rev: u64,
    /// Grows with every change of the document, whoever made it.
    pub version: u64,
    /// The document; none: a tombstone (or, at version 0, nothing yet).
    pub doc: Option<Doc>,
    /// When the document was last changed.
    pub modified: Stamp,
    /// By whom.
    pub modified_by: Option<String>,
    /// The cloud's id of the entity.
    pub cloud_id: Option<CloudId>,
    /// Names of its that the cloud deleted, before it went on as a new entity there; the newest last.
    pub former_ids: Vec<Former>,
    /// The last number the cloud stated for what this state rests on; 0: none.
    pub cloud_version: u64,
    /// The cloud's stamp of the same, for clouds without numbers.
    pub cloud_stamp: Option<Millis>,
    /// The document both sides last agreed on.
    pub base: Base,
    /// What it was before, where the cloud has not numbered it since.
    pub past: Option<Past>,
    /// The change last settled as a success: an update that names it is an echo (rule 5).
    pub settled: Option<String>,
    /// A create was sent since the cloud was last known not to have the entity.
    pub create_sent: bool,
    /// Filtered or diverged.
    pub standing: Standing,
    /// Items in the queue.
    pub waiting: u32,
    /// Of which out of retries.
    pub failed: u32,
    /// Where its head stands in the schedule.
    pub slot: Option<Slot>,
    /// The newest update that is not decided yet.
    pub inbox: Option<Update>,
    /// The open conflict.
    pub conflict: Option<String>,
    /// Conflicts since the last success.
    pub conflicts_in_row: u32,
    /// The floor of versions that held when its version last grew.
    #[serde(default)]
    pub lifted: u64,
}

impl Record {
    /// The document both sides last agreed on: none, or a document, or (`Some(None)`) a tombstone.
    pub fn base_doc(&self) -> Option<Option<&Doc>> {
        match &self.base {
            Base::Never => None,
            Base::Same => Some(self.doc.as_ref()),
            Base::Other(doc) => Some(doc.as_ref()),
        }
    }

    /// Whether, as far as both sides agreed, the entity lives at the cloud.
    pub fn cloud_has(&self) -> bool {
        matches!(self.base_doc(), Some(Some(_)))
    }

    /// Whether the cloud's word for the entity may be our local id: it was told of it, and gave no name of its own
    /// (rule 9).
    pub fn answers_to_local_id(&self) -> bool {
        self.cloud_id.is_none() && (self.create_sent || self.base != Base::Never)
    }

    /// Whether both sides rest on different states though nothing waits: the mapper kept the outlet's from the cloud.
    pub fn is_withheld(&self) -> bool {
        self.standing == Standing::Filtered && self.base != Base::Same
    }

    /// What a change to `snapshot` is to the cloud, as far as is known now.
    pub(crate) fn operation(&self, snapshot: Option<&Doc>) -> Operation {
        match (snapshot, self.cloud_has()) {
            (None, _) => Operation::Delete,
            (Some(_), true) => Operation::Update,
            (Some(_), false) => Operation::Create,
        }
    }

    /// Where it stands towards the cloud.
    pub fn sync_status(&self) -> SyncStatus {
        if self.conflict.is_some() {
            SyncStatus::Conflict
        } else if self.failed > 0 {
            SyncStatus::Failed
        } else if self.waiting > 0 {
            SyncStatus::Pending
        } else {
            match self.standing {
                Standing::Plain => SyncStatus::Synced,
                Standing::Filtered => SyncStatus::Filtered,
                Standing::Diverged => SyncStatus::Diverged,
            }
        }
    }

    /// Replaces the document. What was `Same` as the old one stays what it was.
    pub(crate) fn replace_doc(&mut self, doc: Option<Doc>) {
        if self.base == Base::Same {
            self.base = Base::Other(self.doc.take());
        }
        self.doc = doc;
    }

    /// What both sides agree on is now `base`. When the cloud has no such entity any more, it knows no create either.
    pub(crate) fn set_base(&mut self, base: Base) {
        self.base = base;
        if self.base_doc() == Some(None) {
            self.create_sent = false;
        }
    }

    /// Takes over the cloud's names and numbers for a state that this record now rests on.
    pub(crate) fn adopt(&mut self, update: &Update) {
        // A deletion names an entity that is gone: what lives on is another one there (rule 8).
        if let Some(id) = update
            .cloud_id
            .as_ref()
            .filter(|_| update.body.is_some() || self.doc.is_none())
        {
            self.set_cloud_id(id.clone());
        }
        if let Some(version) = update.version {
            self.cloud_version = version;
        }
        if update.stamp.is_some() {
            self.cloud_stamp = update.stamp;
        }
        if self.settled.is_some() && self.settled != update.change_id {
            self.settled = None;
        }
    }

    /// Whether `update` has the number of the state that this record rests on, or without numbers its stamp. The numbers
    /// of a name that it has at the cloud only now are others.
    pub(crate) fn is_numbered_as(&self, update: &Update) -> bool {
        let same = match update.version {
            Some(version) => version == self.cloud_version,
            None => update.stamp.is_some() && update.stamp == self.cloud_stamp,
        };
        same && !self.begins_anew(update.cloud_id.as_ref())
    }

    /// Whether `update` stands where this record does already: nothing can be adopted from it.
    pub(crate) fn is_at(&self, update: &Update) -> bool {
        (self.is_numbered_as(update) || !update.is_ordered())
            && (update.cloud_id.is_none() || update.cloud_id == self.cloud_id)
    }
}
