//! Which plugins are loaded at start: the embedded ones, then the files of the data directory's `plugins/` folder,
//! through the same door. A broken file is refused with its reason; the rest runs.

use crate::plugin::bundle::BUNDLE;
use crate::plugin::{Candidate, Grants, Host, Source};
use std::borrow::Cow;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Loads everything. Returns what was refused: the file (or name), and why.
pub fn load(host: &Host, folder: &Path) -> Vec<(String, String)> {
    let mut problems = Vec::new();
    let mut candidates: Vec<Candidate> = BUNDLE
        .iter()
        .map(|(name, bytes)| Candidate {
            bytes: Cow::Borrowed(*bytes),
            name: Some((*name).to_owned()),
            source: Source::Embedded,
            grants: Grants::default(),
        })
        .collect();
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
    for (candidate, outcome) in candidates.iter().zip(host.load_all(&candidates)) {
        if let Err(refusal) = outcome {
            let name = match &candidate.source {
                Source::File(path) => shown(path),
                Source::Embedded => candidate.name.clone().unwrap_or_default(),
            };
            problems.push((name, refusal.to_string()));
        }
    }
    for (name, problem) in &problems {
        tracing::error!(plugin = name, problem, "a plugin was refused");
    }
    problems
}

/// The components in the folder, by name. No folder: none.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
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
