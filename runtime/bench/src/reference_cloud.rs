//! The reference cloud of `examples/cloud`, run as a process with a fresh SQLite file.

use crate::binaries;
use crate::process::Process;
use anyhow::Context;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// The outlets it knows, and their keys.
pub const OUTLETS: [(&str, &str); 2] = [
    ("bench-push", "push-0123456789abcdef"),
    ("bench-pull", "pull-0123456789abcdef"),
];

/// A running cloud.
pub struct ReferenceCloud {
    /// Its process.
    pub process: Process,
    /// Its address, as the outlet is told it.
    pub url: String,
}

impl ReferenceCloud {
    /// Starts it in `dir`.
    ///
    /// # Errors
    /// When it is not built or does not come up.
    pub fn start(dir: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(binaries::cloud()?);
        command
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--rate-limit",
                "0",
                "--webhooks",
                "off",
            ])
            .arg("--db")
            .arg(dir.join("cloud.sqlite"));
        for (outlet, key) in OUTLETS {
            command.args(["--outlet", &format!("{outlet}:{outlet}:{key}")]);
        }
        let mut child = command
            .env("RUST_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(dir.join("cloud.log"))?)
            .spawn()
            .context("the reference cloud cannot be started")?;
        let out = child.stdout.take().context("no output")?;
        let process = Process::new(child);
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .context("it does not say where it listens")?
            .to_owned();
        Ok(Self { process, url })
    }
}
