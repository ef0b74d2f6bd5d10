//! Documents that a plugin could not handle, each way, as shown and as tried again.

use super::{Resolution, Unavailable};
use selaras_core::id::{EntityKey, EntityType};
use selaras_core::record::{Operation, SyncStatus};
use selaras_core::stamp::Millis;

/// Which way a parked document was going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParkedWay {
    /// An update of the cloud.
    ToLocal,
    /// A change of the outlet; it is a failed item of the queue, too, under the same id.
    ToCloud,
}

impl ParkedWay {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToLocal => "to_local",
            Self::ToCloud => "to_cloud",
        }
    }
}

/// A parked document as shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ParkedView {
    /// One number for both ways: no update and item share one.
    pub id: String,
    /// Which way it was going.
    pub way: ParkedWay,
    /// The outlet's name of the type; of what cannot be read the cloud's, or empty.
    pub entity_type: String,
    /// The outlet's id, where one is known.
    pub entity_id: Option<String>,
    /// The cloud's id, where one is known.
    pub cloud_id: Option<String>,
    /// The update's number at the cloud, or the version the change made here.
    pub version: Option<u64>,
    /// What a change of the outlet does at the cloud.
    pub operation: Option<Operation>,
    /// E.g. `plugin-trap`, `unreadable`.
    pub error_code: String,
    /// In words.
    pub error: String,
    /// The mapper, where one failed.
    pub plugin: Option<String>,
    /// SHA-256 of its component, where there was one.
    pub digest: Option<String>,
    /// When it first failed so.
    pub at: Millis,
    /// The whole document, in the shape of the side it comes from; of what cannot be read the whole element.
    pub document: Option<String>,
}

/// What to list, or try again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParkedFilter {
    /// Only this way.
    pub way: Option<ParkedWay>,
    /// Only this type.
    pub entity_type: Option<EntityType>,
    /// Only this code.
    pub error_code: Option<String>,
}

/// What a retry came to.
#[derive(Clone, Debug, PartialEq)]
pub struct ParkedRetried {
    /// Its id.
    pub id: String,
    /// Which way it goes.
    pub way: ParkedWay,
    /// Its entity.
    pub key: EntityKey,
    /// What became of an update; none: a change is in the queue again, and on its way.
    pub resolution: Option<Resolution>,
    /// The entity's record now.
    pub sync_status: SyncStatus,
    /// The record's version now.
    pub local_version: u64,
}

/// What a retry of many came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParkedTally {
    /// Updates taken in, or found to be of no use any more.
    pub taken: u64,
    /// Updates that stay parked.
    pub still_parked: u64,
    /// Changes put back into the queue; their mapper is asked when they are sent.
    pub queued: u64,
}

/// What was given up.
#[derive(Clone, Debug, PartialEq)]
pub struct ParkedDropped {
    /// Which way it was going.
    pub way: ParkedWay,
    /// The type, as it was listed.
    pub entity_type: String,
    /// The id, as it was listed.
    pub entity_id: Option<String>,
}

/// Why a parked document was not handled. It stays parked.
#[derive(Debug, thiserror::Error)]
pub enum ParkedError {
    /// No such document, or no longer.
    #[error("no parked document {0}")]
    NotFound(String),
    /// Its plugin fails still, or it cannot be read still (422).
    #[error("{code}: {message}")]
    Still {
        /// Its id.
        id: String,
        /// E.g. `plugin-trap`, `unreadable`.
        code: String,
        /// In words.
        message: String,
    },
    /// What is done with it cannot be done now (409).
    #[error("{0}")]
    Busy(String),
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
