//! Webhooks waiting to be delivered. They are written in the transaction of the edit they tell of, so that neither
//! exists without the other.

use rusqlite::{OptionalExtension, Transaction, params};

use super::StoreError;
use super::outlets::Outlet;
use crate::clock;

/// A webhook's kind (the last part of its path) and body.
#[derive(Debug, Clone)]
pub struct Hook {
    /// `update`, `delete`, `conflict`, `bulk-update`, `broadcast` or `config`.
    pub kind: &'static str,
    /// JSON text; stays the same for every attempt.
    pub body: String,
}

/// A webhook that is due.
#[derive(Debug, Clone)]
pub struct Due {
    /// Its row.
    pub row: i64,
    /// Its public id, the same on every attempt.
    pub webhook_id: String,
    /// Its kind.
    pub kind: String,
    /// Its body.
    pub body: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When it was made.
    pub created_ms: i64,
}

/// What an attempt led to.
#[derive(Debug, Clone)]
pub enum Attempt {
    /// The outlet took it.
    Delivered,
    /// Try again then.
    Retry {
        /// When.
        next_ms: i64,
        /// What went wrong.
        error: String,
    },
    /// It will never be taken, or is too old.
    GaveUp {
        /// Why.
        error: String,
    },
}

/// How many there are of each status.
#[derive(Debug, Clone, Copy, Default, serde::Serialize)]
pub struct Counts {
    /// Waiting.
    pub pending: u64,
    /// Taken by their outlet.
    pub delivered: u64,
    /// Given up.
    pub given_up: u64,
}

/// Puts a webhook out for one outlet; nothing when the outlet takes none.
///
/// # Errors
/// When the store fails.
pub fn enqueue(tx: &Transaction<'_>, outlet: &Outlet, hook: &Hook, now_ms: i64) -> Result<(), StoreError> {
    if outlet.hook().is_none() {
        return Ok(());
    }
    let sql = "INSERT INTO outbox (outlet, webhook_id, hook, body, status, next_ms, created_ms)
        VALUES (?1, ?2, ?3, ?4, 'pending', ?5, ?5)";
    let id = format!("msg_{}", clock::new_id());
    tx.prepare_cached(sql)?
        .execute(params![outlet.row, id, hook.kind, hook.body, now_ms])?;
    Ok(())
}

/// The webhooks of an outlet that are due, oldest first; when none is, the time at which the next one will be.
///
/// # Errors
/// When the store fails.
pub fn due(
    tx: &Transaction<'_>,
    outlet: i64,
    now_ms: i64,
    limit: u32,
) -> Result<(Vec<Due>, Option<i64>), StoreError> {
    let sql = "SELECT id, webhook_id, hook, body, attempts, created_ms FROM outbox
        WHERE outlet = ?1 AND status = 'pending' AND next_ms <= ?2 ORDER BY next_ms, id LIMIT ?3";
    let mut statement = tx.prepare_cached(sql)?;
    let rows = statement.query_map(params![outlet, now_ms, limit], |row| {
        Ok(Due {
            row: row.get(0)?,
            webhook_id: row.get(1)?,
            kind: row.get(2)?,
            body: row.get(3)?,
            attempts: row.get(4)?,
            created_ms: row.get(5)?,
        })
    })?;
    let due: Vec<Due> = rows.collect::<Result<_, _>>()?;
    if !due.is_empty() {
        return Ok((due, None));
    }
    let sql = "SELECT next_ms FROM outbox WHERE outlet = ?1 AND status = 'pending' ORDER BY next_ms LIMIT 1";
    let next = tx
        .prepare_cached(sql)?
        .query_row([outlet], |row| row.get(0))
        .optional()?;
    Ok((due, next))
}

/// Writes down what attempts led to.
///
/// # Errors
/// When the store fails.
pub fn record(tx: &Transaction<'_>, attempts: &[(i64, Attempt)]) -> Result<(), StoreError> {
    let sql = "UPDATE outbox SET status = ?2, attempts = attempts + 1, next_ms = coalesce(?3, next_ms), last_error = ?4
        WHERE id = ?1";
    let mut statement = tx.prepare_cached(sql)?;
    for (row, attempt) in attempts {
        let (status, next_ms, error) = match attempt {
            Attempt::Delivered => ("delivered", None, None),
            Attempt::Retry { next_ms, error } => ("pending", Some(next_ms), Some(error)),
            Attempt::GaveUp { error } => ("given_up", None, Some(error)),
        };
        statement.execute(params![row, status, next_ms, error])?;
    }
    Ok(())
}

/// Counts by status.
///
/// # Errors
/// When the store fails.
pub fn counts(tx: &Transaction<'_>) -> Result<Counts, StoreError> {
    let mut counts = Counts::default();
    let mut statement = tx.prepare_cached("SELECT status, count(*) FROM outbox GROUP BY status")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let count = row.get(1)?;
        match row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)? {
            "pending" => counts.pending = count,
            "delivered" => counts.delivered = count,
            _ => counts.given_up = count,
        }
    }
    Ok(counts)
}

/// Removes delivered and given-up webhooks made before `before_ms`.
///
/// # Errors
/// When the store fails.
pub fn forget(tx: &Transaction<'_>, before_ms: i64) -> Result<usize, StoreError> {
    Ok(tx.execute(
        "DELETE FROM outbox WHERE status <> 'pending' AND created_ms < ?1",
        [before_ms],
    )?)
}
