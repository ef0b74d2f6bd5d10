//! The process: started with a bare environment in a directory of its own, its words kept in a file.

use crate::harness::wait;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

/// A process of the binary. Dropping it kills it; in a failing test the end of its log is printed.
pub struct Process {
    child: Child,
    log: PathBuf,
    /// Where its own words begin in the log.
    log_from: u64,
}

/// A port nobody listens on, below those that the system gives to outgoing connections, and not given to another
/// test of this process.
pub(super) fn free_port() -> u16 {
    const FIRST: u16 = 10_000;
    const COUNT: u16 = 20_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).expect("invariant: below COUNT");
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let port = FIRST + (u32::from(start) * 7 + u32::from(step)).rem_euclid(u32::from(COUNT)) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Process {
    pub(super) fn spawn(
        args: &[&str],
        env: &BTreeMap<String, String>,
        port: u16,
        dir: &Path,
        user: Option<u32>,
    ) -> Self {
        let log = dir.join("log");
        let out = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("a log file");
        let log_from = out.metadata().expect("a file has a size").len();
        let err = out.try_clone().expect("a second handle");
        let mut command = Command::new(env!("CARGO_BIN_EXE_selaras"));
        if let Some(user) = user {
            command.uid(user);
        }
        let child = command
            .args(args)
            .env_clear()
            // Zero, any port, unless it is said.
            .env("SERVER_PORT", port.to_string())
            .envs(env)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .expect("the binary starts");
        Self { child, log, log_from }
    }

    /// Its exit code, once it has ended; -1 when a signal ended it.
    pub fn ended(&mut self) -> Option<i32> {
        let status = self.child.try_wait().expect("the state of a child")?;
        Some(status.code().unwrap_or(-1))
    }

    /// Waits for its end; its exit code.
    pub async fn wait(&mut self) -> i32 {
        wait::until("the outlet to exit", || {
            let ended = self.ended();
            async move { ended }
        })
        .await
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).expect("SIGTERM reaches the child");
    }

    /// SIGINT, as Ctrl-C sends it.
    pub fn interrupt(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).expect("SIGINT reaches the child");
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("SIGKILL reaches the child");
    }

    /// What it has said.
    pub fn log(&self) -> String {
        let all = std::fs::read(&self.log).unwrap_or_default();
        let from = usize::try_from(self.log_from).expect("invariant: a log that fits memory");
        String::from_utf8_lossy(all.get(from..).unwrap_or_default()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // It may end by itself in between; either way it is gone after the wait.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<&str> = log.lines().rev().take(60).collect();
            eprintln!("--- the outlet's log, its end ---");
            for line in tail.into_iter().rev() {
                eprintln!("{line}");
            }
        }
    }
}
