//! Typed rows over the key-value store: what is kept of an entity, its queue, conflicts, logs and settings.
//! Each value begins with a format byte, a record's with its `rev` before that (commits guard it). Documents are
//! JSON text inside MessagePack, never re-printed.

use crate::store::keys;
use crate::store::{Batch, Direction, Store, StoreError};
use selaras_core::conflict::Conflict;
use selaras_core::id::EntityKey;
use selaras_core::item::Item;
use selaras_core::json::Doc;
use selaras_core::stamp::Millis;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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
    /// When it was written, corrected. None: by a version that did not note it.
    #[serde(default)]
    pub at: Option<Millis>,
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
#[derive(Clone, Debug)]
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

/// An update that could not be handled, kept whole. Its row never comes to hold another update: a newer one of the same
/// entity gets a number of its own, so that who read a row and finds it there knows what is in it.
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
    /// When it first failed so.
    pub at: Millis,
    /// The mapper that failed.
    #[serde(default)]
    pub plugin: Option<String>,
    /// SHA-256 of its component, where there was one.
    #[serde(default)]
    pub digest: Option<String>,
    /// Names what it failed under: under anything else it is tried again by itself. None: at every occasion.
    #[serde(default)]
    pub under: Option<String>,
    /// The record's version when it was parked: what numbers nothing is older than what the outlet did since.
    #[serde(default)]
    pub version: u64,
    /// The array of the cloud's answer in which an unreadable element stood; none: it came by a webhook.
    #[serde(default)]
    pub collection: Option<String>,
}

impl ParkedRow {
    /// The key that leads to the row: the name by which the cloud knows the update's entity; of what cannot be read, its
    /// text's digest. None: there is neither.
    pub fn slot(&self) -> Option<Vec<u8>> {
        match (&self.update, &self.entity_id, &self.raw) {
            (Some(update), Some(id), _) => Some(parked_slot(&self.entity_type, id, update)),
            (None, _, Some(raw)) => {
                let collection = self.collection.as_deref().unwrap_or_default();
                let digest = Sha256::new_with_prefix(collection)
                    .chain_update([0])
                    .chain_update(raw)
                    .finalize();
                Some(keys::two(keys::PARKED_OF, "", &hex::encode(digest)))
            }
            _ => None,
        }
    }
}

/// The slot of what is parked of the update's entity. See [`ParkedRow::slot`].
pub fn parked_slot(entity_type: &str, entity_id: &str, update: &selaras_core::update::Update) -> Vec<u8> {
    let name = match &update.cloud_id {
        Some(cloud_id) => format!("c{cloud_id}"),
        None => format!("l{entity_id}"),
    };
    keys::two(keys::PARKED_OF, entity_type, &name)
}

/// Writes a value.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    encode_about(value, 128)
}

/// Writes a value that takes about so many bytes.
pub(super) fn encode_about<T: Serialize>(value: &T, bytes: usize) -> Vec<u8> {
    // And one for the store's own mark behind it.
    let mut row = Vec::with_capacity(bytes + 1);
    encode_behind(&mut row, value);
    row
}

/// Writes a value behind what a row begins with.
pub(super) fn encode_behind<T: Serialize>(row: &mut Vec<u8>, value: &T) {
    row.push(FORMAT);
    rmp_serde::encode::write(row, value).expect("invariant: rows are plain values in memory");
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

/// Typed reads. Writes go through [`write_entity`](crate::store::entity_rows::write_entity) and the functions beside it into a [`Batch`].
#[derive(Clone)]
pub struct Rows {
    pub(super) store: Arc<dyn Store>,
    /// See [`Rows::listing`].
    listing: Arc<AtomicU64>,
}

impl Rows {
    /// Rows of this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            listing: Arc::default(),
        }
    }

    /// The number of the listing that is being taken in: every commit marks the entities it writes under it, see
    /// [`seen`](crate::store::seen).
    pub fn listing(&self) -> Option<u64> {
        Some(self.listing.load(Ordering::SeqCst)).filter(|number| *number > 0)
    }

    /// A listing begins, or has ended. It may be asked for only after this.
    pub fn set_listing(&self, number: Option<u64>) {
        self.listing.store(number.unwrap_or(0), Ordering::SeqCst);
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

/// Writes a setting or cursor.
pub fn put_meta<T: Serialize>(batch: &mut Batch, name: &str, value: &T) {
    put(batch, keys::named(keys::META, name.as_bytes()), value);
}
