//! The store's directory: its lock, the engine's files in it, and the syncs the engine leaves out.
//!
//! `lock` is ours; `sled/` is the engine's, so that it can be replaced whole: a new one is made in `sled.new/`, the one it
//! replaces waits in `sled.old/` until the new one is in its place. A power cut at any moment leaves one of the two whole.
//! It must not look into the files.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use super::super::OpenError;

/// How long, and how often, the engine's lock is waited for. Threads of an engine that was just dropped in this same
/// process may hold it for some milliseconds.
const ENGINE_LOCK_TRIES: u32 = 500;
const ENGINE_LOCK_PAUSE: Duration = Duration::from_millis(10);
/// How often the store's own lock is tried: a process that was killed, or its child, may be ending just now.
const LOCK_TRIES: u32 = 100;

/// The engine's directory in the store's.
const ENGINE: &str = "sled";
/// One that is being made.
const NEW: &str = "sled.new";
/// One that is being replaced.
const OLD: &str = "sled.old";

/// Where the engine keeps its files in the store's directory `dir`.
pub(in crate::store) fn engine_dir(dir: &Path) -> PathBuf {
    dir.join(ENGINE)
}

/// The directory, locked for this process until the last clone is dropped.
#[derive(Clone)]
pub(in crate::store) struct Files {
    dir: PathBuf,
    _lock: Arc<File>,
}

impl Files {
    /// Makes the directory if need be and locks it, and ends a replacement that was interrupted.
    pub(in crate::store) fn lock(dir: &Path) -> Result<Self, OpenError> {
        make_dir(dir)?;
        let lock = lock(dir)?;
        let files = Self {
            dir: dir.to_owned(),
            _lock: Arc::new(lock),
        };
        files.end_replacement()?;
        Ok(files)
    }

    /// Makes the engine's directory if need be, removes what an interrupted snapshot left in it, and waits for threads of
    /// an engine that was just dropped.
    pub(super) fn prepare_engine(&self) -> Result<(), OpenError> {
        make_dir(&self.engine_dir())?;
        self.remove_torn_snapshots()?;
        self.wait_for_engine(&self.engine_dir())
    }

    /// The engine's own directory.
    pub(in crate::store) fn engine_dir(&self) -> PathBuf {
        engine_dir(&self.dir)
    }

    /// A directory for an engine that is to replace it.
    pub(super) fn new_engine_dir(&self) -> Result<PathBuf, OpenError> {
        let new = self.dir.join(NEW);
        remove_dir(&new)?;
        make_dir(&new)?;
        Ok(new)
    }

    /// Whether there is a database.
    pub(in crate::store) fn has_engine(&self) -> bool {
        self.engine_dir().join("db").exists()
    }

    /// Puts the new engine's directory, complete and synced, into the place of the old one, and that away.
    pub(super) fn install_new(&self) -> Result<(), OpenError> {
        self.replace()?;
        remove_dir(&self.dir.join(OLD))
    }

    /// Puts an engine's directory that was made elsewhere, complete and synced, into the place of the old one; that is
    /// moved to `keep_old`, whose parent exists.
    pub(in crate::store) fn install(&self, made: &Path, keep_old: &Path) -> Result<(), OpenError> {
        let (new, old) = (self.dir.join(NEW), self.dir.join(OLD));
        remove_dir(&new)?;
        fs::rename(made, &new).map_err(io_error("rename", made))?;
        sync(&self.dir).map_err(io_error("sync", &self.dir))?;
        self.replace()?;
        if old.exists() {
            fs::rename(&old, keep_old).map_err(io_error("rename", &old))?;
        }
        sync(&self.dir).map_err(io_error("sync", &self.dir))
    }

    fn replace(&self) -> Result<(), OpenError> {
        let (engine, new, old) = (self.engine_dir(), self.dir.join(NEW), self.dir.join(OLD));
        remove_dir(&old)?;
        if engine.exists() {
            fs::rename(&engine, &old).map_err(io_error("rename", &engine))?;
            sync(&self.dir).map_err(io_error("sync", &self.dir))?;
        }
        fs::rename(&new, &engine).map_err(io_error("rename", &new))?;
        sync(&self.dir).map_err(io_error("sync", &self.dir))
    }

    /// What an interruption of [`Files::install_new`], or of what comes before it, left.
    fn end_replacement(&self) -> Result<(), OpenError> {
        let (engine, new, old) = (self.engine_dir(), self.dir.join(NEW), self.dir.join(OLD));
        if !engine.exists() && old.exists() {
            // Only a new one that is complete makes the old one step aside.
            let from = if new.exists() { &new } else { &old };
            tracing::warn!(from = %from.display(), "ending a replacement of the database that was interrupted");
            fs::rename(from, &engine).map_err(io_error("rename", from))?;
            sync(&self.dir).map_err(io_error("sync", &self.dir))?;
        }
        remove_dir(&new)?;
        remove_dir(&old)
    }

    /// A handle of our own to the engine's data file, for syncing it.
    pub(super) fn open_data(&self) -> Result<File, OpenError> {
        open_data(&self.engine_dir())
    }

    /// The engine's blob files.
    pub(super) fn blobs(&self) -> Blobs {
        Blobs::of(&self.engine_dir())
    }

    /// Makes the files' existence durable; the engine does not. Done at each open, since the run that created them
    /// may have ended before it came to this.
    pub(super) fn sync_created(&self) -> Result<(), OpenError> {
        sync_engine(&self.engine_dir())?;
        sync(&self.dir).map_err(io_error("sync", &self.dir))?;
        match self.dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => sync(parent).map_err(io_error("sync", parent)),
            None => Ok(()),
        }
    }

    /// The engine refuses to open over a snapshot whose writing was interrupted, and never needs one.
    fn remove_torn_snapshots(&self) -> Result<(), OpenError> {
        let engine = self.engine_dir();
        for entry in fs::read_dir(&engine).map_err(io_error("list", &engine))? {
            let entry = entry.map_err(io_error("list", &engine))?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with("snap.") && name.ends_with(".generating") {
                let path = entry.path();
                tracing::warn!(path = %path.display(), "removing a snapshot whose writing was interrupted");
                fs::remove_file(&path).map_err(io_error("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Waits until an engine that was just dropped has let go of its files.
    pub(super) fn wait_for_engine(&self, engine: &Path) -> Result<(), OpenError> {
        let path = engine.join("db");
        let data = match File::open(&path) {
            Ok(data) => data,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(io_error("open", &path)(error)),
        };
        for _ in 0..ENGINE_LOCK_TRIES {
            match data.try_lock() {
                Ok(()) => return data.unlock().map_err(io_error("unlock", &path)),
                Err(TryLockError::WouldBlock) => thread::sleep(ENGINE_LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(io_error("lock", &path)(error)),
            }
        }
        Err(OpenError::Locked {
            dir: self.dir.clone(),
        })
    }
}

/// A handle of our own to an engine's data file.
pub(super) fn open_data(engine: &Path) -> Result<File, OpenError> {
    let path = engine.join("db");
    File::open(&path).map_err(io_error("open", &path))
}

/// Makes the existence of an engine's files durable.
pub(super) fn sync_engine(engine: &Path) -> Result<(), OpenError> {
    for path in [
        engine.join("conf"),
        engine.join("db"),
        engine.join("blobs"),
        engine.to_owned(),
    ] {
        sync(&path).map_err(io_error("sync", &path))?;
    }
    Ok(())
}

/// Makes a directory for its owner alone.
pub(in crate::store) fn make_dir(dir: &Path) -> Result<(), OpenError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(io_error("create", dir))
}

/// Removes a directory; none there is fine.
pub(in crate::store) fn remove_dir(dir: &Path) -> Result<(), OpenError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io_error("remove", dir)(error)),
        _ => Ok(()),
    }
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("lock");
    let mut options = File::options();
    options.create(true).write(true).truncate(false);
    let file = options.open(&path).map_err(io_error("open", &path))?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => thread::sleep(ENGINE_LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(io_error("lock", &path)(error)),
        }
    }
    Err(OpenError::Locked { dir: dir.to_owned() })
}

pub(in crate::store) fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

pub(in crate::store) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { action, path, source }
}

/// Files the engine puts oversized pages into. With our sizes there are none; should one appear after all, it is
/// synced before anything that needs it is acknowledged.
pub(super) struct Blobs {
    dir: PathBuf,
    synced: HashSet<OsString>,
    /// The directory's time of change at the last look, where a later change is sure to show in it.
    unchanged_since: Option<Moment>,
}

/// A time of change: seconds and nanoseconds.
type Moment = (i64, i64);

impl Blobs {
    pub(super) fn of(engine: &Path) -> Self {
        Self {
            dir: engine.join("blobs"),
            synced: HashSet::new(),
            unchanged_since: None,
        }
    }

    /// Syncs those that came since the last call. `data` is the engine's data file, just written. A microsecond when
    /// the directory was not touched.
    pub(super) fn sync_new(&mut self, data: &File) -> io::Result<()> {
        let changed = changed_at(&fs::metadata(&self.dir)?);
        if self.unchanged_since == Some(changed) {
            return Ok(());
        }
        // Both times come from the same clock. A file that appears after this look bears a time no earlier than the
        // data file's, so it shows, unless the directory's time is that one already.
        let shows = changed < changed_at(&data.metadata()?);
        self.sync_unknown()?;
        self.unchanged_since = shows.then_some(changed);
        Ok(())
    }

    fn sync_unknown(&mut self) -> io::Result<()> {
        let mut found_new = false;
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if self.synced.contains(&entry.file_name()) {
                continue;
            }
            match sync(&entry.path()) {
                Ok(()) => {
                    self.synced.insert(entry.file_name());
                    found_new = true;
                }
                // The engine removed it in the meantime.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if found_new { sync(&self.dir) } else { Ok(()) }
    }
}

fn changed_at(metadata: &fs::Metadata) -> Moment {
    (metadata.mtime(), metadata.mtime_nsec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_blob_file_is_noticed_however_soon_it_appears() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut data = File::create(dir.path().join("db")).expect("a data file");
        fs::create_dir(dir.path().join("blobs")).expect("a folder");
        let mut blobs = Blobs {
            dir: dir.path().join("blobs"),
            synced: HashSet::new(),
            unchanged_since: None,
        };
        for number in 0..200 {
            data.write_all(b"x").expect("writes");
            blobs.sync_new(&data).expect("looks");
            let name = OsString::from(number.to_string());
            if number % 3 == 0 {
                File::create(blobs.dir.join(&name)).expect("a blob file");
            }
            data.write_all(b"x").expect("writes");
            blobs.sync_new(&data).expect("looks");
            assert_eq!(blobs.synced.contains(&name), number % 3 == 0, "{number}");
        }
    }
}
