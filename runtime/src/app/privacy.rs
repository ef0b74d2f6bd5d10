//! Nobody but its owner has business in the data directory: it is made so, mended where older versions or a `mkdir` left it looser,
//! and refused where others could have changed or learnt something that matters.

use anyhow::{Context, bail};
use rustix::fs::Mode;
use rustix::process::{geteuid, umask};
use std::fs::{self, DirBuilder, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::Path;

/// What others may do with a file, and with a directory: anything but nothing is too much.
const OTHERS: u32 = 0o077;
/// Of that, writing.
const OTHERS_WRITE: u32 = 0o022;
/// The files that hold secrets.
const SECRETS: [&str; 3] = ["jwt-secret", "plugin-cache-key", "initial-admin-password"];
/// What holds the outlet's data.
const DATA: [&str; 5] = ["store", "backups", "plugin-cache", "quarantine", "recovery.log"];

/// Makes the data directory where there is none, and sees that it is its owner's alone. Files that this process makes from here on
/// are, too.
///
/// # Errors
/// When it cannot be made, is something else, or was open to others in a way that only a person can judge; the message says what to do.
pub fn data_dir(dir: &Path) -> anyhow::Result<()> {
    umask(Mode::from_raw_mode(OTHERS));
    let metadata = match fs::metadata(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(DirBuilder::new().recursive(true).mode(0o700).create(dir)?);
        }
        found => found?,
    };
    if !metadata.is_dir() {
        bail!("it is not a directory");
    }
    let was_open = mode(&metadata) & OTHERS != 0;
    secrets(dir)?;
    if was_open {
        // Who could not come in could change nothing, whatever the modes inside say.
        written_by_others(dir, &metadata)?;
        close(dir, &metadata)?;
    }
    for name in DATA {
        let path = dir.join(name);
        if let Ok(metadata) = fs::symlink_metadata(&path)
            && !metadata.is_symlink()
            && mode(&metadata) & OTHERS != 0
        {
            close(&path, &metadata)?;
        }
    }
    Ok(())
}

/// That nobody else could have read or replaced a secret. Every version made these files 0600, so somebody loosened them.
fn secrets(dir: &Path) -> anyhow::Result<()> {
    for name in SECRETS {
        let path = dir.join(name);
        let Ok(metadata) = fs::metadata(&path) else {
            continue;
        };
        let mode = mode(&metadata);
        if mode & OTHERS != 0 {
            let may = if mode & OTHERS_WRITE != 0 {
                "change"
            } else {
                "read"
            };
            bail!(
                "others may {may} the secret in {0} (mode {mode:o}). If nobody else has used this machine: chmod 600 {0}; otherwise \
                 remove the file, and a new one is made{1}",
                path.display(),
                if name == "jwt-secret" {
                    ": everybody logs in again"
                } else {
                    ""
                }
            );
        }
    }
    Ok(())
}

/// That nobody else could have put something in the place of the data. An empty directory has none.
fn written_by_others(dir: &Path, metadata: &Metadata) -> anyhow::Result<()> {
    let holds_data = DATA.iter().chain(&SECRETS).any(|name| dir.join(name).exists());
    if !holds_data {
        return Ok(());
    }
    let inside = DATA.iter().map(|name| dir.join(name));
    let inside = inside.filter_map(|path| Some((fs::metadata(&path).ok()?, path)));
    let open = std::iter::once((metadata.clone(), dir.to_owned())).chain(inside);
    for (metadata, path) in open {
        let mode = mode(&metadata);
        if mode & OTHERS_WRITE != 0 {
            bail!(
                "others may change what is in {} (mode {mode:o}), so it may not be what this outlet left there. If nobody else has used \
                 this machine: chmod -R go-rwx {}",
                path.display(),
                dir.display()
            );
        }
    }
    Ok(())
}

/// Takes everything from others, and says so.
fn close(path: &Path, metadata: &Metadata) -> anyhow::Result<()> {
    let was = mode(metadata);
    let own = geteuid();
    if !own.is_root() && metadata.uid() != own.as_raw() {
        // A mounted volume is often its driver's, and the process let in by a group. What is made inside is private all the same.
        if was & 0o002 != 0 {
            bail!(
                "{0} belongs to another user (uid {1}), and anybody may write there (mode {was:o}): chown it to the user of this process",
                path.display(),
                metadata.uid()
            );
        }
        tracing::warn!(path = %path.display(), mode = format!("{was:o}"), uid = metadata.uid(), "others may look into this, which belongs to another user");
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(was & !OTHERS)).with_context(|| {
        format!(
            "{} cannot be closed to others: chmod -R go-rwx it",
            path.display()
        )
    })?;
    tracing::info!(path = %path.display(), was = format!("{was:o}"), "closed to other users");
    Ok(())
}

fn mode(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o777
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    fn mode_of(path: &Path) -> u32 {
        mode(&fs::metadata(path).unwrap())
    }

    fn refused(dir: &Path) -> String {
        format!("{:#}", data_dir(dir).unwrap_err())
    }

    #[test]
    fn a_new_or_empty_directory_becomes_its_owners_alone_whatever_it_was() {
        let own = tempfile::tempdir().unwrap();
        let new = own.path().join("a/b");
        data_dir(&new).unwrap();
        assert_eq!(mode_of(&new), 0o700);
        for loose in [0o755, 0o775, 0o777, 0o750] {
            chmod(&new, loose);
            data_dir(&new).unwrap();
            assert_eq!(mode_of(&new), 0o700, "{loose:o}");
        }
        // A folder of plugins that a person put there beforehand is no data yet.
        fs::create_dir(new.join("plugins")).unwrap();
        chmod(&new, 0o777);
        data_dir(&new).unwrap();
        assert_eq!(mode_of(&new), 0o700);
        fs::write(own.path().join("file"), "").unwrap();
        assert!(refused(&own.path().join("file")).contains("not a directory"));
    }

    #[test]
    fn what_an_older_version_left_readable_is_closed() {
        let own = tempfile::tempdir().unwrap();
        let (dir, store) = (own.path(), own.path().join("store"));
        fs::create_dir(&store).unwrap();
        chmod(&store, 0o755);
        chmod(dir, 0o755);
        data_dir(dir).unwrap();
        assert_eq!((mode_of(dir), mode_of(&store)), (0o700, 0o700));
        // Behind a closed directory nobody could have changed anything.
        chmod(&store, 0o777);
        data_dir(dir).unwrap();
        assert_eq!(mode_of(&store), 0o700);
    }

    #[test]
    fn data_that_others_could_have_changed_is_refused_until_a_person_mends_it() {
        let own = tempfile::tempdir().unwrap();
        let (dir, store) = (own.path(), own.path().join("store"));
        fs::create_dir(&store).unwrap();
        for (dir_mode, store_mode) in [(0o777, 0o700), (0o775, 0o700), (0o755, 0o777)] {
            chmod(&store, store_mode);
            chmod(dir, dir_mode);
            let why = refused(dir);
            assert!(
                why.contains("chmod -R go-rwx") && why.contains("others may change"),
                "{why}"
            );
            assert_eq!(mode_of(dir), dir_mode, "nothing is hidden");
        }
        chmod(dir, 0o700);
        data_dir(dir).unwrap();
    }

    #[test]
    fn a_secret_that_others_could_have_read_is_refused_with_what_to_do() {
        let own = tempfile::tempdir().unwrap();
        for name in SECRETS {
            let path = own.path().join(name);
            fs::write(&path, "x").unwrap();
            for (mode, may) in [(0o644, "read"), (0o640, "read"), (0o620, "change")] {
                chmod(&path, mode);
                let why = refused(own.path());
                assert!(
                    why.contains(&format!("may {may}")) && why.contains("chmod 600"),
                    "{why}"
                );
            }
            chmod(&path, 0o400);
            data_dir(own.path()).unwrap();
        }
    }
}
