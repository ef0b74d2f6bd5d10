//! A child process that does not outlive its owner. Its output goes to a file.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::clock;

/// A process that is told to end has this long.
const PATIENCE: Duration = Duration::from_secs(15);
/// Lines of its output that are shown when something goes wrong.
const LAST_LINES: usize = 15;

/// A running child.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `binary` with only the given environment, in `directory`. It is in a process group of its own, so that
    /// a Ctrl-C reaches this program alone, which then ends it in order.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        name: &str,
        binary: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
        directory: &Path,
    ) -> anyhow::Result<Self> {
        let log = directory.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        let child = Command::new(binary)
            .args(arguments)
            .env_clear()
            .envs(environment.iter().copied())
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
        })
    }

    /// Fails when it ended by itself.
    ///
    /// # Errors
    /// With how it ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended by itself: {status}", self.name),
        }
    }

    /// Ends it the hard way, as a crash or a power switch would.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Ends it in order: SIGTERM, and exit status 0 within its time.
    ///
    /// # Errors
    /// When it does not.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        match self.end()? {
            status if status.success() => Ok(()),
            status => bail!("{} did not end in order: {status}", self.name),
        }
    }

    /// The last lines of its output.
    pub fn last_words(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let shown = lines[lines.len().saturating_sub(LAST_LINES)..].join("\n  ");
        format!("{} ({}):\n  {shown}", self.name, self.log.display())
    }

    fn end(&mut self) -> anyhow::Result<ExitStatus> {
        if let Some(status) = self.child.try_wait()? {
            return Ok(status);
        }
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("the process has no id")?, Signal::TERM)?;
        if !clock::wait_blocking(PATIENCE, || !matches!(self.child.try_wait(), Ok(None))) {
            self.child.kill()?;
        }
        Ok(self.child.wait()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("{} may still be running: {error:#}", self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, directory: &Path) -> Process {
        Process::start("sh", Path::new("/bin/sh"), &["-c", script], &[], directory).unwrap()
    }

    #[test]
    fn a_process_ends_with_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let process = shell("while :; do :; done", dir.path());
        let pid = Pid::from_raw(i32::try_from(process.child.id()).unwrap()).unwrap();
        drop(process);
        assert!(rustix::process::test_kill_process(pid).is_err());
    }

    #[test]
    fn one_that_ended_by_itself_is_noticed_and_its_words_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut process = shell("echo trouble; exit 3", dir.path());
        assert!(clock::wait_blocking(PATIENCE, || process.check().is_err()));
        assert!(process.last_words().contains("trouble"));
        assert!(process.stop().is_err());
    }
}
