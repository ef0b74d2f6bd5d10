//! What kept backups are called: `selaras-20261127T003500Z.backup`, so that they sort by time.

use std::{
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use selaras_core::stamp::Millis;

const BEFORE: &str = "selaras-";
const AFTER: &str = ".backup";

/// The name of a backup made at this time, to the second.
#[must_use]
pub fn name(made_at: Millis) -> String {
    let seconds = Millis(made_at.0 - made_at.0.rem_euclid(1000));
    let stamp = seconds.to_rfc3339().replace(['-', ':'], "");
    format!("{BEFORE}{stamp}{AFTER}")
}

/// The time in a backup's name; none: it is not called like one.
#[must_use]
pub fn made_at(path: &Path) -> Option<Millis> {
    let stamp = path
        .file_name()?
        .to_str()?
        .strip_prefix(BEFORE)?
        .strip_suffix(AFTER)?;
    let (date, time) = stamp.strip_suffix('Z')?.split_once('T')?;
    let digits = |text: &str, len| text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(date, 8) || !digits(time, 6) {
        return None;
    }
    Millis::parse_rfc3339(&format!(
        "{}-{}-{}T{}:{}:{}Z",
        &date[..4],
        &date[4..6],
        &date[6..],
        &time[..2],
        &time[2..4],
        &time[4..]
    ))
}

/// The backups in a directory, newest first, by their names. No directory: none.
///
/// # Errors
/// When the directory cannot be read.
pub fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        found.extend(made_at(&path).map(|at| (at, path)));
    }
    found.sort_by(|a, b| b.cmp(a));
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_time_and_other_names_tell_none() {
        let at = Millis::parse_rfc3339("2026-11-27T00:35:07.250Z").unwrap();
        assert_eq!(name(at), "selaras-20261127T003507Z.backup");
        let path = Path::new("/somewhere").join(name(at));
        assert_eq!(made_at(&path), Millis::parse_rfc3339("2026-11-27T00:35:07Z"));
        for other in [
            "selaras-20261127T003507Z.backup.partial",
            "selaras-20261327T003507Z.backup",
            "selaras-+0261127T003507Z.backup",
            "selaras-.backup",
            "shop.backup",
        ] {
            assert_eq!(made_at(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn backups_are_listed_newest_first_and_a_missing_directory_has_none() {
        let dir = tempfile::tempdir().unwrap();
        for at in [5_000, 70_000, 1_000] {
            fs::write(dir.path().join(name(Millis(at))), "").unwrap();
        }
        fs::write(dir.path().join("notes"), "").unwrap();
        let times: Vec<_> = list(dir.path())
            .unwrap()
            .iter()
            .map(|path| made_at(path).unwrap().0)
            .collect();
        assert_eq!(times, [70_000, 5_000, 1_000]);
        assert!(list(&dir.path().join("nowhere")).unwrap().is_empty());
    }
}
