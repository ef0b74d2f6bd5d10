//! `selaras backup [FILE]`: the file appears whole and verified, or not at all.

use super::outlet::{Outlet, Stopped};
use super::progress;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::control::{Answer, BackupMade, BackupSent, Client, Command};
use crate::store::archive::{self, ArchiveInfo, NewFile};
use anyhow::{Context, bail};
use selaras_core::stamp::Millis;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Makes a backup in `file`, or beside the scheduled ones.
///
/// # Errors
/// When it cannot be made. A file that was there before is untouched then.
pub fn run(config: &Config, file: Option<PathBuf>, force: bool) -> anyhow::Result<ExitCode> {
    match file {
        Some(file) => into(config, &file, force)?,
        None => beside_the_others(config)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn into(config: &Config, path: &Path, force: bool) -> anyhow::Result<()> {
    let shown = path.display();
    let mut file = NewFile::create(path, force).map_err(|error| cannot_begin(error, path))?;
    match Outlet::find(config, false)? {
        Outlet::Running(mut client) => receive(&mut client, &mut file)?,
        Outlet::Stopped(stopped) => write(stopped, &mut file)?,
    }
    let info = archive::verify(file.partial()).context("what was written is not whole")?;
    file.keep().map_err(|error| cannot_begin(error, path))?;
    println!("{shown}: {}", summary(&info));
    Ok(())
}

fn receive(client: &mut Client, file: &mut NewFile) -> anyhow::Result<()> {
    client.ask(&Command::Backup)?;
    let bar = progress::bytes_so_far("receiving the backup");
    let end: BackupSent = loop {
        match client.answer()? {
            Answer::Data(bytes) => {
                file.write_all(&bytes).context("the file cannot be written")?;
                bar.inc(bytes.len() as u64);
            }
            Answer::Progress(_) => {}
            Answer::End(end) => break end,
        }
    };
    bar.finish_and_clear();
    let written = bar.position();
    if written != end.bytes {
        bail!("{written} of {} bytes came: try again", end.bytes);
    }
    Ok(())
}

fn write(stopped: Stopped, file: &mut NewFile) -> anyhow::Result<()> {
    let bar = progress::bytes_so_far("writing the backup");
    let now = Millis(SystemClock::new().wall_ms());
    let written = archive::write(stopped.offline.store(), bar.wrap_write(file), now);
    bar.finish_and_clear();
    written.context("the backup failed")?;
    stopped.offline.close()
}

fn beside_the_others(config: &Config) -> anyhow::Result<()> {
    let (file, bytes) = match Outlet::find(config, false)? {
        Outlet::Running(mut client) => {
            client.ask(&Command::BackUpNow)?;
            let BackupMade { file, bytes } = loop {
                match client.answer()? {
                    Answer::End(made) => break made,
                    Answer::Data(_) | Answer::Progress(_) => {}
                }
            };
            (file, bytes)
        }
        Outlet::Stopped(Stopped { offline, runtime }) => {
            let made = runtime.block_on(offline.engine().back_up())?;
            offline.close()?;
            (made.file, made.bytes)
        }
    };
    println!("{}: {bytes} bytes", file.display());
    Ok(())
}

fn summary(info: &ArchiveInfo) -> String {
    let (entries, bytes) = (info.entries, info.bytes);
    format!(
        "{entries} entries in {bytes} bytes, as of {}",
        info.made_at.to_rfc3339()
    )
}

/// In words that say what to do.
pub(super) fn cannot_begin(error: io::Error, path: &Path) -> anyhow::Error {
    let shown = path.display();
    match error.kind() {
        ErrorKind::AlreadyExists => {
            anyhow::anyhow!("{shown} is there already: choose another name, or add --force")
        }
        ErrorKind::ResourceBusy => {
            anyhow::anyhow!("{shown} is being written by another command: wait for it")
        }
        _ => anyhow::Error::from(error).context(format!("{shown} cannot be written")),
    }
}
