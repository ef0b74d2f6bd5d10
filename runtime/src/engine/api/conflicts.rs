//! Conflicts as shown, and how a person decides one.

use super::Unavailable;
use selaras_core::id::EntityKey;
use selaras_core::json::Doc;
use selaras_core::stamp::Millis;

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
