//! A file that comes into being whole or not at all: written beside its place, synced, then renamed.
//!
//! It must not know what is written.

use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io::{self, ErrorKind, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// What a file that is not whole yet is called, behind its name to be.
const PARTIAL: &str = ".partial";
/// What is written between two syncs. Commits of the store wait for what the disk was given before them, so that must not
/// become much.
const SYNC_EVERY_BYTES: usize = 8 << 20;

/// A file in the making, readable by its owner alone. Dropped before [`NewFile::keep`] it leaves nothing behind; killed,
/// it leaves a `.partial`, which the next try for the same name takes over.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    partial: PathBuf,
    path: PathBuf,
    replace: bool,
    kept: bool,
    unsynced: usize,
}

impl NewFile {
    /// Begins a file that is to be at `path`. `replace`: one that is there already may be replaced.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] when there is one, [`ErrorKind::ResourceBusy`] when another process is writing it, and
    /// what making files can meet.
    pub fn create(path: &Path, replace: bool) -> io::Result<Self> {
        if !replace && path.symlink_metadata().is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let partial = partial_of(path)?;
        let file = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .mode(0o600)
            .open(&partial)?;
        lock(&file, &partial)?;
        file.set_len(0)?;
        Ok(Self {
            file,
            partial,
            path: path.to_owned(),
            replace,
            kept: false,
            unsynced: 0,
        })
    }

    /// Where it is until it is kept.
    #[must_use]
    pub fn partial(&self) -> &Path {
        &self.partial
    }

    /// Syncs it and gives it its name; durable when it answers.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] when a file of that name appeared meanwhile, and what syncing and renaming can meet.
    pub fn keep(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        if !self.replace && self.path.symlink_metadata().is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        fs::rename(&self.partial, &self.path)?;
        self.kept = true;
        File::open(parent(&self.path))?.sync_all()
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.file.write(bytes)?;
        self.unsynced += len;
        if self.unsynced >= SYNC_EVERY_BYTES {
            self.file.sync_data()?;
            self.unsynced = 0;
        }
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_file(&self.partial)
        {
            tracing::warn!(file = %self.partial.display(), %error, "an unfinished file cannot be removed");
        }
    }
}

/// Removes what was left of backups in `dir` whose making was cut off. One that is being made stays.
///
/// # Errors
/// When the directory cannot be read or a file not be removed.
pub fn remove_unfinished(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let partial = entry?.path();
        let whole = partial.to_str().and_then(|path| path.strip_suffix(PARTIAL));
        if whole.is_none_or(|path| super::made_at(Path::new(path)).is_none()) {
            continue;
        }
        let file = File::open(&partial)?;
        match lock(&file, &partial) {
            Ok(()) => fs::remove_file(&partial)?,
            Err(error) if error.kind() == ErrorKind::ResourceBusy => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Takes the file for this process alone.
fn lock(file: &File, path: &Path) -> io::Result<()> {
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(ErrorKind::ResourceBusy.into()),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Its maker may have renamed it between the two steps: then this is a whole file of its own.
    match path.symlink_metadata() {
        Ok(found) if found.ino() == file.metadata()?.ino() => Ok(()),
        Ok(_) => Err(ErrorKind::ResourceBusy.into()),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(ErrorKind::ResourceBusy.into()),
        Err(error) => Err(error),
    }
}

fn partial_of(path: &Path) -> io::Result<PathBuf> {
    let Some(name) = path.file_name() else {
        return Err(io::Error::new(
            ErrorKind::InvalidInput,
            "it is not the name of a file",
        ));
    };
    let mut partial = OsString::from(name);
    partial.push(PARTIAL);
    Ok(path.with_file_name(partial))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_there_whole_and_private_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.backup");
        let mut dropped = NewFile::create(&path, false).unwrap();
        dropped.write_all(b"half").unwrap();
        drop(dropped);
        assert!(names(dir.path()).is_empty());
        let mut file = NewFile::create(&path, false).unwrap();
        file.write_all(b"whole").unwrap();
        file.keep().unwrap();
        assert_eq!(names(dir.path()), ["shop.backup"]);
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_is_there_is_replaced_only_when_that_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.backup");
        fs::write(&path, "old").unwrap();
        let refused = NewFile::create(&path, false).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
        let mut file = NewFile::create(&path, true).unwrap();
        file.write_all(b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        file.keep().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        // One that appears in between is not overwritten either.
        let other = dir.path().join("other");
        let file = NewFile::create(&other, false).unwrap();
        fs::write(&other, "theirs").unwrap();
        assert_eq!(file.keep().unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&other).unwrap(), b"theirs");
    }

    #[test]
    fn of_two_that_write_one_file_the_second_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shop.backup");
        let first = NewFile::create(&path, true).unwrap();
        let refused = NewFile::create(&path, true).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ResourceBusy);
        first.keep().unwrap();
        assert!(NewFile::create(&path, true).is_ok());
    }

    #[test]
    fn what_a_killed_one_left_is_taken_over_or_removed() {
        let dir = tempfile::tempdir().unwrap();
        let name = super::super::name(selaras_core::stamp::Millis(0));
        let path = dir.path().join(&name);
        let left = dir.path().join(format!("{name}{PARTIAL}"));
        fs::write(&left, "a longer rest of something").unwrap();
        let mut file = NewFile::create(&path, false).unwrap();
        file.write_all(b"whole").unwrap();
        remove_unfinished(dir.path()).unwrap();
        file.keep().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"whole");
        fs::write(&left, "rest").unwrap();
        fs::write(dir.path().join("mine.partial"), "").unwrap();
        remove_unfinished(dir.path()).unwrap();
        assert_eq!(names(dir.path()), ["mine.partial", &name]);
    }
}
