//! Why a backup file could not be written, read or used.

use std::io;

use super::super::{OpenError, StoreError};

/// Why a backup file could not be written, read or used.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It does not begin as one of ours does.
    #[error("it is not a backup made by selaras")]
    Foreign,
    /// A newer program wrote it.
    #[error(
        "it has format {found}, this program knows formats up to {supported}: use the program that made it, or a newer one"
    )]
    Newer {
        /// The format number in the file.
        found: u32,
        /// The newest one known here.
        supported: u32,
    },
    /// Its end is missing.
    #[error("it ends in the middle: it was not written or copied whole; take another one, or copy it again")]
    Truncated,
    /// It is not what was written.
    #[error("it is damaged: {what}; take another one, or copy it again")]
    Damaged {
        /// What was found.
        what: String,
    },
    /// It cannot be read.
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    /// It cannot be written.
    #[error("it cannot be written")]
    Write(#[source] io::Error),
    /// The store cannot be read.
    #[error("the store cannot be read or written")]
    Store(#[from] StoreError),
    /// The new store cannot be made.
    #[error("the store cannot be made")]
    Open(#[from] OpenError),
}

impl ArchiveError {
    pub(super) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }

    /// Whether the file itself is at fault, so that another one may do.
    #[must_use]
    pub fn is_about_the_file(&self) -> bool {
        matches!(
            self,
            Self::Foreign | Self::Newer { .. } | Self::Truncated | Self::Damaged { .. } | Self::Read(_)
        )
    }
}
