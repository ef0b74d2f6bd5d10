//! A queue item: the snapshot of a change on its way to the cloud.

use crate::json::Doc;
use crate::offset::Stamp;
use crate::record::{Operation, Record};
use crate::stamp::Millis;
use serde::{Deserialize, Serialize};

/// Where an item stands. Being *held* is no state of its own: it follows from what is before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemState {
    /// Waits for its turn: never sent, or refused and to be tried again.
    Pending,
    /// Sent, outcome unknown.
    Attempted,
    /// Out of retries, or refused for good.
    Failed,
}

/// What the first send of an item fixed, until the cloud decides (rule 1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sent {
    /// The cloud version that the change was made on; 0: none.
    pub base_version: u64,
    /// When the document was changed, as told to the cloud.
    pub updated_at: Millis,
    /// No answer has refused it since it was last sent: the cloud may have applied it.
    pub open: bool,
}

/// What a mapper's failure leaves on the item that it could not translate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// E.g. `plugin-trap`.
    pub code: String,
    /// The mapper's name.
    pub plugin: String,
    /// SHA-256 of its component; none: there was no such plugin.
    pub digest: Option<String>,
    /// Names the component and the settings it failed under: under others it is tried again.
    pub under: String,
    /// When.
    pub at: Millis,
}

/// A snapshot to be pushed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Its place in the order of acceptance; also its id.
    pub order: u64,
    /// Fixed for life.
    pub change_id: String,
    /// What it does: as meant until it is sent, then as sent.
    pub operation: Operation,
    /// The document; none for a delete.
    pub snapshot: Option<Doc>,
    /// The record's version with this change.
    pub version: u64,
    /// When the change was made.
    pub modified: Stamp,
    /// When it was accepted.
    pub created_at: Millis,
    /// Where it stands.
    pub state: ItemState,
    /// Retries used up.
    pub retries: u32,
    /// Not before; none: when its turn comes.
    pub due: Option<Millis>,
    /// The last failure.
    pub error: Option<String>,
    /// What the first send fixed.
    pub sent: Option<Sent>,
    /// It may have been sent in a time that the store has lost: how is not known (see [`doubt`](crate::doubt)).
    #[serde(default)]
    pub doubted: bool,
    /// Its mapper failed at it last.
    #[serde(default)]
    pub parked: Option<Parked>,
}

impl Item {
    /// A change of `record` to the document it has now.
    pub(crate) fn of(record: &Record, order: u64, change_id: String, created_at: Millis) -> Self {
        Self {
            order,
            change_id,
            operation: record.operation(record.doc.as_ref()),
            snapshot: record.doc.clone(),
            version: record.version,
            modified: record.modified,
            created_at,
            state: ItemState::Pending,
            retries: 0,
            due: None,
            error: None,
            sent: None,
            doubted: false,
            parked: None,
        }
    }

    /// Whether it waits for its mapper, its mapper's settings or a person to change something.
    pub fn is_parked(&self) -> bool {
        self.state == ItemState::Failed && self.parked.is_some()
    }

    /// Whether the cloud may have applied it: it was sent, or may have been, and no answer has refused it since.
    pub fn is_open(&self) -> bool {
        self.doubted || self.sent.as_ref().is_some_and(|sent| sent.open)
    }

    /// The state in which it waits for its next send.
    pub(crate) fn waiting_state(&self) -> ItemState {
        if self.is_open() {
            ItemState::Attempted
        } else {
            ItemState::Pending
        }
    }

    /// Makes it a new change to the cloud: another change_id, nothing sent, nothing used up.
    pub(crate) fn renew(&mut self, change_id: String) {
        self.change_id = change_id;
        self.state = ItemState::Pending;
        self.retries = 0;
        self.due = None;
        self.error = None;
        self.sent = None;
        self.doubted = false;
        self.parked = None;
    }
}
