//! What an instance can reach: the two imports, metered. One [`Guest`] lives in each store.
//!
//! Every answer of `lookup` is recorded, so that a decision can be run again; what cannot be recorded is not answered.

use std::sync::Arc;

use super::bindings::{log, lookup, types};
use super::convert;
use super::limits::{CallLimits, Limits, Meter};
use super::output::printable;
use super::values::{Document, Level, Lookup, LookupAnswer};
use super::wasi::{Inert, Seed};

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
    pub(super) inert: Inert,
    /// What was printed to standard output and error since the last end of a line, and how loud that is.
    printed: [(Level, Vec<u8>); 2],
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
}

/// A host function ended the call; kept apart from the guest's own traps.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Ended(pub(super) String);

impl Guest {
    pub(super) fn new(limits: &Limits, call: &CallLimits) -> Self {
        Self {
            meter: Meter::new(call),
            lookup: None,
            lookups: Vec::new(),
            lookup_room: Room {
                entries: limits.lookups,
                bytes: limits.lookup_bytes,
            },
            log: Vec::new(),
            log_room: Room {
                entries: call.log_lines,
                bytes: limits.log_bytes,
            },
            log_dropped: 0,
            inert: Inert::default(),
            printed: [(Level::Info, Vec::new()), (Level::Warn, Vec::new())],
        }
    }

    /// From now on lookups are answered: instantiation is over, and this is the question.
    pub(super) fn open(&mut self, lookup: Arc<dyn Lookup>, seed: Option<Seed>) {
        self.lookup = Some(lookup);
        self.ask(seed);
    }

    /// The next question.
    pub(super) fn ask(&mut self, seed: Option<Seed>) {
        if let Some(seed) = seed {
            self.inert.ask(seed);
        }
    }

    /// Takes what the call left, and gives the next one its full room again.
    pub(super) fn take_traces(&mut self, limits: &Limits, call: &CallLimits) -> Traces {
        self.end_lines();
        let mut log = std::mem::take(&mut self.log);
        if self.log_dropped > 0 {
            log.push((
                Level::Warn,
                format!("{} more log lines were dropped", self.log_dropped),
            ));
        }
        self.log_dropped = 0;
        self.log_room = Room {
            entries: call.log_lines,
            bytes: limits.log_bytes,
        };
        self.lookup_room = Room {
            entries: limits.lookups,
            bytes: limits.lookup_bytes,
        };
        Traces {
            lookups: std::mem::take(&mut self.lookups),
            log,
        }
    }

    /// Takes what is printed: a line of the log for each of its lines.
    pub(super) fn print(&mut self, loudness: u32, bytes: &[u8]) {
        for (n, part) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if n > 0 {
                self.end_line(loudness);
            }
            if let Some((_, line)) = self
                .printed
                .iter_mut()
                .find(|(level, _)| *level as u32 == loudness)
            {
                let room = MAX_LINE_BYTES.saturating_sub(line.len());
                line.extend_from_slice(&part[..part.len().min(room)]);
            }
        }
    }

    fn end_line(&mut self, loudness: u32) {
        let printed = self.printed.iter_mut();
        let Some((level, line)) = printed.into_iter().find(|(level, _)| *level as u32 == loudness) else {
            return;
        };
        let (level, line) = (*level, std::mem::take(line));
        if !line.is_empty() {
            self.log_line(level, &String::from_utf8_lossy(&line));
        }
    }

    fn end_lines(&mut self) {
        for loudness in [Level::Info, Level::Warn] {
            self.end_line(loudness as u32);
        }
    }

    fn log_line(&mut self, level: Level, message: &str) {
        if self.log_room.entries == 0 {
            self.log_dropped += 1;
            return;
        }
        let line = printable(message, MAX_LINE_BYTES);
        if self.log_room.take(line.len()) {
            self.log.push((level, line));
        } else {
            self.log_dropped += 1;
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
        self.log_line(convert::level(level), &message);
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
