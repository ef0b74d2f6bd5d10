//! `selaras plugin test`: cases, asked through the production host.

use super::show::{bytes, count, time};
use crate::authoring::{Suite, Workbench, run as run_suite};
use crate::plugin::{Compiling, Grants};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Prints a line a case, and below it what differs. Exit code 1 when something does.
///
/// # Errors
/// When the component is refused, or a file of cases cannot be used.
pub fn run(file: &Path, cases: &[PathBuf], grants: Grants) -> anyhow::Result<ExitCode> {
    let bench = Workbench::open(file, grants, Compiling::by_this_program())?;
    let suite = Suite::read(cases, bench.info.kind)?;
    let all = run_suite(&bench, suite);
    let width = all.iter().map(|ran| ran.name.chars().count()).max().unwrap_or(0);
    for ran in &all {
        let mark = if ran.differences.is_empty() {
            "ok  "
        } else {
            "FAIL"
        };
        println!(
            "{mark} {:<width$}  {:<10}  {:>8}  {:>13} fuel  {:>8}",
            ran.name,
            ran.answer,
            time(ran.elapsed_us),
            count(ran.fuel),
            bytes(ran.memory_bytes)
        );
        if ran.differences.is_empty() {
            continue;
        }
        for difference in &ran.differences {
            println!("       {difference}");
        }
        if !ran.said.is_empty() {
            println!("       it said: {}", ran.said);
        }
        for (level, line) in &ran.log {
            println!("       log {level:?}: {line}");
        }
    }
    let failed = all.iter().filter(|ran| !ran.differences.is_empty()).count();
    println!("{} passed, {failed} failed", all.len() - failed);
    Ok(ExitCode::from(u8::from(failed > 0)))
}
