//! Where the outlet stands: runs, their log, the queue.

use super::{ResyncView, StoreHealth, StoreView, Unavailable};
use selaras_core::id::{EntityKey, EntityType};
use selaras_core::json::Doc;
use selaras_core::record::{Operation, SyncStatus};
use selaras_core::stamp::Millis;

/// Where the outlet stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// From the settings; empty until configured.
    pub outlet_id: String,
    /// From the settings; empty until configured.
    pub outlet_code: String,
    /// Whether runs are made.
    pub sync_enabled: bool,
    /// End of the last successful run.
    pub last_sync_at: Option<Millis>,
    /// Queue items not failed.
    pub pending_count: u64,
    /// Queue items out of retries.
    pub failed_count: u64,
    /// Open conflicts.
    pub conflict_count: u64,
    /// Updates and items a plugin could not handle.
    pub parked_count: u64,
    /// Changes the cloud has taken, ever.
    pub total_synced: u64,
    /// The last run's error, if it had one.
    pub last_error: Option<String>,
    /// Whether the last call to the cloud got an answer; none before the first.
    pub online: Option<bool>,
    /// How many requests the cloud is sent.
    pub rate: RateView,
    /// Whether a run is going on.
    pub running: bool,
    /// When the next one begins by itself.
    pub next_run_at: Option<Millis>,
    /// The acceptance time of the oldest waiting item.
    pub oldest_pending_at: Option<Millis>,
    /// The pull cursor.
    pub checkpoint: Option<String>,
    /// What is being fetched again.
    pub resync: Option<ResyncView>,
    /// Cloud time less this machine's.
    pub clock_offset_ms: Option<i64>,
    /// Plugins and files that are not in use, or not as they were meant to be, and why.
    pub plugin_problems: Vec<(String, String)>,
    /// That the store went back in time, if it ever did.
    pub rewound: Option<WentBack>,
    /// The store and its backups.
    pub store: StoreView,
    /// How the store is.
    pub store_health: StoreHealth,
}

/// How many requests the cloud is sent, and how much in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateView {
    /// The limit in force; none: there is none, or it is not known.
    pub requests_per_minute: Option<u32>,
    /// It was learned from the cloud's refusals; else it is the settings'.
    pub learned: bool,
    /// Requests under way and of the last minute.
    pub last_minute: usize,
    /// Items the next batch carries at most.
    pub batch_size: usize,
    /// No request before this; none: one may be made now.
    pub limited_until: Option<Millis>,
}

/// That the store holds an earlier state than it once acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WentBack {
    /// When it was done or noticed, by this machine's clock.
    pub at: Millis,
    /// `restored`, `restored_by_itself`, `repaired`, `truncated` or `emptied`.
    pub cause: &'static str,
    /// In words: what was found, where the old files are.
    pub detail: String,
    /// Groups of commits that are known to be missing.
    pub lost_commits: Option<u64>,
    /// Everything was pulled from the cloud since; before that nothing is pushed.
    pub pulled: bool,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunStatus {
    /// All of it.
    Success,
    /// Some items or updates failed.
    Partial,
    /// The link or the store failed, or sync is off or not configured.
    Failed,
}

impl RunStatus {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// What one run did.
#[derive(Clone, Debug, PartialEq)]
pub struct RunReport {
    /// Names it in the log, and its requests at the cloud. Empty: none was made.
    pub run_id: String,
    /// How it ended.
    pub status: RunStatus,
    /// Items the cloud took.
    pub pushed: u64,
    /// Items it refused or left without a result.
    pub push_failed: u64,
    /// Updates taken over or decided.
    pub pulled: u64,
    /// Conflicts decided by a strategy.
    pub conflicts_resolved: u64,
    /// Conflicts left to a person.
    pub conflicts_deferred: u64,
    /// Begin, corrected.
    pub started_at: Millis,
    /// How long it took.
    pub duration_ms: u64,
    /// What went wrong.
    pub error: Option<String>,
}

/// A line of the sync log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogEntry {
    /// Its number.
    pub id: u64,
    /// `push` or `pull`.
    pub sync_type: &'static str,
    /// The type, where all were of one.
    pub entity_type: Option<String>,
    /// How many.
    pub entity_count: u64,
    /// How it ended.
    pub status: RunStatus,
    /// What went wrong.
    pub error_message: Option<String>,
    /// Begin, corrected.
    pub started_at: Millis,
    /// End, corrected.
    pub completed_at: Millis,
    /// By monotonic clock.
    pub duration_ms: u64,
    /// Counts by type and outcome, a JSON object.
    pub details: Doc,
}

/// What to list of the log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LogFilter {
    /// `push` or `pull`.
    pub sync_type: Option<&'static str>,
    /// How it ended.
    pub status: Option<RunStatus>,
}

/// The state of a queue item as shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueStatus {
    /// Waits for its turn.
    Pending,
    /// Sent, outcome unknown.
    Attempted,
    /// Out of retries, or refused by its mapper.
    Failed,
    /// Behind an open conflict or an earlier item of its entity.
    Held,
}

impl QueueStatus {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Attempted => "attempted",
            Self::Failed => "failed",
            Self::Held => "held",
        }
    }
}

/// A queue item as shown.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueView {
    /// For `retry` and giving up.
    pub id: String,
    /// The entity.
    pub key: EntityKey,
    /// What it does at the cloud.
    pub operation: Operation,
    /// Where it stands.
    pub status: QueueStatus,
    /// Retries used.
    pub retry_count: u32,
    /// Of so many.
    pub max_retries: u32,
    /// The last failure.
    pub error_message: Option<String>,
    /// When it was accepted, corrected.
    pub created_at: Millis,
    /// When it is tried next; none: when its turn comes.
    pub next_attempt_at: Option<Millis>,
    /// The document it carries; none for a delete.
    pub payload: Option<Doc>,
}

/// What to list of, or retry in, the queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct QueueFilter {
    /// Only this state.
    pub status: Option<QueueStatus>,
    /// Only this type.
    pub entity_type: Option<EntityType>,
    /// Only this entity id.
    pub entity_id: Option<String>,
}

/// Why a queue item was not put back or given up.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// No such item.
    #[error("no queue item {0}")]
    NotFound(String),
    /// It is not in a state in which that can be done (409).
    #[error("queue item {id} is {}: {why}", status.as_str())]
    WrongState {
        /// The item.
        id: String,
        /// Where it stands.
        status: QueueStatus,
        /// What would be needed.
        why: &'static str,
    },
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What one of an entity's items came to when it was pushed by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct PushedItem {
    /// Its id in the queue.
    pub id: String,
    /// What it does at the cloud, as far as is known; none: it was gone when its turn came.
    pub operation: Option<Operation>,
    /// What came of it.
    pub outcome: PushOutcome,
    /// The last failure.
    pub error: Option<String>,
    /// When it is tried next; none: when its turn comes, or not by itself.
    pub next_attempt_at: Option<Millis>,
}

/// What came of an item that was pushed by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushOutcome {
    /// The cloud has taken it.
    Pushed,
    /// It left the queue otherwise: by the run that was going, by its mapper that keeps it from the cloud, by an echo, or
    /// because a decision stands in for it.
    Settled,
    /// The cloud has something newer: see `sync_status`.
    Conflict,
    /// It is tried again later.
    Retry,
    /// Out of retries, or refused for good.
    Failed,
    /// Its mapper cannot translate it.
    Parked,
    /// Its turn did not come: it is behind another, or the deadline came first.
    Waiting,
}

impl PushOutcome {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pushed => "pushed",
            Self::Settled => "settled",
            Self::Conflict => "conflict",
            Self::Retry => "retry",
            Self::Failed => "failed",
            Self::Parked => "parked",
            Self::Waiting => "waiting",
        }
    }
}

/// What the push of one entity came to.
#[derive(Clone, Debug, PartialEq)]
pub struct EntityPush {
    /// The entity, under its name of today.
    pub key: EntityKey,
    /// Items the cloud took.
    pub pushed: u64,
    /// Items it refused or left without a result, and those whose mapper failed.
    pub failed: u64,
    /// Each item that waited when it was asked for, or came up since.
    pub items: Vec<PushedItem>,
    /// Where the record stands now.
    pub sync_status: SyncStatus,
    /// The last failure, in the cloud's words where it had some.
    pub error: Option<String>,
}

/// Why one entity's changes were not pushed.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// Nobody has heard of it (404).
    #[error("there is no {0}")]
    NotFound(EntityKey),
    /// It has an open conflict (409).
    #[error("{key} has an open conflict: decide it with POST /api/v1/sync/resolve/{conflict}")]
    Conflict {
        /// The entity.
        key: EntityKey,
        /// The conflict.
        conflict: String,
    },
    /// Sync is off, or no cloud is configured (409).
    #[error("{0}")]
    Off(&'static str),
    /// The link rests (503).
    #[error("{why}")]
    Paused {
        /// Why.
        why: String,
        /// How long it rests, where that is known.
        retry_after_seconds: Option<u64>,
    },
    /// The link failed on the way (503); what was done before is in the report.
    #[error("{error}")]
    Link {
        /// In words.
        error: String,
        /// How long it rests now, where that is known.
        retry_after_seconds: Option<u64>,
        /// What came of it all the same.
        report: Box<EntityPush>,
    },
    /// The outlet is shutting down (503).
    #[error("the outlet is shutting down")]
    Stopping,
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
