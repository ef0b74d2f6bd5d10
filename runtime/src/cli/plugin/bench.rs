//! `selaras plugin bench`: what calls take.

use super::show::{bytes, count, time};
use crate::authoring::{Suite, Workbench, measure};
use crate::plugin::{Compiling, Grants};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Prints a table. Exit code 1 when no call was answered, since then nothing was measured.
///
/// # Errors
/// When the component is refused, or a file of cases cannot be used.
pub fn run(file: &Path, cases: &[PathBuf], calls: usize, grants: Grants) -> anyhow::Result<ExitCode> {
    let bench = Workbench::open(file, grants, Compiling::by_this_program())?;
    let suite = match cases {
        [] => None,
        files => Some(Suite::read(files, bench.info.kind)?),
    };
    println!(
        "{} {} ({}), {}; the gate took {}",
        bench.info.name,
        bench.info.version,
        bench.info.kind,
        bytes(bench.bytes as u64),
        time(bench.admitted_us)
    );
    println!(
        "{:<56} {:>7} {:>9} {:>9} {:>9} {:>13} {:>9}",
        "", "CALLS", "P50", "P99", "MAX", "FUEL P50", "MEMORY"
    );
    let measured = measure(&bench, suite, calls);
    let mut answered = true;
    for row in &measured.rows {
        println!(
            "{:<56} {:>7} {:>9} {:>9} {:>9} {:>13} {:>9}",
            row.what,
            row.calls,
            time(row.p50_us),
            time(row.p99_us),
            time(row.max_us),
            count(row.fuel),
            bytes(row.memory_bytes)
        );
        if row.failed > 0 {
            println!("  {} of {} calls gave no answer", row.failed, row.calls);
        }
        answered &= row.failed < row.calls;
    }
    Ok(ExitCode::from(u8::from(!answered)))
}
