//! A conflict as it is kept: what it was decided on, by whom, and how (promise 10).

use crate::json::Doc;
use crate::stamp::Millis;
use serde::{Deserialize, Serialize};

/// One side's state, in the outlet's shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// That side's version.
    pub version: u64,
    /// When it was changed, corrected.
    pub modified_at: Option<Millis>,
    /// By whom.
    pub modified_by: Option<String>,
    /// The document; none: deleted.
    pub doc: Option<Doc>,
}

/// How a conflict stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// It waits for a person.
    Open,
    /// It is decided.
    Resolved,
}

/// A recorded conflict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// Its id: its place in the order of conflicts.
    pub id: String,
    /// The type of the entity.
    pub entity_type: String,
    /// Its id.
    pub entity_id: String,
    /// The cloud's id of it.
    pub cloud_id: Option<String>,
    /// Open or resolved.
    pub phase: Phase,
    /// The entity's `rev` when it was last written.
    pub rev: u64,
    /// What both sides last agreed on.
    pub base: Option<Side>,
    /// The outlet's side.
    pub local: Side,
    /// The cloud's side.
    pub cloud: Side,
    /// The document after the decision.
    pub result: Option<Doc>,
    /// `keep_local`, `take_cloud`, `merge`, `delete`, `defer` or `agreed`.
    pub decision: String,
    /// The strategy asked.
    pub strategy: String,
    /// SHA-256 of the component that was asked.
    pub plugin_digest: Option<String>,
    /// The settings it was given, a JSON object.
    pub settings: Doc,
    /// The time it was given.
    pub asked_at: Millis,
    /// What its look-ups were answered, a JSON array.
    pub lookups: String,
    /// Why, in the plugin's or the person's words.
    pub reason: String,
    /// The failure's code, when the plugin did not decide.
    pub error: Option<String>,
    /// The person who decided.
    pub resolved_by: Option<String>,
    /// Their notes.
    pub notes: Option<String>,
    /// When it was first seen.
    pub created_at: Millis,
    /// When it was decided.
    pub resolved_at: Option<Millis>,
    /// The cloud's id of the conflict, when it waits to be told the decision.
    pub cloud_conflict_id: Option<String>,
}
