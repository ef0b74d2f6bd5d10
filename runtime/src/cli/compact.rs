//! `selaras compact`: the database takes no more room than it needs, of a running or a stopped outlet.

use super::outlet::{Outlet, Stopped};
use crate::config::Config;
use crate::control::{Answer, Command, Rewritten};
use std::process::ExitCode;

/// Rewrites the database.
///
/// # Errors
/// Why it could not be done; nothing is lost then.
pub fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let (before, after) = match Outlet::find(config, false)? {
        Outlet::Running(mut client) => {
            client.ask(&Command::Compact)?;
            let done: Rewritten = loop {
                match client.answer()? {
                    Answer::End(done) => break done,
                    Answer::Data(_) | Answer::Progress(_) => {}
                }
            };
            (done.bytes_before, done.bytes_after)
        }
        Outlet::Stopped(Stopped { offline, runtime }) => {
            let done = runtime
                .block_on(offline.engine().compact())
                .map_err(anyhow::Error::msg)?;
            offline.close()?;
            (done.bytes_before, done.bytes_after)
        }
    };
    println!("the database took {before} bytes and takes {after}");
    Ok(ExitCode::SUCCESS)
}
