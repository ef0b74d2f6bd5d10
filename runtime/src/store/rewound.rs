//! The row that says: this store holds an earlier state than it once acknowledged. It came from a backup, or a part of
//! it was lost.
//!
//! Whoever makes such a store writes it; the engine reads it at its start and puts what may have been sent since in
//! doubt, and fetches everything again. It must not decide anything itself.

use selaras_core::stamp::Millis;
use serde::{Deserialize, Serialize};

use super::{Key, keys, rows};

/// The row's name among the settings and cursors.
pub const REWOUND: &str = "rewound";

/// Why a store went back in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A person restored a backup.
    Restored,
    /// The store could not be opened, and the newest backup took its place.
    RestoredByItself,
    /// What could be read of a damaged store was taken over.
    Repaired,
    /// The store opened, but acknowledged commits are missing.
    Truncated,
    /// The store could not be opened and there was no backup: it begins anew.
    Emptied,
}

impl Cause {
    /// As status shows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Restored => "restored",
            Self::RestoredByItself => "restored_by_itself",
            Self::Repaired => "repaired",
            Self::Truncated => "truncated",
            Self::Emptied => "emptied",
        }
    }
}

/// What happened, and how far it is dealt with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewound {
    /// When it was noticed or done, by this machine's clock.
    pub at: Millis,
    /// Why.
    pub cause: Cause,
    /// For people: what was found, where the old files are.
    pub detail: String,
    /// Groups of commits that are known to be missing; none: not known.
    pub lost_commits: Option<u64>,
    /// The engine has put the queue in doubt and forgotten the checkpoint.
    pub doubted: bool,
    /// The engine has since pulled everything once.
    pub pulled: bool,
}

impl Rewound {
    /// One that the engine has not seen yet.
    #[must_use]
    pub fn new(at: Millis, cause: Cause, detail: String, lost_commits: Option<u64>) -> Self {
        Self {
            at,
            cause,
            detail,
            lost_commits,
            doubted: false,
            pulled: false,
        }
    }

    /// The row as it is written.
    #[must_use]
    pub fn row(&self) -> (Key, Vec<u8>) {
        (keys::named(keys::META, REWOUND.as_bytes()), rows::encode(self))
    }
}
