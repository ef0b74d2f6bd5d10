//! Applying what an outlet pushed: dedup, judgement, effect and memory of it, item by item in one transaction.

use rusqlite::{OptionalExtension, Transaction, params};

use super::StoreError;
use super::conflicts::{self, Conflict};
use super::entities::{self, Entity, NewState};
use super::outlets::Outlet;
use crate::clock::Stamp;
use crate::rules::{Judgement, Operation, judge};

/// One pushed change, read and checked.
#[derive(Debug, Clone)]
pub struct Change {
    /// The type.
    pub entity_type: String,
    /// The outlet's id of the entity.
    pub local_id: String,
    /// This cloud's id, when the outlet knows it.
    pub cloud_id: Option<String>,
    /// What was done.
    pub operation: Operation,
    /// The document without envelope fields; empty for a delete.
    pub doc: String,
    /// When it was done, if the outlet said so.
    pub updated_at: Option<Stamp>,
    /// The change's id, if the outlet gave one.
    pub change_id: Option<String>,
    /// The cloud version it was made on, if the outlet said so.
    pub base_version: Option<u64>,
}

/// What became of one change.
#[derive(Debug)]
pub enum Outcome {
    /// It took effect, or was so already. `None`: a delete of something never seen here.
    Applied {
        /// The entity now.
        entity: Option<Entity>,
        /// It was new here.
        created: bool,
    },
    /// Its change_id took effect before.
    Duplicate {
        /// The entity's id.
        cloud_id: Option<String>,
        /// The version it led to then.
        version: Option<u64>,
    },
    /// Someone else changed the entity since.
    Conflict {
        /// The cloud's side.
        entity: Box<Entity>,
        /// As it is on record.
        conflict: Box<Conflict>,
        /// It was not on record before: the same conflict pushed again opens nothing.
        opened: bool,
    },
}

/// When and for whom a batch is applied.
#[derive(Debug, Clone)]
pub struct Context {
    /// Who pushes.
    pub outlet: Outlet,
    /// Now.
    pub now: Stamp,
    /// Now.
    pub now_ms: i64,
}

/// Applies changes in order.
///
/// # Errors
/// When the store fails; then none of them took effect.
pub fn apply(tx: &Transaction<'_>, cx: &Context, changes: &[Change]) -> Result<Vec<Outcome>, StoreError> {
    let settle = conflicts::any_open(tx, cx.outlet.row)?;
    changes
        .iter()
        .map(|change| apply_one(tx, cx, change, settle))
        .collect()
}

fn apply_one(
    tx: &Transaction<'_>,
    cx: &Context,
    change: &Change,
    settle: bool,
) -> Result<Outcome, StoreError> {
    if let Some(duplicate) = recall(tx, cx, change)? {
        return Ok(duplicate);
    }
    let standing = find(tx, change)?;
    let judgement = judge(
        change.operation,
        change.base_version,
        standing.as_ref().map(Entity::standing),
    );
    // A clock that runs ahead at an outlet must not win against everyone for ever.
    let updated_at = change.updated_at.as_ref().map_or(&cx.now, |at| at.min(&cx.now));
    let mut state = NewState {
        doc: Some(&change.doc),
        updated_at,
        updated_by: &cx.outlet.code,
        change_id: change.change_id.as_deref(),
    };
    let created = judgement == Judgement::Insert;
    let entity = match (judgement, standing) {
        (Judgement::Insert, _) => Some(entities::insert(
            tx,
            &change.entity_type,
            Some(&change.local_id),
            &state,
        )?),
        (Judgement::Nothing, standing) => standing,
        (Judgement::Conflict, Some(standing)) => {
            let (conflict, opened) = conflicts::open(tx, cx, change, updated_at, &standing)?;
            let (entity, conflict) = (Box::new(standing), Box::new(conflict));
            return Ok(Outcome::Conflict {
                entity,
                conflict,
                opened,
            });
        }
        (Judgement::Replace, Some(standing)) => Some(entities::replace(tx, &standing, &state)?),
        (Judgement::Remove, Some(standing)) => {
            state.doc = None;
            Some(entities::replace(tx, &standing, &state)?)
        }
        (_, None) => None,
    };
    if settle && let Some(entity) = &entity {
        conflicts::settle(tx, cx.outlet.row, entity, &cx.now)?;
    }
    remember(tx, cx, change, entity.as_ref())?;
    Ok(Outcome::Applied { entity, created })
}

fn find(tx: &Transaction<'_>, change: &Change) -> Result<Option<Entity>, StoreError> {
    if let Some(cloud_id) = &change.cloud_id
        && let Some(entity) = entities::by_cloud_id(tx, &change.entity_type, cloud_id)?
    {
        return Ok(Some(entity));
    }
    entities::by_local_id(tx, &change.entity_type, &change.local_id)
}

fn recall(tx: &Transaction<'_>, cx: &Context, change: &Change) -> Result<Option<Outcome>, StoreError> {
    let Some(change_id) = &change.change_id else {
        return Ok(None);
    };
    let sql = "SELECT cloud_id, version FROM applied WHERE outlet = ?1 AND change_id = ?2";
    let known = tx
        .prepare_cached(sql)?
        .query_row(params![cx.outlet.row, change_id], |row| {
            Ok(Outcome::Duplicate {
                cloud_id: row.get(0)?,
                version: row.get(1)?,
            })
        });
    Ok(known.optional()?)
}

fn remember(
    tx: &Transaction<'_>,
    cx: &Context,
    change: &Change,
    entity: Option<&Entity>,
) -> Result<(), StoreError> {
    let Some(change_id) = &change.change_id else {
        return Ok(());
    };
    let sql = "INSERT INTO applied (outlet, change_id, cloud_id, version, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
    let (cloud_id, version) = (entity.map(|e| &e.cloud_id), entity.map(|e| e.version));
    tx.prepare_cached(sql)?
        .execute(params![cx.outlet.row, change_id, cloud_id, version, cx.now_ms])?;
    Ok(())
}

/// Forgets change_ids that took effect before `before_ms`.
///
/// # Errors
/// When the store fails.
pub fn forget(tx: &Transaction<'_>, before_ms: i64) -> Result<usize, StoreError> {
    Ok(tx.execute("DELETE FROM applied WHERE at_ms < ?1", [before_ms])?)
}
