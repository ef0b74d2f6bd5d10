//! Compiled code on disk, so that a restart does not compile again.
//!
//! The cache may be lost, torn or tampered with at any time: whatever is odd about a file means compiling again,
//! never trusting it. Only this outlet's key makes a file that is taken.

use crate::secret::Secret;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::trusted::Artifact;

/// Files that are kept; over this the oldest go. Each is about three times its component.
const MAX_FILES: usize = 64;

/// A larger file is not ours: machine code of the largest component stays far below.
const MAX_FILE_BYTES: u64 = 256 << 20;

const SUFFIX: &str = "code";

/// A directory of sealed artifacts.
#[derive(Debug)]
pub(super) struct Cache {
    dir: PathBuf,
    key: Secret<[u8; 32]>,
    compatibility: [u8; 32],
}

impl Cache {
    /// Opens or makes the directory, closed to everyone else (0700).
    pub(super) fn open(dir: &Path, key: Secret<[u8; 32]>, compatibility: [u8; 32]) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
        Ok(Self {
            dir: dir.to_owned(),
            key,
            compatibility,
        })
    }

    /// The code of the component with this SHA-256, if it is there and beyond doubt.
    pub(super) fn read(&self, component: &[u8; 32]) -> Option<Artifact> {
        let purpose = self.purpose(component);
        let path = self.path(&purpose);
        let sealed = match read_file(&path) {
            Ok(sealed) => sealed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cached plugin code cannot be read; compiling again");
                return None;
            }
        };
        let artifact = Artifact::unseal(sealed, self.key.expose(), &purpose);
        if artifact.is_none() {
            tracing::warn!(path = %path.display(), "cached plugin code is not what this outlet wrote; compiling again");
        }
        artifact
    }

    /// Keeps the code: a whole new file that takes the old one's place.
    pub(super) fn write(&self, component: &[u8; 32], artifact: &Artifact) -> io::Result<()> {
        let purpose = self.purpose(component);
        let path = self.path(&purpose);
        let sealed = artifact.seal(self.key.expose(), &purpose);
        // No fsync: a file that a power cut tears fails its MAC and is written again.
        let temporary = tempname(&path);
        let written = (|| {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&temporary)?;
            file.write_all(&sealed)?;
            fs::rename(&temporary, &path)
        })();
        if written.is_err() {
            // Best effort: the name is unique, and pruning takes what is left.
            let _ = fs::remove_file(&temporary);
        }
        self.prune()?;
        written
    }

    /// Removes the oldest files over [`MAX_FILES`].
    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            match entry.metadata() {
                Ok(metadata) => files.push((metadata.modified()?, entry.path())),
                // Another thread's temporary file, which has its own name by now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        files.sort();
        let surplus = files.len().saturating_sub(MAX_FILES);
        for (_, path) in &files[..surplus] {
            fs::remove_file(path)?;
        }
        Ok(())
    }

    /// What a file is for: this component on this engine.
    fn purpose(&self, component: &[u8; 32]) -> Vec<u8> {
        [component.as_slice(), self.compatibility.as_slice()].concat()
    }

    fn path(&self, purpose: &[u8]) -> PathBuf {
        self.dir
            .join(format!("{}.{SUFFIX}", hex::encode(Sha256::digest(purpose))))
    }
}

/// A name beside `path` that no other process or thread uses.
fn tempname(path: &Path) -> PathBuf {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    path.with_extension(format!("{}-{next}.tmp", std::process::id()))
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() || meta.len() > MAX_FILE_BYTES {
        return Err(io::Error::other("not a file of the cache"));
    }
    let mut sealed = Vec::with_capacity(usize::try_from(meta.len()).unwrap_or(0));
    file.take(MAX_FILE_BYTES).read_to_end(&mut sealed)?;
    Ok(sealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_written_is_read_back_and_closed_to_others() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("cache");
        let cache = Cache::open(&dir, Secret::of([1; 32]), [2; 32]).unwrap();
        assert!(cache.read(&[3; 32]).is_none(), "nothing yet");
        cache
            .write(&[3; 32], &Artifact::from_compiler(b"code".to_vec()))
            .unwrap();
        assert!(cache.read(&[3; 32]).is_some());
        assert!(cache.read(&[4; 32]).is_none(), "another component");
        let file = fs::read_dir(&dir).unwrap().next().unwrap().unwrap().path();
        assert_eq!((mode(&dir), mode(&file)), (0o700, 0o600));
        let other = Cache::open(&dir, Secret::of([1; 32]), [9; 32]).unwrap();
        assert!(other.read(&[3; 32]).is_none(), "another engine");
    }

    #[test]
    fn the_directory_does_not_grow_for_ever() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache::open(home.path(), Secret::of([1; 32]), [2; 32]).unwrap();
        for n in 0..=u8::try_from(MAX_FILES).unwrap() {
            cache.write(&[n; 32], &Artifact::from_compiler(vec![n])).unwrap();
        }
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), MAX_FILES);
        let newest = u8::try_from(MAX_FILES).unwrap();
        assert!(cache.read(&[newest; 32]).is_some());
    }
}
