//! What an update from the cloud means for an entity (rules 4, 5, 12; promises 4 and 7).

use crate::entity::Entity;
use crate::payload::same_state;
use crate::push::settle_echo;
use crate::record::{Base, Standing};
use crate::update::{Seen, Update};

/// What became of an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Older than what is here, or the very same: nothing changed.
    Stale,
    /// Both sides say the same: numbers were adopted, waiting items are done.
    Agreed {
        /// Items that need not be pushed any more.
        settled: u32,
    },
    /// The cloud's document is what both agreed on before: its number was adopted, the outlet's changes go on.
    Unchanged,
    /// The record took the cloud's document; nothing was unsynced.
    Applied,
    /// The mapper keeps it from the outlet: only the number moved.
    Filtered,
    /// Both sides changed: a strategy must decide.
    Contested,
    /// An item's outcome is unknown: decided when it is known.
    Waits,
}

/// Judges `update` by its numbers and stamps alone. True: it is older than what the record rests on.
pub fn is_stale(entity: &Entity, update: &Update) -> bool {
    let record = &entity.record;
    match update.version {
        Some(version) => version < record.cloud_version,
        None => matches!((update.stamp, record.cloud_stamp), (Some(new), Some(old)) if new < old),
    }
}

/// Whether `update` is newer than the one in the inbox, which then gives way.
pub fn supersedes(update: &Update, waiting: &Update) -> bool {
    match (update.version, waiting.version) {
        (Some(new), Some(old)) => new >= old,
        _ => !matches!((update.stamp, waiting.stamp), (Some(new), Some(old)) if new < old),
    }
}

/// Takes `update`, with what its mapper made of it, into the entity as far as no strategy is needed. `Contested` and
/// `Waits` leave the record as it was (but for a settled echo); the caller keeps the update in the inbox.
pub fn receive(entity: &mut Entity, update: &Update, seen: &Seen) -> Received {
    if is_stale(entity, update) {
        return Received::Stale;
    }
    let echo = entity
        .head()
        .is_some_and(|h| !matches!(seen, Seen::Skipped(_)) && same_state(h.snapshot.as_ref(), seen.doc()));
    let echoed = settle_echo(entity, update, echo);
    if entity.is_attempted() {
        return Received::Waits;
    }
    if let Seen::Skipped(_) = seen {
        if !entity.items.is_empty() {
            return Received::Contested;
        }
        entity.record.adopt(update);
        return Received::Filtered;
    }
    let same_as_doc =
        entity.is_known() && entity.record.version > 0 && same_state(entity.record.doc.as_ref(), seen.doc());
    if same_as_doc {
        return agree(entity, update, echoed);
    }
    if entity.items.is_empty() {
        apply(entity, update, seen);
        return Received::Applied;
    }
    let unchanged = entity
        .record
        .base_doc()
        .is_some_and(|base| same_state(base, seen.doc()));
    if unchanged {
        entity.record.adopt(update);
        return Received::Unchanged;
    }
    Received::Contested
}

fn agree(entity: &mut Entity, update: &Update, echoed: bool) -> Received {
    let record = &mut entity.record;
    let settled = u32::try_from(entity.items.len()).unwrap_or(u32::MAX);
    let known = update.version.is_some_and(|v| v == record.cloud_version)
        || (update.version.is_none() && update.stamp == record.cloud_stamp);
    if known && settled == 0 && !echoed && record.base == Base::Same && record.cloud_id == update.cloud_id {
        return Received::Stale;
    }
    entity.items.clear();
    record.base = Base::Same;
    record.standing = Standing::Plain;
    record.conflicts_in_row = 0;
    record.adopt(update);
    Received::Agreed {
        settled: settled + u32::from(echoed),
    }
}

/// The record becomes the cloud's state: its document, its names, its number.
pub(crate) fn apply(entity: &mut Entity, update: &Update, seen: &Seen) {
    let record = &mut entity.record;
    record.version = (record.version + 1).max(update.version.unwrap_or(0));
    record.doc = seen.doc().cloned();
    record.base = Base::Same;
    record.standing = Standing::Plain;
    record.modified_by = update.by.clone();
    if let Some(stamp) = update.stamp {
        record.modified = record.modified.later(stamp.into());
    }
    record.adopt(update);
}
