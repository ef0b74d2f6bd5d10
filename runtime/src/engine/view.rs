//! What apps and admins may look at: entities and the status here, the queue and what has happened in rooms of their
//! own. Reads only.

mod history;
mod parked;
mod queue;

pub use history::{conflict_view, decision_word};

use crate::engine::Engine;
use crate::engine::api::{EntityView, Page, PageRequest, QueryError, Status, Unavailable};
use crate::store::rows::RowError;
use crate::store::{Counter, Direction, keys};
use selaras_core::id::{EntityId, EntityKey, EntityType};
use selaras_core::item::ItemState;
use selaras_core::json::Doc;
use selaras_core::record::Record;

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

    /// Where the outlet stands.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn status(&self) -> Result<Status, Unavailable> {
        let settings = self.settings();
        let store = self.inner.rows.store();
        let count = |counter| u64::try_from(store.counter(counter)).unwrap_or(0);
        // A store that is being opened again still says where it stands.
        let serves = store.health().is_ok();
        let oldest = if serves {
            self.inner.rows.items(&[keys::ITEM], 20)?
        } else {
            Vec::new()
        };
        let now = self.mono_ms();
        let signals = &self.inner.signals;
        let rate = self.rate_view();
        let last = self.inner.last_run.lock();
        Ok(Status {
            outlet_id: settings.outlet.outlet_id.clone(),
            outlet_code: settings.outlet.outlet_code.clone(),
            sync_enabled: settings.outlet.sync_enabled,
            last_sync_at: last.success_at,
            pending_count: count(Counter::Pending),
            failed_count: count(Counter::Failed),
            conflict_count: count(Counter::OpenConflicts),
            parked_count: self.parked_count(),
            total_synced: count(Counter::Synced),
            last_error: last.error.clone(),
            online: self.inner.link.lock().online(),
            rate,
            running: signals.is_running(),
            next_run_at: signals
                .next_at()
                .map(|at| self.now().plus_ms(at as i64 - now as i64)),
            oldest_pending_at: oldest
                .iter()
                .filter_map(|(_, row)| row.as_ref())
                .find(|row| row.item.state != ItemState::Failed)
                .map(|row| row.item.created_at),
            checkpoint: if serves { self.checkpoint()? } else { None },
            resync: self.resyncing(),
            clock_offset_ms: self.inner.time.offset_ms(),
            plugin_problems: self.inner.plugin_problems.clone(),
            rewound: self.went_back(),
            store: self.inner.backups.view(),
            store_health: self.store_health(),
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
