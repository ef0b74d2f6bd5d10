//! Fetching again: what is asked for, and how far it has come.

use super::Unavailable;
use selaras_core::resync::Scope;
use selaras_core::stamp::Millis;

/// What is being fetched again, or will be.
#[derive(Clone, Debug, PartialEq)]
pub struct ResyncView {
    /// What is fetched.
    pub scope: Scope,
    /// Where it stands.
    pub state: ResyncState,
    /// When it was asked for.
    pub asked_at: Millis,
    /// When its listing began; none: not yet.
    pub started_at: Option<Millis>,
    /// Pages taken in.
    pub pages: u64,
    /// Elements of them that were asked for.
    pub seen: u64,
    /// Entities whose document changed.
    pub applied: u64,
    /// Entities that ended because the full listing did not show them.
    pub removed: u64,
    /// How often the cloud said that the place in its listing is gone, and it began again.
    pub restarts: u32,
    /// Why it rests, if it does.
    pub error: Option<String>,
    /// What is fetched after it.
    pub next: Option<Scope>,
}

/// Where fetching again stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResyncState {
    /// Its first page was not asked for yet.
    Waiting,
    /// Pages are taken in.
    Listing,
    /// What was not shown is taken out.
    Removing,
}

impl ResyncState {
    /// As status shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Listing => "listing",
            Self::Removing => "removing",
        }
    }
}

/// What became of asking for it.
#[derive(Clone, Debug, PartialEq)]
pub struct ResyncAnswer {
    /// What was asked for was asked for before, and not done yet.
    pub joined: bool,
    /// What is being fetched now; none: it is done already.
    pub resync: Option<ResyncView>,
}

/// Why nothing is fetched again.
#[derive(Debug, thiserror::Error)]
pub enum ResyncError {
    /// Pulling is switched off (409).
    #[error("pulling is switched off: set pull_enabled first")]
    PullDisabled,
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
