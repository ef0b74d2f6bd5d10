//! `selaras restore FILE`: the data of an outlet that does not run, from a backup.

use crate::app;
use crate::config::Config;
use std::path::Path;
use std::process::ExitCode;

/// Restores, and says what follows.
///
/// # Errors
/// When the file or the data directory does not allow it. Nothing is changed then.
pub fn run(config: &Config, file: &Path) -> anyhow::Result<ExitCode> {
    let info = app::restore(file, &config.data_dir)?;
    println!(
        "restored {} entries as of {} into {}",
        info.entries,
        info.made_at.to_rfc3339(),
        config.data_dir.display()
    );
    println!(
        "At its next start the outlet fetches everything from the cloud again. People have to log in again."
    );
    Ok(ExitCode::SUCCESS)
}
