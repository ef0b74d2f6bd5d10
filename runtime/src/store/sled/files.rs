//! The store's directory: its lock, the engine's files in it, and the syncs the engine leaves out.
//!
//! `lock` is ours; `sled/` is the engine's, so that it can be replaced whole. It must not look into the files.

use std::{
    collections::HashSet,
    ffi::OsString,
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::super::OpenError;

/// How long, and how often, the engine's lock is waited for. Threads of an engine that was just dropped in this same
/// process may hold it for some milliseconds.
const ENGINE_LOCK_TRIES: u32 = 500;
const ENGINE_LOCK_PAUSE: Duration = Duration::from_millis(10);

/// The directory, locked for this process until dropped.
pub(super) struct Files {
    dir: PathBuf,
    _lock: File,
}

impl Files {
    /// Makes the directory if need be, locks it, and removes what an interrupted snapshot left.
    pub(super) fn prepare(dir: &Path) -> Result<Self, OpenError> {
        let engine = dir.join("sled");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&engine)
            .map_err(io_error("create", &engine))?;
        let lock = lock(dir)?;
        let files = Self {
            dir: dir.to_owned(),
            _lock: lock,
        };
        files.remove_torn_snapshots()?;
        files.wait_for_engine()?;
        Ok(files)
    }

    /// The engine's own directory.
    pub(super) fn engine_dir(&self) -> PathBuf {
        self.dir.join("sled")
    }

    /// A handle of our own to the engine's data file, for syncing it.
    pub(super) fn open_data(&self) -> Result<File, OpenError> {
        let path = self.engine_dir().join("db");
        File::open(&path).map_err(io_error("open", &path))
    }

    /// The engine's blob files.
    pub(super) fn blobs(&self) -> Blobs {
        Blobs {
            dir: self.engine_dir().join("blobs"),
            synced: HashSet::new(),
            unchanged_since: None,
        }
    }

    /// Makes the files' existence durable; the engine does not. Done at each open, since the run that created them
    /// may have ended before it came to this.
    pub(super) fn sync_created(&self) -> Result<(), OpenError> {
        let engine = self.engine_dir();
        for path in [
            engine.join("conf"),
            engine.join("db"),
            engine.join("blobs"),
            engine,
            self.dir.clone(),
        ] {
            sync(&path).map_err(io_error("sync", &path))?;
        }
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

    fn wait_for_engine(&self) -> Result<(), OpenError> {
        let path = self.engine_dir().join("db");
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

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("lock");
    let mut options = File::options();
    options.create(true).write(true).truncate(false);
    let file = options.open(&path).map_err(io_error("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked { dir: dir.to_owned() }),
        Err(TryLockError::Error(error)) => Err(io_error("lock", &path)(error)),
    }
}

fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
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
