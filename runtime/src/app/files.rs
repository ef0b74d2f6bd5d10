//! The data directory's private files: made once, readable by their owner alone.

use crate::clock::Clock;
use crate::secret::Secret;
use anyhow::{Context, bail};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Writes a file of mode 0600 whole: temporary file, fsync, rename, fsync of the directory.
///
/// # Errors
/// When it cannot be written.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// The 32 random bytes kept in `path` as hex, made at the first use.
///
/// # Errors
/// When the file cannot be read or written, or holds something else.
pub fn secret(path: &Path, clock: &dyn Clock) -> anyhow::Result<Secret<[u8; 32]>> {
    let shown = path.display();
    match fs::read_to_string(path) {
        Ok(text) => {
            let mut secret = [0; 32];
            if hex::decode_to_slice(text.trim(), &mut secret).is_err() {
                bail!("{shown} does not hold 64 hex digits: restore it, or delete it and a new one is made");
            }
            Ok(Secret::of(secret))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let mut secret = [0; 32];
            clock.fill(&mut secret);
            write_private(path, hex::encode(secret).as_bytes())
                .with_context(|| format!("{shown} cannot be written"))?;
            Ok(Secret::of(secret))
        }
        Err(error) => Err(error).with_context(|| format!("{shown} cannot be read")),
    }
}

/// A random password: 24 letters and digits that are hard to misread, some 138 bits.
pub fn password(clock: &dyn Clock) -> Secret {
    const LETTERS: &[u8; 54] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ234567";
    let mut bytes = [0u8; 96];
    clock.fill(&mut bytes);
    // Bytes that would favour the first letters are passed over.
    let usable = bytes
        .iter()
        .filter(|byte| usize::from(**byte) < LETTERS.len() * 4);
    let letters = usable.map(|byte| LETTERS[usize::from(*byte) % LETTERS.len()] as char);
    Secret::of(letters.take(24).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let clock = SystemClock::new();
        let first = secret(&path, &clock).unwrap();
        assert_eq!(first.expose(), secret(&path, &clock).unwrap().expose());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "not hex").unwrap();
        assert!(
            secret(&path, &clock)
                .unwrap_err()
                .to_string()
                .contains("64 hex digits")
        );
    }

    #[test]
    fn passwords_are_long_and_never_the_same() {
        let clock = SystemClock::new();
        let (a, b) = (password(&clock), password(&clock));
        assert_eq!(a.expose().len(), 24);
        assert_ne!(a, b);
    }
}
