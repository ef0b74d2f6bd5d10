//! Entities as they lie in rows: the record, its items, and the documents that both name.
//!
//! Owns how these rows read and write, and puts an entity together from them. A reader is not part of any commit: where
//! a row names a document that is gone, somebody has changed the entity meanwhile, and the row is read again.

use crate::store::Direction;
use crate::store::documents::{Held, held_by_item, held_by_record};
use crate::store::keys;
use crate::store::rows::{ItemRow, RowError, Rows, decode, encode_about, encode_behind};
use selaras_core::entity::Entity;
use selaras_core::id::EntityKey;
use selaras_core::item::Item;
use selaras_core::json::Doc;
use selaras_core::record::{Base, Record};
use serde::{Deserialize, Serialize};

/// A queue item's key in a list, and the item if it is still there.
pub type ListedItem = (Vec<u8>, Option<ItemRow>);

/// A record as its row has it.
#[derive(Serialize, Deserialize)]
struct RecordRow {
    /// Without its document.
    record: Record,
    document: Held,
}

/// An item as its row has it.
#[derive(Serialize, Deserialize)]
struct BareItemRow {
    key: EntityKey,
    /// Without its snapshot.
    item: Item,
    snapshot: Held,
}

/// The bytes of a record's row, its `rev` first.
pub(super) fn record_bytes(entity: &Entity) -> Vec<u8> {
    let record = &entity.record;
    let document = held_by_record(entity);
    let here = match &document {
        Held::Here(doc) => Some(doc),
        Held::None | Held::Apart => None,
    };
    let inbox = record.inbox.as_ref().and_then(|update| update.body.as_ref());
    let base = match &record.base {
        Base::Other(doc) => doc.as_ref(),
        Base::Never | Base::Same => None,
    };
    let docs: usize = [here, base, inbox].into_iter().flatten().map(Doc::len).sum();
    let mut bytes = Vec::with_capacity(320 + docs);
    bytes.extend_from_slice(&record.rev.to_be_bytes());
    let row = RecordRow {
        record: Record {
            doc: None,
            ..record.clone()
        },
        document,
    };
    encode_behind(&mut bytes, &row);
    bytes
}

fn decode_record(key: &[u8], bytes: &[u8]) -> Result<RecordRow, RowError> {
    decode(key, bytes.get(8..).unwrap_or_default())
}

/// How often a row is read anew when the document it names went in between. Each time somebody else made progress.
const LOOKS: usize = 1000;

/// The bytes of an item's row.
pub(super) fn item_bytes(key: &EntityKey, item: &Item) -> Vec<u8> {
    let snapshot = held_by_item(item);
    let here = match &snapshot {
        Held::Here(doc) => doc.len(),
        Held::None | Held::Apart => 0,
    };
    let row = BareItemRow {
        key: key.clone(),
        item: Item {
            snapshot: None,
            ..item.clone()
        },
        snapshot,
    };
    encode_about(&row, 256 + here)
}

/// What is said of a row whose document is not there, however often both are read.
fn missing_document(row: &[u8]) -> RowError {
    RowError::Garbled {
        key: String::from_utf8_lossy(row).into_owned(),
        why: "the document it names is not there".to_owned(),
    }
}

impl Rows {
    /// An entity's record.
    ///
    /// # Errors
    /// When the store fails or the row is garbled.
    pub fn record(&self, key: &EntityKey) -> Result<Option<Record>, RowError> {
        let row = keys::entity(keys::RECORD, key);
        for _ in 0..LOOKS {
            let Some(bytes) = self.store.get(&row)? else {
                return Ok(None);
            };
            if let Some(record) = self.whole_record(key, decode_record(&row, &bytes)?)? {
                return Ok(Some(record));
            }
        }
        Err(missing_document(&row))
    }

    /// The records between two record keys, with their entities.
    ///
    /// # Errors
    /// When the store fails or a row is garbled.
    pub fn records(
        &self,
        from: &[u8],
        to: &[u8],
        limit: usize,
    ) -> Result<Vec<(EntityKey, Record)>, RowError> {
        let rows = self.store.scan(from, to, Direction::Forward, limit)?;
        let mut records = Vec::with_capacity(rows.len());
        for (row, bytes) in rows {
            let Some(key) = keys::parse_entity(&row[1..]) else {
                continue;
            };
            let record = match self.whole_record(&key, decode_record(&row, &bytes)?)? {
                Some(record) => Some(record),
                // Changed since the page was read.
                None => self.record(&key)?,
            };
            records.extend(record.map(|record| (key, record)));
        }
        Ok(records)
    }

    /// A record with its document; none when that is gone: the record was changed meanwhile.
    fn whole_record(&self, key: &EntityKey, row: RecordRow) -> Result<Option<Record>, RowError> {
        let RecordRow { mut record, document } = row;
        record.doc = match document {
            Held::None => None,
            Held::Here(doc) => Some(doc),
            Held::Apart => match self.document(key, record.version)? {
                Some(doc) => Some(doc),
                None => return Ok(None),
            },
        };
        Ok(Some(record))
    }

    /// The document of a version that lies apart.
    fn document(&self, key: &EntityKey, version: u64) -> Result<Option<Doc>, RowError> {
        let row = keys::entity_version(key, version);
        let Some(bytes) = self.store.get(&row)? else {
            return Ok(None);
        };
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(Doc::from_trusted(text))),
            Err(error) => Err(RowError::Garbled {
                key: String::from_utf8_lossy(&row).into_owned(),
                why: error.to_string(),
            }),
        }
    }

    /// An entity with all its items; one nobody has heard of when there is no record.
    ///
    /// # Errors
    /// When the store fails or the row is garbled.
    pub fn entity(&self, key: &EntityKey) -> Result<Entity, RowError> {
        self.load(key, usize::MAX)
    }

    /// An entity with the first two and the last of its items: all that intake and push look at.
    ///
    /// # Errors
    /// When the store fails or the row is garbled.
    pub fn entity_edges(&self, key: &EntityKey) -> Result<Entity, RowError> {
        self.load(key, 3)
    }

    fn load(&self, key: &EntityKey, most: usize) -> Result<Entity, RowError> {
        let Some(record) = self.record(key)? else {
            return Ok(Entity {
                version_floor: self.store.version_floor(),
                ..Entity::new(key.clone())
            });
        };
        let mut items = Vec::new();
        if record.waiting > 0 {
            let (from, to) = keys::entity_items(key);
            let many = record.waiting as usize > most;
            let first = if many { most - 1 } else { usize::MAX };
            let mut rows = self.store.scan(&from, &to, Direction::Forward, first)?;
            if many {
                rows.extend(self.store.scan(&from, &to, Direction::Backward, 1)?);
            }
            for order in rows.iter().filter_map(|(row, _)| keys::entity_item_order(row)) {
                // A row that a commit removed in between: the record's rev moved too, and guards what follows.
                if let Some(row) = self.item_beside(order, Some(&record))? {
                    items.push(row.item);
                }
            }
        }
        Ok(Entity {
            key: key.clone(),
            record,
            items,
            version_floor: self.store.version_floor(),
        })
    }

    /// A queue item by its order.
    ///
    /// # Errors
    /// When the store fails or the row is garbled.
    pub fn item(&self, order: u64) -> Result<Option<ItemRow>, RowError> {
        self.item_beside(order, None)
    }

    fn item_beside(&self, order: u64, record: Option<&Record>) -> Result<Option<ItemRow>, RowError> {
        let row = keys::numbered(keys::ITEM, order);
        for _ in 0..LOOKS {
            let Some(bare) = self.get::<BareItemRow>(&row)? else {
                return Ok(None);
            };
            if let Some(item) = self.whole_item(bare, record)? {
                return Ok(Some(item));
            }
        }
        Err(missing_document(&row))
    }

    /// Queue items in order of acceptance, from one item key on: their keys, and the items that are still there.
    ///
    /// # Errors
    /// When the store fails or a row is garbled.
    pub fn items(&self, from: &[u8], limit: usize) -> Result<Vec<ListedItem>, RowError> {
        let (_, to) = keys::all(keys::ITEM);
        let rows = self.store.scan(from, &to, Direction::Forward, limit)?;
        let mut items = Vec::with_capacity(rows.len());
        for (key, bytes) in rows {
            let item = match self.whole_item(decode(&key, &bytes)?, None)? {
                Some(item) => Some(item),
                // Changed since the page was read.
                None => self.item(keys::number(&key).unwrap_or_default())?,
            };
            items.push((key, item));
        }
        Ok(items)
    }

    /// The same of the items that are out of retries, from one key of their list on.
    ///
    /// # Errors
    /// When the store fails or a row is garbled.
    pub fn failed_items(&self, from: &[u8], limit: usize) -> Result<Vec<ListedItem>, RowError> {
        let (_, to) = keys::all(keys::FAILED);
        let rows = self.store.scan(from, &to, Direction::Forward, limit)?;
        rows.into_iter()
            .map(|(key, _)| {
                let item = self.item(keys::number(&key).unwrap_or_default())?;
                Ok((key, item))
            })
            .collect()
    }

    /// An item with its snapshot; none when that is gone: the item was changed meanwhile. `record`: its entity's, which
    /// most often has that very document.
    fn whole_item(&self, row: BareItemRow, record: Option<&Record>) -> Result<Option<ItemRow>, RowError> {
        let BareItemRow {
            key,
            mut item,
            snapshot,
        } = row;
        item.snapshot = match snapshot {
            Held::None => None,
            Held::Here(doc) => Some(doc),
            Held::Apart => {
                let beside = record.filter(|record| record.version == item.version);
                let found = match beside.and_then(|record| record.doc.clone()) {
                    Some(doc) => Some(doc),
                    None => self.document(&key, item.version)?,
                };
                match found {
                    Some(doc) => Some(doc),
                    None => return Ok(None),
                }
            }
        };
        Ok(Some(ItemRow { key, item }))
    }
}
