//! Where the version beside the active one answered otherwise: kept for a person to look at, the newest hundred of a plugin.

use super::rows::Shelf;
use crate::engine::Engine;
use crate::engine::api::{DifferenceView, Page, PageRequest, PluginError, QueryError, SaidView, Unavailable};
use crate::plugin::{Difference, Said};
use crate::store::rows::{RowError, put};
use crate::store::{Batch, Direction, keys};
use selaras_core::json::Doc;
use selaras_core::stamp::Millis;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Differences of a plugin that are kept.
const MOST: usize = 100;
/// A longer document is left out.
const MOST_DATA_BYTES: usize = 16 << 10;
/// Differences in one commit.
pub(super) const AT_ONCE: usize = 64;

/// A difference as kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct DifferenceRow {
    call: String,
    entity_type: String,
    entity_id: String,
    at: Millis,
    active: SaidRow,
    shadow: SaidRow,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SaidRow {
    digest: String,
    outcome: String,
    data: Option<String>,
    reason: String,
}

impl SaidRow {
    fn of(digest: String, said: Said) -> Self {
        Self {
            digest,
            outcome: said.outcome.to_owned(),
            data: said.data.filter(|data| data.len() <= MOST_DATA_BYTES),
            reason: said.reason,
        }
    }
}

impl From<SaidRow> for SaidView {
    fn from(row: SaidRow) -> Self {
        Self {
            digest: row.digest,
            outcome: row.outcome,
            data: row.data.map(Doc::from_trusted),
            reason: row.reason,
        }
    }
}

impl Engine {
    pub(super) async fn keep_differences(&self, differences: Vec<Difference>) -> Result<(), Unavailable> {
        let mut batch = Batch::new();
        for difference in differences {
            let name = difference.name;
            // It may have been removed meanwhile.
            if Shelf(&self.inner.rows)
                .version(&name, &difference.shadow)?
                .is_none()
            {
                continue;
            }
            let number = self.inner.rows.store().reserve();
            let row = DifferenceRow {
                call: difference.call.to_owned(),
                entity_type: difference.entity_type,
                entity_id: difference.entity_id,
                at: self.now(),
                active: SaidRow::of(difference.active, difference.active_said),
                shadow: SaidRow::of(difference.shadow, difference.shadow_said),
            };
            put(&mut batch, key(&name, number), &row);
            for old in self.make_room(&name, number)? {
                batch.delete(key(&name, old));
            }
        }
        if !batch.changes_nothing() {
            self.inner.rows.store().commit(batch).await?;
        }
        Ok(())
    }

    /// Notes that one more is kept. Answers which are too many now.
    fn make_room(&self, name: &str, number: u64) -> Result<Vec<u64>, Unavailable> {
        let mut all = self.inner.life.differences.lock();
        if !all.contains_key(name) {
            all.insert(name.to_owned(), self.stored_numbers(name)?);
        }
        let kept = all.entry(name.to_owned()).or_default();
        kept.push_back(number);
        let surplus = kept.len().saturating_sub(MOST);
        Ok(kept.drain(..surplus).collect())
    }

    fn stored_numbers(&self, name: &str) -> Result<VecDeque<u64>, Unavailable> {
        let (from, to) = range(name);
        let rows = self.inner.rows.store();
        let rows = rows
            .scan(&from, &to, Direction::Forward, 10 * MOST)
            .map_err(RowError::from)?;
        Ok(rows.iter().filter_map(|(key, _)| number_of(key)).collect())
    }

    /// Takes out all differences of a plugin.
    pub(super) fn forget_differences(&self, batch: &mut Batch, name: &str) -> Result<(), Unavailable> {
        self.inner.life.differences.lock().remove(name);
        for number in self.stored_numbers(name)? {
            batch.delete(key(name, number));
        }
        Ok(())
    }

    /// Where the version beside the active one answered otherwise, newest first.
    ///
    /// # Errors
    /// When there is no such plugin, the cursor is not of this list, or the store cannot be read.
    pub fn plugin_differences(
        &self,
        name: &str,
        page: PageRequest,
    ) -> Result<Page<DifferenceView>, QueryError> {
        match self.changeable(name) {
            Ok(()) | Err(PluginError::Embedded(_)) => {}
            Err(PluginError::Unavailable(error)) => return Err(error.into()),
            Err(_) => return Err(QueryError::NotFound("plugin")),
        }
        let (from, end) = range(name);
        let to = match page.after {
            Some(cursor) if cursor >= from && cursor < end => cursor,
            Some(_) => return Err(QueryError::BadCursor),
            None => end,
        };
        let rows: Vec<(Vec<u8>, DifferenceRow)> = self
            .inner
            .rows
            .page((&from, &to), Direction::Backward, page.limit + 1)
            .map_err(Unavailable::from)?;
        let more = rows.len() > page.limit;
        let shown: Vec<_> = rows.into_iter().take(page.limit).collect();
        let next = shown.last().filter(|_| more).map(|(key, _)| key.clone());
        let view = |(key, row): (Vec<u8>, DifferenceRow)| DifferenceView {
            id: number_of(&key).unwrap_or_default().to_string(),
            call: row.call,
            entity_type: row.entity_type,
            entity_id: row.entity_id,
            at: row.at,
            active: row.active.into(),
            shadow: row.shadow.into(),
        };
        Ok(Page {
            items: shown.into_iter().map(view).collect(),
            next,
        })
    }
}

fn key(name: &str, number: u64) -> Vec<u8> {
    let mut key = keys::two(keys::PLUGIN_DIFFERENCE, name, "");
    key.extend_from_slice(&number.to_be_bytes());
    key
}

fn range(name: &str) -> (Vec<u8>, Vec<u8>) {
    keys::name_range(keys::PLUGIN_DIFFERENCE, name)
}

fn number_of(key: &[u8]) -> Option<u64> {
    let at = key.len().checked_sub(8)?;
    key[at..].try_into().ok().map(u64::from_be_bytes)
}
