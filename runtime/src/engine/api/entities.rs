//! Entities as apps see them, and the feed of what changed them.

use super::Unavailable;
use selaras_core::id::EntityKey;
use selaras_core::json::Doc;
use selaras_core::record::SyncStatus;
use selaras_core::stamp::Millis;

/// One entity as apps see it.
#[derive(Clone, Debug, PartialEq)]
pub struct EntityView {
    /// The entity.
    pub key: EntityKey,
    /// The cloud's id.
    pub cloud_id: Option<String>,
    /// The record's version.
    pub version: u64,
    /// The last number the cloud stated.
    pub cloud_version: u64,
    /// Where it stands.
    pub sync_status: SyncStatus,
    /// When the document was last changed, corrected.
    pub updated_at: Millis,
    /// None: a tombstone.
    pub data: Option<Doc>,
}

/// One entry of the change feed.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedEntry {
    /// Its place, from 1.
    pub seq: u64,
    /// The entity's type; [`BROADCAST`] is none.
    pub entity_type: String,
    /// Its id.
    pub entity_id: String,
    /// The record's version after it.
    pub version: u64,
    /// Whether it is a tombstone now.
    pub deleted: bool,
    /// `app`, `cloud`, `resolution` or `restore`.
    pub origin: &'static str,
    /// The app token that made it.
    pub token_id: Option<String>,
    /// The change's id, where an app made it.
    pub change_id: Option<String>,
}

/// A stretch of the feed.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// The life of the store these numbers belong to.
    pub epoch: String,
    /// Entries after `since`, in order.
    pub entries: Vec<FeedEntry>,
    /// Up to here the feed was read: where to go on.
    pub read_to: u64,
    /// The newest entry there is.
    pub head: u64,
}

/// What stands for the type in the feed's entries about broadcasts; no entity type begins like this.
pub const BROADCAST: &str = "_broadcast";

/// Why the feed could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// `since` is no longer (or not yet) part of this feed: list again.
    #[error("the feed begins at {oldest} and ends at {head}")]
    Truncated {
        /// The life of the store these numbers belong to.
        epoch: String,
        /// The oldest entry that is kept.
        oldest: u64,
        /// The newest.
        head: u64,
    },
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
