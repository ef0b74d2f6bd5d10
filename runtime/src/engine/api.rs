//! What the engine's handle takes and answers. Plain values: no HTTP, no rows, no wire shapes of the cloud.
//! `http` turns requests into these and these into the contract's JSON.

use selaras_core::id::{EntityKey, EntityType};
use selaras_core::json::Doc;
use selaras_core::record::{Operation, SyncStatus};
use selaras_core::stamp::Millis;
use std::sync::Arc;

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

/// The store cannot serve now.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unavailable {
    /// No room on the disk (507).
    #[error("the disk is full: {0}")]
    DiskFull(String),
    /// Any other failure (503).
    #[error("the store does not answer: {0}")]
    Store(String),
}

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

/// One page of a list, with where the next begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The page.
    pub items: Vec<T>,
    /// Opaque bytes to go on with; none at the end. (HTTP encodes them.)
    pub next: Option<Vec<u8>>,
}

/// Where a page of a list begins and how long it may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// What an earlier page named as `next`.
    pub after: Option<Vec<u8>>,
    /// 1–500.
    pub limit: usize,
}

/// Why a list could not be given.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The cursor is not one of this list's.
    #[error("the cursor is not one that this list gave out")]
    BadCursor,
    /// No such thing.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// One entry of the change feed.
#[derive(Clone, Debug, PartialEq)]
pub struct FeedEntry {
    /// Its place, from 1.
    pub seq: u64,
    /// The entity.
    pub key: EntityKey,
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
    /// The newest entry there is.
    pub head: u64,
}

/// Why the feed could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// `since` is no longer (or not yet) part of this feed: list again.
    #[error("the feed begins at {oldest} and ends at {head}")]
    Truncated {
        /// The oldest entry that is kept.
        oldest: u64,
        /// The newest.
        head: u64,
    },
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

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

/// An authentic, fresh webhook.
#[derive(Clone, Debug, PartialEq)]
pub enum Hook {
    /// An entity changed or was deleted at the cloud (`data: None`).
    Update(HookUpdate),
    /// A conflict was seen at the cloud.
    Conflict(HookConflict),
    /// Many updates.
    Bulk(Vec<BulkElement>),
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
    /// The elements' results in order (one for update, delete, conflict); empty for a duplicate.
    pub results: Vec<HookResult>,
    /// The open or made conflict's id (ours), for the conflict hook.
    pub conflict_id: Option<String>,
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
    /// The store does not answer; the cloud should send it again.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

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
    /// Whether a run is going on.
    pub running: bool,
    /// When the next one begins by itself.
    pub next_run_at: Option<Millis>,
    /// The acceptance time of the oldest waiting item.
    pub oldest_pending_at: Option<Millis>,
    /// The pull cursor.
    pub checkpoint: Option<String>,
    /// Cloud time less this machine's.
    pub clock_offset_ms: Option<i64>,
    /// Plugins that were refused at start: name or file, and why.
    pub plugin_problems: Vec<(String, String)>,
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

/// One side of a conflict.
#[derive(Clone, Debug, PartialEq)]
pub struct SideView {
    /// That side's version.
    pub version: u64,
    /// When it was changed, corrected.
    pub modified_at: Option<Millis>,
    /// By whom.
    pub modified_by: Option<String>,
    /// None: deleted there.
    pub data: Option<Doc>,
}

/// A conflict, open or decided.
#[derive(Clone, Debug, PartialEq)]
pub struct ConflictView {
    /// Its id.
    pub id: String,
    /// The entity.
    pub key: EntityKey,
    /// The cloud's id of the entity.
    pub cloud_id: Option<String>,
    /// True until it is decided.
    pub open: bool,
    /// Grows with each new side; a decision on an old one is refused.
    pub rev: u64,
    /// What both sides last agreed on.
    pub base: Option<SideView>,
    /// The outlet's side.
    pub local: SideView,
    /// The cloud's side.
    pub cloud: SideView,
    /// The document after the decision; none: still open, or deleted.
    pub result: Option<Doc>,
    /// `keep_local`, `take_cloud`, `merge`, `delete` or `defer`.
    pub decision: &'static str,
    /// The strategy asked.
    pub strategy: String,
    /// SHA-256 of the component that decided.
    pub plugin_digest: Option<String>,
    /// Why, in the plugin's or the person's words.
    pub reason: String,
    /// Failure code when the plugin did not decide, e.g. `plugin-timeout`.
    pub error: Option<String>,
    /// The person who decided; none: the strategy did.
    pub resolved_by: Option<String>,
    /// The person's notes.
    pub notes: Option<String>,
    /// When it was first seen.
    pub created_at: Millis,
    /// When it was decided.
    pub resolved_at: Option<Millis>,
}

/// How a person decides a conflict.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolveRequest {
    /// `cloud_wins`, `local_wins`, `newest_wins`, `merged`, or a plugin's name.
    pub strategy: String,
    /// The document, with `merged`.
    pub data: Option<Doc>,
    /// Kept with the record.
    pub notes: Option<String>,
    /// The `rev` that was looked at.
    pub rev: Option<u64>,
}

/// Why a conflict was not decided. It stays open.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// No such conflict.
    #[error("no conflict {0}")]
    NotFound(String),
    /// It is decided already.
    #[error("conflict {0} is resolved already")]
    AlreadyResolved(String),
    /// A new side came meanwhile.
    #[error("the conflict is at rev {current}: look again")]
    OldRev {
        /// Its rev now.
        current: u64,
    },
    /// The request is not usable (422).
    #[error("{field}: {problem}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The plugin failed or deferred (422).
    #[error("{code}: {message}")]
    Plugin {
        /// E.g. `plugin-timeout`, `deferred`.
        code: String,
        /// In words.
        message: String,
    },
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The outlet's configuration as shown.
#[derive(Clone, Debug, PartialEq)]
pub struct OutletView {
    /// Id of the stored configuration.
    pub id: String,
    /// The fields.
    pub outlet: Outlet,
    /// `abcd****xyz1`; never the key itself.
    pub cloud_api_key_masked: String,
    /// End of the last successful run.
    pub last_sync_at: Option<Millis>,
    /// When it was stored; none: it comes from the environment alone.
    pub created_at: Option<Millis>,
    /// When it was last changed.
    pub updated_at: Option<Millis>,
}

/// The outlet's configuration in force.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outlet {
    /// The company's id of this outlet.
    pub outlet_id: String,
    /// Its code.
    pub outlet_code: String,
    /// Its name (else the code).
    pub outlet_name: String,
    /// The cloud's base address.
    pub cloud_api_url: String,
    /// Whether runs are made.
    pub sync_enabled: bool,
    /// At least 1.
    pub sync_interval_minutes: u32,
    /// What apps read, each a raw JSON value: `outlet_address, outlet_phone, receipt_footer, social_media,
    /// target_spend_per_pax`.
    pub profile: Vec<(&'static str, Arc<str>)>,
}

/// The names of the profile's fields.
pub const PROFILE_FIELDS: [&str; 5] = [
    "outlet_address",
    "outlet_phone",
    "receipt_footer",
    "social_media",
    "target_spend_per_pax",
];

/// A change of the outlet's configuration. `None`: as it is.
#[derive(Clone, Default)]
pub struct OutletPatch {
    /// See [`Outlet`].
    pub outlet_id: Option<String>,
    /// See [`Outlet`].
    pub outlet_code: Option<String>,
    /// See [`Outlet`].
    pub outlet_name: Option<String>,
    /// See [`Outlet`].
    pub cloud_api_url: Option<String>,
    /// The key; kept, never shown.
    pub cloud_api_key: Option<String>,
    /// See [`Outlet`].
    pub sync_enabled: Option<bool>,
    /// See [`Outlet`].
    pub sync_interval_minutes: Option<u32>,
    /// Raw JSON values by name (one of [`PROFILE_FIELDS`]).
    pub profile: Vec<(&'static str, Arc<str>)>,
    /// Another `outlet_id` over existing data is meant.
    pub rebind: bool,
}

/// Why a configuration was not taken. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is one already (409).
    #[error("an outlet configuration exists already; change it with PUT")]
    Exists,
    /// There is none (404).
    #[error("there is no outlet configuration yet; make it with POST")]
    Missing,
    /// Another outlet over existing data without `rebind` (409).
    #[error("this outlet holds data of {current}; send \"rebind\": true to hand it to another outlet_id")]
    Rebind {
        /// The outlet it belongs to.
        current: String,
    },
    /// Values that cannot be used, by field (422).
    #[error("{} invalid field(s)", .0.len())]
    Invalid(Vec<(String, String)>),
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What a test of the cloud's address found.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudTest {
    /// An HTTP answer came.
    pub reachable: bool,
    /// And it was not 401 or 403.
    pub authorized: bool,
    /// Round trip.
    pub latency_ms: Option<u64>,
    /// Cloud time less this machine's.
    pub clock_offset_ms: Option<i64>,
    /// What went wrong.
    pub error: Option<String>,
}

/// How runs are made. Defaults and limits are the contract's.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct SyncSettings {
    /// Items a push request (1–1,000).
    pub batch_size: u32,
    /// Used only while the cloud's request limit is what slows the queue.
    pub batch_size_max: u32,
    /// 0: learn from 429.
    pub requests_per_minute: u32,
    /// Asked again before a timestamp checkpoint.
    pub pull_overlap_seconds: u32,
    /// Retries of an item before it is `failed`.
    pub max_retries: u32,
    /// First backoff.
    pub initial_backoff_seconds: u32,
    /// Growth of the backoff.
    pub backoff_multiplier: f64,
    /// Longest backoff.
    pub max_backoff_seconds: u32,
    /// A run's deadline.
    pub run_timeout_seconds: u32,
    /// How soon after a change a push starts.
    pub push_delay_ms: u32,
    /// Whether runs pull.
    pub pull_enabled: bool,
    /// Days the sync logs are kept.
    pub log_retention_days: u32,
    /// Days decided conflicts are kept.
    pub conflict_retention_days: u32,
    /// Days the documents of tombstones are kept.
    pub tombstone_retention_days: u32,
}

impl Default for SyncSettings {
    fn default() -> Self {
        Self {
            batch_size: 100,
            batch_size_max: 1000,
            requests_per_minute: 0,
            pull_overlap_seconds: 300,
            max_retries: 3,
            initial_backoff_seconds: 60,
            backoff_multiplier: 2.0,
            max_backoff_seconds: 1800,
            run_timeout_seconds: 120,
            push_delay_ms: 1000,
            pull_enabled: true,
            log_retention_days: 30,
            conflict_retention_days: 90,
            tombstone_retention_days: 90,
        }
    }
}

/// Where a type's changes are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// `sync/batch`.
    #[default]
    Batch,
    /// The per-document endpoint of the collection.
    Document,
}

/// How a type is synced: the binding in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// The strategy plugin that decides its conflicts.
    pub strategy: String,
    /// The mapper plugin; none: documents go as they are.
    pub mapper: Option<String>,
    /// What the plugins are given, a JSON object.
    pub settings: Doc,
    /// The wire's name of the type.
    pub cloud_type: String,
    /// The wire's plural in `updates`.
    pub collection: String,
    /// Where its changes are sent.
    pub route: Route,
    /// Whether waiting changes of one entity fold.
    pub coalesce: bool,
    /// Lower goes first (0–9, default 5).
    pub priority: u8,
    /// The largest document.
    pub max_document_bytes: u32,
}

/// A change of a binding. `None`: as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BindingPatch {
    /// See [`Binding`].
    pub strategy: Option<String>,
    /// `Some(None)`: no mapper.
    pub mapper: Option<Option<String>>,
    /// See [`Binding`].
    pub settings: Option<Doc>,
    /// See [`Binding`].
    pub cloud_type: Option<String>,
    /// See [`Binding`].
    pub collection: Option<String>,
    /// See [`Binding`].
    pub route: Option<Route>,
    /// See [`Binding`].
    pub coalesce: Option<bool>,
    /// See [`Binding`].
    pub priority: Option<u8>,
    /// See [`Binding`].
    pub max_document_bytes: Option<u32>,
}

/// What a role may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// Reads, trigger, retry, resolve.
    Operator,
    /// Entities, changes, feed.
    App,
}

/// A person who may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Stable id.
    pub id: String,
    /// The name to log in with.
    pub username: String,
    /// As shown.
    pub full_name: String,
    /// What they may do.
    pub role: Role,
    /// Whether they may log in.
    pub is_active: bool,
}

/// Why a login was refused.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Unknown user, wrong password or inactive: the same answer, at the same cost.
    #[error("user name or password is wrong")]
    InvalidCredentials,
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A plugin as shown (`GET /api/v1/plugins`).
#[derive(Clone, Debug, PartialEq)]
pub struct PluginView {
    /// E.g. `newest_wins`.
    pub name: String,
    /// `strategy` or `mapper`; none when it was refused.
    pub kind: Option<&'static str>,
    /// What it says of itself.
    pub version: String,
    /// What it says of itself.
    pub description: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// `active` or `refused`.
    pub state: &'static str,
    /// Why it was refused.
    pub problem: Option<String>,
    /// `embedded`, or the file's name.
    pub source: String,
    /// Types bound to it.
    pub bound_types: Vec<String>,
    /// Calls since start.
    pub calls: u64,
    /// Of which failed.
    pub errors: u64,
    /// Median time of a call.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// Fuel since start, 0 where it is not metered.
    pub fuel: u64,
}

/*  The handle: `#[derive(Clone)] pub struct Engine` in engine.rs. All methods take &self.

    // apps
    async fn change(Change, Option<Idempotency>, &Actor) -> Result<Accepted, ChangeError>
    async fn changes(Vec<Change>, Option<Idempotency>, &Actor) -> Result<Vec<Accepted>, ChangeError>   // all or nothing
    fn entity(&EntityKey) -> Result<Option<EntityView>, Unavailable>
    fn entities(&EntityType, PageRequest) -> Result<Page<EntityView>, QueryError>      // tombstones included
    async fn feed(since: u64, limit: usize, wait: Duration) -> Result<Feed, FeedError>    // ends early at shutdown
    fn max_document_bytes(&EntityType) -> usize
    // webhooks
    async fn hook(Hook, dedup: Option<[u8; 32]>) -> Result<HookOutcome, HookError>
    // sync
    fn status() -> Result<Status, Unavailable>
    fn trigger()                                                   // returns at once
    async fn run_now() -> RunReport                                // joins the run that is going
    fn logs(LogFilter, PageRequest) -> Result<Page<LogEntry>, QueryError>
    fn queue(QueueFilter, PageRequest) -> Result<Page<QueueView>, QueryError>
    async fn retry(id: &str) -> Result<(), RetryError>             // RetryError: NotFound, NotFailed{status}, Unavailable
    async fn retry_all(QueueFilter) -> Result<u64, Unavailable>    // how many
    async fn give_up(id: &str, reason: &str, &Actor) -> Result<(), RetryError>
    fn conflicts(open: Option<bool>, Option<EntityType>, PageRequest) -> Result<Page<ConflictView>, QueryError>
    fn conflict(id: &str) -> Result<ConflictView, QueryError>
    async fn resolve(id: &str, ResolveRequest, &Actor) -> Result<ConflictView, ResolveError>
    // config
    fn outlet() -> Option<OutletView>                              // None: neither stored nor in the environment
    async fn create_outlet(OutletPatch, &Actor) / update_outlet(OutletPatch, &Actor) -> Result<OutletView, ConfigError>
    async fn test_outlet(Option<OutletPatch>) -> Result<CloudTest, ConfigError>
    fn sync_settings() -> SyncSettings;  async fn set_sync_settings(SyncSettings, &Actor) -> Result<(), ConfigError>
    async fn toggle_sync(enabled: Option<bool>, &Actor) -> Result<bool, ConfigError>   // None: the other way
    fn binding(&str /* type or "*" */) -> Binding;  async fn set_binding(&str, BindingPatch, &Actor) -> Result<Binding, ConfigError>
    // plugins, people, time
    fn plugins() -> Vec<PluginView>
    async fn login(&str user, &str password) -> Result<User, LoginError>
    fn user(&str id) -> Result<Option<User>, Unavailable>          // for each request's token: still there, still active
    fn now() -> Millis                                             // corrected
    fn mono_ms() -> u64;  fn random() -> u64
    fn ready() -> Result<(), Vec<String>>                          // readyz: what is not ready or was refused
    fn outlet_id() -> Option<String>                               // for X-Outlet-ID
*/

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
