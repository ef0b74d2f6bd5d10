//! `selaras plugin laws`: what a good plugin keeps.

use crate::authoring::{Outcome, Wanted, Workbench, laws};
use crate::plugin::{Compiling, Grants};
use std::path::Path;
use std::process::ExitCode;

/// Prints a line a law, and below a broken one the first question that broke it. Exit code 1 when one is broken, or when
/// one that was asked for by an option could not be shown.
///
/// # Errors
/// When the component is refused, a file of cases cannot be used, or nothing can be shown.
pub fn run(file: &Path, wanted: &Wanted, grants: Grants) -> anyhow::Result<ExitCode> {
    let bench = Workbench::open(file, grants, Compiling::by_this_program())?;
    let reports = laws(&bench, wanted)?;
    let mut broken = 0;
    for report in &reports {
        match &report.outcome {
            Outcome::Kept(times) => println!("kept    {} ({times} times)", report.law),
            Outcome::NotShown(why) if report.demanded => {
                broken += 1;
                println!("FAIL    {}: not shown, {why}", report.law);
            }
            Outcome::NotShown(why) => println!("-       {}: not shown, {why}", report.law),
            Outcome::Broken { times, of, example } => {
                broken += 1;
                println!("BROKEN  {} ({times} of {of} times), e.g.", report.law);
                for line in example {
                    println!("        {line}");
                }
            }
        }
    }
    println!(
        "{} of {} laws broken; seed {}",
        broken,
        reports.len(),
        wanted.seed
    );
    Ok(ExitCode::from(u8::from(broken > 0)))
}
