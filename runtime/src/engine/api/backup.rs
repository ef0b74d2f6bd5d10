//! Backups as shown, how they are to be made, and why one was not.

use crate::store::archive::ArchiveError;
use selaras_core::stamp::Millis;
use std::io;
use std::path::PathBuf;

/// Which backups are made by themselves, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackupPolicy {
    /// The directory of those that are kept.
    pub dir: PathBuf,
    /// A directory for a file on its way to somebody else; it has no name there.
    pub spool_dir: PathBuf,
    /// Time from one to the next, in milliseconds; none: none is made by itself.
    pub every_ms: Option<u64>,
    /// How many are kept, at least 1.
    pub keep: usize,
}

/// A backup that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupView {
    /// The moment whose state it holds.
    pub at: Millis,
    /// The file.
    pub file: PathBuf,
    /// Its bytes.
    pub bytes: u64,
}

/// The store as status shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreView {
    /// The newest of the kept backups.
    pub last_backup: Option<BackupView>,
    /// Why the last one that should have been made was not.
    pub backup_error: Option<String>,
}

/// Why no backup was made. What was there before is untouched.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It would not fit.
    #[error(
        "a backup may take {needed} bytes, and {} has {free} free: free some space, or set BACKUP_DIR to another disk",
        dir.display()
    )]
    NoRoom {
        /// Bytes it may take, and some that others need.
        needed: u64,
        /// Bytes that are free.
        free: u64,
        /// Where it was to be.
        dir: PathBuf,
    },
    /// It could not be written, or is not what was written.
    #[error("the backup failed")]
    Archive(#[from] ArchiveError),
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
    /// The outlet ends.
    #[error("the outlet is stopping: try again when it runs, or when it has stopped")]
    Stopping,
    /// A bug.
    #[error("making the backup panicked")]
    Panicked,
}

impl BackupError {
    /// The whole story in one line.
    #[must_use]
    pub fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        text
    }
}
