//! Parked documents as they are shown: updates and queue items in one list, newest first by their numbers, of which there is
//! one line for both.

use super::{MOST_LISTED_BYTES, MOST_SCANNED};
use crate::engine::Engine;
use crate::engine::api::{Page, PageRequest, ParkedFilter, ParkedView, ParkedWay, QueryError, Unavailable};
use crate::store::rows::{ItemRow, ParkedRow, RowError, Rows};
use crate::store::{Counter, Direction, keys};
use std::collections::VecDeque;

/// Rows read of a kind at once.
const STEP: usize = 64;

/// One kind of rows, from the highest number down.
struct Downwards {
    kind: u8,
    /// Nothing at or above it is still to come.
    below: Vec<u8>,
    read: VecDeque<(u64, Option<ParkedView>)>,
    ended: bool,
}

impl Downwards {
    /// The rows of a kind below a number, or all; none at all unless they are wanted.
    fn of(kind: u8, below: Option<u64>, wanted: bool) -> Self {
        let (_, end) = keys::all(kind);
        Self {
            kind,
            below: below.map_or(end, |number| keys::numbered(kind, number)),
            read: VecDeque::new(),
            ended: !wanted,
        }
    }

    /// The highest number that is still to come.
    fn peek(&mut self, rows: &Rows) -> Result<Option<u64>, RowError> {
        if self.read.is_empty() && !self.ended {
            self.fill(rows)?;
        }
        Ok(self.read.front().map(|(number, _)| *number))
    }

    fn fill(&mut self, rows: &Rows) -> Result<(), RowError> {
        let (from, _) = keys::all(self.kind);
        if self.kind == keys::PARKED {
            let page: Vec<(Vec<u8>, ParkedRow)> =
                rows.page((&from, &self.below), Direction::Backward, STEP)?;
            for (key, row) in page {
                let number = keys::number(&key).unwrap_or_default();
                self.read.push_back((number, Some(of_update(number, row))));
                self.below = key;
            }
        } else {
            for (key, _) in rows.store().scan(&from, &self.below, Direction::Backward, STEP)? {
                let number = keys::number(&key).unwrap_or_default();
                let view = match rows.item(number)? {
                    Some(row) => of_item(rows, row)?,
                    None => None,
                };
                self.read.push_back((number, view));
                self.below = key;
            }
        }
        self.ended = self.read.len() < STEP;
        Ok(())
    }
}

impl Engine {
    /// How many documents are parked, both ways.
    pub fn parked_count(&self) -> u64 {
        let count = self.inner.rows.store().counter(Counter::Parked);
        u64::try_from(count).unwrap_or(0)
    }

    /// Parked documents, newest first.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store cannot be read.
    pub fn parked(&self, filter: &ParkedFilter, page: PageRequest) -> Result<Page<ParkedView>, QueryError> {
        let below = match page.after {
            None => None,
            Some(cursor) => {
                let bytes = cursor.as_slice().try_into();
                Some(u64::from_be_bytes(bytes.map_err(|_| QueryError::BadCursor)?))
            }
        };
        let wants = |way| filter.way.is_none_or(|wanted| wanted == way);
        let mut updates = Downwards::of(keys::PARKED, below, wants(ParkedWay::ToLocal));
        let mut items = Downwards::of(keys::FAILED, below, wants(ParkedWay::ToCloud));
        let rows = &self.inner.rows;
        let mut found: Vec<ParkedView> = Vec::new();
        let (mut bytes, mut scanned, mut last) = (0, 0, None);
        loop {
            let newest = [
                updates.peek(rows).map_err(Unavailable::from)?,
                items.peek(rows).map_err(Unavailable::from)?,
            ];
            let [update, item] = newest;
            if newest == [None, None] {
                return Ok(Page {
                    items: found,
                    next: None,
                });
            }
            let full = found.len() == page.limit || bytes >= MOST_LISTED_BYTES || scanned >= MOST_SCANNED;
            if let Some(last) = last.filter(|_| full) {
                return Ok(Page {
                    items: found,
                    next: Some(u64::to_be_bytes(last).to_vec()),
                });
            }
            let source = if update >= item { &mut updates } else { &mut items };
            let Some((number, view)) = source.read.pop_front() else {
                continue;
            };
            (scanned, last) = (scanned + 1, Some(number));
            if let Some(view) = view.filter(|view| fits(filter, view)) {
                bytes += view.document.as_ref().map_or(0, String::len);
                found.push(view);
            }
        }
    }
}

fn fits(filter: &ParkedFilter, view: &ParkedView) -> bool {
    filter
        .entity_type
        .as_ref()
        .is_none_or(|wanted| wanted.as_str() == view.entity_type)
        && filter
            .error_code
            .as_ref()
            .is_none_or(|wanted| *wanted == view.error_code)
}

fn of_update(number: u64, row: ParkedRow) -> ParkedView {
    let (cloud_id, version, document) = match row.update {
        Some(update) => (
            update.cloud_id.map(|id| id.to_string()),
            update.version,
            update.body.map(|doc| doc.as_str().to_owned()),
        ),
        None => (None, None, row.raw),
    };
    ParkedView {
        id: number.to_string(),
        way: ParkedWay::ToLocal,
        entity_type: row.entity_type,
        entity_id: row.entity_id,
        cloud_id,
        version,
        operation: None,
        error_code: row.error_code,
        error: row.error,
        plugin: row.plugin,
        digest: row.digest,
        at: row.at,
        document,
    }
}

/// None: it failed for another reason.
fn of_item(rows: &Rows, row: ItemRow) -> Result<Option<ParkedView>, RowError> {
    let parked = row.item.is_parked();
    let item = row.item;
    let Some(by) = item.parked.filter(|_| parked) else {
        return Ok(None);
    };
    let cloud_id = rows.record(&row.key)?.and_then(|record| record.cloud_id);
    let error = item.error.unwrap_or_default();
    let message = error.strip_prefix(&format!("{}: ", by.code)).map(str::to_owned);
    Ok(Some(ParkedView {
        id: item.order.to_string(),
        way: ParkedWay::ToCloud,
        entity_type: row.key.entity_type.to_string(),
        entity_id: Some(row.key.id.to_string()),
        cloud_id: cloud_id.map(|id| id.to_string()),
        version: Some(item.version),
        operation: Some(item.operation),
        error_code: by.code,
        error: message.unwrap_or(error),
        plugin: Some(by.plugin),
        digest: by.digest,
        at: by.at,
        document: item.snapshot.map(|doc| doc.as_str().to_owned()),
    }))
}
