//! Which entities a listing of the cloud has shown, and which were written since it began: what is neither is not at the cloud
//! any more.
//!
//! What was shown is kept as marks, 64 bits of an entity's digest, many in a row: a million of them are 8 MB. Two entities
//! with one mark mean that one of them is taken for shown, never the other way round. What was written meanwhile has a row of
//! its own, so that it can be asked for one by one. Each listing has a number; rows of others are rubbish.

use super::rows::{RowError, Rows};
use super::{Batch, Direction, keys};
use selaras_core::id::EntityKey;
use sha2::{Digest, Sha256};

/// Marks in a row: a value that the store keeps in one piece.
const ROW: usize = 512;
/// Rows read, or deleted, at a time.
const PAGE: usize = 200;
/// Follows a listing's number in the keys of what it has shown.
const SHOWN: u8 = 0;
/// The same of what was written meanwhile.
const WRITTEN: u8 = 1;

/// An entity's mark.
pub fn mark(key: &EntityKey) -> u64 {
    let digest = Sha256::new()
        .chain_update(key.entity_type.as_str())
        .chain_update([0])
        .chain_update(key.id.as_str())
        .finalize();
    let first = digest.first_chunk().expect("invariant: a digest has 32 bytes");
    u64::from_be_bytes(*first)
}

/// Writes the marks of what a page of a listing has shown. `page` is its number within the listing; a page that is taken in
/// twice takes the place of itself.
pub fn put_shown(batch: &mut Batch, listing: u64, page: u64, marks: &[u64]) {
    for (part, marks) in marks.chunks(ROW).enumerate() {
        let mut key = row(listing, SHOWN, page);
        key.extend_from_slice(&(part as u64).to_be_bytes());
        let bytes: Vec<u8> = marks.iter().flat_map(|mark| mark.to_be_bytes()).collect();
        batch.put(key, bytes);
    }
}

/// Writes that an entity was written while a listing is taken in.
pub fn put_written(batch: &mut Batch, listing: u64, key: &EntityKey) {
    batch.put(row(listing, WRITTEN, mark(key)), Vec::new());
}

/// Whether an entity was written since the listing began.
///
/// # Errors
/// When the store fails.
pub fn is_written(rows: &Rows, listing: u64, key: &EntityKey) -> Result<bool, RowError> {
    Ok(rows.store().get(&row(listing, WRITTEN, mark(key)))?.is_some())
}

fn row(listing: u64, what: u8, number: u64) -> Vec<u8> {
    let mut key = keys::numbered(keys::SEEN, listing);
    key.push(what);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// What a listing has shown.
pub struct Shown(Vec<u64>);

impl Shown {
    /// All marks of a listing.
    ///
    /// # Errors
    /// When the store fails.
    pub fn read(rows: &Rows, listing: u64) -> Result<Self, RowError> {
        let (mut from, to) = (row(listing, SHOWN, 0), row(listing, WRITTEN, 0));
        let mut marks: Vec<u64> = Vec::new();
        loop {
            let page = rows.store().scan(&from, &to, Direction::Forward, PAGE)?;
            let Some((last, _)) = page.last() else { break };
            from.clone_from(last);
            from.push(0);
            for (_, bytes) in &page {
                let read = bytes.chunks_exact(8).filter_map(|mark| mark.try_into().ok());
                marks.extend(read.map(u64::from_be_bytes));
            }
        }
        marks.sort_unstable();
        marks.dedup();
        Ok(Self(marks))
    }

    /// Whether the entity was shown.
    pub fn has(&self, key: &EntityKey) -> bool {
        self.0.binary_search(&mark(key)).is_ok()
    }
}

/// Deletes some rows of listings other than `current`; none: there are no more.
///
/// # Errors
/// When the store fails.
pub fn rubbish(rows: &Rows, current: Option<u64>) -> Result<Option<Batch>, RowError> {
    let (from, to) = keys::all(keys::SEEN);
    let ranges = match current {
        Some(current) => vec![
            (from, keys::numbered(keys::SEEN, current)),
            (keys::numbered(keys::SEEN, current + 1), to),
        ],
        None => vec![(from, to)],
    };
    let mut batch = Batch::new();
    for (from, to) in ranges {
        for (key, _) in rows.store().scan(&from, &to, Direction::Forward, PAGE)? {
            batch.delete(key);
        }
    }
    Ok((!batch.changes_nothing()).then_some(batch))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;
    use std::sync::Arc;

    fn key(id: &str) -> EntityKey {
        EntityKey::parse("product", id).unwrap()
    }

    #[tokio::test]
    async fn what_a_listing_showed_and_what_was_written_meanwhile_is_told_apart_from_other_listings() {
        let rows = Rows::new(Arc::new(MemoryStore::new("epoch")));
        let mut batch = Batch::new();
        let marks: Vec<u64> = (0..1200).map(|n| mark(&key(&format!("p-{n}")))).collect();
        put_shown(&mut batch, 7, 0, &marks);
        put_shown(&mut batch, 7, 1, &[mark(&key("q"))]);
        put_shown(&mut batch, 6, 0, &[mark(&key("old"))]);
        put_shown(&mut batch, 8, 0, &[mark(&key("new"))]);
        put_written(&mut batch, 7, &key("w"));
        rows.store().commit(batch).await.unwrap();
        let shown = Shown::read(&rows, 7).unwrap();
        for id in ["p-0", "p-1199", "q"] {
            assert!(shown.has(&key(id)), "{id}");
        }
        for id in ["old", "new", "w", "p-1200"] {
            assert!(!shown.has(&key(id)), "{id}");
        }
        assert!(is_written(&rows, 7, &key("w")).unwrap() && !is_written(&rows, 8, &key("w")).unwrap());
        while let Some(batch) = rubbish(&rows, Some(7)).unwrap() {
            rows.store().commit(batch).await.unwrap();
        }
        assert!(Shown::read(&rows, 7).unwrap().has(&key("q")));
        assert!(!Shown::read(&rows, 8).unwrap().has(&key("new")));
        while let Some(batch) = rubbish(&rows, None).unwrap() {
            rows.store().commit(batch).await.unwrap();
        }
        assert!(!is_written(&rows, 7, &key("w")).unwrap() && !Shown::read(&rows, 7).unwrap().has(&key("q")));
    }
}
