//! What goes into a plugin call and what comes out, in the host's own words.
//!
//! No WebAssembly types here: the engine works with these, `convert.rs` carries them over the border.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::error::Failure;
use super::limits::CallLimits;

/// One side's state of one entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The outlet's name of the type.
    pub entity_type: String,
    /// The outlet's id.
    pub id: String,
    /// The cloud's id, when it has one.
    pub cloud_id: Option<String>,
    /// Version on the side the document comes from; 0 when that side never had it.
    pub version: u64,
    /// A tombstone: `body` is then `null`.
    pub deleted: bool,
    /// Milliseconds since the Unix epoch, corrected for the measured clock offset.
    pub modified_ms: Option<u64>,
    /// Who made the change, when known.
    pub modified_by: Option<String>,
    /// The document as JSON text, byte for byte as it was stored.
    pub body: Arc<str>,
}

/// What a call knows besides its document.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// The outlet.
    pub outlet_id: String,
    /// The outlet's short code.
    pub outlet_code: String,
    /// The only clock a plugin has, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The binding's settings: the text of a JSON object.
    pub settings: Arc<str>,
    /// What the call may cost.
    pub limits: CallLimits,
}

/// The two sides of a conflict and what they last agreed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// The last state both sides agreed on.
    pub base: Option<Document>,
    /// The outlet's document after all its waiting changes.
    pub local: Document,
    /// The cloud's document.
    pub cloud: Document,
}

/// What a strategy decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// The outlet's document stays and is pushed.
    KeepLocal,
    /// The cloud's document replaces the outlet's.
    TakeCloud,
    /// A third document (JSON text of an object), kept here and pushed.
    Merge(String),
    /// The entity is deleted on both sides.
    Delete,
    /// A person decides.
    Defer,
}

/// A decision with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// What was decided.
    pub decision: Decision,
    /// Why, for an admin: at most 4 KiB, control characters escaped.
    pub reason: String,
}

/// One question a plugin asked about the outlet's records, and the answer it was given.
///
/// Kept with a recorded conflict, so that the decision can be run again on the same answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum LookupAnswer {
    /// `lookup.get`
    Get {
        /// Asked type.
        entity_type: String,
        /// Asked id.
        id: String,
        /// The record's document, if there is one.
        answer: Option<Document>,
    },
    /// `lookup.local-id`
    LocalId {
        /// Asked type.
        entity_type: String,
        /// Asked cloud id.
        cloud_id: String,
        /// The outlet's id of it.
        answer: Option<String>,
    },
    /// `lookup.cloud-id`
    CloudId {
        /// Asked type.
        entity_type: String,
        /// Asked id.
        id: String,
        /// The cloud's id of it.
        answer: Option<String>,
    },
}

/// Reads of the outlet's own records, as of the start of the call. Called on plugin threads; must not block for long,
/// since a plugin's time limit is noticed only once it runs again.
pub trait Lookup: Send + Sync {
    /// The current document of an entity.
    fn get(&self, entity_type: &str, id: &str) -> Option<Document>;
    /// The outlet's id for a cloud id.
    fn local_id(&self, entity_type: &str, cloud_id: &str) -> Option<String>;
    /// The cloud's id for an outlet's id.
    fn cloud_id(&self, entity_type: &str, id: &str) -> Option<String>;
}

/// A lookup over nothing: what trial instantiation and self-test see.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoLookup;

impl Lookup for NoLookup {
    fn get(&self, _: &str, _: &str) -> Option<Document> {
        None
    }
    fn local_id(&self, _: &str, _: &str) -> Option<String> {
        None
    }
    fn cloud_id(&self, _: &str, _: &str) -> Option<String> {
        None
    }
}

/// How loud a plugin's log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Finest.
    Trace,
    /// For the plugin's author.
    Debug,
    /// For an admin.
    Info,
    /// Something is odd.
    Warn,
    /// Something is wrong.
    Error,
}

/// All that is worth keeping of one strategy call.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The verdict, or why there is none; the engine then defers.
    pub outcome: Result<Verdict, Failure>,
    /// Name of the strategy that was asked.
    pub plugin: String,
    /// SHA-256 of its component, hex; empty when there is no such plugin.
    pub digest: String,
    /// Fuel used, about one a WebAssembly instruction: the same conflict costs the same.
    pub fuel: u64,
    /// The most memory it had, in bytes, over all its memories.
    pub peak_memory_bytes: u64,
    /// Wall time of the call with its fresh instance.
    pub elapsed_us: u64,
    /// Every read of the outlet's records, in order.
    pub lookups: Vec<LookupAnswer>,
    /// What it logged, cut to the limits.
    pub log: Vec<(Level, String)>,
}

/// Which way a mapper is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the outlet's shape to the cloud's.
    ToCloud,
    /// From the cloud's shape to the outlet's.
    ToLocal,
}

impl Direction {
    /// The call's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToCloud => "to_cloud",
            Self::ToLocal => "to_local",
        }
    }
}

/// One document through a mapper, for a trial: what became of it, and what it cost.
#[derive(Debug, Clone)]
pub struct Tried {
    /// The translation, or why there is none.
    pub outcome: Result<Mapped, Failure>,
    /// See [`Decided::fuel`].
    pub fuel: u64,
    /// See [`Decided::peak_memory_bytes`].
    pub peak_memory_bytes: u64,
    /// See [`Decided::elapsed_us`].
    pub elapsed_us: u64,
    /// See [`Decided::log`].
    pub log: Vec<(Level, String)>,
}

/// What a mapper made of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mapped {
    /// The translated body, JSON text; `null` is possible for a tombstone only.
    Put(String),
    /// Do not sync this document, and why.
    Skip(String),
}
