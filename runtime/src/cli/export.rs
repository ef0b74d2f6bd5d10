//! `selaras export`: entities as lines of JSON, to a file that appears whole or to standard output.

use super::backup::cannot_begin;
use super::outlet::{Outlet, Stopped};
use super::progress;
use crate::config::Config;
use crate::control::{Answer, Client, Command, Exported};
use crate::store::archive::NewFile;
use anyhow::Context;
use indicatif::ProgressBar;
use selaras_core::id::EntityType;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

/// Exports to `file`; `-` is standard output.
///
/// # Errors
/// When the outlet cannot be read or the file not be written.
pub fn run(
    config: &Config,
    entity_type: Option<String>,
    file: &Path,
    force: bool,
) -> anyhow::Result<ExitCode> {
    let entity_type = entity_type
        .map(|name| EntityType::parse(&name))
        .transpose()
        .context("--type names no entity type")?;
    if file == Path::new("-") {
        let out = io::stdout();
        let bar = if out.is_terminal() {
            progress::hidden()
        } else {
            progress::entities_so_far("exporting")
        };
        let count = export(config, entity_type, &mut out.lock(), &bar)?;
        bar.finish_and_clear();
        eprintln!("{count} entities");
        return Ok(ExitCode::SUCCESS);
    }
    let mut out = NewFile::create(file, force).map_err(|error| cannot_begin(error, file))?;
    let bar = progress::entities_so_far("exporting");
    let count = export(config, entity_type, &mut out, &bar)?;
    out.keep().map_err(|error| cannot_begin(error, file))?;
    bar.finish_and_clear();
    println!("{}: {count} entities", file.display());
    Ok(ExitCode::SUCCESS)
}

fn export(
    config: &Config,
    entity_type: Option<EntityType>,
    out: &mut dyn Write,
    bar: &ProgressBar,
) -> anyhow::Result<u64> {
    let mut out = BufWriter::with_capacity(256 << 10, out);
    let count = match Outlet::find(config, false)? {
        Outlet::Running(mut client) => receive(&mut client, entity_type, &mut out, bar)?,
        Outlet::Stopped(stopped) => read(stopped, entity_type.as_ref(), &mut out, bar)?,
    };
    out.flush().context("the lines cannot be written")?;
    Ok(count)
}

fn receive(
    client: &mut Client,
    entity_type: Option<EntityType>,
    out: &mut dyn Write,
    bar: &ProgressBar,
) -> anyhow::Result<u64> {
    client.ask(&Command::Export { entity_type })?;
    loop {
        match client.answer()? {
            Answer::Data(lines) => {
                out.write_all(&lines).context("the lines cannot be written")?;
                bar.inc(lines.iter().filter(|byte| **byte == b'\n').count() as u64);
            }
            Answer::Progress(_) => {}
            Answer::End(Exported { entities }) => return Ok(entities),
        }
    }
}

fn read(
    stopped: Stopped,
    entity_type: Option<&EntityType>,
    out: &mut dyn Write,
    bar: &ProgressBar,
) -> anyhow::Result<u64> {
    let (mut count, mut after) = (0, None);
    loop {
        let page = stopped.offline.engine().export_page(entity_type, after)?;
        out.write_all(&page.lines)
            .context("the lines cannot be written")?;
        count += page.count;
        bar.inc(page.count);
        after = page.next;
        if after.is_none() {
            stopped.offline.close()?;
            return Ok(count);
        }
    }
}
