//! Backups: a round that makes one beside the others and lets the oldest go, and a file on its way to somebody else.
//!
//! One at a time, off the async workers, and never longer than it takes to write to a disk: commits wait for an export
//! that lasts. It must not know the format, nor who asked.

mod schedule;

use crate::engine::Engine;
use crate::engine::api::{BackupError, BackupPolicy, BackupView, StoreView};
use crate::store::Store;
use crate::store::archive::{self, ArchiveError, ArchiveInfo, NewFile};
use parking_lot::Mutex;
use selaras_core::stamp::Millis;
use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio_util::sync::CancellationToken;

/// Left free beside a backup, for the changes that come meanwhile.
const LEFT_FREE_BYTES: u64 = 16 << 20;

/// What the engine knows of its backups.
pub(super) struct Backups {
    policy: BackupPolicy,
    /// Held while one is made.
    making: Arc<tokio::sync::Mutex<()>>,
    state: Mutex<StoreView>,
}

impl Backups {
    /// Looks at what is kept from earlier.
    pub(super) fn new(policy: BackupPolicy) -> Self {
        let newest = archive::list(&policy.dir).map(|found| found.first().and_then(|path| view_of(path)));
        let state = match newest {
            Ok(last_backup) => StoreView {
                last_backup,
                backup_error: None,
            },
            Err(error) => StoreView {
                last_backup: None,
                backup_error: Some(format!("{} cannot be read: {error}", policy.dir.display())),
            },
        };
        Self {
            policy,
            making: Arc::default(),
            state: Mutex::new(state),
        }
    }

    /// As status shows it.
    pub(super) fn view(&self) -> StoreView {
        self.state.lock().clone()
    }
}

/// A whole backup without a name, for somebody who puts it elsewhere.
#[derive(Debug)]
pub struct Spooled {
    /// The file, at its beginning.
    pub file: File,
    /// What it is.
    pub info: ArchiveInfo,
}

impl Engine {
    /// Why the last backup that should have been made was not.
    pub fn backup_error(&self) -> Option<String> {
        self.inner.backups.view().backup_error
    }

    /// Makes a backup beside the kept ones, verifies it, and then removes the oldest ones over the number that is kept.
    ///
    /// Cancel safety: a backup that has begun goes on.
    ///
    /// # Errors
    /// See [`BackupError`]; none of the kept ones is removed then.
    pub async fn back_up(&self) -> Result<BackupView, BackupError> {
        let engine = self.clone();
        let now = self.now();
        let making = self.inner.backups.making.clone().lock_owned().await;
        let made = tokio::task::spawn_blocking(move || {
            let _making = making;
            let inner = &engine.inner;
            let policy = &inner.backups.policy;
            let made = make_round(&**inner.rows.store(), policy, now, &inner.shutdown);
            let mut state = inner.backups.state.lock();
            match &made {
                Ok(view) => {
                    tracing::info!(file = %view.file.display(), bytes = view.bytes, "a backup was made");
                    *state = StoreView {
                        last_backup: Some(view.clone()),
                        backup_error: None,
                    };
                }
                Err(BackupError::Stopping) => {}
                Err(error) => {
                    let error = error.in_full();
                    tracing::error!(error, "NO BACKUP was made");
                    state.backup_error = Some(error);
                }
            }
            made
        });
        made.await.map_err(|_| BackupError::Panicked)?
    }

    /// Makes a backup that has no name, in the data directory. `written` counts its bytes meanwhile.
    ///
    /// # Errors
    /// See [`BackupError`].
    pub async fn spool_backup(&self, written: Arc<AtomicU64>) -> Result<Spooled, BackupError> {
        let engine = self.clone();
        let now = self.now();
        let making = self.inner.backups.making.clone().lock_owned().await;
        let made = tokio::task::spawn_blocking(move || {
            let _making = making;
            let inner = &engine.inner;
            let dir = &inner.backups.policy.spool_dir;
            spool(&**inner.rows.store(), dir, now, &inner.shutdown, &written)
        });
        made.await.map_err(|_| BackupError::Panicked)?
    }
}

fn make_round(
    store: &dyn Store,
    policy: &BackupPolicy,
    now: Millis,
    stop: &CancellationToken,
) -> Result<BackupView, BackupError> {
    let dir = &policy.dir;
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(failed("create", dir))?;
    archive::remove_unfinished(dir).map_err(failed("clean up", dir))?;
    let kept = archive::list(dir).map_err(failed("read", dir))?;
    // A clock that was set back must not make the newest one look like the oldest.
    let at = kept.first().and_then(|path| archive::made_at(path));
    let at = at.map_or(now, |newest| now.max(newest.plus_ms(1000)));
    has_room(store, dir)?;

    let path = dir.join(archive::name(at));
    let mut file = NewFile::create(&path, false).map_err(failed("create", &path))?;
    let info = archive::write(store, Stoppable::new(&mut file, stop), at).map_err(|e| stopped(e, stop))?;
    // What is read here is what the disk was given; the rename follows only then.
    let written = File::open(file.partial()).map_err(failed("open", file.partial()))?;
    let found = archive::verify_all_of(Stoppable::new(written, stop)).map_err(|e| stopped(e, stop))?;
    if found != info {
        return Err(ArchiveError::Damaged {
            what: "what was read is not what was written".to_owned(),
        }
        .into());
    }
    file.keep().map_err(failed("keep", &path))?;
    let kept = archive::list(dir).map_err(failed("read", dir))?;
    for old in kept.iter().skip(policy.keep.max(1)) {
        std::fs::remove_file(old).map_err(failed("remove", old))?;
        tracing::info!(file = %old.display(), "an old backup was removed");
    }
    Ok(BackupView {
        at,
        file: path,
        bytes: info.bytes,
    })
}

fn spool(
    store: &dyn Store,
    dir: &Path,
    now: Millis,
    stop: &CancellationToken,
    written: &AtomicU64,
) -> Result<Spooled, BackupError> {
    has_room(store, dir)?;
    let path = dir.join("backup.spool");
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed("remove", &path)(error)),
        _ => {}
    }
    let mut options = File::options();
    options.read(true).write(true).create_new(true).mode(0o600);
    let mut file = options.open(&path).map_err(failed("create", &path))?;
    // Gone when nobody reads it any more, however that comes.
    std::fs::remove_file(&path).map_err(failed("remove", &path))?;
    let out = Stoppable {
        inner: &mut file,
        stop,
        written,
    };
    let info = archive::write(store, out, now).map_err(|error| stopped(error, stop))?;
    file.rewind().map_err(failed("rewind", &path))?;
    Ok(Spooled { file, info })
}

/// Refuses where a backup might fill the disk. It takes at most what the store's rows take; most often a part of it.
fn has_room(store: &dyn Store, dir: &Path) -> Result<(), BackupError> {
    let space =
        rustix::fs::statvfs(dir).map_err(|error| failed("ask for the free space of", dir)(error.into()))?;
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let needed = store.stats().live_bytes.saturating_add(LEFT_FREE_BYTES);
    if free >= needed {
        return Ok(());
    }
    Err(BackupError::NoRoom {
        needed,
        free,
        dir: dir.to_owned(),
    })
}

fn view_of(path: &Path) -> Option<BackupView> {
    Some(BackupView {
        at: archive::made_at(path)?,
        file: path.to_owned(),
        bytes: path.metadata().ok()?.len(),
    })
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { action, path, source }
}

fn stopped(error: ArchiveError, stop: &CancellationToken) -> BackupError {
    match error {
        ArchiveError::Write(_) | ArchiveError::Read(_) if stop.is_cancelled() => BackupError::Stopping,
        error => BackupError::Archive(error),
    }
}

/// Ends a long write or read when the outlet ends, and counts what is written.
struct Stoppable<'a, W> {
    inner: W,
    stop: &'a CancellationToken,
    written: &'a AtomicU64,
}

/// Where nobody looks at the count.
static UNSEEN: AtomicU64 = AtomicU64::new(0);

impl<'a, W> Stoppable<'a, W> {
    fn new(inner: W, stop: &'a CancellationToken) -> Self {
        Self {
            inner,
            stop,
            written: &UNSEEN,
        }
    }
}

impl<W> Stoppable<'_, W> {
    fn go_on(&self) -> io::Result<()> {
        if self.stop.is_cancelled() {
            return Err(io::Error::other("the outlet is stopping"));
        }
        Ok(())
    }
}

impl<R: Read> Read for Stoppable<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.go_on()?;
        self.inner.read(bytes)
    }
}

impl<W: Write> Write for Stoppable<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.go_on()?;
        let len = self.inner.write(bytes)?;
        self.written.fetch_add(len as u64, Ordering::Relaxed);
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests;
