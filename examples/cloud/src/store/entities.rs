//! Entities: finding, writing and listing them. Every write takes the next sequence number, which is what makes it
//! appear in the updates feed.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::StoreError;
use crate::clock::{self, Stamp};
use crate::rules::Standing;

/// One entity as stored.
#[derive(Debug, Clone)]
pub struct Entity {
    /// The row.
    pub id: i64,
    /// Its type.
    pub entity_type: String,
    /// This cloud's name of it.
    pub cloud_id: String,
    /// The outlets' name of it; none until an outlet or headquarters gave one.
    pub local_id: Option<String>,
    /// Grows by one with every change.
    pub version: u64,
    /// Where its newest change stands in the order of commits.
    pub seq: i64,
    /// It is a tombstone.
    pub deleted: bool,
    /// When it was edited, where it was edited.
    pub updated_at: Stamp,
    /// An outlet's code, or headquarters.
    pub updated_by: String,
    /// The outlet's change that made this state.
    pub change_id: Option<String>,
    /// JSON text; none for a tombstone.
    pub doc: Option<String>,
}

impl Entity {
    /// What the rules want to know.
    pub fn standing(&self) -> Standing {
        Standing {
            version: self.version,
            deleted: self.deleted,
        }
    }
}

/// A new state of an entity.
#[derive(Debug, Clone, Copy)]
pub struct NewState<'a> {
    /// JSON text without envelope fields; `None` makes a tombstone.
    pub doc: Option<&'a str>,
    /// When it was edited. One older than the state before is raised to that one's: stamps never go back.
    pub updated_at: &'a str,
    /// Who did it.
    pub updated_by: &'a str,
    /// The outlet's change_id.
    pub change_id: Option<&'a str>,
}

const COLUMNS: &str =
    "id, entity_type, cloud_id, local_id, version, seq, deleted, updated_at, updated_by, change_id, doc";

pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<Entity> {
    Ok(Entity {
        id: row.get(0)?,
        entity_type: row.get(1)?,
        cloud_id: row.get(2)?,
        local_id: row.get(3)?,
        version: row.get(4)?,
        seq: row.get(5)?,
        deleted: row.get(6)?,
        updated_at: row.get(7)?,
        updated_by: row.get(8)?,
        change_id: row.get(9)?,
        doc: row.get(10)?,
    })
}

/// Finds by this cloud's id.
///
/// # Errors
/// When the store fails.
pub fn by_cloud_id(tx: &Transaction<'_>, kind: &str, cloud_id: &str) -> Result<Option<Entity>, StoreError> {
    let sql = select("entity_type = ?1 AND cloud_id = ?2");
    Ok(tx
        .prepare_cached(&sql)?
        .query_row([kind, cloud_id], from_row)
        .optional()?)
}

/// Finds by the outlets' id.
///
/// # Errors
/// When the store fails.
pub fn by_local_id(tx: &Transaction<'_>, kind: &str, local_id: &str) -> Result<Option<Entity>, StoreError> {
    let sql = select("entity_type = ?1 AND local_id = ?2");
    Ok(tx
        .prepare_cached(&sql)?
        .query_row([kind, local_id], from_row)
        .optional()?)
}

/// Finds by either id; this cloud's own goes first.
///
/// # Errors
/// When the store fails.
pub fn by_any_id(tx: &Transaction<'_>, kind: &str, id: &str) -> Result<Option<Entity>, StoreError> {
    match by_cloud_id(tx, kind, id)? {
        Some(entity) => Ok(Some(entity)),
        None => by_local_id(tx, kind, id),
    }
}

/// Finds by row.
///
/// # Errors
/// When the store fails.
pub fn by_row(tx: &Transaction<'_>, id: i64) -> Result<Option<Entity>, StoreError> {
    Ok(tx
        .prepare_cached(&select("id = ?1"))?
        .query_row([id], from_row)
        .optional()?)
}

/// A page of a type in the order of creation, from behind row `after`; tombstones only when asked for.
///
/// # Errors
/// When the store fails.
pub fn list(
    tx: &Transaction<'_>,
    kind: &str,
    after: i64,
    limit: u32,
    deleted: bool,
) -> Result<Vec<Entity>, StoreError> {
    let sql = select("entity_type = ?1 AND id > ?2 AND deleted <= ?3 ORDER BY id LIMIT ?4");
    let mut statement = tx.prepare_cached(&sql)?;
    let rows = statement.query_map(params![kind, after, deleted, limit], from_row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// How many live entities there are of each type.
///
/// # Errors
/// When the store fails.
pub fn counts(tx: &Transaction<'_>) -> Result<Vec<(String, u64)>, StoreError> {
    let sql = "SELECT entity_type, count(*) FROM entities WHERE NOT deleted GROUP BY entity_type ORDER BY 1";
    let mut statement = tx.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The sequence number of the newest change; 0 when there is none.
///
/// # Errors
/// When the store fails.
pub fn head(tx: &Transaction<'_>) -> Result<i64, StoreError> {
    let sql = "SELECT coalesce(max(seq), 0) FROM entities";
    Ok(tx.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// Stores a new entity as version 1 under a new `cloud_id`.
///
/// # Errors
/// When the store fails, also when `local_id` is taken.
pub fn insert(
    tx: &Transaction<'_>,
    kind: &str,
    local_id: Option<&str>,
    state: &NewState<'_>,
) -> Result<Entity, StoreError> {
    let entity = Entity {
        id: 0,
        entity_type: kind.to_owned(),
        cloud_id: clock::new_id(),
        local_id: local_id.map(str::to_owned),
        version: 1,
        seq: head(tx)? + 1,
        deleted: state.doc.is_none(),
        updated_at: state.updated_at.to_owned(),
        updated_by: state.updated_by.to_owned(),
        change_id: state.change_id.map(str::to_owned),
        doc: state.doc.map(str::to_owned),
    };
    let sql = "INSERT INTO entities (entity_type, cloud_id, local_id, version, seq, deleted, updated_at, updated_by,
        change_id, doc) VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?9)";
    let id = tx.prepare_cached(sql)?.insert(params![
        entity.entity_type,
        entity.cloud_id,
        entity.local_id,
        entity.seq,
        entity.deleted,
        entity.updated_at,
        entity.updated_by,
        entity.change_id,
        entity.doc
    ])?;
    Ok(Entity { id, ..entity })
}

/// Stores the next version of an entity. One that has no `local_id` yet keeps none: which of several outlets named
/// it first says nothing to the others.
///
/// # Errors
/// When the store fails.
pub fn replace(tx: &Transaction<'_>, before: &Entity, state: &NewState<'_>) -> Result<Entity, StoreError> {
    let entity = Entity {
        version: before.version + 1,
        seq: head(tx)? + 1,
        deleted: state.doc.is_none(),
        updated_at: state.updated_at.max(&before.updated_at).to_owned(),
        updated_by: state.updated_by.to_owned(),
        change_id: state.change_id.map(str::to_owned),
        doc: state.doc.map(str::to_owned),
        ..before.clone()
    };
    let sql = "UPDATE entities SET version = ?2, seq = ?3, deleted = ?4, updated_at = ?5, updated_by = ?6,
        change_id = ?7, doc = ?8 WHERE id = ?1";
    tx.prepare_cached(sql)?.execute(params![
        entity.id,
        entity.version,
        entity.seq,
        entity.deleted,
        entity.updated_at,
        entity.updated_by,
        entity.change_id,
        entity.doc
    ])?;
    Ok(entity)
}

fn select(condition: &str) -> String {
    format!("SELECT {COLUMNS} FROM entities WHERE {condition}")
}
