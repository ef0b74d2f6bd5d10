//! `selaras plugin check`: a file through the very gate that loading uses.

use super::show::bytes;
use crate::authoring::{OpenError, Workbench, is_taken};
use crate::plugin::{Compiling, Grants};
use std::path::Path;
use std::process::ExitCode;

/// Says what the gate says. Exit code 1 when it refuses.
///
/// # Errors
/// When the file cannot be read or the host not be started.
pub fn run(file: &Path, grants: Grants) -> anyhow::Result<ExitCode> {
    match Workbench::open(file, grants, Compiling::by_this_program()) {
        Ok(bench) if is_taken(&bench.info.name) => {
            let name = &bench.info.name;
            println!("refused: name-taken: a plugin `{name}` comes with Selaras; give this one another name");
            Ok(ExitCode::FAILURE)
        }
        Ok(bench) => {
            let info = &bench.info;
            println!(
                "accepted: {} {} ({}), {}",
                info.name,
                info.version,
                info.kind,
                bytes(bench.bytes as u64)
            );
            println!("digest {}", info.digest);
            Ok(ExitCode::SUCCESS)
        }
        Err(OpenError::Refused { refusal, .. }) => {
            println!("refused: {refusal}");
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error.into()),
    }
}
