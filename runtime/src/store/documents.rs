//! Where an entity's documents lie: in rows of their own, by the version they came with, so that a record and its queue
//! items name them. A document is then written once, however often its record's or item's state changes.
//!
//! Owns who keeps a document apart, and which rows of documents appear and go. It must not know what a change means.
//! That a version has one document only, whoever names it, is rule 3.

use crate::store::Batch;
use crate::store::keys;
use selaras_core::entity::Entity;
use selaras_core::id::EntityKey;
use selaras_core::item::Item;
use selaras_core::json::Doc;
use selaras_core::record::Record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Shorter documents stay in the rows that hold them: a row of its own costs more. On disk: items that are written
/// count on it, so it never changes.
const APART_BYTES: usize = 256;

/// A document as a row holds it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) enum Held {
    /// There is none.
    #[default]
    None,
    /// In the row itself.
    Here(Doc),
    /// In the row of the version.
    Apart,
}

/// How an item's row holds its snapshot. Depends on the snapshot alone: rows of items are not written again when
/// something else changes.
pub(super) fn held_by_item(item: &Item) -> Held {
    hold(item.snapshot.as_ref(), true)
}

/// How the record's row holds its document. A record that never had to do with the queue keeps it: what is only pulled is
/// one row.
pub(super) fn held_by_record(entity: &Entity) -> Held {
    let shared = !entity.items.is_empty() || entity.record.create_sent;
    hold(entity.record.doc.as_ref(), shared)
}

fn hold(doc: Option<&Doc>, shared: bool) -> Held {
    match doc {
        None => Held::None,
        Some(doc) if shared && doc.len() > APART_BYTES => Held::Apart,
        Some(doc) => Held::Here(doc.clone()),
    }
}

/// The key of a version's document.
pub(super) fn document_key(key: &EntityKey, version: u64) -> Vec<u8> {
    keys::entity_version(key, version)
}

/// The documents that lie apart, by version: those of the record and of the items that are loaded.
fn apart(entity: &Entity) -> BTreeMap<u64, &Doc> {
    let mut documents = BTreeMap::new();
    for item in &entity.items {
        if let (Held::Apart, Some(doc)) = (held_by_item(item), &item.snapshot) {
            documents.insert(item.version, doc);
        }
    }
    let Record { version, doc, .. } = &entity.record;
    if let (Held::Apart, Some(doc)) = (held_by_record(entity), doc) {
        documents.insert(*version, doc);
    }
    documents
}

/// Writes the documents that came and takes out those that nothing names any more. An item that is not loaded names a
/// version that is neither the record's nor another item's.
pub(super) fn write_documents(batch: &mut Batch, before: &Entity, after: &Entity) {
    let (was, is) = (apart(before), apart(after));
    for (version, doc) in &is {
        if was.get(version) != Some(doc) {
            batch.put(
                document_key(&after.key, *version),
                doc.as_str().as_bytes().to_vec(),
            );
        }
    }
    for version in was.keys().filter(|version| !is.contains_key(version)) {
        batch.delete(document_key(&after.key, *version));
    }
}

/// Takes out what an entity that is removed whole has apart. All its items must be loaded.
pub fn forget_documents(batch: &mut Batch, gone: &Entity) {
    for version in apart(gone).keys() {
        batch.delete(document_key(&gone.key, *version));
    }
}

#[cfg(test)]
mod tests;
