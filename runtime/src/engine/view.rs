//! What apps and admins may look at: entities, the queue, logs, conflicts, the status. Reads only.

use crate::engine::Engine;
use crate::engine::api::{
    ConflictView, EntityView, LogEntry, LogFilter, Page, PageRequest, QueryError, QueueFilter, QueueStatus,
    QueueView, RunStatus, SideView, Status, Unavailable,
};
use crate::store::rows::{ItemRow, LogRow, RowError};
use crate::store::{Counter, Direction, keys};
use selaras_core::conflict::{Conflict, Phase, Side};
use selaras_core::id::{EntityId, EntityKey, EntityType};
use selaras_core::item::{Item, ItemState};
use selaras_core::json::Doc;
use selaras_core::record::Record;
use serde::de::DeserializeOwned;

/// Rows looked at for one page of a filtered list; a page may be short, its cursor goes on.
const MOST_SCANNED: usize = 5_000;
/// Documents of one page of entities, in bytes; a page of large ones is short, its cursor goes on.
const MOST_LISTED_BYTES: usize = 8 << 20;
/// Records read at once for a list.
const LIST_STEP: usize = 64;

impl Engine {
    /// One entity, under its own name or one that became it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn entity(&self, key: &EntityKey) -> Result<Option<EntityView>, Unavailable> {
        let rows = &self.inner.rows;
        if let Some(record) = rows.record(key)? {
            return Ok(Some(self.entity_view(key.clone(), record)));
        }
        let alias = rows
            .store()
            .get(&keys::entity(keys::ALIAS, key))
            .map_err(RowError::from)?;
        let Some(id) = alias.and_then(|id| EntityId::parse(&String::from_utf8_lossy(&id)).ok()) else {
            return Ok(None);
        };
        let key = EntityKey {
            entity_type: key.entity_type.clone(),
            id,
        };
        Ok(rows.record(&key)?.map(|record| self.entity_view(key, record)))
    }

    /// Entities of a type by id, tombstones included.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store cannot be read.
    pub fn entities(
        &self,
        entity_type: &EntityType,
        page: PageRequest,
    ) -> Result<Page<EntityView>, QueryError> {
        let (start, to) = keys::type_range(keys::RECORD, entity_type);
        let mut from = after(start, &to, page.after)?;
        let mut found: Vec<(EntityKey, Record)> = Vec::new();
        let mut bytes = 0;
        let mut more = true;
        while more && found.len() <= page.limit && bytes < MOST_LISTED_BYTES {
            let step = (page.limit + 1 - found.len()).min(LIST_STEP);
            let rows = self
                .inner
                .rows
                .records(&from, &to, step)
                .map_err(Unavailable::from)?;
            more = rows.len() == step;
            bytes += rows
                .iter()
                .filter_map(|(_, record)| record.doc.as_ref())
                .map(Doc::len)
                .sum::<usize>();
            found.extend(rows);
            if let Some((key, _)) = found.last() {
                from = keys::entity(keys::RECORD, key);
                from.push(0);
            }
        }
        let more = more || found.len() > page.limit;
        found.truncate(page.limit);
        let next = found
            .last()
            .filter(|_| more)
            .map(|(key, _)| keys::entity(keys::RECORD, key));
        let items = found
            .into_iter()
            .map(|(key, record)| self.entity_view(key, record))
            .collect();
        Ok(Page { items, next })
    }

    fn entity_view(&self, key: EntityKey, record: Record) -> EntityView {
        EntityView {
            key,
            cloud_id: record.cloud_id.as_ref().map(ToString::to_string),
            version: record.version,
            cloud_version: record.cloud_version,
            sync_status: record.sync_status(),
            updated_at: self.inner.time.resolve(&record.modified),
            data: record.doc,
        }
    }

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

    /// The queue in order of acceptance. Failed items have a list of their own, however long the queue is.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store cannot be read.
    pub fn queue(&self, filter: &QueueFilter, page: PageRequest) -> Result<Page<QueueView>, QueryError> {
        let kind = if filter.status == Some(QueueStatus::Failed) {
            keys::FAILED
        } else {
            keys::ITEM
        };
        let (start, to) = keys::all(kind);
        let mut from = after(start, &to, page.after)?;
        let rows = &self.inner.rows;
        let mut items = Vec::new();
        let mut last = None;
        let mut scanned = 0;
        loop {
            let found = match kind {
                keys::FAILED => rows.failed_items(&from, page.limit + 1),
                _ => rows.items(&from, page.limit + 1),
            };
            let found = found.map_err(Unavailable::from)?;
            let end = found.len() <= page.limit;
            scanned += found.len();
            for (key, row) in found {
                if items.len() == page.limit {
                    return Ok(Page { items, next: last });
                }
                // An item that went its way since the list was read is no longer part of it.
                if let Some(row) = row {
                    items.extend(self.queue_view(row, filter)?);
                }
                from.clone_from(&key);
                last = Some(key);
            }
            if end || scanned >= MOST_SCANNED {
                return Ok(Page {
                    items,
                    next: last.filter(|_| !end),
                });
            }
            from.push(0);
        }
    }

    fn queue_view(&self, row: ItemRow, filter: &QueueFilter) -> Result<Option<QueueView>, Unavailable> {
        let ItemRow { key, item } = row;
        let elsewhere = filter.entity_type.as_ref().is_some_and(|t| *t != key.entity_type)
            || filter.entity_id.as_ref().is_some_and(|id| id != key.id.as_str());
        if elsewhere {
            return Ok(None);
        }
        let status = self.queue_status(&key, &item)?;
        if filter.status.is_some_and(|wanted| wanted != status) {
            return Ok(None);
        }
        Ok(Some(QueueView {
            id: item.order.to_string(),
            key,
            operation: item.operation,
            status,
            retry_count: item.retries,
            max_retries: self.settings().sync.max_retries,
            error_message: item.error,
            created_at: item.created_at,
            next_attempt_at: item.due,
            payload: item.snapshot,
        }))
    }

    /// Held: behind an open conflict, an undecided update or an earlier item of its entity.
    pub(super) fn queue_status(&self, key: &EntityKey, item: &Item) -> Result<QueueStatus, Unavailable> {
        Ok(match item.state {
            ItemState::Failed => QueueStatus::Failed,
            ItemState::Attempted => QueueStatus::Attempted,
            ItemState::Pending => {
                let slot = self.inner.rows.record(key)?.and_then(|record| record.slot);
                let order = slot.map(|slot| match slot {
                    selaras_core::record::Slot::Ready { order, .. }
                    | selaras_core::record::Slot::Due { order, .. } => order,
                });
                if order == Some(item.order) {
                    QueueStatus::Pending
                } else {
                    QueueStatus::Held
                }
            }
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

    fn newest_first<T: DeserializeOwned, V>(
        &self,
        kind: u8,
        page: PageRequest,
        view: impl Fn(u64, T) -> Result<Option<V>, Unavailable>,
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
            let rows: Vec<(Vec<u8>, T)> = self
                .inner
                .rows
                .page((&from, &to), Direction::Backward, page.limit + 1)
                .map_err(Unavailable::from)?;
            scanned += rows.len().max(1);
            let last = rows.len() <= page.limit;
            for (key, row) in rows {
                if items.len() == page.limit {
                    return Ok(Page {
                        items,
                        next: Some(to),
                    });
                }
                let number = keys::number(&key).unwrap_or_default();
                items.extend(view(number, row)?);
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

    /// Where the outlet stands.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn status(&self) -> Result<Status, Unavailable> {
        let settings = self.settings();
        let store = self.inner.rows.store();
        let count = |counter| u64::try_from(store.counter(counter)).unwrap_or(0);
        let oldest = self.inner.rows.items(&[keys::ITEM], 20)?;
        let now = self.mono_ms();
        let signals = &self.inner.signals;
        let last = self.inner.last_run.lock();
        Ok(Status {
            outlet_id: settings.outlet.outlet_id.clone(),
            outlet_code: settings.outlet.outlet_code.clone(),
            sync_enabled: settings.outlet.sync_enabled,
            last_sync_at: last.success_at,
            pending_count: count(Counter::Pending),
            failed_count: count(Counter::Failed),
            conflict_count: count(Counter::OpenConflicts),
            parked_count: count(Counter::Parked),
            total_synced: count(Counter::Synced),
            last_error: last.error.clone(),
            online: self.inner.link.lock().online(),
            running: signals.is_running(),
            next_run_at: signals
                .next_at()
                .map(|at| self.now().plus_ms(at as i64 - now as i64)),
            oldest_pending_at: oldest
                .iter()
                .filter_map(|(_, row)| row.as_ref())
                .find(|row| row.item.state != ItemState::Failed)
                .map(|row| row.item.created_at),
            checkpoint: self.checkpoint()?,
            clock_offset_ms: self.inner.time.offset_ms(),
            plugin_problems: self.inner.plugin_problems.clone(),
        })
    }

    /// Whether a head may go now.
    pub(super) fn has_ready(&self) -> bool {
        let (from, to) = keys::all(keys::READY);
        self.inner
            .rows
            .store()
            .scan(&from, &to, Direction::Forward, 1)
            .is_ok_and(|rows| !rows.is_empty())
    }

    /// How long until the first backoff of an item ends.
    pub(super) fn next_retry_ms(&self) -> Option<u64> {
        let (from, to) = keys::all(keys::DUE);
        let rows = self
            .inner
            .rows
            .store()
            .scan(&from, &to, Direction::Forward, 1)
            .ok()?;
        let at = keys::due_at(&rows.first()?.0)?;
        Some(u64::try_from(at.minus(self.now())).unwrap_or(0))
    }
}

fn after(start: Vec<u8>, to: &[u8], cursor: Option<Vec<u8>>) -> Result<Vec<u8>, QueryError> {
    let Some(mut cursor) = cursor else {
        return Ok(start);
    };
    if cursor < start || cursor.as_slice() >= to {
        return Err(QueryError::BadCursor);
    }
    cursor.push(0);
    Ok(cursor)
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
        decision: word(&conflict.decision),
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

fn word(decision: &str) -> &'static str {
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
