//! Who goes next: the schedule is read, and its heads are put into the order in which core deals the places of a batch. Nothing is
//! changed here; what becomes of them is `plan`'s.

use crate::engine::Engine;
use crate::engine::api::{Route, Unavailable};
use crate::engine::settings::Settings;
use crate::store::rows::RowError;
use crate::store::{Direction, keys};
use selaras_core::id::EntityKey;
use selaras_core::share::{CLASSES, Pick, Waiting};
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

/// Each document of its own route is a request. While requests are scarce so many are made ready of a class at a time, so
/// that what becomes urgent does not wait behind a thousand of them.
const DOCUMENTS_AT_ONCE: usize = 2;

/// The heads of one class, or those in backoff.
#[derive(Default)]
struct Line {
    oldest: VecDeque<EntityKey>,
    /// The last of a line that is longer than what was read of it, newest first.
    newest: VecDeque<EntityKey>,
}

impl Line {
    fn len(&self) -> usize {
        self.oldest.len() + self.newest.len()
    }

    fn take_oldest(&mut self) -> Option<EntityKey> {
        self.oldest.pop_front().or_else(|| self.newest.pop_back())
    }

    fn take_newest(&mut self) -> Option<EntityKey> {
        self.newest.pop_front().or_else(|| self.oldest.pop_back())
    }
}

/// Which rows of the schedule become part of a line.
struct Gate<'a> {
    settings: Arc<Settings>,
    busy: &'a HashSet<EntityKey>,
    places: usize,
    limited: bool,
}

impl Gate<'_> {
    /// The entities that rows name, without those that are busy.
    fn let_in<'r>(&self, rows: impl Iterator<Item = &'r [u8]>) -> VecDeque<EntityKey> {
        let mut documents = 0;
        rows.filter_map(keys::parse_entity)
            .filter(|key| !self.busy.contains(key))
            .filter(|key| {
                let alone =
                    self.limited && self.settings.binding(key.entity_type.as_str()).route == Route::Document;
                documents += usize::from(alone);
                !alone || documents <= DOCUMENTS_AT_ONCE
            })
            .take(self.places)
            .collect()
    }
}

impl Engine {
    /// As many entities as a request takes whose head may go now, without those that are busy, in the order in which
    /// places are dealt.
    pub(super) fn due(&self, busy: &HashSet<EntityKey>) -> Result<Vec<EntityKey>, Unavailable> {
        let gate = Gate {
            settings: self.settings(),
            busy,
            places: self.batch_limit(),
            limited: self.is_limited(),
        };
        let most = gate.places + busy.len();
        let mut retries = Line {
            oldest: gate.let_in(values(&self.rows_of(&self.late(), most)?)),
            ..Line::default()
        };
        let mut lines = self.ready_lines(&gate, most)?;
        let waiting = Waiting {
            ready: std::array::from_fn(|class| lines[class].len()),
            retries: retries.len(),
        };
        if waiting == Waiting::default() {
            return Ok(Vec::new());
        }
        let picks = self.inner.turns.lock().deal(gate.places, waiting);
        let keys = picks.into_iter().filter_map(|pick| match pick {
            Pick::Oldest(class) => lines[class].take_oldest(),
            Pick::Newest(class) => lines[class].take_newest(),
            Pick::Retry => retries.take_oldest(),
        });
        Ok(keys.collect())
    }

    /// Whether anything could be sent now.
    pub(super) fn has_due(&self) -> Result<bool, Unavailable> {
        Ok(self.has_ready() || !self.rows_of(&self.late(), 1)?.is_empty())
    }

    /// The heads of each class: all there are, or as many as a batch may take of it.
    fn ready_lines(&self, gate: &Gate<'_>, most: usize) -> Result<[Line; CLASSES], Unavailable> {
        let mut lines: [Line; CLASSES] = std::array::from_fn(|_| Line::default());
        let (mut from, to) = keys::all(keys::READY);
        let few = gate.places / 10 + 1 + gate.busy.len();
        let mut step = most;
        loop {
            let rows = self.rows_of(&(from, to.clone()), step)?;
            for class in rows.chunk_by(|(one, _), (next, _)| one[1] == next[1]) {
                let line = class
                    .first()
                    .and_then(|(row, _)| lines.get_mut(usize::from(row[1])));
                if let Some(line) = line {
                    line.oldest = gate.let_in(values(class));
                }
            }
            let (Some((last, _)), true) = (rows.last(), rows.len() == step) else {
                return Ok(lines);
            };
            // There may be more of this class: its newest, and the classes behind it.
            let class = last[1];
            let mut behind = last.clone();
            behind.push(0);
            let end = vec![keys::READY, class + 1];
            let newest = self.scan(&(behind, end.clone()), Direction::Backward, few)?;
            if let Some(line) = lines.get_mut(usize::from(class)) {
                line.newest = gate.let_in(values(&newest));
            }
            from = end;
            step = few;
        }
    }

    /// The range of heads whose backoff has ended.
    fn late(&self) -> Range {
        (vec![keys::DUE], keys::due_from(self.now().plus_ms(1)))
    }

    fn rows_of(&self, range: &Range, most: usize) -> Result<Vec<Row>, Unavailable> {
        self.scan(range, Direction::Forward, most)
    }

    fn scan(&self, (from, to): &Range, direction: Direction, most: usize) -> Result<Vec<Row>, Unavailable> {
        let store = self.inner.rows.store();
        Ok(store.scan(from, to, direction, most).map_err(RowError::from)?)
    }
}

type Range = (Vec<u8>, Vec<u8>);
type Row = (Vec<u8>, Vec<u8>);

fn values(rows: &[Row]) -> impl Iterator<Item = &[u8]> {
    rows.iter().map(|(_, name)| name.as_slice())
}
