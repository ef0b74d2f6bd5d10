//! Apps' changes: what is wanted of entities, when, and what became of it.

use super::Unavailable;
use selaras_core::id::EntityKey;
use selaras_core::json::Doc;
use selaras_core::record::SyncStatus;
use selaras_core::stamp::Millis;

/// Who asks. Written into the feed, the records of decisions and the audit lines of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// User name, token id, `cloud` or `system`.
    pub id: String,
    /// The static token that was used, if one was; the feed names it so that an app can pass over its own changes.
    pub token_id: Option<String>,
}

/// An HTTP `Idempotency-Key`, with the digest of the request it came with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idempotency {
    /// The key as sent, at most 128 bytes.
    pub key: String,
    /// SHA-256 over method, path and body.
    pub digest: [u8; 32],
}

/// What must hold of the record's `version` for a change to be taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// `If-Match: "3"`, or a list: the entity lives and has one of these versions.
    Versions(Vec<u64>),
    /// `If-Match: *`: the entity lives.
    Exists,
    /// `If-None-Match: *`: the entity does not live.
    Absent,
}

/// What an app wants of an entity.
#[derive(Clone, Debug, PartialEq)]
pub enum Intent {
    /// The whole document.
    Put(Doc),
    /// An RFC 7396 merge patch; the entity must live.
    Patch(Doc),
    /// A day's summary, which only has this intent: as [`Intent::Put`], but nothing is done when it is there already and on
    /// its way or synced.
    Day(Doc),
    /// A tombstone. `strict`: the entity must live (`DELETE`); else a missing one is no error (`changes`).
    Delete {
        /// Whether a missing entity is an error.
        strict: bool,
    },
}

/// One change of an app.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The entity.
    pub key: EntityKey,
    /// What is wanted.
    pub intent: Intent,
    /// When it is taken.
    pub precondition: Precondition,
    /// The app's own time of the change.
    pub updated_at: Option<Millis>,
    /// The app's own id of the change, at most 128 bytes: handed over twice, it takes effect once.
    pub change_id: Option<String>,
}

/// A change that is durable.
#[derive(Clone, Debug, PartialEq)]
pub struct Accepted {
    /// The entity.
    pub key: EntityKey,
    /// The record's version after the change.
    pub version: u64,
    /// The queue item that carries it; none when nothing needs to be pushed (a create that was deleted unsent).
    pub queue_id: Option<String>,
    /// The change's id for life.
    pub change_id: Option<String>,
    /// The record's state.
    pub sync_status: SyncStatus,
    /// True when the entity did not live before (HTTP 201).
    pub created: bool,
}

/// Why a change was not taken. Nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// No such living entity (`index` in a list of changes).
    #[error("no living entity {key}")]
    NotFound {
        /// Which.
        key: EntityKey,
        /// Its place in the request.
        index: usize,
    },
    /// `If-Match` or `If-None-Match` did not hold.
    #[error("{key} has version {current}")]
    PreconditionFailed {
        /// Which.
        key: EntityKey,
        /// The version it has; 0: it does not live.
        current: u64,
        /// Its place in the request.
        index: usize,
    },
    /// The same `Idempotency-Key` (or `change_id`) with another content.
    #[error("{what} was used before for another request")]
    KeyReused {
        /// `Idempotency-Key` or `change_id`.
        what: &'static str,
        /// Its place in the request.
        index: usize,
    },
    /// The type is the runtime's own, and is changed by other means.
    #[error("{key} is a daily summary: hand it over by POST /api/v1/analytics/daily")]
    Reserved {
        /// Which.
        key: EntityKey,
        /// Its place in the request.
        index: usize,
    },
    /// The document is over the type's `max_document_bytes`.
    #[error("the document of {key} has {bytes} bytes, the limit of its type is {limit}")]
    TooLarge {
        /// Which.
        key: EntityKey,
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
        /// Its place in the request.
        index: usize,
    },
    /// The entity is changed by too many at once; nothing was done, try again.
    #[error("{0} is being changed by others, try again")]
    Busy(EntityKey),
    /// The store does not take it.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
