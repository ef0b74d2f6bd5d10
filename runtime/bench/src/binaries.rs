//! Where the binaries that are measured lie: beside this one, where `make bench` builds them.

use anyhow::{Context, ensure};
use std::path::{Path, PathBuf};

/// The directory of this program.
///
/// # Errors
/// When the system does not say.
pub fn here() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("this program does not know where it lies")?;
    let dir = own.parent().context("a program without a directory")?;
    Ok(dir.to_owned())
}

/// The outlet's binary.
///
/// # Errors
/// When it is not built.
pub fn outlet() -> anyhow::Result<PathBuf> {
    built(&here()?, "selaras")
}

/// The reference cloud's.
///
/// # Errors
/// When it is not built.
pub fn cloud() -> anyhow::Result<PathBuf> {
    built(&here()?, "selaras-cloud")
}

fn built(dir: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let path = dir.join(name);
    ensure!(
        path.exists(),
        "{} is not there: make bench builds it",
        path.display()
    );
    Ok(path)
}
