//! Runs a language's tools. What they say on standard error goes straight to the person who waits for it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::BuildError;

/// A tool: where it lies, and the command that installs it.
pub(super) struct Tool {
    program: PathBuf,
    install: String,
}

impl Tool {
    /// The first of these files that is there, else the one of this name on the PATH.
    pub(super) fn find(name: &str, places: &[PathBuf], install: String) -> Self {
        let here = places.iter().find(|place| place.is_file());
        Self {
            program: here.cloned().unwrap_or_else(|| name.into()),
            install,
        }
    }

    /// Runs it in `dir`; returns what it printed on standard output.
    ///
    /// # Errors
    /// When it is missing or does not start, or failed.
    pub(super) fn run(&self, dir: &Path, prepare: impl FnOnce(&mut Command)) -> Result<String, BuildError> {
        let tool = self.program.display().to_string();
        let mut command = Command::new(&self.program);
        command
            .current_dir(dir)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        prepare(&mut command);
        let answer = command.output().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => BuildError::Missing {
                tool: tool.clone(),
                install: self.install.clone(),
            },
            _ => BuildError::Start {
                tool: tool.clone(),
                source,
            },
        })?;
        let said = String::from_utf8_lossy(&answer.stdout).into_owned();
        if answer.status.success() {
            return Ok(said);
        }
        let said = said.trim();
        Err(BuildError::Failed {
            tool,
            said: if said.is_empty() || said.starts_with('{') {
                String::new()
            } else {
                format!(": {said}")
            },
        })
    }
}

/// `dir` as a path that stays right in another working directory.
pub(super) fn absolute(dir: &Path) -> Result<PathBuf, BuildError> {
    std::path::absolute(dir).map_err(super::unusable(dir))
}
