//! Authentic, fresh webhooks, and what became of them.

use super::{ConfigError, OutletPatch, Unavailable};
use selaras_core::id::EntityKey;
use selaras_core::json::Doc;
use selaras_core::stamp::Millis;
use std::sync::Arc;

/// One update or delete that a webhook brought.
#[derive(Clone, Debug, PartialEq)]
pub struct HookUpdate {
    /// The wire's name of the type (`cloud_type` of a binding, or the type itself).
    pub cloud_type: String,
    /// The cloud's id.
    pub cloud_id: Option<String>,
    /// The outlet's id, as the cloud knows it.
    pub local_id: Option<String>,
    /// The cloud's number.
    pub version: Option<u64>,
    /// `updated_at`, `deleted_at`, or the body's `timestamp`.
    pub stamp: Option<Millis>,
    /// Who changed it there.
    pub updated_by: Option<String>,
    /// The change of ours that it answers.
    pub change_id: Option<String>,
    /// The document; none: deleted.
    pub data: Option<Doc>,
}

/// What the `conflict` webhook says: a hint to fetch the entity.
#[derive(Clone, Debug, PartialEq)]
pub struct HookConflict {
    /// The wire's name of the type.
    pub cloud_type: String,
    /// The cloud's id.
    pub cloud_id: Option<String>,
    /// The outlet's id.
    pub local_id: Option<String>,
    /// The cloud's id of the conflict.
    pub conflict_id: Option<String>,
    /// Whether the cloud waits to be told the decision.
    pub resolution_required: bool,
}

/// One element of a bulk, as read.
#[derive(Clone, Debug, PartialEq)]
pub enum BulkElement {
    /// Readable.
    Update(HookUpdate),
    /// Not readable: what is wrong, and its raw text (kept, parked).
    Unreadable {
        /// What is wrong.
        problem: String,
        /// The element's JSON text.
        raw: String,
    },
}

/// What the company tells everybody at the outlet.
#[derive(Clone, Debug, PartialEq)]
pub struct HookBroadcast {
    /// When the cloud said it.
    pub sent_at: Millis,
    /// The text.
    pub message: String,
    /// How grave it is, in the cloud's word.
    pub level: String,
    /// Raw JSON for apps.
    pub data: Option<Arc<str>>,
}

/// What the company changes of the outlet's configuration. `None`: as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct HookConfig {
    /// When the cloud said it: an older one changes nothing.
    pub sent_at: Millis,
    /// See [`Outlet`](super::Outlet).
    pub outlet_name: Option<String>,
    /// See [`Outlet`](super::Outlet).
    pub sync_enabled: Option<bool>,
    /// See [`Outlet`](super::Outlet).
    pub sync_interval_minutes: Option<u32>,
    /// Raw JSON values by name (one of [`PROFILE_FIELDS`](super::PROFILE_FIELDS)).
    pub profile: Vec<(&'static str, Arc<str>)>,
}

impl From<HookConfig> for OutletPatch {
    fn from(config: HookConfig) -> Self {
        Self {
            outlet_name: config.outlet_name,
            sync_enabled: config.sync_enabled,
            sync_interval_minutes: config.sync_interval_minutes,
            profile: config.profile,
            ..Self::default()
        }
    }
}

/// An authentic, fresh webhook.
#[derive(Clone, Debug, PartialEq)]
pub enum Hook {
    /// An entity changed or was deleted at the cloud (`data: None`).
    Update(HookUpdate),
    /// A conflict was seen at the cloud.
    Conflict(HookConflict),
    /// Many updates.
    Bulk(Vec<BulkElement>),
    /// A message for apps.
    Broadcast(HookBroadcast),
    /// A change of the configuration.
    Config(HookConfig),
}

/// What became of a webhook's element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// Taken over; nothing was unsynced.
    Applied,
    /// Older than, or the same as, what is here.
    Stale,
    /// Both sides said the same.
    Agreed,
    /// The strategy kept the outlet's document.
    LocalWins,
    /// The strategy took the cloud's document.
    CloudWins,
    /// The strategy made a third document.
    Merged,
    /// The strategy deleted the entity.
    Deleted,
    /// Left to a person.
    Manual,
    /// The mapper skips it.
    Filtered,
    /// Durable, decided later.
    Pending,
}

impl Resolution {
    /// The contract's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Stale => "stale",
            Self::Agreed => "agreed",
            Self::LocalWins => "local_wins",
            Self::CloudWins => "cloud_wins",
            Self::Merged => "merged",
            Self::Deleted => "deleted",
            Self::Manual => "manual",
            Self::Filtered => "filtered",
            Self::Pending => "pending",
        }
    }
}

/// What became of one element.
#[derive(Clone, Debug, PartialEq)]
pub struct HookResult {
    /// The entity, where one was found or made.
    pub key: Option<EntityKey>,
    /// The record's version now.
    pub local_version: u64,
    /// What was done.
    pub resolution: Resolution,
    /// For a failed element of a bulk: why. It is kept, parked.
    pub error: Option<String>,
}

/// What became of a webhook. It is durable.
#[derive(Clone, Debug, PartialEq)]
pub struct HookOutcome {
    /// It came before; nothing was done again.
    pub duplicate: bool,
    /// When it was taken in, corrected.
    pub applied_at: Millis,
    /// The elements' results in order (one for update, delete, conflict and config); empty for a duplicate.
    pub results: Vec<HookResult>,
    /// The open or made conflict's id (ours), for the conflict hook.
    pub conflict_id: Option<String>,
    /// The id under which a broadcast is kept.
    pub broadcast_id: Option<String>,
}

/// A broadcast as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct BroadcastView {
    /// What its entry in the feed names.
    pub id: String,
    /// The text.
    pub message: String,
    /// How grave it is, in the cloud's word.
    pub level: String,
    /// Raw JSON.
    pub data: Option<String>,
    /// When the cloud said it.
    pub sent_at: Millis,
    /// When it came here, corrected.
    pub received_at: Millis,
}

/// Why a webhook was not taken.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// A value cannot be used (422).
    #[error("{field}: {problem}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The configuration does not take it.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store does not answer; the cloud should send it again.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
