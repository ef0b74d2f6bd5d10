//! The quickstart: starts a reference cloud and two outlets as real processes, lets them live through a day, says
//! what happened and checks that all three hold the same. It talks to them over HTTP only, as an app, an admin and a
//! headquarters would, and shares no code with them, so that it can tell when they are wrong.

mod clock;
mod doc;
mod hq;
mod outlet;
mod peer;
mod process;
mod report;
mod secret;
mod stage;
mod story;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::report::Report;
use crate::stage::Stage;

/// Runs a reference cloud and two outlets on this machine, and shows what Selaras does.
#[derive(Debug, Parser)]
#[command(name = "selaras-quickstart", version, about)]
struct Options {
    /// Keep everything running afterwards, and print addresses, logins and commands to try
    #[arg(long)]
    stay: bool,
    /// Where the binaries `selaras` and `selaras-cloud` are [default: beside this one]
    #[arg(long, value_name = "DIR")]
    bin_dir: Option<PathBuf>,
    /// Where the sample data is
    #[arg(long, value_name = "DIR", default_value = "examples/data")]
    data_dir: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("\nselaras-quickstart: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Plays the story until its end or a signal. Whatever happens, dropping the stage stops what it started.
async fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut stage = Stage::build(options.bin_dir.clone())?;
    let report = Report;
    let played = tokio::select! {
        played = story::play(&mut stage, &report, &options.data_dir) => played,
        _ = interrupt.recv() => return Ok(interrupted()),
        _ = terminate.recv() => return Ok(interrupted()),
    };
    if let Err(error) = played {
        stage.keep_files();
        eprintln!("{}", stage.last_words());
        return Err(error);
    }
    if options.stay {
        println!("{}", stage.invitation());
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        println!();
    }
    stage.stop()?;
    report.line("stop", "the cloud and both outlets ended in order");
    Ok(ExitCode::SUCCESS)
}

fn interrupted() -> ExitCode {
    eprintln!("\ninterrupted: stopping everything");
    ExitCode::from(130)
}
