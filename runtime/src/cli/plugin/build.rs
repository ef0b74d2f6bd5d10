//! `selaras plugin build`: a component of a project, and what the gate says of it.

use super::check;
use super::show::bytes;
use crate::authoring::{Lang, build};
use crate::plugin::Grants;
use std::path::Path;
use std::process::ExitCode;

/// Builds, then checks. Exit code 1 when the gate refuses what was built.
///
/// # Errors
/// When a tool is missing, with the command that installs it, or fails.
pub fn run(dir: &Path, out: Option<&Path>) -> anyhow::Result<ExitCode> {
    let built = build(dir, out)?;
    println!("built {}, {}", built.file.display(), bytes(built.bytes));
    let grants = Grants {
        large: built.manifest.lang == Lang::Python,
        wasi: false,
    };
    if grants.large {
        println!(
            "a component with Python in it: `--large` to the other commands, and the `large` grant to install it"
        );
    }
    check::run(&built.file, grants)
}
