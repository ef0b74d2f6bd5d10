//! What opening had to do, told where people look: the log, and a journal beside the store that outlives it.

use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt};

use selaras_core::stamp::Millis;

use super::Opening;

/// The file in the data directory that keeps what opening had to do.
pub(super) const JOURNAL: &str = "recovery.log";

/// Something that had to be done to open a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// When, by this machine's clock.
    pub at: Millis,
    /// What was found and done.
    pub what: String,
}

impl Opening {
    /// A step, told: in the log, and in the journal beside the store.
    pub(super) fn step(&self, what: String) -> Step {
        let at = self.now();
        tracing::error!(what, "opening the store");
        let journal = self.parts.data_dir.join(JOURNAL);
        let line = format!("{} {what}\n", at.to_rfc3339());
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&journal)
            .and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            tracing::warn!(%error, file = %journal.display(), "this could not be written down");
        }
        Step { at, what }
    }
}
