//! What a strike is aimed at, and what is struck.

use crate::harness::dice::Dice;
use crate::harness::disk::Disk;
use crate::harness::wait;
use crate::outlet::Process;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the outlet is doing when it is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// All at once: apps, webhooks, settings, decisions, pushes, pulls.
    Load,
    /// The same with a batch at the cloud whose answer did not come.
    Push,
    /// The same while a backup is made.
    Backup,
    /// It starts over what an earlier strike left.
    Opening,
    /// Its store is rewritten.
    Compaction,
    /// It starts for the first time, in an empty directory.
    FirstStart,
}

impl Aim {
    /// Those that are taken in turn.
    pub fn in_turn() -> Vec<Self> {
        let all = [
            Self::Load,
            Self::Push,
            Self::Opening,
            Self::Compaction,
            Self::Backup,
            Self::FirstStart,
        ];
        match std::env::var("SELARAS_AIM") {
            Ok(wanted) => all
                .into_iter()
                .filter(|aim| format!("{aim:?}") == wanted)
                .collect(),
            Err(_) => all.to_vec(),
        }
    }
}

/// What is struck.
pub enum Ground {
    /// The disk's power is cut.
    Disk(Disk),
    /// The process is killed; this is where its files are.
    Process(PathBuf),
}

impl Ground {
    /// Where data directories may be made.
    pub fn place(&self) -> &Path {
        match self {
            Self::Disk(disk) => disk.mount(),
            Self::Process(dir) => dir,
        }
    }

    /// Takes the power away. Whoever is to be killed, with it or without it, is killed next.
    pub fn strike(&self) {
        if let Self::Disk(disk) = self {
            disk.cut();
        }
    }

    /// Gives it back, after all processes are gone.
    pub async fn heal(&self) {
        if let Self::Disk(disk) = self {
            disk.mount_again().await;
        }
    }

    /// Lets a command of the binary work until some moment, and strikes it.
    pub async fn strike_command(&self, mut process: Process, watched: &Path, dice: &mut Dice) {
        let before = names(watched);
        // Something new in the directory says that it has come to its work.
        wait::until("the command to work, or to end", || {
            let works = names(watched).difference(&before).next().is_some();
            let ended = process.ended().is_some();
            async move { (works || ended).then_some(()) }
        })
        .await;
        moment(dice, 40).await;
        self.strike();
        end(process).await;
        self.heal().await;
    }
}

/// Ends a command that was struck. One that was never understood was not struck at all.
pub async fn end(mut process: Process) {
    if process.ended().is_none() {
        process.kill();
    }
    let code = process.wait().await;
    assert_ne!(code, 2, "the command was not understood: {}", process.log());
}

fn names(dir: &Path) -> BTreeSet<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// A moment of chance: it is not waited for anything, since any moment is to be borne.
pub async fn moment(dice: &mut Dice, at_most_ms: usize) {
    let us = dice.below(at_most_ms * 1000 + 1) as u64;
    tokio::time::sleep(Duration::from_micros(us)).await;
}
