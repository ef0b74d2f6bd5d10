//! Conflicts on record: what an outlet wanted when the entity had moved on, and how it was settled.
//! One is open per outlet and entity; a new attempt raises it.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::StoreError;
use super::entities::{self, Entity, NewState};
use super::outlets::Outlet;
use super::push::{Change, Context};
use crate::clock::{self, Stamp};
use crate::json::Object;
use crate::rules::Operation;

/// The field's name when the whole document is in question.
pub const WHOLE: &str = "*";

/// A conflict as stored.
#[derive(Debug, Clone)]
pub struct Conflict {
    row: i64,
    /// Its public name.
    pub conflict_id: String,
    /// The entity's row.
    pub entity: i64,
    /// `create`, `update` or `delete`.
    pub operation: String,
    /// What the outlet wanted; none for a delete.
    pub local_doc: Option<String>,
    /// When the outlet wanted it.
    pub local_at: Stamp,
    /// The entity's version that stood against it.
    pub cloud_version: u64,
    /// `open`, `settled` by a later push, or `resolved` by the outlet's word.
    pub status: String,
    /// The outlet's word.
    pub strategy: Option<String>,
    /// Who decided.
    pub resolved_by: Option<String>,
    /// Why.
    pub notes: Option<String>,
    /// When it was first seen.
    pub opened_at: Stamp,
    /// When it ended.
    pub resolved_at: Option<Stamp>,
    /// The entity's version after it.
    pub new_version: Option<u64>,
    /// The first top-level field that differed, or [`WHOLE`].
    pub field: String,
}

const COLUMNS: &str =
    "id, conflict_id, entity, operation, local_doc, local_at, cloud_version, status, strategy,
    resolved_by, notes, opened_at, resolved_at, new_version, field";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Conflict> {
    Ok(Conflict {
        row: row.get(0)?,
        conflict_id: row.get(1)?,
        entity: row.get(2)?,
        operation: row.get(3)?,
        local_doc: row.get(4)?,
        local_at: row.get(5)?,
        cloud_version: row.get(6)?,
        status: row.get(7)?,
        strategy: row.get(8)?,
        resolved_by: row.get(9)?,
        notes: row.get(10)?,
        opened_at: row.get(11)?,
        resolved_at: row.get(12)?,
        new_version: row.get(13)?,
        field: row.get(14)?,
    })
}

/// Whether the outlet has any open conflict; asked once a batch, so that the ordinary push pays nothing for them.
pub(super) fn any_open(tx: &Transaction<'_>, outlet: i64) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM conflicts WHERE outlet = ?1 AND status = 'open')";
    Ok(tx.prepare_cached(sql)?.query_row([outlet], |row| row.get(0))?)
}

/// Puts a refused change on record; the second value says whether this opened a new conflict.
pub(super) fn open(
    tx: &Transaction<'_>,
    cx: &Context,
    change: &Change,
    local_at: &Stamp,
    standing: &Entity,
) -> Result<(Conflict, bool), StoreError> {
    let (operation, local_doc) = match change.operation {
        Operation::Create => ("create", Some(change.doc.clone())),
        Operation::Update => ("update", Some(change.doc.clone())),
        Operation::Delete => ("delete", None),
    };
    let sql =
        format!("SELECT {COLUMNS} FROM conflicts WHERE outlet = ?1 AND entity = ?2 AND status = 'open'");
    let known = tx
        .prepare_cached(&sql)?
        .query_row(params![cx.outlet.row, standing.id], from_row)
        .optional()?;
    let opened = known.is_none();
    let mut conflict = Conflict {
        row: 0,
        conflict_id: clock::new_id(),
        entity: standing.id,
        operation: operation.to_owned(),
        field: first_difference(standing.doc.as_deref(), local_doc.as_deref()),
        local_doc,
        local_at: local_at.clone(),
        cloud_version: standing.version,
        status: "open".to_owned(),
        strategy: None,
        resolved_by: None,
        notes: None,
        opened_at: cx.now.clone(),
        resolved_at: None,
        new_version: None,
    };
    if let Some(known) = known {
        conflict = Conflict {
            row: known.row,
            conflict_id: known.conflict_id,
            opened_at: known.opened_at,
            ..conflict
        };
        let sql = "UPDATE conflicts SET operation = ?2, local_doc = ?3, local_at = ?4, cloud_version = ?5, field = ?6
            WHERE id = ?1";
        let Conflict {
            row,
            operation,
            local_doc,
            local_at,
            cloud_version,
            field,
            ..
        } = &conflict;
        tx.prepare_cached(sql)?.execute(params![
            row,
            operation,
            local_doc,
            local_at,
            cloud_version,
            field
        ])?;
    } else {
        let sql = "INSERT INTO conflicts (conflict_id, outlet, entity, operation, local_doc, local_at, cloud_version,
            status, opened_at, field) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'open', ?8, ?9)";
        conflict.row = tx.prepare_cached(sql)?.insert(params![
            conflict.conflict_id,
            cx.outlet.row,
            conflict.entity,
            conflict.operation,
            conflict.local_doc,
            conflict.local_at,
            conflict.cloud_version,
            conflict.opened_at,
            conflict.field
        ])?;
    }
    Ok((conflict, opened))
}

/// A later push of the outlet took effect: its open conflict over the entity is over.
pub(super) fn settle(
    tx: &Transaction<'_>,
    outlet: i64,
    entity: &Entity,
    now: &Stamp,
) -> Result<(), StoreError> {
    let sql = "UPDATE conflicts SET status = 'settled', resolved_at = ?3, new_version = ?4
        WHERE outlet = ?1 AND entity = ?2 AND status = 'open'";
    tx.prepare_cached(sql)?
        .execute(params![outlet, entity.id, now, entity.version])?;
    Ok(())
}

/// What the outlet says of how it decided.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// `local_wins`, `cloud_wins` or any other strategy's name.
    pub strategy: String,
    /// Who decided.
    pub resolved_by: Option<String>,
    /// Why.
    pub notes: Option<String>,
}

/// Ends a conflict of this outlet and answers it with the entity as it is now; `None` when there is no such
/// conflict. A repeat answers the same and changes nothing.
///
/// A runtime resolves after it pushed what it decided, so the entity has usually moved on from the version in
/// question and only the record is closed. Where it has not and the outlet's side won, its document is applied here.
///
/// # Errors
/// When the store fails.
pub fn resolve(
    tx: &Transaction<'_>,
    outlet: &Outlet,
    conflict_id: &str,
    resolution: &Resolution,
    now: &Stamp,
) -> Result<Option<(Conflict, Entity)>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM conflicts WHERE conflict_id = ?1 AND outlet = ?2");
    let found = tx
        .prepare_cached(&sql)?
        .query_row(params![conflict_id, outlet.row], from_row)
        .optional()?;
    let Some(mut conflict) = found else {
        return Ok(None);
    };
    let Some(mut entity) = entities::by_row(tx, conflict.entity)? else {
        return Ok(None);
    };
    if conflict.status == "resolved" {
        return Ok(Some((conflict, entity)));
    }
    let untouched = conflict.status == "open" && entity.version == conflict.cloud_version;
    if untouched && resolution.strategy == "local_wins" {
        let state = NewState {
            doc: conflict.local_doc.as_deref(),
            updated_at: &conflict.local_at,
            updated_by: &outlet.code,
            change_id: None,
        };
        entity = entities::replace(tx, &entity, &state)?;
    }
    conflict = Conflict {
        status: "resolved".to_owned(),
        strategy: Some(resolution.strategy.clone()),
        resolved_by: resolution.resolved_by.clone(),
        notes: resolution.notes.clone(),
        resolved_at: Some(now.clone()),
        new_version: Some(entity.version),
        ..conflict
    };
    let sql = "UPDATE conflicts SET status = 'resolved', strategy = ?2, resolved_by = ?3, notes = ?4, resolved_at = ?5,
        new_version = ?6 WHERE id = ?1";
    let Conflict {
        row,
        strategy,
        resolved_by,
        notes,
        resolved_at,
        new_version,
        ..
    } = &conflict;
    tx.prepare_cached(sql)?.execute(params![
        row,
        strategy,
        resolved_by,
        notes,
        resolved_at,
        new_version
    ])?;
    Ok(Some((conflict, entity)))
}

/// The newest conflicts, each with its outlet's code and the entity's type and cloud_id.
///
/// # Errors
/// When the store fails.
pub fn newest(tx: &Transaction<'_>, limit: u32) -> Result<Vec<(Conflict, [String; 3])>, StoreError> {
    let columns = COLUMNS.replace("id, conflict_id", "c.id, conflict_id");
    let sql = format!(
        "SELECT {columns}, o.code, e.entity_type, e.cloud_id FROM conflicts c JOIN outlets o ON o.id = c.outlet
         JOIN entities e ON e.id = c.entity ORDER BY c.id DESC LIMIT ?1"
    );
    let mut statement = tx.prepare_cached(&sql)?;
    let rows = statement.query_map([limit], |row| {
        Ok((from_row(row)?, [row.get(15)?, row.get(16)?, row.get(17)?]))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn first_difference(cloud: Option<&str>, local: Option<&str>) -> String {
    let differing = || {
        let (cloud, local) = (Object::parse(cloud?).ok()?, Object::parse(local?).ok()?);
        let value = |object: &Object<'_>, name: &str| object.get(name).map(|value| value.get().to_owned());
        let mut names = local.members().chain(cloud.members()).map(|(name, _)| name);
        names
            .find(|name| value(&cloud, name) != value(&local, name))
            .map(str::to_owned)
    };
    differing().unwrap_or_else(|| WHOLE.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_differing_field_is_named() {
        let field = first_difference(Some(r#"{"a":1,"b":2}"#), Some(r#"{"a":1,"b":3,"c":4}"#));
        assert_eq!(field, "b");
        assert_eq!(
            first_difference(Some(r#"{"a":1,"z":0}"#), Some(r#"{"a":1}"#)),
            "z"
        );
        assert_eq!(first_difference(None, Some(r#"{"a":1}"#)), WHOLE);
    }
}
