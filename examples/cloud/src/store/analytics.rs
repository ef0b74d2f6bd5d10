//! Daily summaries, one an outlet and day, kept as they were sent.

use rusqlite::{Transaction, params};

use super::StoreError;
use crate::clock::Stamp;

/// One outlet's day.
#[derive(Debug, Clone)]
pub struct Day {
    /// The outlet's code.
    pub outlet_code: String,
    /// `YYYY-MM-DD`.
    pub date: String,
    /// JSON text.
    pub summary: String,
    /// When it came.
    pub received_at: Stamp,
}

/// Stores a day; one that was there is replaced. `true`: it was new.
///
/// # Errors
/// When the store fails.
pub fn put(
    tx: &Transaction<'_>,
    outlet: i64,
    date: &str,
    summary: &str,
    now: &Stamp,
) -> Result<bool, StoreError> {
    let sql = "SELECT NOT EXISTS (SELECT 1 FROM analytics WHERE outlet = ?1 AND date = ?2)";
    let new = tx.query_row(sql, params![outlet, date], |row| row.get(0))?;
    tx.execute(
        "INSERT INTO analytics (outlet, date, summary, received_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (outlet, date) DO UPDATE SET summary = excluded.summary, received_at = excluded.received_at",
        params![outlet, date, summary, now],
    )?;
    Ok(new)
}

/// The newest days of all outlets.
///
/// # Errors
/// When the store fails.
pub fn newest(tx: &Transaction<'_>, limit: u32) -> Result<Vec<Day>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT o.code, date, summary, received_at FROM analytics a JOIN outlets o ON o.id = a.outlet
         ORDER BY date DESC, o.code LIMIT ?1",
    )?;
    let rows = statement.query_map([limit], |row| {
        Ok(Day {
            outlet_code: row.get(0)?,
            date: row.get(1)?,
            summary: row.get(2)?,
            received_at: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
