//! Running recorded conflicts again: what is asked for, and what comes of it.

use super::{PageRequest, Unavailable};
use selaras_core::id::{EntityKey, EntityType};
use selaras_core::json::Doc;
use selaras_core::stamp::Millis;

/// Which recorded conflicts are run again, and how.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SimulateRequest {
    /// The strategy. None: the one that each was decided by.
    pub strategy: Option<String>,
    /// Its settings. None: those that each was decided with.
    pub settings: Option<Doc>,
    /// Of this type only.
    pub entity_type: Option<EntityType>,
    /// First seen then or later.
    pub since: Option<Millis>,
    /// Newest first.
    pub page: PageRequest,
}

/// How a conflict came out, or would.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// `keep_local`, `take_cloud`, `merge`, `delete`, `defer` or `agreed`.
    pub decision: &'static str,
    /// The merged document.
    pub data: Option<Doc>,
    /// Why.
    pub reason: String,
}

/// One conflict, run again.
#[derive(Clone, Debug, PartialEq)]
pub struct SimulatedCase {
    /// The conflict.
    pub conflict_id: String,
    /// Its entity.
    pub key: EntityKey,
    /// The strategy that was asked now.
    pub strategy: String,
    /// False: the strategy is another component than the one that decided.
    pub same_plugin: bool,
    /// What is on record.
    pub old_outcome: Outcome,
    /// What came out now. None: it was not run.
    pub new_outcome: Option<Outcome>,
    /// Whether both are the same. None: it was not run.
    pub same: Option<bool>,
    /// Why the strategy did not decide (`plugin-timeout`), why it was not run (`decided-by-a-person`, `nobody-asked`,
    /// `mapper-skips`), or that it asked for a record that is not kept with the conflict (`lookup-not-recorded`).
    pub error: Option<String>,
    /// What the call took.
    pub fuel: u64,
}

/// A page of conflicts, run again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Simulation {
    /// Newest first.
    pub cases: Vec<SimulatedCase>,
    /// Where to go on; none at the end.
    pub next: Option<Vec<u8>>,
}

/// Why nothing was run.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// There is no such strategy (422).
    #[error("no strategy of the name {0} is loaded: see GET /api/v1/plugins")]
    UnknownStrategy(String),
    /// It is a mapper (422).
    #[error("{0} is a mapper: it translates documents and decides no conflict")]
    Mapper(String),
    /// The strategy cannot use these settings (422).
    #[error("{field}: {problem}")]
    Settings {
        /// The setting.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The cursor is not one of this list's.
    #[error("the cursor is not one that this list gave out")]
    BadCursor,
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
