//! What is kept of plugins: versions with their components, which of them is in use, what was done and by whom.
//!
//! A component lies in parts of a megabyte, each a commit of its own, so that a large one does not keep an app's change
//! waiting; the version's row comes last, and parts without one are removed at the next start.

use crate::engine::api::{Event, Unavailable};
use crate::engine::audit;
use crate::plugin::{Grants, Kind};
use crate::store::rows::{RowError, Rows, put, put_meta};
use crate::store::{Batch, Direction, keys};
use selaras_core::stamp::Millis;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes of a part.
const PART_BYTES: usize = 1 << 20;
/// What is being stored at the moment: the digest and the number of its parts.
const UNFINISHED: &str = "plugin_parts";
/// Entries of the history that are kept.
const MOST_HISTORY: usize = 1_000;
/// More names and versions than there can be.
const ALL: usize = 10_000;

/// A version of a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersionRow {
    /// What it is for.
    pub kind: Kind,
    /// What it says of itself.
    pub version: String,
    /// What it says of itself.
    pub description: String,
    /// Of the component.
    pub bytes: u64,
    /// What it was granted.
    pub grants: Grants,
    /// The key that signed it.
    pub signed_by: Option<String>,
    /// When, by the signer's clock (milliseconds since 1970).
    pub signed_at: Option<u64>,
    /// Who installed it; `folder`.
    pub by: String,
    /// When.
    pub at: Millis,
    /// The file of the folder that it came in.
    pub file: Option<String>,
    /// Whether it ever was the active one.
    pub ran: bool,
}

/// Which versions of a plugin are in use, by their digests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeatRow {
    /// The one that answers.
    pub active: Option<String>,
    /// The one before it.
    pub previous: Option<String>,
    /// The one that runs beside it.
    pub shadow: Option<String>,
    /// The newest signature of what was active: older ones are not taken any more.
    pub newest_signed: Option<u64>,
    /// Why the active one answers no calls.
    pub suspended: Option<String>,
    /// What was last done to it without being asked.
    pub trouble: Option<TroubleRow>,
    /// How often it went back by itself.
    pub fell_back: u32,
}

/// What was done to a plugin because its calls failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TroubleRow {
    /// When.
    pub at: Millis,
    /// The version whose calls failed.
    pub digest: String,
    /// In words.
    pub what: String,
}

/// Something that was done with a plugin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HistoryRow {
    /// The plugin.
    pub name: String,
    /// `install`, `activate`, `rollback`, `suspend`, `shadow`, `unshadow`, `delete`.
    pub action: String,
    /// The version; none: all of them.
    pub digest: Option<String>,
    /// The version that was active before, where that changed.
    pub from: Option<String>,
    /// A user, `folder` or `system`.
    pub by: String,
    /// When.
    pub at: Millis,
    /// Why, where there is more to say.
    pub why: Option<String>,
}

impl HistoryRow {
    /// The same for the audit log.
    fn event(&self) -> Event {
        let action = match self.action.as_str() {
            "install" => "plugin.install",
            "activate" => "plugin.activate",
            "rollback" => "plugin.rollback",
            "suspend" => "plugin.suspend",
            "shadow" => "plugin.shadow",
            "unshadow" => "plugin.unshadow",
            "delete" => "plugin.delete",
            _ => "plugin.change",
        };
        Event::new(&self.by, action, &self.name)
            .with("digest", self.digest.as_deref())
            .with("from_digest", self.from.as_deref())
            .with("reason", self.why.as_deref())
    }
}

/// A file of the folder as it was last taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRow {
    /// The plugin that it is.
    pub name: String,
    /// Its digest.
    pub digest: String,
}

/// Reads and writes of these rows.
pub struct Shelf<'a>(pub &'a Rows);

impl Shelf<'_> {
    /// One version.
    pub fn version(&self, name: &str, digest: &str) -> Result<Option<VersionRow>, Unavailable> {
        Ok(self.0.get(&keys::two(keys::PLUGIN, name, digest))?)
    }

    /// The versions of a plugin with their digests, oldest first.
    pub fn versions(&self, name: &str) -> Result<Vec<(String, VersionRow)>, Unavailable> {
        let (from, to) = keys::name_range(keys::PLUGIN, name);
        let rows: Vec<(Vec<u8>, VersionRow)> = self.0.page((&from, &to), Direction::Forward, ALL)?;
        let named = |(key, row): (Vec<u8>, VersionRow)| Some((second(&key)?, row));
        let mut versions: Vec<_> = rows.into_iter().filter_map(named).collect();
        versions.sort_by_key(|(_, row)| row.at);
        Ok(versions)
    }

    /// Every plugin that has versions, by name.
    pub fn names(&self) -> Result<Vec<String>, Unavailable> {
        let mut names: Vec<String> = self
            .keys_of_versions()?
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        names.dedup();
        Ok(names)
    }

    /// Whether another plugin has the same component.
    pub fn is_shared(&self, name: &str, digest: &str) -> Result<bool, Unavailable> {
        let versions = self.keys_of_versions()?;
        Ok(versions.iter().any(|(other, its)| other != name && its == digest))
    }

    fn keys_of_versions(&self) -> Result<Vec<(String, String)>, Unavailable> {
        let (from, to) = keys::all(keys::PLUGIN);
        let rows = self.0.store().scan(&from, &to, Direction::Forward, ALL);
        let rows = rows.map_err(RowError::from)?;
        Ok(rows
            .iter()
            .filter_map(|(key, _)| Some((first(key)?, second(key)?)))
            .collect())
    }

    /// Which versions of a plugin are in use.
    pub fn seat(&self, name: &str) -> Result<SeatRow, Unavailable> {
        Ok(self
            .0
            .get(&keys::named(keys::PLUGIN_SEAT, name.as_bytes()))?
            .unwrap_or_default())
    }

    /// The files of the folder that were taken in, by their names.
    pub fn files(&self) -> Result<Vec<(String, FileRow)>, Unavailable> {
        let (from, to) = keys::all(keys::PLUGIN_FILE);
        let rows: Vec<(Vec<u8>, FileRow)> = self.0.page((&from, &to), Direction::Forward, ALL)?;
        let name = |key: &[u8]| String::from_utf8_lossy(&key[1..]).into_owned();
        Ok(rows.into_iter().map(|(key, row)| (name(&key), row)).collect())
    }

    /// Writes a history entry, also to the audit log, and takes out what is over the bound.
    pub fn note(&self, batch: &mut Batch, entry: &HistoryRow) -> Result<(), Unavailable> {
        let number = self.0.store().reserve();
        put(batch, keys::numbered(keys::PLUGIN_HISTORY, number), entry);
        batch.append_audit(audit::entry(&entry.event(), entry.at));
        let (from, to) = keys::all(keys::PLUGIN_HISTORY);
        let rows = self.0.store().scan(&from, &to, Direction::Backward, MOST_HISTORY);
        for (key, _) in rows.map_err(RowError::from)?.into_iter().skip(MOST_HISTORY - 1) {
            batch.delete(key);
        }
        Ok(())
    }

    /// Stores a component's parts. Its version's row makes them count: see [`Shelf::finish`].
    pub async fn put_component(&self, digest: &str, bytes: &[u8]) -> Result<(), Unavailable> {
        let count = bytes.len().div_ceil(PART_BYTES);
        let mut batch = Batch::new();
        put_meta(&mut batch, UNFINISHED, &(digest, count as u64));
        for (number, part) in bytes.chunks(PART_BYTES).enumerate() {
            batch.put(part_key(digest, number), part.to_vec());
            self.0.store().commit(std::mem::take(&mut batch)).await?;
        }
        Ok(())
    }

    /// Writes a version's row: its component's parts are all there.
    pub fn finish(batch: &mut Batch, name: &str, digest: &str, row: &VersionRow) {
        put(batch, keys::two(keys::PLUGIN, name, digest), row);
        batch.delete(keys::named(keys::META, UNFINISHED.as_bytes()));
    }

    /// Takes a version out, and its component if no other plugin has the same.
    pub fn remove(
        &self,
        batch: &mut Batch,
        name: &str,
        digest: &str,
        row: &VersionRow,
    ) -> Result<(), Unavailable> {
        batch.delete(keys::two(keys::PLUGIN, name, digest));
        if !self.is_shared(name, digest)? {
            for number in 0..parts_of(row.bytes) {
                batch.delete(part_key(digest, number));
            }
        }
        Ok(())
    }

    /// A version's component.
    pub fn component(&self, digest: &str, row: &VersionRow) -> Result<Vec<u8>, Unavailable> {
        let mut bytes = Vec::new();
        for number in 0..parts_of(row.bytes) {
            let part = self
                .0
                .store()
                .get(&part_key(digest, number))
                .map_err(RowError::from)?;
            bytes.extend(part.unwrap_or_default());
        }
        if hex::encode(Sha256::digest(&bytes)) == digest {
            Ok(bytes)
        } else {
            Err(Unavailable::Store(format!(
                "the component {digest} is not whole in the store"
            )))
        }
    }

    /// Removes the parts of a component whose storing was cut off.
    pub async fn sweep(&self) -> Result<(), Unavailable> {
        let Some((digest, count)) = self.0.meta::<(String, u64)>(UNFINISHED)? else {
            return Ok(());
        };
        let mut batch = Batch::new();
        batch.delete(keys::named(keys::META, UNFINISHED.as_bytes()));
        if !self.keys_of_versions()?.iter().any(|(_, its)| *its == digest) {
            for number in 0..usize::try_from(count).unwrap_or(0) {
                batch.delete(part_key(&digest, number));
            }
        }
        self.0.store().commit(batch).await?;
        Ok(())
    }
}

/// Writes which versions are in use.
pub fn put_seat(batch: &mut Batch, name: &str, seat: &SeatRow) {
    put(batch, keys::named(keys::PLUGIN_SEAT, name.as_bytes()), seat);
}

fn parts_of(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(0).div_ceil(PART_BYTES)
}

fn part_key(digest: &str, number: usize) -> Vec<u8> {
    let mut key = vec![keys::PLUGIN_PART];
    key.extend_from_slice(digest.as_bytes());
    let number = u32::try_from(number).expect("invariant: a component has few parts");
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// The two names of a key that has two.
fn first(key: &[u8]) -> Option<String> {
    let end = key.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(key.get(1..end)?).into_owned())
}

fn second(key: &[u8]) -> Option<String> {
    let end = key.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(&key[end + 1..]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;
    use std::sync::Arc;

    fn rows() -> Rows {
        Rows::new(Arc::new(MemoryStore::new("plugins")))
    }

    fn version(bytes: &[u8]) -> VersionRow {
        VersionRow {
            kind: Kind::Mapper,
            version: "1.0.0".to_owned(),
            description: String::new(),
            bytes: bytes.len() as u64,
            grants: Grants::default(),
            signed_by: None,
            signed_at: None,
            by: "admin".to_owned(),
            at: Millis(1),
            file: None,
            ran: false,
        }
    }

    fn parts(rows: &Rows) -> usize {
        let (from, to) = keys::all(keys::PLUGIN_PART);
        rows.store()
            .scan(&from, &to, Direction::Forward, ALL)
            .unwrap()
            .len()
    }

    #[tokio::test]
    async fn parts_count_once_their_version_is_there_and_are_swept_until_then() {
        let rows = rows();
        let shelf = Shelf(&rows);
        let bytes = vec![7; 2 * PART_BYTES + 1];
        let digest = hex::encode(Sha256::digest(&bytes));
        shelf.put_component(&digest, &bytes).await.unwrap();
        assert_eq!(parts(&rows), 3);
        shelf.sweep().await.unwrap();
        assert_eq!(parts(&rows), 0, "nothing came of them");

        shelf.put_component(&digest, &bytes).await.unwrap();
        let mut batch = Batch::new();
        for name in ["one", "two"] {
            Shelf::finish(&mut batch, name, &digest, &version(&bytes));
        }
        rows.store().commit(batch).await.unwrap();
        shelf.sweep().await.unwrap();
        assert_eq!(shelf.component(&digest, &version(&bytes)).unwrap(), bytes);
        assert_eq!(shelf.names().unwrap(), ["one", "two"]);

        // The same component under another name stays until that goes, too.
        for (name, left) in [("one", 3), ("two", 0)] {
            let mut batch = Batch::new();
            shelf.remove(&mut batch, name, &digest, &version(&bytes)).unwrap();
            rows.store().commit(batch).await.unwrap();
            assert_eq!(parts(&rows), left, "without {name}");
        }
    }

    #[tokio::test]
    async fn a_component_that_lacks_a_part_is_not_taken_for_whole() {
        let rows = rows();
        let shelf = Shelf(&rows);
        let bytes = vec![7; PART_BYTES + 1];
        let digest = hex::encode(Sha256::digest(&bytes));
        shelf.put_component(&digest, &bytes).await.unwrap();
        let mut batch = Batch::new();
        batch.delete(part_key(&digest, 1));
        rows.store().commit(batch).await.unwrap();
        assert!(shelf.component(&digest, &version(&bytes)).is_err());
    }

    #[tokio::test]
    async fn the_history_does_not_grow_for_ever() {
        let rows = rows();
        let shelf = Shelf(&rows);
        for n in 0..=MOST_HISTORY {
            let mut batch = Batch::new();
            let entry = HistoryRow {
                name: "one".to_owned(),
                action: "install".to_owned(),
                digest: Some(n.to_string()),
                from: None,
                by: "admin".to_owned(),
                at: Millis(1),
                why: None,
            };
            shelf.note(&mut batch, &entry).unwrap();
            rows.store().commit(batch).await.unwrap();
        }
        let (from, to) = keys::all(keys::PLUGIN_HISTORY);
        let kept: Vec<(Vec<u8>, HistoryRow)> = rows.page((&from, &to), Direction::Forward, ALL).unwrap();
        assert_eq!(kept.len(), MOST_HISTORY);
        assert_eq!(kept[0].1.digest.as_deref(), Some("1"), "the oldest went");
    }
}
