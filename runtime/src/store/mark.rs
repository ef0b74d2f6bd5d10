//! The high-water mark: a small file beside the database that says how far it had come. A database that opens with less
//! has lost something that was acknowledged, which it does not notice itself.
//!
//! Written by the writer thread after each group (a few bytes, no sync: that outlives a killed process) and synced once a
//! second by the keeper (that outlives a power cut, up to the last second). It must not hold anything but this number.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use super::{OpenError, sled::files::io_error};

/// The file's name in the store's directory.
const NAME: &str = "mark";
const MAGIC: &[u8; 4] = b"SLMK";
/// Two of these, written in turn: a torn one leaves the other.
const SLOT_BYTES: usize = 512;
const EPOCH_BYTES: usize = 64;
const USED_BYTES: usize = 4 + 8 + 8 + 1 + EPOCH_BYTES;

/// What a mark says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marked {
    /// Grows with each write of the mark; the larger one counts.
    serial: u64,
    /// The store it is of.
    pub epoch: String,
    /// Groups that were durable.
    pub commits: u64,
}

impl Marked {
    pub(super) fn new(epoch: String, commits: u64) -> Self {
        Self {
            serial: 0,
            epoch,
            commits,
        }
    }
}

/// The file, of one store that is open.
pub(super) struct Mark {
    file: File,
    epoch: String,
    serial: AtomicU64,
    written: AtomicU64,
    synced: AtomicU64,
}

fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

/// What the mark in the store's directory says. None: there is none, or it cannot be made out; a mark is a help, not a
/// condition.
pub(super) fn read(dir: &Path) -> Option<Marked> {
    let bytes = std::fs::read(path(dir)).ok()?;
    bytes
        .chunks(SLOT_BYTES)
        .filter_map(decode)
        .max_by_key(|marked| marked.serial)
}

/// Copies the mark, if there is one, to the directory of a copy of the store.
///
/// # Errors
/// When it cannot be read or written.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::copy(path(from), path(to)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn decode(slot: &[u8]) -> Option<Marked> {
    let (used, rest) = slot.split_at_checked(USED_BYTES)?;
    let (sum, _) = rest.split_first_chunk()?;
    if crc32fast::hash(used) != u32::from_be_bytes(*sum) {
        return None;
    }
    let rest = used.strip_prefix(MAGIC)?;
    let (serial, rest) = rest.split_first_chunk()?;
    let (commits, rest) = rest.split_first_chunk()?;
    let (len, epoch) = rest.split_first()?;
    Some(Marked {
        serial: u64::from_be_bytes(*serial),
        epoch: String::from_utf8(epoch.get(..usize::from(*len))?.to_vec()).ok()?,
        commits: u64::from_be_bytes(*commits),
    })
}

fn encode(marked: &Marked) -> [u8; SLOT_BYTES] {
    let mut slot = [0; SLOT_BYTES];
    slot[..4].copy_from_slice(MAGIC);
    slot[4..12].copy_from_slice(&marked.serial.to_be_bytes());
    slot[12..20].copy_from_slice(&marked.commits.to_be_bytes());
    let epoch = marked.epoch.as_bytes();
    let len = epoch.len().min(EPOCH_BYTES);
    slot[20] = u8::try_from(len).expect("invariant: 64 at most");
    slot[21..21 + len].copy_from_slice(&epoch[..len]);
    let sum = crc32fast::hash(&slot[..USED_BYTES]);
    slot[USED_BYTES..USED_BYTES + 4].copy_from_slice(&sum.to_be_bytes());
    slot
}

impl Mark {
    /// The mark of a store that has just been opened with so many commits; durable when it answers.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn begin(dir: &Path, epoch: &str, commits: u64) -> Result<Self, OpenError> {
        let path = path(dir);
        let begin = || -> io::Result<Self> {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .open(&path)?;
            let mark = Self {
                file,
                epoch: epoch.to_owned(),
                serial: AtomicU64::new(read(dir).map_or(0, |marked| marked.serial)),
                written: AtomicU64::new(0),
                synced: AtomicU64::new(0),
            };
            // Both slots: what they said of another state is over.
            mark.put(commits)?;
            mark.put(commits)?;
            mark.file.sync_all()?;
            super::sled::files::sync(dir)?;
            mark.synced.store(commits, Ordering::Relaxed);
            Ok(mark)
        };
        begin().map_err(io_error("write", &path))
    }

    /// Notes that so many groups are durable. Not synced. A mark that cannot be written is no reason to stop: it only
    /// notices less.
    pub(super) fn note(&self, commits: u64) {
        if let Err(error) = self.put(commits) {
            tracing::debug!(%error, "the high-water mark could not be written");
        }
    }

    /// Makes what was noted durable.
    ///
    /// # Errors
    /// When that cannot be done.
    pub(super) fn sync(&self) -> io::Result<()> {
        let written = self.written.load(Ordering::Acquire);
        if self.synced.swap(written, Ordering::Relaxed) == written {
            return Ok(());
        }
        self.file.sync_data()
    }

    fn put(&self, commits: u64) -> io::Result<()> {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed) + 1;
        let slot = encode(&Marked {
            serial,
            epoch: self.epoch.clone(),
            commits,
        });
        self.file.write_all_at(&slot, (serial % 2) * SLOT_BYTES as u64)?;
        self.written.store(commits, Ordering::Release);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_mark_counts_and_a_torn_one_leaves_the_one_before() {
        let home = tempfile::tempdir().expect("a directory");
        let dir = home.path();
        assert_eq!(read(dir), None);
        let mark = Mark::begin(dir, "epoch", 7).expect("begins");
        for commits in 8..20 {
            mark.note(commits);
            let marked = read(dir).expect("reads");
            assert_eq!((marked.epoch.as_str(), marked.commits), ("epoch", commits));
        }
        mark.sync().expect("syncs");
        let newest = mark.serial.load(Ordering::Relaxed) % 2;
        mark.file
            .write_all_at(b"torn", newest * SLOT_BYTES as u64 + 6)
            .expect("writes");
        assert_eq!(read(dir).expect("reads").commits, 18);
        std::fs::write(path(dir), b"nothing of a mark").expect("writes");
        assert_eq!(read(dir), None);
    }

    #[test]
    fn a_store_that_begins_anew_is_not_measured_by_the_one_before() {
        let home = tempfile::tempdir().expect("a directory");
        Mark::begin(home.path(), "old", 1_000).expect("begins");
        Mark::begin(home.path(), "new", 3).expect("begins");
        let marked = read(home.path()).expect("reads");
        assert_eq!((marked.epoch.as_str(), marked.commits), ("new", 3));
    }
}
