//! The store's commits beside SQLite's: the same batches, on the same disk, in the same run, grouped the same way.

use crate::process::own_cpu_us;
use crate::pump::{Pump, Target};
use crate::sample;
use crate::sqlite::Sqlite;
use crate::table::{Aim, Table, plain, rate};
use crate::{Room, Scale};
use anyhow::Context;
use selaras::clock::monotonic_us;
use selaras::store::{Batch, SledOptions, SledStore};
use selaras_core::entity::Entity;
use std::sync::Arc;

const MANY: usize = 64;
/// At least, as a ratio to SQLite's rate.
const AIM_ONE: f64 = 0.5;
const AIM_MANY: f64 = 1.0;
/// The two take turns, so that both meet what else the machine does.
const TURNS: usize = 3;

struct Figure {
    rate: f64,
    cpu_us: f64,
}

/// Measures bare documents and whole changes, at 1 and at 64 writers.
///
/// # Errors
/// When one of them does not commit.
pub fn measure(room: &Room, scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    table.section(
        "commits of 1 KB documents: the store beside SQLite (WAL, synchronous=FULL, one writer, grouped)",
    );
    for (name, make) in [
        ("a bare document", (|number| Ok(sample::bare(number))) as Make),
        ("an app's change (record, queue, index, feed, document)", change),
    ] {
        for (writers, commits, aim) in [
            (1, scale.changes_by_one, AIM_ONE),
            (MANY, scale.changes_by_many, AIM_MANY),
        ] {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for turn in 0..TURNS {
                let tag = format!("{}-{writers}-{turn}", name.len());
                let batches = (1..=commits).map(make).collect::<anyhow::Result<Vec<_>>>()?;
                theirs.push(sqlite(room, &tag, writers, batches.clone())?);
                ours.push(store(room, &tag, writers, batches)?);
            }
            let (ours, theirs) = (median(ours)?, median(theirs)?);
            let ratio = ours.rate / theirs.rate;
            let each = if writers == 1 { "writer" } else { "writers" };
            table.aimed(
                format!("{name}, {writers} {each}"),
                format!(
                    "{} /s = {} × SQLite's {} /s; CPU {} and {} µs a commit",
                    plain(ours.rate),
                    plain(ratio),
                    plain(theirs.rate),
                    plain(ours.cpu_us),
                    plain(theirs.cpu_us)
                ),
                ratio,
                Aim::AtLeast(aim),
                "×",
            );
        }
    }
    Ok(())
}

type Make = fn(usize) -> anyhow::Result<Batch>;

fn change(number: usize) -> anyhow::Result<Batch> {
    let new = Entity::new(sample::key(number)?);
    Ok(sample::change(&new, number, number as u64)?.0)
}

fn sqlite(room: &Room, tag: &str, writers: usize, batches: Vec<Batch>) -> anyhow::Result<Figure> {
    let target = Target::Sqlite(Sqlite::create(&room.fresh(&format!("sqlite-{tag}"))?)?);
    let figure = drive(&target, writers, batches)?;
    target.close()?;
    Ok(figure)
}

fn store(room: &Room, tag: &str, writers: usize, batches: Vec<Batch>) -> anyhow::Result<Figure> {
    let dir = room.fresh(&format!("commits-{tag}"))?;
    let target = Target::Store(Arc::new(SledStore::open(&dir, SledOptions::new("bench"))?));
    let figure = drive(&target, writers, batches)?;
    target.close()?;
    Ok(figure)
}

fn drive(target: &Target, writers: usize, batches: Vec<Batch>) -> anyhow::Result<Figure> {
    let commits = batches.len();
    let mut pump = Pump::new(writers)?;
    let (began, cpu) = (monotonic_us(), own_cpu_us()?);
    for batch in batches {
        pump.push(target, batch)?;
    }
    pump.drain()?;
    Ok(Figure {
        rate: rate(commits, monotonic_us() - began),
        cpu_us: (own_cpu_us()? - cpu) as f64 / commits as f64,
    })
}

/// The one in the middle by rate.
fn median(mut figures: Vec<Figure>) -> anyhow::Result<Figure> {
    figures.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    let middle = figures.len() / 2;
    figures.into_iter().nth(middle).context("nothing was measured")
}
