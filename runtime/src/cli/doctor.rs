//! `selaras doctor`: looks at an outlet's data, running or stopped, and says what is well, what is not, and what to do. It
//! changes nothing.

use crate::app::has_store;
use crate::config::Config;
use crate::control::{Answer, Client, Command, Health};
use crate::store::archive;
use crate::store::probe::{Unusable, in_child};
use crate::store::room_of;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

/// A look at a large database takes its time.
const LOOK: Duration = Duration::from_secs(3600);
/// Lines of the recovery log that are shown.
const LINES: usize = 10;
const MIB: u64 = 1 << 20;

/// What was found.
#[derive(Default)]
struct Findings {
    bad: usize,
}

impl Findings {
    fn ok(&self, text: &str) {
        println!("ok       {text}");
    }

    fn note(&self, text: &str) {
        println!("note     {text}");
    }

    fn bad(&mut self, text: &str) {
        self.bad += 1;
        println!("PROBLEM  {text}");
    }
}

/// Looks at everything. Exit code 1 when something is not well.
///
/// # Errors
/// When a running outlet breaks off while it is asked.
pub fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let mut findings = Findings::default();
    let dir = &config.data_dir;
    if !dir.is_dir() {
        findings.note(&format!(
            "{} is not there yet: the first start makes it",
            dir.display()
        ));
        return Ok(ExitCode::SUCCESS);
    }
    permissions(dir, &mut findings);
    room(config, &mut findings);
    match Client::connect(dir) {
        Ok(Some(mut client)) => running(&mut client, &mut findings)?,
        Ok(None) => stopped(dir, &mut findings),
        Err(error) => findings.bad(&format!("the outlet runs, but cannot be asked: {error}")),
    }
    backups(config, &mut findings);
    history(dir, &mut findings);
    Ok(ExitCode::from(u8::from(findings.bad > 0)))
}

fn permissions(dir: &Path, findings: &mut Findings) {
    let private = [
        ".",
        "jwt-secret",
        "plugin-cache-key",
        "initial-admin-password",
        "store",
        "backups",
    ];
    let mut open = 0;
    for name in private {
        let path = dir.join(name);
        let Ok(metadata) = fs::metadata(&path) else {
            continue;
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            open += 1;
            let fix = if metadata.is_dir() { "700" } else { "600" };
            findings.bad(&format!(
                "others may use {} (mode {mode:o}): chmod {fix} {0}",
                path.display()
            ));
        }
    }
    if open == 0 {
        findings.ok(&format!("{} is for its owner alone", dir.display()));
    }
}

fn room(config: &Config, findings: &mut Findings) {
    let room = match room_of(&config.data_dir, config.space) {
        Ok(room) => room,
        Err(error) => return findings.bad(&format!("the free space cannot be asked: {error}")),
    };
    let text = format!(
        "{} MB are free; below {} MB new changes are refused",
        room.free_bytes / MIB,
        room.min_free_bytes / MIB
    );
    if room.takes_changes() {
        findings.ok(&text);
    } else {
        findings.bad(&format!("{text}: free some space"));
    }
}

fn running(client: &mut Client, findings: &mut Findings) -> anyhow::Result<()> {
    client.ask(&Command::Health)?;
    let health: Health = loop {
        match client.answer()? {
            Answer::End(health) => break health,
            Answer::Data(_) | Answer::Progress(_) => {}
        }
    };
    let text = format!(
        "the outlet runs; its store is {}, {} KB of data in {} KB of files",
        health.store,
        health.live_bytes / 1024,
        health.bytes_on_disk / 1024
    );
    match health.error {
        None => findings.ok(&text),
        Some(error) => findings.bad(&format!("{text}: {error}")),
    }
    if health.parked > 0 {
        findings.note(&format!(
            "{} documents are parked: a plugin could not handle them. GET /api/v1/sync/parked says which, and why",
            health.parked
        ));
    }
    if let Some(error) = health.backup_error {
        findings.bad(&format!("the last backup that was due was not made: {error}"));
    }
    Ok(())
}

fn stopped(dir: &Path, findings: &mut Findings) {
    if !has_store(dir) {
        return findings.note("the outlet does not run, and there is no store yet");
    }
    match in_child()(&dir.join("store"), true, LOOK) {
        Ok(found) => findings.ok(&format!(
            "the outlet does not run; all {} entries of its store can be read, {} KB of data in {} KB of files",
            found.entries.unwrap_or(0),
            found.live_bytes / 1024,
            found.file_bytes / 1024
        )),
        Err(Unusable::Locked) => findings.note("the outlet starts or stops just now: ask again"),
        Err(why @ Unusable::Damaged(_)) => findings.bad(&format!(
            "the store cannot be used as it is: {why}. The next start of `selaras serve` repairs it or takes the newest \
             backup, and keeps the original in quarantine/"
        )),
        Err(why) => findings.bad(&format!("the store cannot be used: {why}")),
    }
}

fn backups(config: &Config, findings: &mut Findings) {
    let dir = &config.backups.dir;
    let paths = match archive::list(dir) {
        Ok(paths) => paths,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return findings.bad(&format!("{} cannot be read: {error}", dir.display())),
    };
    if paths.is_empty() {
        return findings.note(&format!("there is no backup in {} yet", dir.display()));
    }
    for path in paths {
        match archive::verify(&path) {
            Ok(info) => findings.ok(&format!(
                "{} is whole: {} entries as of {}",
                path.display(),
                info.entries,
                info.made_at.to_rfc3339()
            )),
            Err(error) => findings.bad(&format!("{} is no good: {error}", path.display())),
        }
    }
}

fn history(dir: &Path, findings: &mut Findings) {
    if let Ok(text) = fs::read_to_string(dir.join("recovery.log")) {
        let lines: Vec<&str> = text.lines().collect();
        findings.note(&format!(
            "opening the store took more than opening it, {} steps in all; the last:",
            lines.len()
        ));
        for line in &lines[lines.len().saturating_sub(LINES)..] {
            println!("         {line}");
        }
    }
    let quarantine = dir.join("quarantine");
    for kept in fs::read_dir(&quarantine).into_iter().flatten().flatten() {
        findings.note(&format!("a broken database is kept in {}", kept.path().display()));
    }
}
