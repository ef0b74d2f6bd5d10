//! What the disk does alone: 1 KB appended and synced, one by one and 64 at a time. What intake is measured against.

use crate::table::{Table, plain, rate};
use crate::{Room, Scale};
use selaras::clock::monotonic_us;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

const RECORD: [u8; 1024] = [b'x'; 1024];
const TOGETHER: usize = 64;

/// The disk's rate changes from second to second, with what else the machine does: it is asked again before and after
/// each load that is compared to it.
pub struct Disk {
    path: PathBuf,
    singles: Vec<f64>,
    syncs: usize,
}

impl Disk {
    /// A disk that each question makes so many syncs on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(room: &Room, scale: Scale) -> anyhow::Result<Self> {
        Ok(Self {
            path: room.fresh("disk")?.join("log"),
            singles: Vec::new(),
            syncs: scale.appends,
        })
    }

    /// Records a second, each with a sync of its own.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn single(&mut self) -> anyhow::Result<f64> {
        let rate = append(&self.path, 1, self.syncs)?;
        self.singles.push(rate);
        Ok(rate)
    }

    /// Its lines in the table.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn tell(&self, table: &mut Table) -> anyhow::Result<()> {
        table.section("disk, alone");
        let singles: Vec<String> = self.singles.iter().map(|rate| plain(*rate)).collect();
        table.told(
            "1 KB append + fdatasync (before, between and after the loads)",
            format!("{} /s", singles.join(", ")),
        );
        let grouped = append(&self.path, TOGETHER, self.syncs / 4)?;
        table.told(
            format!("the same, {TOGETHER} at a time"),
            format!("{} /s", plain(grouped)),
        );
        Ok(())
    }
}

/// Records a second.
fn append(path: &Path, together: usize, syncs: usize) -> anyhow::Result<f64> {
    let mut file = File::options().create(true).append(true).open(path)?;
    let records = RECORD.repeat(together);
    let began = monotonic_us();
    for _ in 0..syncs {
        file.write_all(&records)?;
        file.sync_data()?;
    }
    Ok(rate(syncs * together, monotonic_us() - began))
}
