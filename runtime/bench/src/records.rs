//! What many records cost: memory, the time of opening, each read and each commit, at 1,000 and up to 1,000,000. Half of
//! them were made here and pushed, half were pulled.

use crate::table::{Aim, Table, plain};
use crate::worker;
use crate::{Room, Scale};
use anyhow::Context;
use serde_json::Value;
use std::path::Path;

const MEGABYTE: f64 = 1_048_576.0;
/// At the largest size.
const AIM_RESIDENT_MB: f64 = 200.0;
/// Of a commit's and a read's CPU, the largest size to the smallest.
const AIM_FLAT: f64 = 1.5;

/// Measures them.
///
/// # Errors
/// When the store fails.
pub fn measure(room: &Room, scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    let dir = room.fresh("records")?;
    let (mut filled, mut first_commit, mut first_read) = (0, None, None);
    for records in scale.records {
        let name = plain(records as f64);
        table.section(&format!("{name} records of 1 KB in the store, 32 MiB of cache"));
        let last = Some(&records) == scale.records.last();
        let made = worker::call("fill", &arguments(&dir, &[filled, records]))?;
        filled = records;
        table.told(
            "on disk; live",
            format!("{}; {} MB", megabytes(&made, "disk")?, megabytes(&made, "live")?),
        );
        opening(&dir, table)?;
        let used = worker::call("use", &arguments(&dir, &[records, scale.touches]))?;
        let commit = number(&used, "commit_cpu_us")?;
        let flat = commit / *first_commit.get_or_insert(commit);
        let often = number(&used, "often_cpu_us")?;
        let flat_read = often / *first_read.get_or_insert(often);
        table.aimed(
            "a read of one of a thousand of them, at random",
            format!(
                "{} µs; CPU {} µs = {} × the first",
                plain(number(&used, "often_us")?),
                plain(often),
                plain(flat_read)
            ),
            flat_read,
            Aim::AtMost(AIM_FLAT),
            "×",
        );
        table.told(
            "a read of any of them, at random",
            format!(
                "{} µs; CPU {} µs",
                plain(number(&used, "read_us")?),
                plain(number(&used, "read_cpu_us")?)
            ),
        );
        table.aimed(
            "a change of a new one, 64 writers",
            format!(
                "{} µs; CPU {} µs = {} × the first",
                plain(number(&used, "commit_us")?),
                plain(commit),
                plain(flat)
            ),
            flat,
            Aim::AtMost(AIM_FLAT),
            "×",
        );
        table.aimed(
            "memory after the reads",
            format!("{} MB resident", megabytes(&used, "resident")?),
            number(&used, "resident")? / MEGABYTE,
            Aim::AtMost(AIM_RESIDENT_MB),
            "MB",
        );
        if last {
            moving(room, &dir, table)?;
        }
    }
    Ok(())
}

fn opening(dir: &Path, table: &mut Table) -> anyhow::Result<()> {
    let open = |how: &str| worker::call("open", &[dir.display().to_string(), how.to_owned()]);
    let (first, cold, warm) = (open("cold")?, open("cold")?, open("warm")?);
    let ms = |said: &Value| Ok::<_, anyhow::Error>(plain(number(said, "us")? / 1000.0));
    table.told(
        "opening: all of it new and cold; cold; warm",
        format!("{}; {}; {} ms", ms(&first)?, ms(&cold)?, ms(&warm)?),
    );
    table.told(
        "memory, opened and settled",
        format!("{} MB resident", megabytes(&warm, "resident")?),
    );
    Ok(())
}

/// Export, and a store made of it.
fn moving(room: &Room, dir: &Path, table: &mut Table) -> anyhow::Result<()> {
    let from = dir.display().to_string();
    let out = worker::call("export", std::slice::from_ref(&from))?;
    table.told(
        "export",
        format!(
            "{} MB/s; {} MB resident",
            speed(&out)?,
            megabytes(&out, "resident")?
        ),
    );
    let to = room.fresh("rewritten")?;
    let new = worker::call("rewrite", &[from, to.display().to_string()])?;
    table.told(
        "the same made into a new store",
        format!(
            "{} MB/s; {} MB on disk; {} MB resident, with both open",
            speed(&new)?,
            megabytes(&new, "disk")?,
            megabytes(&new, "resident")?
        ),
    );
    opening(&to, table)
}

fn arguments(dir: &Path, numbers: &[usize]) -> Vec<String> {
    let numbers = numbers.iter().map(usize::to_string);
    std::iter::once(dir.display().to_string())
        .chain(numbers)
        .collect()
}

fn number(said: &Value, name: &str) -> anyhow::Result<f64> {
    said[name]
        .as_f64()
        .with_context(|| format!("a worker does not say {name}"))
}

fn megabytes(said: &Value, name: &str) -> anyhow::Result<String> {
    Ok(plain(number(said, name)? / MEGABYTE))
}

fn speed(said: &Value) -> anyhow::Result<String> {
    Ok(plain(
        number(said, "bytes")? / MEGABYTE / (number(said, "us")? / 1e6),
    ))
}
