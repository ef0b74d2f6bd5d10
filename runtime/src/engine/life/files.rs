//! The plugins folder: a file that is new or was changed is installed and activated, a file that goes takes its version out
//! of use, unless a type is bound to it. Who looks at the folder hands the files in; what was taken in is remembered, so
//! that what an admin decides of a plugin later holds over a restart.

use super::install::Arrival;
use super::is_embedded;
use super::rows::{FileRow, SeatRow, put_seat};
use crate::engine::Engine;
use crate::engine::api::{PluginError, Unavailable};
use crate::plugin::{Grants, Refusal, RefusalCode, Source};
use crate::store::rows::put;
use crate::store::{Batch, keys};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// Who does what the folder says.
const BY: &str = "folder";
/// The folder among what is not well.
const FOLDER: &str = "plugins folder";

impl Engine {
    /// Takes in a file as it lies there now. What is wrong with it is in the list of plugins, in status and in the log.
    /// Answers whether that is done with: not when the store does not answer.
    pub async fn take_plugin_file(&self, file: &str, bytes: Vec<u8>) -> bool {
        let digest = hex::encode(Sha256::digest(&bytes));
        let source = Source::File(PathBuf::from(file));
        let taken = self.take_file(file, &digest, bytes).await;
        self.inner.host.forgive(&source);
        match taken {
            Ok(()) => {
                self.inner.life.solved(file);
                true
            }
            Err(error) => {
                match error {
                    PluginError::Refused(refusal) => self.refuse_file(file, &refusal),
                    PluginError::Settings(problems) => {
                        let fields: Vec<String> = problems
                            .iter()
                            .map(|(field, problem)| format!("{field}: {problem}"))
                            .collect();
                        let problem = format!(
                            "installed, but not activated: bound types have settings that it cannot use: {}",
                            fields.join("; ")
                        );
                        self.plugin_file_unreadable(file, &problem);
                    }
                    PluginError::Unavailable(error) => {
                        self.plugin_file_unreadable(file, &error.to_string());
                        return false;
                    }
                    other => {
                        let refusal = Refusal::new(RefusalCode::Invalid, other.to_string());
                        self.refuse_file(file, &refusal);
                    }
                }
                true
            }
        }
    }

    /// A file has more bytes than one without grants may have; it was not read.
    pub fn plugin_file_too_large(&self, file: &str, bytes: u64, most: u64) {
        let problem = format!("it has {bytes} bytes, and a plugin in the folder may have {most}");
        self.refuse_file(file, &Refusal::new(RefusalCode::TooLarge, problem));
    }

    fn refuse_file(&self, file: &str, refusal: &Refusal) {
        let source = Source::File(PathBuf::from(file));
        tracing::error!(plugin = file, problem = %refusal, "a plugin was refused");
        self.inner.host.refuse(None, source, refusal);
        self.inner.life.trouble(file, refusal.to_string());
    }

    /// A file cannot be taken in, and may be another time.
    pub fn plugin_file_unreadable(&self, file: &str, problem: &str) {
        tracing::error!(plugin = file, problem, "a plugin file cannot be taken in");
        self.inner.life.trouble(file, problem);
    }

    /// The folder itself cannot be read, until it is said which files there are.
    pub fn plugin_folder_closed(&self, problem: &str) {
        tracing::error!(problem, "the plugins folder cannot be read");
        self.inner.life.trouble(FOLDER, problem);
    }

    async fn take_file(&self, file: &str, digest: &str, bytes: Vec<u8>) -> Result<(), PluginError> {
        let files = self.shelf().files()?;
        if files
            .iter()
            .any(|(known, row)| known == file && row.digest == digest)
        {
            return Ok(());
        }
        let (version, _) = self
            .install(Arrival {
                bytes,
                name: None,
                grants: Grants::default(),
                by: BY.to_owned(),
                file: Some(file.to_owned()),
            })
            .await?;
        let name = version.name;
        let activated = self.activate(&name, digest, false, BY).await;
        if let Err(PluginError::Unavailable(error)) = activated {
            return Err(error.into());
        }
        // Only now: a start in between does it again.
        let row = FileRow {
            name,
            digest: digest.to_owned(),
        };
        let mut batch = Batch::new();
        put(&mut batch, keys::named(keys::PLUGIN_FILE, file.as_bytes()), &row);
        self.inner
            .rows
            .store()
            .commit(batch)
            .await
            .map_err(Unavailable::from)?;
        activated.map(drop)
    }

    /// These are the files there are: what else was taken in is gone.
    pub async fn plugin_files_are(&self, there: &[String]) {
        self.inner.life.keep_files(there);
        match self.shelf().files() {
            Ok(files) => {
                for (file, row) in files.into_iter().filter(|(file, _)| !there.contains(file)) {
                    if let Err(error) = self.file_gone(&file, &row).await {
                        tracing::warn!(plugin = row.name, file, %error, "that its file is gone could not be noted");
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "the files that were taken in cannot be read"),
        }
    }

    async fn file_gone(&self, file: &str, row: &FileRow) -> Result<(), PluginError> {
        let _one = self.configuring().await;
        let FileRow { name, digest } = row;
        let mut batch = Batch::new();
        batch.delete(keys::named(keys::PLUGIN_FILE, file.as_bytes()));
        self.inner.host.forgive(&Source::File(PathBuf::from(file)));
        self.inner.life.solved(file);
        let seat = self.shelf().seat(name)?;
        let is_bound = !self.settings().types_bound_to(name).is_empty();
        let is_active = seat.active.as_ref() == Some(digest) && !is_embedded(name);
        if !is_active || is_bound {
            if is_active {
                tracing::warn!(
                    plugin = name,
                    file,
                    "the file of a plugin is gone; types are bound to it, so it stays in use"
                );
            }
            self.inner
                .rows
                .store()
                .commit(batch)
                .await
                .map_err(Unavailable::from)?;
            return Ok(());
        }
        let entry = self
            .entry(name, "deactivate", Some(digest), BY)
            .because(Some(format!("the file {file} is gone")));
        let next = SeatRow {
            active: None,
            previous: None,
            shadow: None,
            suspended: None,
            trouble: None,
            ..seat
        };
        put_seat(&mut batch, name, &next);
        self.shelf().note(&mut batch, &entry)?;
        self.commit_plugins(batch, &entry).await?;
        self.inner.host.unseat(name);
        self.inner.life.solved(name);
        self.inner.reconsider.notify_one();
        Ok(())
    }
}

impl super::Life {
    /// What was wrong with files that are gone is no longer so.
    fn keep_files(&self, there: &[String]) {
        let is_file = |name: &str| name.to_ascii_lowercase().ends_with(".wasm");
        self.problems
            .lock()
            .retain(|name, _| name != FOLDER && (!is_file(name) || there.iter().any(|file| file == name)));
    }
}
