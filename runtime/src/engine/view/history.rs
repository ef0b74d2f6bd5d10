//! What has happened, newest first: the sync log and conflicts.

use super::MOST_SCANNED;
use crate::engine::Engine;
use crate::engine::api::{
    ConflictView, LogEntry, LogFilter, Page, PageRequest, QueryError, RunStatus, SideView, Unavailable,
};
use crate::store::rows::{LogRow, RowError, decode};
use crate::store::{Direction, keys};
use selaras_core::conflict::{Conflict, Phase, Side};
use selaras_core::id::{EntityKey, EntityType};
use selaras_core::record::Record;
use serde::de::DeserializeOwned;

impl Engine {
    /// The sync log, newest first.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store cannot be read.
    pub fn logs(&self, filter: &LogFilter, page: PageRequest) -> Result<Page<LogEntry>, QueryError> {
        self.newest_first(keys::LOG, page, |number, row: LogRow| {
            let entry = log_entry(number, row);
            let wanted = filter.sync_type.is_none_or(|t| t == entry.sync_type)
                && filter.status.is_none_or(|s| s == entry.status);
            Ok(wanted.then_some(entry))
        })
    }

    /// Conflicts, newest first.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store cannot be read.
    pub fn conflicts(
        &self,
        open: Option<bool>,
        entity_type: Option<&EntityType>,
        page: PageRequest,
    ) -> Result<Page<ConflictView>, QueryError> {
        self.newest_first(keys::CONFLICT, page, |_, row: Conflict| {
            let wanted = open.is_none_or(|open| open == (row.phase == Phase::Open))
                && entity_type.is_none_or(|t| t.as_str() == row.entity_type);
            if !wanted {
                return Ok(None);
            }
            let record = self.live_side(&row)?;
            Ok(Some(conflict_view(row, record.as_ref())))
        })
    }

    /// One conflict.
    ///
    /// # Errors
    /// When there is none of this id, or the store cannot be read.
    pub fn conflict(&self, id: &str) -> Result<ConflictView, QueryError> {
        let number = id.parse().map_err(|_| QueryError::NotFound("conflict"))?;
        let row = self.inner.rows.conflict(number).map_err(Unavailable::from)?;
        let row = row.ok_or(QueryError::NotFound("conflict"))?;
        let record = self.live_side(&row)?;
        Ok(conflict_view(row, record.as_ref()))
    }

    /// The record of an open conflict: its outlet side goes on changing.
    fn live_side(&self, conflict: &Conflict) -> Result<Option<Record>, Unavailable> {
        if conflict.phase == Phase::Resolved {
            return Ok(None);
        }
        match EntityKey::parse(&conflict.entity_type, &conflict.entity_id) {
            Ok(key) => Ok(self.inner.rows.record(&key)?),
            Err(_) => Ok(None),
        }
    }

    pub(in crate::engine) fn newest_first<T: DeserializeOwned, V>(
        &self,
        kind: u8,
        page: PageRequest,
        view: impl Fn(u64, T) -> Result<Option<V>, Unavailable>,
    ) -> Result<Page<V>, QueryError> {
        self.newest_rows(kind, page, |key, bytes| {
            let row = decode(key, bytes).map_err(Unavailable::from)?;
            view(keys::number(key).unwrap_or_default(), row)
        })
    }

    /// The same for rows that are read in another way.
    pub(in crate::engine) fn newest_rows<V>(
        &self,
        kind: u8,
        page: PageRequest,
        view: impl Fn(&[u8], &[u8]) -> Result<Option<V>, Unavailable>,
    ) -> Result<Page<V>, QueryError> {
        let (from, end) = keys::all(kind);
        let mut to = match page.after {
            Some(cursor) if cursor.len() == 9 && cursor[0] == kind => cursor,
            Some(_) => return Err(QueryError::BadCursor),
            None => end,
        };
        let mut items = Vec::new();
        let mut scanned = 0;
        while scanned < MOST_SCANNED {
            let store = self.inner.rows.store();
            let rows = store
                .scan(&from, &to, Direction::Backward, page.limit + 1)
                .map_err(|error| Unavailable::from(RowError::from(error)))?;
            scanned += rows.len().max(1);
            let last = rows.len() <= page.limit;
            for (key, row) in rows {
                if items.len() == page.limit {
                    return Ok(Page {
                        items,
                        next: Some(to),
                    });
                }
                items.extend(view(&key, &row)?);
                to = key;
            }
            if last {
                return Ok(Page { items, next: None });
            }
        }
        Ok(Page {
            items,
            next: Some(to),
        })
    }
}

fn log_entry(number: u64, row: LogRow) -> LogEntry {
    LogEntry {
        id: number,
        sync_type: if row.push { "push" } else { "pull" },
        entity_type: row.entity_type,
        entity_count: row.entity_count,
        status: match row.status {
            0 => RunStatus::Success,
            1 => RunStatus::Partial,
            _ => RunStatus::Failed,
        },
        error_message: row.error_message,
        started_at: row.started_at,
        completed_at: row
            .started_at
            .plus_ms(i64::try_from(row.duration_ms).unwrap_or(i64::MAX)),
        duration_ms: row.duration_ms,
        details: row.details,
    }
}

/// A conflict as shown; of an open one the outlet's side is the record as it is now.
pub fn conflict_view(conflict: Conflict, live: Option<&Record>) -> ConflictView {
    let mut local = side(conflict.local);
    let mut rev = conflict.rev;
    if let Some(record) = live {
        local.version = record.version;
        local.data.clone_from(&record.doc);
        local.modified_by.clone_from(&record.modified_by);
        rev = record.rev;
    }
    let key = EntityKey::parse(&conflict.entity_type, &conflict.entity_id)
        .expect("invariant: a conflict is recorded for an entity");
    ConflictView {
        id: conflict.id,
        key,
        cloud_id: conflict.cloud_id,
        open: conflict.phase == Phase::Open,
        rev,
        base: conflict.base.map(side),
        local,
        cloud: side(conflict.cloud),
        result: conflict.result,
        decision: decision_word(&conflict.decision),
        strategy: conflict.strategy,
        plugin_digest: conflict.plugin_digest,
        reason: conflict.reason,
        error: conflict.error,
        resolved_by: conflict.resolved_by,
        notes: conflict.notes,
        created_at: conflict.created_at,
        resolved_at: conflict.resolved_at,
    }
}

/// The word of a decision on record.
pub fn decision_word(decision: &str) -> &'static str {
    ["keep_local", "take_cloud", "merge", "delete", "agreed"]
        .into_iter()
        .find(|w| *w == decision)
        .unwrap_or("defer")
}

fn side(side: Side) -> SideView {
    SideView {
        version: side.version,
        modified_at: side.modified_at,
        modified_by: side.modified_by,
        data: side.doc,
    }
}
