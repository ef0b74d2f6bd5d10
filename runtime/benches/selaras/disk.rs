//! What the disk does alone: 1 KB appended and synced, one by one and 64 at a time. What intake is measured against.

use crate::table::{Table, plain, rate};
use crate::{Room, Scale};
use selaras::clock::monotonic_us;
use std::fs::File;
use std::io::Write;

const RECORD: [u8; 1024] = [b'x'; 1024];
const TOGETHER: usize = 64;

/// Records a second.
#[derive(Clone, Copy, Debug)]
pub struct Disk {
    /// Each with a sync of its own.
    pub single: f64,
    /// 64 to a sync.
    pub grouped: f64,
}

/// Measures it.
///
/// # Errors
/// When the disk cannot be written.
pub fn measure(room: &Room, scale: Scale, table: &mut Table) -> anyhow::Result<Disk> {
    table.section("disk, alone");
    let dir = room.fresh("disk")?;
    let disk = Disk {
        single: append(&dir.join("single"), 1, scale.appends)?,
        grouped: append(&dir.join("grouped"), TOGETHER, scale.appends / 4)?,
    };
    table.told("1 KB append + fdatasync", format!("{} /s", plain(disk.single)));
    table.told(
        format!("the same, {TOGETHER} at a time"),
        format!("{} /s", plain(disk.grouped)),
    );
    Ok(disk)
}

/// Records a second.
fn append(path: &std::path::Path, together: usize, syncs: usize) -> anyhow::Result<f64> {
    let mut file = File::options().create(true).append(true).open(path)?;
    let records = RECORD.repeat(together);
    let began = monotonic_us();
    for _ in 0..syncs {
        file.write_all(&records)?;
        file.sync_data()?;
    }
    Ok(rate(syncs * together, monotonic_us() - began))
}
