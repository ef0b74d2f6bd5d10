//! What the process costs before it does anything: its start, its memory, its size.

use crate::binaries;
use crate::outlet::{Outlet, Setup};
use crate::process::Memory;
use crate::table::{Aim, Table, plain, quantile};
use crate::{Room, Scale};
use std::time::Duration;

/// Freed memory is kept for a second, in case it is wanted again.
const SETTLES: Duration = Duration::from_secs(2);
const MEGABYTE: f64 = 1_048_576.0;
const READY_MS: f64 = 150.0;
const IDLE_MB: f64 = 40.0;
const BINARY_MB: f64 = 30.0;

/// Measures it.
///
/// # Errors
/// When the outlet does not come up.
pub async fn measure(room: &Room, scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    table.section("start, memory, size");
    let (mut cold, mut warm) = (Vec::new(), Vec::new());
    for round in 0..scale.starts {
        let setup = Setup::alone(&room.fresh(&format!("start-{round}"))?);
        let (mut outlet, took) = setup.start().await?;
        cold.push(took);
        outlet.process.stop()?;
        let (mut outlet, took) = setup.start().await?;
        warm.push(took);
        if round + 1 == scale.starts {
            let memory = settled_memory(&outlet).await?;
            let resident = memory.resident as f64 / MEGABYTE;
            table.aimed(
                "memory, idle",
                shown(memory),
                resident,
                Aim::AtMost(IDLE_MB),
                "MB",
            );
        }
        outlet.process.stop()?;
    }
    for (what, times) in [
        ("ready, first start: empty directory, plugins compiled", &mut cold),
        ("ready, compiled plugins cached", &mut warm),
    ] {
        let median = quantile(times, 500) as f64 / 1000.0;
        let best = quantile(times, 0) as f64 / 1000.0;
        table.aimed(
            what,
            format!("{} ms (best {})", plain(median), plain(best)),
            median,
            Aim::AtMost(READY_MS),
            "ms",
        );
    }
    let size = std::fs::metadata(binaries::outlet()?)?.len() as f64 / MEGABYTE;
    table.aimed(
        "binary, stripped, plugins inside",
        format!("{size:.1} MB"),
        size,
        Aim::AtMost(BINARY_MB),
        "MB",
    );
    Ok(())
}

/// The outlet's memory once what its last work freed has gone back to the system.
///
/// # Errors
/// When it is gone.
pub async fn settled_memory(outlet: &Outlet) -> anyhow::Result<Memory> {
    tokio::time::sleep(SETTLES).await;
    outlet.process.memory()
}

/// In the table.
pub fn shown(memory: Memory) -> String {
    let resident = memory.resident as f64 / MEGABYTE;
    let own = memory.anonymous as f64 / MEGABYTE;
    format!("{resident:.1} MB resident, {own:.1} of its own")
}
