//! Typed rows over the key-value store: what is kept of an entity, its queue, conflicts, logs and settings.
//! Each value begins with a format byte, a record's with its `rev` before that (commits guard it). Documents are
//! JSON text inside MessagePack, never re-printed.

use crate::store::keys;
use crate::store::{Batch, Direction, Store, StoreError};
use selaras_core::conflict::Conflict;
use selaras_core::entity::Entity;
use selaras_core::id::EntityKey;
use selaras_core::item::Item;
use selaras_core::json::Doc;
use selaras_core::record::{Base, Record};
use selaras_core::stamp::Millis;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The format of the rows written by this version.
const FORMAT: u8 = 1;

/// A row that cannot be read or written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RowError {
    /// The store itself.
    #[error(transparent)]
    Store(#[from] Arc<StoreError>),
    /// A value is not what its kind says.
    #[error("the row {key:?} cannot be read: {why}")]
    Garbled {
        /// The row's key.
        key: String,
        /// What is wrong.
        why: String,
    },
}

impl From<StoreError> for RowError {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

/// An entry of the change feed as kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FeedRow {
    /// The type.
    pub entity_type: String,
    /// The id.
    pub entity_id: String,
    /// The record's version after it.
    pub version: u64,
    /// Whether it is a tombstone.
    pub deleted: bool,
    /// `app`, `cloud`, `resolution` or `restore`.
    pub origin: Origin,
    /// The app token that made it.
    pub token_id: Option<String>,
    /// The change's id.
    pub change_id: Option<String>,
}

/// Who made a feed entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Origin {
    /// An app at the outlet.
    App,
    /// The cloud.
    Cloud,
    /// A decision of a conflict.
    Resolution,
    /// A restored backup.
    Restore,
}

impl Origin {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Cloud => "cloud",
            Self::Resolution => "resolution",
            Self::Restore => "restore",
        }
    }
}

/// A queue item with the entity it belongs to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ItemRow {
    /// The entity.
    pub key: EntityKey,
    /// The item.
    pub item: Item,
}

/// A line of the sync log as kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LogRow {
    /// True: push; false: pull.
    pub push: bool,
    /// The type, where all were of one.
    pub entity_type: Option<String>,
    /// How many.
    pub entity_count: u64,
    /// 0 success, 1 partial, 2 failed.
    pub status: u8,
    /// What went wrong.
    pub error_message: Option<String>,
    /// Begin, corrected.
    pub started_at: Millis,
    /// By monotonic clock.
    pub duration_ms: u64,
    /// A JSON object.
    pub details: Doc,
}

/// An update that could not be handled, kept whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ParkedRow {
    /// The wire's or the outlet's name of the type.
    pub entity_type: String,
    /// The outlet's id, where it is known.
    pub entity_id: Option<String>,
    /// The update, where it could be read.
    pub update: Option<selaras_core::update::Update>,
    /// The element's text, where it could not.
    pub raw: Option<String>,
    /// E.g. `plugin-timeout`, `unreadable`.
    pub error_code: String,
    /// In words.
    pub error: String,
    /// When.
    pub at: Millis,
}

/// Writes a value.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    encode_about(value, 128)
}

/// Writes a value that takes about so many bytes.
fn encode_about<T: Serialize>(value: &T, bytes: usize) -> Vec<u8> {
    // And one for the store's own mark behind it.
    let mut bytes = Vec::with_capacity(bytes + 1);
    bytes.push(FORMAT);
    rmp_serde::encode::write(&mut bytes, value).expect("invariant: rows are plain values in memory");
    bytes
}

/// Reads a value.
///
/// # Errors
/// When it is of another format or garbled.
pub fn decode<T: DeserializeOwned>(key: &[u8], bytes: &[u8]) -> Result<T, RowError> {
    let garbled = |why: String| RowError::Garbled {
        key: String::from_utf8_lossy(key).into_owned(),
        why,
    };
    match bytes.split_first() {
        Some((&FORMAT, rest)) => rmp_serde::from_slice(rest).map_err(|e| garbled(e.to_string())),
        Some((format, _)) => Err(garbled(format!("format {format} is not known to this version"))),
        None => Err(garbled("it is empty".to_owned())),
    }
}

/// The bytes of a record's row, its `rev` first.
pub(super) fn record_bytes(record: &Record) -> Vec<u8> {
    let inbox = record.inbox.as_ref().and_then(|update| update.body.as_ref());
    let base = match &record.base {
        Base::Other(doc) => doc.as_ref(),
        Base::Never | Base::Same => None,
    };
    let docs: usize = [record.doc.as_ref(), base, inbox]
        .into_iter()
        .flatten()
        .map(Doc::len)
        .sum();
    let mut bytes = Vec::with_capacity(320 + docs);
    bytes.extend_from_slice(&record.rev.to_be_bytes());
    bytes.push(FORMAT);
    rmp_serde::encode::write(&mut bytes, record).expect("invariant: rows are plain values in memory");
    bytes
}

fn decode_record(key: &[u8], bytes: &[u8]) -> Result<Record, RowError> {
    decode(key, bytes.get(8..).unwrap_or_default())
}

/// Typed reads. Writes go through [`write_entity`](crate::store::entity_rows::write_entity) and the functions beside it into a [`Batch`].
#[derive(Clone)]
pub struct Rows {
    store: Arc<dyn Store>,
}

impl Rows {
    /// Rows of this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// The store below.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// One row.
    ///
    /// # Errors
    /// When the store fails or the row is garbled.
    pub fn get<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, RowError> {
        self.store.get(key)?.map(|bytes| decode(key, &bytes)).transpose()
    }

    /// A page of rows.
    ///
    /// # Errors
    /// When the store fails or a row is garbled.
    pub fn page<T: DeserializeOwned>(
        &self,
        (from, to): (&[u8], &[u8]),
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, T)>, RowError> {
        let rows = self.store.scan(from, to, direction, limit)?;
        rows.into_iter()
            .map(|(key, bytes)| decode(&key, &bytes).map(|row| (key, row)))
            .collect()
    }

    /// An entity's record.
    ///
    /// # Errors
    /// When the store fails or the row is garbled.
    pub fn record(&self, key: &EntityKey) -> Result<Option<Record>, RowError> {
        let row = keys::entity(keys::RECORD, key);
        self.store
            .get(&row)?
            .map(|bytes| decode_record(&row, &bytes))
            .transpose()
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
        let read = rows.into_iter().filter_map(|(key, bytes)| {
            let entity = keys::parse_entity(&key[1..])?;
            Some(decode_record(&key, &bytes).map(|record| (entity, record)))
        });
        read.collect()
    }

    /// An entity with all its items; one nobody has heard of when there is no record.
    ///
    /// # Errors
    /// When the store fails or a row is garbled.
    pub fn entity(&self, key: &EntityKey) -> Result<Entity, RowError> {
        self.load(key, usize::MAX)
    }

    /// An entity with the first two and the last of its items: all that intake and push look at.
    ///
    /// # Errors
    /// When the store fails or a row is garbled.
    pub fn entity_edges(&self, key: &EntityKey) -> Result<Entity, RowError> {
        self.load(key, 3)
    }

    fn load(&self, key: &EntityKey, most: usize) -> Result<Entity, RowError> {
        let Some(record) = self.record(key)? else {
            return Ok(Entity::new(key.clone()));
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
                if let Some(row) = self.item(order)? {
                    items.push(row.item);
                }
            }
        }
        Ok(Entity {
            key: key.clone(),
            record,
            items,
        })
    }

    /// A queue item by its order.
    ///
    /// # Errors
    /// When the store fails or the row is garbled.
    pub fn item(&self, order: u64) -> Result<Option<ItemRow>, RowError> {
        self.get(&keys::numbered(keys::ITEM, order))
    }

    /// The entity that the cloud knows by this id.
    ///
    /// # Errors
    /// When the store fails.
    pub fn by_cloud_id(&self, entity_type: &str, cloud_id: &str) -> Result<Option<String>, RowError> {
        let found = self
            .store
            .get(&keys::two(keys::BY_CLOUD_ID, entity_type, cloud_id))?;
        Ok(found.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    /// A conflict by its number.
    ///
    /// # Errors
    /// When the store fails or the row is garbled.
    pub fn conflict(&self, number: u64) -> Result<Option<Conflict>, RowError> {
        self.get(&keys::numbered(keys::CONFLICT, number))
    }

    /// A setting or cursor.
    ///
    /// # Errors
    /// When the store fails or the row is garbled.
    pub fn meta<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, RowError> {
        self.get(&keys::named(keys::META, name.as_bytes()))
    }
}

/// Writes a row.
pub fn put<T: Serialize>(batch: &mut Batch, key: Vec<u8>, value: &T) {
    batch.writes.push((key, Some(encode(value))));
}

/// The bytes of an item's row.
pub(super) fn item_bytes(key: &EntityKey, item: &Item) -> Vec<u8> {
    /// [`ItemRow`], borrowed.
    #[derive(Serialize)]
    struct Row<'a> {
        key: &'a EntityKey,
        item: &'a Item,
    }
    encode_about(
        &Row { key, item },
        256 + item.snapshot.as_ref().map_or(0, Doc::len),
    )
}

/// Writes a setting or cursor.
pub fn put_meta<T: Serialize>(batch: &mut Batch, name: &str, value: &T) {
    put(batch, keys::named(keys::META, name.as_bytes()), value);
}
