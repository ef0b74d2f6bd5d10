//! A child process that ends with its handle, and what the kernel says of it.

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};
use selaras::clock::monotonic_us;
use std::fs;
use std::process::Child;
use std::time::Duration;

/// How long an orderly end may take.
const PATIENCE_US: u64 = 20_000_000;

/// A child; killed when dropped.
pub struct Process {
    child: Child,
}

/// Where a process's memory is, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// In RAM, all of it.
    pub resident: u64,
    /// Of which it made itself: heap, stacks, what it changed. The rest is the binary's own pages.
    pub anonymous: u64,
}

impl Process {
    /// Takes a child over.
    pub fn new(child: Child) -> Self {
        Self { child }
    }

    /// Its resident memory.
    ///
    /// # Errors
    /// When it is gone.
    pub fn memory(&self) -> anyhow::Result<Memory> {
        memory_of(&self.child.id().to_string())
    }

    /// CPU time it has used so far, in microseconds: unlike a duration, another process's work does not count.
    ///
    /// # Errors
    /// When it is gone.
    pub fn cpu_us(&self) -> anyhow::Result<u64> {
        cpu_us_of(&self.child.id().to_string())
    }

    /// SIGTERM, and waits for its end.
    ///
    /// # Errors
    /// When it does not end well.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let began = monotonic_us();
        loop {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => bail!("it ended with {status}"),
                None if monotonic_us() - began > PATIENCE_US => bail!("it does not end"),
                None => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // It may end by itself in between; either way it is gone after the wait.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// This process's own memory.
///
/// # Errors
/// When the system does not say.
pub fn own_memory() -> anyhow::Result<Memory> {
    memory_of("self")
}

/// The CPU time this process has used so far, in microseconds.
///
/// # Errors
/// When the system does not say.
pub fn own_cpu_us() -> anyhow::Result<u64> {
    cpu_us_of("self")
}

fn memory_of(process: &str) -> anyhow::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = |name: &str| -> anyhow::Result<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|rest| rest.trim().split(' ').next());
        let kilobytes: u64 = kilobytes.context("no such line in /proc")?.parse()?;
        Ok(kilobytes * 1024)
    };
    Ok(Memory {
        resident: line("VmRSS:")?,
        anonymous: line("RssAnon:")?,
    })
}

fn cpu_us_of(process: &str) -> anyhow::Result<u64> {
    /// `USER_HZ`, the same on every Linux of today.
    const TICKS_A_SECOND: u64 = 100;
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in parentheses may hold anything; what follows it is plain.
    let (_, rest) = stat.rsplit_once(") ").context("no name in /proc")?;
    let mut fields = rest.split(' ').skip(11).take(2);
    let mut ticks = || -> anyhow::Result<u64> { Ok(fields.next().context("no time in /proc")?.parse()?) };
    Ok((ticks()? + ticks()?) * 1_000_000 / TICKS_A_SECOND)
}
