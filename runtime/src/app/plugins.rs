//! The plugins of the binary itself; and what a folder would add to them, for who only looks. One door for all: a broken
//! file is refused with its reason, the rest runs.

use crate::plugin::bundle::BUNDLE;
use crate::plugin::{Candidate, Grants, Host, Source};
use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Loads the plugins of the binary. Returns what was refused: its name, and why.
pub fn load_embedded(host: &Host) -> Vec<(String, String)> {
    load_all(host, &embedded())
}

/// Loads the plugins of the binary and the files of a folder. Returns what was refused: the file (or name), and why.
pub fn load(host: &Host, folder: &Path) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let mut candidates = embedded();
    match files(folder) {
        Ok(files) => {
            for path in files {
                match fs::read(&path) {
                    Ok(bytes) => candidates.push(Candidate {
                        bytes: Cow::Owned(bytes),
                        name: None,
                        grants: Grants::default(),
                        source: Source::File(path),
                    }),
                    Err(error) => problems.push((shown(&path), format!("cannot be read: {error}"))),
                }
            }
        }
        Err(error) => problems.push((folder.display().to_string(), format!("cannot be read: {error}"))),
    }
    problems.extend(load_all(host, &candidates));
    problems
}

fn embedded() -> Vec<Candidate> {
    BUNDLE
        .iter()
        .map(|(name, bytes)| Candidate {
            bytes: Cow::Borrowed(*bytes),
            name: Some((*name).to_owned()),
            source: Source::Embedded,
            grants: Grants::default(),
        })
        .collect()
}

fn load_all(host: &Host, candidates: &[Candidate]) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    for (candidate, outcome) in candidates.iter().zip(host.load_all(candidates)) {
        if let Err(refusal) = outcome {
            let name = match &candidate.source {
                Source::File(path) => shown(path),
                Source::Embedded | Source::Installed => candidate.name.clone().unwrap_or_default(),
            };
            tracing::error!(plugin = name, %refusal, "a plugin was refused");
            problems.push((name, refusal.to_string()));
        }
    }
    problems
}

/// The components in the folder, by name. No folder: none.
pub(super) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn shown(path: &Path) -> String {
    path.file_name().map_or_else(
        || path.display().to_string(),
        |name| name.to_string_lossy().into_owned(),
    )
}
