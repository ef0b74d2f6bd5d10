//! The plugins folder: looked at at the start and every two seconds, and what is in it handed to the engine. Looking costs
//! one reading of the directory; a file is read only when its size or time changed, and was the same at two looks in a
//! row, so that a file that is being written is left alone until it is whole.

use crate::engine::Engine;
use crate::plugin::Limits;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(2);

/// What tells that a file was changed: its size, and when it was written in seconds and nanoseconds.
type Stamp = (u64, i64, i64);

/// The folder as it was last seen.
pub struct Folder {
    dir: PathBuf,
    seen: HashMap<String, Stamp>,
    taken: HashMap<String, Stamp>,
    /// It could not be read the last time.
    is_closed: bool,
}

impl Folder {
    /// The folder of a data directory, which need not be there.
    pub fn of(data_dir: &Path) -> Self {
        Self {
            dir: data_dir.join("plugins"),
            seen: HashMap::new(),
            taken: HashMap::new(),
            is_closed: false,
        }
    }

    /// The first look: takes everything in as it is.
    pub async fn open(&mut self, engine: &Engine) {
        self.look(engine, true).await;
    }

    /// Goes on looking until `shutdown`.
    pub async fn watch(mut self, engine: Engine, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
            self.look(&engine, false).await;
        }
    }

    async fn look(&mut self, engine: &Engine, at_once: bool) {
        let dir = self.dir.clone();
        let listed = tokio::task::spawn_blocking(move || list(&dir)).await;
        let there = match listed.map_err(io::Error::other).and_then(|listed| listed) {
            Ok(there) => there,
            Err(error) => {
                // Not the same as an empty one: nothing is taken out of use for it.
                if !std::mem::replace(&mut self.is_closed, true) {
                    engine.plugin_folder_closed(&format!("{} cannot be read: {error}", self.dir.display()));
                }
                return;
            }
        };
        self.is_closed = false;
        let names: Vec<String> = there.keys().cloned().collect();
        self.taken.retain(|name, _| there.contains_key(name));
        engine.plugin_files_are(&names).await;
        let mut files: Vec<_> = there.iter().collect();
        files.sort();
        for (name, stamp) in files {
            let is_still = at_once || self.seen.get(name) == Some(stamp);
            if is_still && self.taken.get(name) != Some(stamp) && self.take(engine, name, *stamp).await {
                self.taken.insert(name.clone(), *stamp);
            }
        }
        self.seen = there;
    }

    /// Hands a file over. Answers whether that is done with.
    async fn take(&self, engine: &Engine, name: &str, (len, ..): Stamp) -> bool {
        let most = Limits::default().component_bytes as u64;
        if len > most {
            engine.plugin_file_too_large(name, len, most);
            return true;
        }
        let path = self.dir.join(name);
        let read = tokio::task::spawn_blocking(move || fs::read(path)).await;
        match read.map_err(io::Error::other).and_then(|read| read) {
            Ok(bytes) => engine.take_plugin_file(name, bytes).await,
            Err(error) => {
                engine.plugin_file_unreadable(name, &format!("cannot be read: {error}"));
                true
            }
        }
    }
}

/// The components in the folder. No folder: none.
fn list(dir: &Path) -> io::Result<HashMap<String, Stamp>> {
    let mut found = HashMap::new();
    for path in super::plugins::files(dir)? {
        let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
            continue;
        };
        match fs::metadata(&path) {
            Ok(meta) => {
                found.insert(name, (meta.len(), meta.mtime(), meta.mtime_nsec()));
            }
            // Gone since the directory was read, or a link to nothing.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}
