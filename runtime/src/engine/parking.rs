//! Parked updates as commits change them: kept whole when their mapper fails, at most one an entity, the newest; let go
//! when the entity's state of then or later was taken in. What cannot be read is kept, too, once for the same text.
//!
//! A slot leads from the cloud's name of an entity to the number of its row. Rows and slots change in the commit of what
//! they are about, or not at all. When to try again is `parked`'s.

use crate::engine::Engine;
use crate::engine::api::{Binding, Unavailable};
use crate::engine::settings::Settings;
use crate::engine::tx::Tx;
use crate::plugin::{Failure, PluginState};
use crate::store::rows::{ParkedRow, RowError, parked_slot, put};
use crate::store::{Batch, Counter, Expect, Expected, Key, keys};
use selaras_core::id::EntityKey;
use selaras_core::item::Parked;
use selaras_core::receive::supersedes;
use selaras_core::update::Update;
use sha2::{Digest, Sha256};
use std::collections::HashSet;

/// The code of what cannot be read.
pub(super) const UNREADABLE: &str = "unreadable";

/// A parked update, and the number of its row.
#[derive(Clone, Debug)]
pub(super) struct Held {
    number: u64,
    row: ParkedRow,
}

impl Held {
    /// Whether it is this very update.
    fn is(&self, update: &Update) -> bool {
        self.row.update.as_ref() == Some(update)
    }

    /// Whether `update` is newer than it, or the same.
    fn gives_way_to(&self, update: &Update) -> bool {
        self.row
            .update
            .as_ref()
            .is_none_or(|held| supersedes(update, held))
    }
}

/// Where a retried update was parked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// Its row.
    pub number: u64,
    /// The record's version of then.
    pub version: u64,
}

impl Engine {
    /// Keeps an update that its plugin could not handle; a parked older one of the same entity gives way to it. It is tried
    /// again when the plugin, its settings, or a person changes something. False: a newer one is parked already, and this
    /// one counts as stale. `from`: the row it comes from, when it was tried again.
    pub(super) fn park(
        &self,
        tx: &mut Tx<'_>,
        settings: &Settings,
        (key, version): (&EntityKey, u64),
        (update, failure): (&Update, &Failure),
        from: Option<Origin>,
    ) -> Result<bool, Unavailable> {
        let (slot, held) = self.held(tx, key, update)?;
        // What the outlet did since it was parked first stays later than it.
        let version = match &held {
            Some(held) if held.is(update) => held.row.version,
            _ => from.map_or(version, |origin| origin.version),
        };
        let from = from.map(|origin| origin.number);
        let batch = &mut tx.batch;
        let number = match (&held, from) {
            (Some(held), _) if held.is(update) => held.number,
            (Some(held), _) if !held.gives_way_to(update) => return Ok(false),
            (Some(held), _) => {
                remove(batch, held.number);
                add(batch, self.inner.rows.store().reserve())
            }
            // An older version kept no slots.
            (None, Some(number)) => number,
            (None, None) => add(batch, self.inner.rows.store().reserve()),
        };
        if let Some(old) = from.filter(|old| *old != number) {
            remove(batch, old);
        }
        let binding = settings.binding(key.entity_type.as_str());
        let by = self.failed_mapper(&binding, failure);
        let row = ParkedRow {
            entity_type: key.entity_type.to_string(),
            entity_id: Some(key.id.to_string()),
            update: Some(update.clone()),
            raw: None,
            error_code: by.code,
            error: failure.message.clone(),
            at: by.at,
            plugin: Some(by.plugin),
            digest: by.digest,
            under: (!failure.retryable).then_some(by.under),
            version,
            collection: None,
        };
        let same = |held: &Held| {
            let (old, new) = (&held.row, &row);
            held.number == number
                && (&old.error, &old.under, &old.digest) == (&new.error, &new.under, &new.digest)
        };
        if held.as_ref().is_some_and(same) {
            // It failed so before: nothing new to write, however often it is tried.
            return Ok(true);
        }
        tracing::warn!(%key, code = row.error_code, error = row.error, "an update is parked: its plugin could not handle it");
        put(batch, keys::numbered(keys::PARKED, number), &row);
        batch.put(slot.clone(), number.to_be_bytes());
        tx.parked.insert(slot, Some(Held { number, row }));
        Ok(true)
    }

    /// `update` was taken in: what is parked of its entity and is not newer is done with. `from`: the row it comes from,
    /// when it was tried again.
    pub(super) fn unpark(
        &self,
        tx: &mut Tx<'_>,
        key: &EntityKey,
        update: &Update,
        from: Option<Origin>,
    ) -> Result<(), Unavailable> {
        let nothing = tx.parked.is_empty() && self.inner.rows.store().counter(Counter::Parked) == 0;
        if from.is_none() && nothing {
            return Ok(());
        }
        let (slot, held) = self.held(tx, key, update)?;
        let from = from.map(|origin| origin.number);
        let done = held.filter(|held| from == Some(held.number) || held.gives_way_to(update));
        let batch = &mut tx.batch;
        if let Some(held) = &done {
            remove(batch, held.number);
            batch.delete(slot.clone());
            tx.parked.insert(slot, None);
        }
        if let Some(number) = from.filter(|from| done.is_none_or(|held| held.number != *from)) {
            remove(&mut tx.batch, number);
        }
        Ok(())
    }

    /// What is parked under the entity's name at the cloud, this commit's own changes included. The commit fails when it is
    /// another by then.
    fn held(
        &self,
        tx: &mut Tx<'_>,
        key: &EntityKey,
        update: &Update,
    ) -> Result<(Key, Option<Held>), Unavailable> {
        let slot = parked_slot(key.entity_type.as_str(), key.id.as_str(), update);
        if let Some(held) = tx.parked.get(&slot) {
            return Ok((slot, held.clone()));
        }
        let rows = &self.inner.rows;
        let found = rows.store().get(&slot).map_err(RowError::from)?;
        let number = found.as_deref().and_then(number_of);
        let row: Option<ParkedRow> = match number {
            Some(number) => rows.get(&keys::numbered(keys::PARKED, number))?,
            None => None,
        };
        let held = number.zip(row).map(|(number, row)| Held { number, row });
        let want = found.map_or(Expected::Absent, Expected::StartsWith);
        let expect = Expect {
            key: slot.clone(),
            want,
        };
        tx.guard(key, expect);
        tx.parked.insert(slot.clone(), held.clone());
        Ok((slot, held))
    }

    /// Who failed, and under what.
    pub(super) fn failed_mapper(&self, binding: &Binding, failure: &Failure) -> Parked {
        let plugin = binding.mapper.clone().unwrap_or_default();
        Parked {
            code: failure.code.as_str().to_owned(),
            digest: self.digest_of(&plugin),
            plugin,
            under: self.under(binding),
            at: self.now(),
        }
    }

    fn digest_of(&self, plugin: &str) -> Option<String> {
        match self.inner.host.get(plugin)?.state {
            PluginState::Active(info) => Some(info.digest),
            PluginState::Refused(_) => None,
        }
    }

    /// Names the mapper of the binding, its component and its settings.
    pub(super) fn under(&self, binding: &Binding) -> String {
        let Some(mapper) = &binding.mapper else {
            return "no mapper".to_owned();
        };
        let digest = self.digest_of(mapper).unwrap_or_default();
        named(&[mapper, &digest, binding.settings.as_str()])
    }

    /// Names what reading an element of this name and collection depends on: the program, and which type they mean.
    pub(super) fn read_under(&self, settings: &Settings, name: &str, collection: Option<&str>) -> String {
        let found = [
            settings.type_of_wire(name),
            collection.and_then(|collection| settings.type_of_collection(collection)),
        ];
        let found = found.map(|found| found.map(|found| found.to_string()).unwrap_or_default());
        let [wire, plural] = &found;
        named(&[env!("CARGO_PKG_VERSION"), wire, plural])
    }

    /// Those that are not kept yet, with the numbers of their rows to be.
    pub(super) fn new_unreadable(&self, rows: Vec<ParkedRow>) -> Result<Vec<(u64, ParkedRow)>, Unavailable> {
        let store = self.inner.rows.store();
        let mut seen = HashSet::new();
        let mut fresh = Vec::with_capacity(rows.len());
        for row in rows {
            let slot = row.slot().unwrap_or_default();
            if store.get(&slot).map_err(RowError::from)?.is_none() && seen.insert(slot) {
                fresh.push((store.reserve(), row));
            }
        }
        Ok(fresh)
    }
}

/// Keeps what could not be read.
pub(super) fn park_unreadable(batch: &mut Batch, rows: &[(u64, ParkedRow)]) {
    for (number, row) in rows {
        add(batch, *number);
        put(batch, keys::numbered(keys::PARKED, *number), row);
        if let Some(slot) = row.slot() {
            batch.put(slot, number.to_be_bytes());
        }
    }
}

/// A row comes to be under this number.
fn add(batch: &mut Batch, number: u64) -> u64 {
    batch.count(Counter::Parked, 1);
    number
}

/// The row goes.
pub(super) fn remove(batch: &mut Batch, number: u64) {
    batch.delete(keys::numbered(keys::PARKED, number));
    batch.count(Counter::Parked, -1);
}

/// The number in a slot.
pub(super) fn number_of(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_be_bytes)
}

fn named(parts: &[&str]) -> String {
    let mut name = Sha256::new();
    for part in parts {
        name.update((part.len() as u64).to_be_bytes());
        name.update(part);
    }
    hex::encode(&name.finalize()[..16])
}
