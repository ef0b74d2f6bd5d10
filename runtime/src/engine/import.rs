//! Lines of JSON taken in as an app's changes: whole batches, in order, queued and pushed like any other.
//!
//! A change's id is the digest of the file up to its line. So what is handed over again after an interruption takes
//! effect once, and two files that differ are told apart from the first line in which they do.

use crate::engine::Engine;
use crate::engine::api::{Actor, Change, ChangeError, ImportError, Imported, Intent, Precondition};
use crate::store::keys;
use crate::store::rows::RowError;
use selaras_core::daily;
use selaras_core::id::{EntityId, EntityKey, EntityType};
use selaras_core::json::Doc;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// Lines of one batch.
pub const MAX_BATCH_LINES: usize = 500;

/// One import: where it is in its file.
#[derive(Clone, Debug)]
pub struct Import {
    /// Over everything so far.
    hash: Sha256,
    so_far: Imported,
}

impl Import {
    /// An import from the first line on. Imports of the same file with the same `salt` take each line in once.
    #[must_use]
    pub fn new(salt: &str) -> Self {
        let mut hash = Sha256::new();
        hash.update((salt.len() as u64).to_be_bytes());
        hash.update(salt);
        Self {
            hash,
            so_far: Imported::default(),
        }
    }
}

/// What is read of a line; an export's other fields are passed over.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    entity_type: Cow<'a, str>,
    #[serde(borrow)]
    entity_id: Cow<'a, str>,
    operation: Option<Operation>,
    #[serde(default)]
    deleted: bool,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Operation {
    Create,
    Update,
    Delete,
}

impl Engine {
    /// Takes the next whole lines in, all or none; at most [`MAX_BATCH_LINES`]. Durable when it answers; answers how far
    /// the import is. Empty lines are passed over.
    ///
    /// # Errors
    /// See [`ImportError`]. The import is over then.
    pub async fn import(&self, import: &mut Import, lines: &[u8]) -> Result<Imported, ImportError> {
        let mut done = import.so_far;
        let mut changes = Vec::new();
        let mut numbers = Vec::new();
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            done.lines += 1;
            if done.lines - import.so_far.lines > MAX_BATCH_LINES as u64 {
                return Err(ImportError::TooMany {
                    most: MAX_BATCH_LINES,
                });
            }
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            import.hash.update(line);
            import.hash.update(b"\n");
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let digest = hex::encode(&import.hash.clone().finalize()[..16]);
            let change_id = format!("import-{digest}");
            let change = parse(line, change_id).map_err(|problem| ImportError::Line {
                line: done.lines,
                problem,
            })?;
            if self.knows(&change)? {
                done.repeated += 1;
            } else {
                changes.push(change);
                numbers.push(done.lines);
            }
        }
        done.taken += changes.len() as u64;
        self.take_lines(changes, &numbers).await?;
        import.so_far = done;
        Ok(done)
    }

    async fn take_lines(&self, changes: Vec<Change>, numbers: &[u64]) -> Result<(), ImportError> {
        if changes.is_empty() {
            return Ok(());
        }
        let actor = Actor {
            id: "import".to_owned(),
            token_id: None,
        };
        let keys: Vec<EntityKey> = changes.iter().map(|change| change.key.clone()).collect();
        let taken = self.changes(changes, None, &actor).await;
        taken.map(|_| ()).map_err(|error| {
            let index = match &error {
                ChangeError::Unavailable(error) => return error.clone().into(),
                ChangeError::NotFound { index, .. }
                | ChangeError::PreconditionFailed { index, .. }
                | ChangeError::KeyReused { index, .. }
                | ChangeError::Reserved { index, .. }
                | ChangeError::TooLarge { index, .. } => *index,
                ChangeError::Busy(key) => keys.iter().position(|other| other == key).unwrap_or_default(),
            };
            ImportError::Line {
                line: numbers[index],
                problem: error.to_string(),
            }
        })
    }

    /// Whether an earlier import took it in.
    fn knows(&self, change: &Change) -> Result<bool, ImportError> {
        let id = change.change_id.as_deref().unwrap_or_default();
        let kept = self
            .inner
            .rows
            .store()
            .get(&keys::named(keys::CHANGE_ID, id.as_bytes()));
        Ok(kept
            .map_err(|error| crate::engine::api::Unavailable::from(RowError::from(error)))?
            .is_some())
    }
}

fn parse(line: &[u8], change_id: String) -> Result<Change, String> {
    let text = std::str::from_utf8(line)
        .map_err(|error| format!("it is not UTF-8 at byte {}", error.valid_up_to() + 1))?;
    if !text.trim_start().starts_with('{') {
        return Err("it is not a JSON object".to_owned());
    }
    let line: Line<'_> = serde_json::from_str(text).map_err(|error| {
        // serde_json counts lines of its own, of which there is one.
        error.to_string().replace(" at line 1 column ", " at byte ")
    })?;
    let entity_type = EntityType::parse(&line.entity_type).map_err(|error| format!("entity_type {error}"))?;
    let id = EntityId::parse(&line.entity_id).map_err(|error| format!("entity_id {error}"))?;
    let delete = line.deleted || line.operation == Some(Operation::Delete);
    let intent = match (delete, line.data) {
        (true, _) => Intent::Delete { strict: false },
        (false, Some(data)) => {
            let doc = Doc::parse(data.get()).map_err(|error| format!("data: {error}"))?;
            intent(&entity_type, &id, doc)?
        }
        (false, None) => {
            return Err("data is missing: it must be the whole document, a JSON object".to_owned());
        }
    };
    Ok(Change {
        key: EntityKey { entity_type, id },
        intent,
        precondition: Precondition::None,
        updated_at: None,
        change_id: Some(change_id),
    })
}

/// Of an exported day's summary, what makes it one is checked again.
fn intent(entity_type: &EntityType, id: &EntityId, doc: Doc) -> Result<Intent, String> {
    if entity_type.as_str() != daily::TYPE {
        return Ok(Intent::Put(doc));
    }
    let problem = |(field, problem): (String, String)| format!("data.{field} {problem}");
    let day = daily::read(&doc, &[])
        .map_err(|problems| problems.into_iter().map(problem).collect::<Vec<_>>().join("; "))?;
    if day.date != id.as_str() {
        return Err("entity_id and data.date must be the same day".to_owned());
    }
    Ok(Intent::Day(day.doc))
}

#[cfg(test)]
mod tests;
