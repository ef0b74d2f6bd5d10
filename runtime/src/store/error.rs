//! What can go wrong with the store, in words of its own.
//!
//! Must not name the storage engine or HTTP: callers choose by variant, never by text.

use std::{error::Error, io, path::PathBuf, sync::Arc};

use super::MAX_KEY_BYTES;

/// Why a read or write failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no room on the disk.
    #[error("the disk is full; free some space, then restart")]
    Full(#[source] io::Error),
    /// The files could not be read or written.
    #[error("the store's files cannot be read or written")]
    Io(#[source] io::Error),
    /// What is on the disk does not fit together.
    #[error("the store is damaged: {what}")]
    Damaged {
        /// What was found.
        what: String,
    },
    /// The engine gave up for a reason of its own.
    #[error("the storage engine failed")]
    Engine(#[source] Box<dyn Error + Send + Sync>),
    /// The engine panicked.
    #[error("the storage engine panicked: {0}")]
    Panicked(String),
    /// It stopped for this reason, and nothing more is read or written until it is opened again.
    #[error("the store has stopped")]
    Stopped(#[source] Arc<StoreError>),
    /// A key that the store does not hold; nothing was written, and the store goes on.
    #[error(
        "a key of {len} bytes starting with {first:?} is not allowed: 1 to {MAX_KEY_BYTES} bytes, below 0xF0"
    )]
    InvalidKey {
        /// Its length in bytes.
        len: usize,
        /// Its first byte.
        first: Option<u8>,
    },
}

impl StoreError {
    /// Whether room on the disk would cure it.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self {
            Self::Full(_) => true,
            Self::Stopped(error) => error.is_full(),
            _ => false,
        }
    }

    /// Whether an operation failed for want of room.
    pub(super) fn is_room(error: &io::Error) -> bool {
        matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }

    /// Whether what is on the disk is at fault, and opening it again will not do.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::Panicked(_) => true,
            Self::Stopped(error) => error.is_damage(),
            _ => false,
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        if Self::is_room(&error) {
            Self::Full(error)
        } else {
            Self::Io(error)
        }
    }
}

/// Why a batch was not committed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// A precondition did not hold; nothing of the batch was written.
    #[error("precondition {index} of the batch did not hold")]
    Precondition {
        /// Its place in [`Batch::expects`](super::Batch::expects).
        index: usize,
    },
    /// The store failed. Unless the error is an invalid key, the outcome is unknown and the store acknowledges nothing
    /// more until it is opened again.
    #[error("the store could not commit")]
    Failed(#[source] Arc<StoreError>),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("{} is in use by another process; stop that one or choose another data directory", dir.display())]
    Locked {
        /// The store's directory.
        dir: PathBuf,
    },
    /// There is a store where a new one was to be made.
    #[error("{} holds a store already; choose an empty directory", dir.display())]
    Exists {
        /// The directory.
        dir: PathBuf,
    },
    /// A newer program wrote it.
    #[error(
        "the store has format {found}, this program knows formats up to {supported}: use the newer program; or, to go back for good, \
         move the store away and restore the backup that was made before the upgrade"
    )]
    NewerFormat {
        /// The format number on disk.
        found: u32,
        /// The newest one known here.
        supported: u32,
    },
    /// A file operation failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The engine panicked over the files.
    #[error("the storage engine panicked while opening: {0}")]
    Panicked(String),
    /// A look at it before opening found that it cannot be used.
    #[error("{} cannot be used: {why}", dir.display())]
    Unusable {
        /// The store's directory.
        dir: PathBuf,
        /// Why, and what to do.
        why: String,
    },
    /// The engine refused, or the content is damaged.
    #[error("the store cannot be opened")]
    Store(#[from] StoreError),
}

/// An error with its causes.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
