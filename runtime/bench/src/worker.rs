//! What is measured in a process of its own, because its memory is the figure: the store with many records. The bench calls
//! itself for it and reads one JSON object.

use crate::process::{self, own_cpu_us};
use crate::pump::{Pump, Target};
use crate::sample;
use anyhow::{Context, bail, ensure};
use rustix::fs::{Advice, fadvise};
use selaras::clock::monotonic_us;
use selaras::store::rows::Rows;
use selaras::store::{Batch, Importer, Meta, Sink, SledOptions, SledStore, Store, StoreError};
use selaras_core::entity::Entity;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// The argument that makes the bench a worker.
pub const FLAG: &str = "--worker";
const CACHE_BYTES: u64 = 32 << 20;
/// Records in one step of filling: half are pulled in one commit, half are made here, one commit each.
const STEP: usize = 1000;
const WRITERS: usize = 64;
/// Freed memory is kept for a second, in case it is wanted again.
const SETTLES: Duration = Duration::from_secs(2);

/// Runs one in a process of its own; what it found out.
///
/// # Errors
/// When it fails.
pub fn call(task: &str, arguments: &[String]) -> anyhow::Result<Value> {
    let output = Command::new(std::env::current_exe()?)
        .arg(FLAG)
        .arg(task)
        .args(arguments)
        .output()?;
    ensure!(
        output.status.success(),
        "{task} failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).context("a worker says nothing")
}

/// Is the worker.
///
/// # Errors
/// When the store fails, or the call makes no sense.
pub fn run(arguments: &[String]) -> anyhow::Result<()> {
    let text: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let said = match text.as_slice() {
        ["fill", dir, from, to] => fill(Path::new(dir), from.parse()?, to.parse()?)?,
        ["open", dir, cold] => open_only(Path::new(dir), *cold == "cold")?,
        ["use", dir, records, times] => use_it(Path::new(dir), records.parse()?, times.parse()?)?,
        ["export", dir] => export(Path::new(dir))?,
        ["rewrite", dir, to] => rewrite(Path::new(dir), Path::new(to))?,
        _ => bail!("no such task: {arguments:?}"),
    };
    println!("{said}");
    Ok(())
}

fn open(dir: &Path) -> anyhow::Result<Arc<SledStore>> {
    let mut options = SledOptions::new("bench");
    options.cache_bytes = CACHE_BYTES;
    Ok(Arc::new(SledStore::open(dir, options)?))
}

fn fill(dir: &Path, from: usize, to: usize) -> anyhow::Result<Value> {
    let store = open(dir)?;
    let target = Target::Store(store.clone());
    let mut pump = Pump::new(WRITERS)?;
    for first in (from..to).step_by(STEP) {
        let middle = first + (to.min(first + STEP) - first) / 2;
        let mut page = Batch::new();
        for number in first..middle {
            sample::pulled(&mut page, number)?;
        }
        pump.push(&target, page)?;
        let mut made = Vec::with_capacity(STEP / 2);
        for number in middle..to.min(first + STEP) {
            let (batch, after) = sample::change(&Entity::new(sample::key(number)?), number, store.reserve())?;
            pump.push(&target, batch)?;
            made.push((number, after));
        }
        pump.drain()?;
        let (sent, answered) = sample::push(made)?;
        pump.push(&target, sent)?;
        pump.push(&target, answered)?;
        pump.drain()?;
    }
    let stats = store.stats();
    let resident = process::own_memory()?.resident;
    target.close()?;
    Ok(json!({"live": stats.live_bytes, "disk": stats.bytes_on_disk, "resident": resident}))
}

/// Opens it. Cold: after the kernel was told to forget the files' pages.
fn open_only(dir: &Path, cold: bool) -> anyhow::Result<Value> {
    if cold {
        forget(&dir.join("sled"))?;
    }
    let began = monotonic_us();
    let store = open(dir)?;
    let took = monotonic_us() - began;
    std::thread::sleep(SETTLES);
    let resident = process::own_memory()?.resident;
    store.close()?;
    Ok(json!({"us": took, "resident": resident}))
}

fn forget(dir: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_file() {
            let file = File::open(&path)?;
            file.sync_all()?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}

/// Records that are asked for often, spread all over the store.
const OFTEN: usize = 1_000;

/// Reads of records chosen at random, of some that are asked for often and of all, and changes of new ones, by the CPU and time each takes.
fn use_it(dir: &Path, records: usize, times: usize) -> anyhow::Result<Value> {
    let store = open(dir)?;
    let rows = Rows::new(store.clone());
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut read_of = |choices: usize| {
        let mut read = (0, 0);
        // The first round fills the cache with what fits.
        for _ in 0..2 {
            let (began, cpu) = (monotonic_us(), own_cpu_us()?);
            for _ in 0..times {
                let number = random.below(choices) * (records / choices);
                let found = rows.record(&sample::key(number)?)?;
                ensure!(found.is_some(), "a record is not there");
            }
            read = (monotonic_us() - began, own_cpu_us()? - cpu);
        }
        anyhow::Ok(read)
    };
    let often = read_of(OFTEN.min(records))?;
    let read = read_of(records)?;
    let after_reads = process::own_memory()?.resident;
    let first = store.reserve() as usize;
    let batches = (0..times)
        .map(|at| {
            let number = 500_000_000 + first + at;
            Ok(sample::change(&Entity::new(sample::key(number)?), number, store.reserve())?.0)
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let target = Target::Store(store);
    let mut pump = Pump::new(WRITERS)?;
    let (began, cpu) = (monotonic_us(), own_cpu_us()?);
    for batch in batches {
        pump.push(&target, batch)?;
    }
    pump.drain()?;
    let commit = (monotonic_us() - began, own_cpu_us()? - cpu);
    target.close()?;
    let each = |us: u64| us as f64 / times as f64;
    Ok(json!({
        "often_us": each(often.0), "often_cpu_us": each(often.1),
        "read_us": each(read.0), "read_cpu_us": each(read.1),
        "commit_us": each(commit.0), "commit_cpu_us": each(commit.1),
        "resident": after_reads,
    }))
}

struct Random(u64);

impl Random {
    /// Xorshift: the same numbers in every run.
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

fn export(dir: &Path) -> anyhow::Result<Value> {
    let store = open(dir)?;
    let mut bytes = 0;
    let began = monotonic_us();
    store.export(&mut |key: &[u8], value: &[u8]| {
        bytes += (key.len() + value.len()) as u64;
        Ok(())
    })?;
    Ok(json!({"bytes": bytes, "us": monotonic_us() - began, "resident": process::own_memory()?.resident}))
}

/// Hands a store over to the one that is made of it.
struct Rewrite {
    importer: Importer,
    meta: Option<Meta>,
}

impl Sink for Rewrite {
    fn begin(&mut self, meta: &Meta) -> Result<(), StoreError> {
        self.meta = Some(meta.clone());
        Ok(())
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.importer.entry(key, value)
    }
}

fn rewrite(dir: &Path, to: &Path) -> anyhow::Result<Value> {
    let store = open(dir)?;
    let began = monotonic_us();
    let mut rewrite = Rewrite {
        importer: Importer::create(to, CACHE_BYTES)?,
        meta: None,
    };
    store.export(&mut rewrite)?;
    let live = store.stats().live_bytes;
    let resident = process::own_memory()?.resident;
    rewrite
        .importer
        .finish(rewrite.meta.context("an export without a beginning")?)?;
    let took = monotonic_us() - began;
    let disk = fs::metadata(to.join("sled").join("db"))?.len();
    Ok(json!({"bytes": live, "us": took, "disk": disk, "resident": resident}))
}
