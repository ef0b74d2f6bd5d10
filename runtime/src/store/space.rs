//! Room on the disk: how much is free, from where on nothing new is taken, and the ballast, a file that is let go when even
//! opening the store finds no room.
//!
//! Looked at by the keeper once a second, and by whoever takes something new in. It must not decide what is refused.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

const MIB: u64 = 1 << 20;
/// The watermark is a tenth of the file system within these, unless it is set; of a small one at most five eighths. Draining
/// a queue writes about as much again as the queue takes before any of it can be given back.
const LEAST_WATERMARK: u64 = 40 * MIB;
const MOST_WATERMARK: u64 = 256 * MIB;
/// The ballast is half the watermark, and at most this, unless it is set.
const MOST_BALLAST: u64 = 16 * MIB;

/// What the settings say of it, in bytes. None: by the size of the file system.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpaceSettings {
    /// Below so much free space nothing new is taken.
    pub min_free_bytes: Option<u64>,
    /// The ballast's size; 0: none.
    pub ballast_bytes: Option<u64>,
}

/// Room on the disk, as it was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Free bytes on the data directory's file system.
    pub free_bytes: u64,
    /// Below so many nothing new is taken.
    pub min_free_bytes: u64,
}

impl Room {
    /// All the room there can be: what a store in memory has.
    pub const ENDLESS: Self = Self {
        free_bytes: u64::MAX,
        min_free_bytes: 0,
    };

    /// Whether what makes the store grow may be taken: new changes.
    #[must_use]
    pub fn takes_changes(self) -> bool {
        self.free_bytes >= self.min_free_bytes
    }

    /// Whether what the cloud sends may still be taken: that goes on for half the watermark more, since it also frees.
    #[must_use]
    pub fn takes_updates(self) -> bool {
        self.free_bytes >= self.min_free_bytes / 2
    }
}

/// Room on the disk of a data directory, asked once.
///
/// # Errors
/// When its file system cannot be asked.
pub fn room_of(dir: &Path, settings: SpaceSettings) -> io::Result<Room> {
    Space::of(dir, settings).map(|space| space.room())
}

/// The watermark of a file system of so many bytes.
fn watermark(size: u64) -> u64 {
    (size / 10)
        .clamp(LEAST_WATERMARK, MOST_WATERMARK)
        .min(size / 8 * 5)
}

/// Keeps an eye on a directory's file system.
pub(super) struct Space {
    dir: PathBuf,
    ballast: PathBuf,
    ballast_bytes: u64,
    min_free: u64,
    free: AtomicU64,
}

impl Space {
    /// Looks at the file system of `dir`.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(super) fn of(dir: &Path, settings: SpaceSettings) -> io::Result<Self> {
        let stat = statvfs(dir)?;
        let size = stat.f_blocks.saturating_mul(stat.f_frsize);
        let min_free = settings.min_free_bytes.unwrap_or_else(|| watermark(size));
        Ok(Self {
            dir: dir.to_owned(),
            ballast: dir.join("ballast"),
            ballast_bytes: settings.ballast_bytes.unwrap_or((min_free / 2).min(MOST_BALLAST)),
            min_free,
            free: AtomicU64::new(stat.f_bavail.saturating_mul(stat.f_frsize)),
        })
    }

    /// As last seen.
    pub(super) fn room(&self) -> Room {
        Room {
            free_bytes: self.free.load(Ordering::Relaxed),
            min_free_bytes: self.min_free,
        }
    }

    /// Looks again: a second is enough to fill what the watermark keeps. About a microsecond.
    pub(super) fn room_now(&self) -> Room {
        match statvfs(&self.dir) {
            Ok(stat) => {
                let free = stat.f_bavail.saturating_mul(stat.f_frsize);
                self.free.store(free, Ordering::Relaxed);
            }
            Err(error) => tracing::warn!(%error, "the free space cannot be asked"),
        }
        self.room()
    }

    /// Looks again. Lays the ballast where there is room for it beyond the watermark.
    pub(super) fn look(&self) -> Room {
        let room = self.room_now();
        let beyond = room.free_bytes.saturating_sub(self.min_free);
        if self.ballast_bytes > 0 && beyond > 2 * self.ballast_bytes && !self.ballast.exists() {
            match self.lay_ballast() {
                Ok(()) => tracing::debug!(bytes = self.ballast_bytes, "ballast was laid"),
                Err(error) => tracing::warn!(%error, "the ballast cannot be written"),
            }
        }
        room
    }

    /// Lets the ballast go. True: there was one.
    pub(super) fn drop_ballast(&self) -> bool {
        let dropped = fs::remove_file(&self.ballast).is_ok();
        if dropped {
            tracing::warn!(
                bytes = self.ballast_bytes,
                "the disk is full: the ballast was let go"
            );
        }
        dropped
    }

    fn lay_ballast(&self) -> io::Result<()> {
        let file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&self.ballast)?;
        let laid = self.fill(&file);
        if laid.is_err() {
            // What was laid of it would be taken for the whole.
            fs::remove_file(&self.ballast)?;
        }
        laid
    }

    /// Blocks that are really taken: by the file system, or where it cannot, by writing.
    fn fill(&self, file: &File) -> io::Result<()> {
        match fallocate(file, FallocateFlags::empty(), 0, self.ballast_bytes) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
        io::copy(&mut io::repeat(0xFF).take(self.ballast_bytes), &mut &*file)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(dir: &Path, min_free: u64, ballast: u64) -> Space {
        let settings = SpaceSettings {
            min_free_bytes: Some(min_free),
            ballast_bytes: Some(ballast),
        };
        Space::of(dir, settings).expect("asks")
    }

    #[test]
    fn the_ballast_is_laid_where_there_is_room_let_go_and_laid_again() {
        let home = tempfile::tempdir().expect("a directory");
        let space = space(home.path(), 1, 3 * MIB);
        assert!(space.look().takes_changes());
        let ballast = home.path().join("ballast");
        assert_eq!(fs::metadata(&ballast).expect("is there").len(), 3 * MIB);
        assert!(space.drop_ballast() && !ballast.exists() && !space.drop_ballast());
        space.look();
        assert!(ballast.exists());
    }

    #[test]
    fn below_the_watermark_changes_stop_and_below_half_of_it_updates_too() {
        let room = |free_bytes| Room {
            free_bytes,
            min_free_bytes: 100,
        };
        assert!(room(100).takes_changes() && room(100).takes_updates());
        assert!(!room(99).takes_changes() && room(99).takes_updates());
        assert!(!room(49).takes_changes() && !room(49).takes_updates());
        assert!(Room::ENDLESS.takes_changes());
        let home = tempfile::tempdir().expect("a directory");
        let full = space(home.path(), u64::MAX, MIB);
        assert!(!full.look().takes_changes() && !home.path().join("ballast").exists());
    }

    #[test]
    fn by_itself_the_watermark_follows_the_size_of_the_disk() {
        let home = tempfile::tempdir().expect("a directory");
        let space = Space::of(home.path(), SpaceSettings::default()).expect("asks");
        let watermark = space.room().min_free_bytes;
        assert!(watermark <= MOST_WATERMARK);
        assert!(space.ballast_bytes <= MOST_BALLAST && space.ballast_bytes <= watermark / 2);
        let of = |megabytes: u64| super::watermark(megabytes * MIB) / MIB;
        assert_eq!([16, 64, 256, 1000, 100_000].map(of), [10, 40, 40, 100, 256]);
    }
}
