//! What an instance can reach: the two imports, metered. One [`Guest`] lives in each store.
//!
//! Every answer of `lookup` is recorded, so that a decision can be run again; what cannot be recorded is not answered.

use std::sync::Arc;

use super::bindings::{log, lookup, types};
use super::convert;
use super::limits::{Limits, Meter};
use super::output::printable;
use super::values::{Document, Level, Lookup, LookupAnswer};

/// Bytes of one log line that are kept.
const MAX_LINE_BYTES: usize = 1 << 10;

/// The state behind one instance.
pub(super) struct Guest {
    pub(super) meter: Meter,
    lookup: Option<Arc<dyn Lookup>>,
    lookups: Vec<LookupAnswer>,
    lookup_room: Room,
    log: Vec<(Level, String)>,
    log_room: Room,
    log_dropped: usize,
}

/// How much more may be kept.
#[derive(Debug, Clone, Copy)]
struct Room {
    entries: usize,
    bytes: usize,
}

impl Room {
    fn take(&mut self, bytes: usize) -> bool {
        if self.entries == 0 || self.bytes < bytes {
            return false;
        }
        self.entries -= 1;
        self.bytes -= bytes;
        true
    }
}

/// What one call left behind.
#[derive(Debug, Default)]
pub(super) struct Traces {
    pub(super) lookups: Vec<LookupAnswer>,
    pub(super) log: Vec<(Level, String)>,
    /// The instance's memory, which never shrinks.
    pub(super) memory_bytes: usize,
}

/// A host function ended the call; kept apart from the guest's own traps.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Ended(pub(super) String);

impl Guest {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            meter: Meter::new(limits),
            lookup: None,
            lookups: Vec::new(),
            lookup_room: Room {
                entries: limits.lookups,
                bytes: limits.lookup_bytes,
            },
            log: Vec::new(),
            log_room: Room {
                entries: limits.log_lines,
                bytes: limits.log_bytes,
            },
            log_dropped: 0,
        }
    }

    /// From now on lookups are answered: instantiation is over.
    pub(super) fn open(&mut self, lookup: Arc<dyn Lookup>) {
        self.lookup = Some(lookup);
    }

    /// Takes what the call left, and gives the next one its full room again.
    pub(super) fn take_traces(&mut self, limits: &Limits) -> Traces {
        let mut log = std::mem::take(&mut self.log);
        if self.log_dropped > 0 {
            log.push((
                Level::Warn,
                format!("{} more log lines were dropped", self.log_dropped),
            ));
        }
        self.log_dropped = 0;
        self.log_room = Room {
            entries: limits.log_lines,
            bytes: limits.log_bytes,
        };
        self.lookup_room = Room {
            entries: limits.lookups,
            bytes: limits.lookup_bytes,
        };
        Traces {
            lookups: std::mem::take(&mut self.lookups),
            log,
            memory_bytes: self.meter.used(),
        }
    }

    /// Records an answer before it is given.
    fn record(&mut self, bytes: usize, answer: impl FnOnce() -> LookupAnswer) -> wasmtime::Result<()> {
        if self.lookup.is_none() {
            return Ok(());
        }
        if !self.lookup_room.take(bytes) {
            return Err(Ended("it looked up more of the outlet's records than one call may".into()).into());
        }
        self.lookups.push(answer());
        Ok(())
    }
}

impl types::Host for Guest {}

impl log::Host for Guest {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        if self.log_room.entries == 0 {
            self.log_dropped += 1;
            return Ok(());
        }
        let line = printable(&message, MAX_LINE_BYTES);
        if self.log_room.take(line.len()) {
            self.log.push((convert::level(level), line));
        } else {
            self.log_dropped += 1;
        }
        Ok(())
    }
}

impl lookup::Host for Guest {
    fn get(&mut self, key: types::EntityKey) -> wasmtime::Result<Option<types::Document>> {
        let answer = self
            .lookup
            .as_ref()
            .and_then(|lookup| lookup.get(&key.entity_type, &key.id));
        let given = answer.as_ref().map(convert::document);
        let bytes = key.entity_type.len() + key.id.len() + answer.as_ref().map_or(0, weight);
        self.record(bytes, || LookupAnswer::Get {
            entity_type: key.entity_type,
            id: key.id,
            answer,
        })?;
        Ok(given)
    }

    fn local_id(&mut self, entity_type: String, cloud_id: String) -> wasmtime::Result<Option<String>> {
        let answer = self
            .lookup
            .as_ref()
            .and_then(|lookup| lookup.local_id(&entity_type, &cloud_id));
        let given = answer.clone();
        let bytes = entity_type.len() + cloud_id.len() + answer.as_ref().map_or(0, String::len);
        self.record(bytes, || LookupAnswer::LocalId {
            entity_type,
            cloud_id,
            answer,
        })?;
        Ok(given)
    }

    fn cloud_id(&mut self, key: types::EntityKey) -> wasmtime::Result<Option<String>> {
        let answer = self
            .lookup
            .as_ref()
            .and_then(|lookup| lookup.cloud_id(&key.entity_type, &key.id));
        let given = answer.clone();
        let bytes = key.entity_type.len() + key.id.len() + answer.as_ref().map_or(0, String::len);
        self.record(bytes, || LookupAnswer::CloudId {
            entity_type: key.entity_type,
            id: key.id,
            answer,
        })?;
        Ok(given)
    }
}

/// About what a recorded document takes.
fn weight(document: &Document) -> usize {
    document.entity_type.len() + document.id.len() + document.body.len() + 64
}
