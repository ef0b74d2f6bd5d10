//! What an update from the cloud means for an entity (rules 4, 5, 12; promises 4 and 7).

use crate::echo::settle_echo;
use crate::entity::Entity;
use crate::item::{Item, ItemState};
use crate::payload::same_state;
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

/// Judges `update` by its names, numbers and stamps alone. True: it is older than what the record rests on, or speaks
/// of a former entity of another name.
pub fn is_stale(entity: &Entity, update: &Update) -> bool {
    let record = &entity.record;
    if update.cloud_id.as_ref().is_some_and(|id| record.is_former(id)) {
        return true;
    }
    if record.begins_anew(update.cloud_id.as_ref()) {
        return false;
    }
    let older = match update.version {
        Some(version) => version < record.cloud_version,
        None => matches!((update.stamp, record.cloud_stamp), (Some(new), Some(old)) if new < old),
    };
    // A deletion has its content with it: it is what the base was before, or is, with changes waiting on it.
    let is_base =
        || !entity.items.is_empty() && record.base_doc() == Some(None) && record.is_numbered_as(update);
    older || (update.body.is_none() && (record.is_past(update, None) || is_base()))
}

/// Whether `update` is of another entity, which the cloud made under a name that this one parted with (rule 8): one that
/// was deleted there, went on here as a new entity, and was brought back there since.
pub fn is_anothers(entity: &Entity, update: &Update) -> bool {
    entity.record.is_taken_up(update)
}

/// Whether `update` is newer than the one in the inbox, which then gives way. Of equal numbers the later stamp
/// counts, of equal stamps or none the later arrival, and that of two names as well: each counts by itself.
pub fn supersedes(update: &Update, waiting: &Update) -> bool {
    let names = update.cloud_id.as_ref().zip(waiting.cloud_id.as_ref());
    if names.is_some_and(|(new, old)| new != old) {
        return true;
    }
    match (update.version, waiting.version) {
        (Some(new), Some(old)) if new != old => new > old,
        _ => !matches!((update.stamp, waiting.stamp), (Some(new), Some(old)) if new < old),
    }
}

/// Takes `update`, with what its mapper made of it, into the entity as far as no strategy is needed. `Contested` and
/// `Waits` leave the record as it was; the caller keeps the update in the inbox.
pub fn receive(entity: &mut Entity, update: &Update, seen: &Seen) -> Received {
    if is_stale(entity, update) || says_nothing_new(entity, update, seen) {
        return Received::Stale;
    }
    let skipped = matches!(seen, Seen::Skipped(_));
    let echoed = settle_echo(entity, update, seen);
    if entity.is_attempted() {
        return Received::Waits;
    }
    let ours = update.change_id.is_some() && entity.record.settled == update.change_id;
    if ours && !entity.items.is_empty() {
        // The cloud's own words for our change: what waits goes on from there (rule 5).
        return go_on(entity, update, Some(seen).filter(|_| !skipped));
    }
    if skipped {
        return filter(entity, update, echoed);
    }
    let record = &entity.record;
    if record.version > 0 && same_state(record.doc.as_ref(), seen.doc()) {
        if !update.is_ordered() && !entity.items.is_empty() {
            // It may speak of a time before the last push: what waits is pushed all the same.
            return go_on(entity, update, Some(seen));
        }
        return agree(entity, update, seen, echoed);
    }
    if record.version == 0 && *seen == Seen::Deleted {
        // Nobody here has heard of it: kept, so that nothing older brings it (promise 7).
        apply(entity, update, seen);
        return Received::Agreed { settled: 0 };
    }
    let same_as_base = record.base_doc().is_some_and(|base| same_state(base, seen.doc()));
    // Above the base's number it may be what became of a change that went through unheard, undone: no base then.
    let open = entity.head().is_some_and(Item::is_open) && !record.is_numbered_as(update);
    if same_as_base && entity.is_unsynced() && !open {
        return go_on(entity, update, None);
    }
    if entity.is_unsynced() {
        return Received::Contested;
    }
    apply(entity, update, seen);
    Received::Applied
}

/// Whether it repeats what the record has moved on from, or the mapper skips it again.
fn says_nothing_new(entity: &Entity, update: &Update, seen: &Seen) -> bool {
    match seen {
        Seen::Skipped(_) => entity.record.is_at(update),
        _ => entity.record.is_past(update, seen.doc()),
    }
}

/// The outlet's changes go on from the cloud's state, which is `base` where that is another than the base already.
fn go_on(entity: &mut Entity, update: &Update, base: Option<&Seen>) -> Received {
    let record = &mut entity.record;
    let placed = record.is_placed(update);
    if let Some(seen) = base {
        record.leave_base(placed);
        record.set_base(Base::Other(seen.doc().cloned()));
    } else if placed {
        record.past = None;
    }
    record.adopt(update);
    // A change that the cloud refused for its base_version is not to wait for what has come just now.
    if let Some(head) = entity
        .items
        .first_mut()
        .filter(|head| head.state == ItemState::Pending && head.sent.is_none())
    {
        head.due = None;
    }
    Received::Unchanged
}

fn filter(entity: &mut Entity, update: &Update, echoed: u32) -> Received {
    if !entity.items.is_empty() {
        return Received::Contested;
    }
    entity.record.adopt(update);
    match echoed {
        0 => Received::Filtered,
        settled => Received::Agreed { settled },
    }
}

fn agree(entity: &mut Entity, update: &Update, seen: &Seen, echoed: u32) -> Received {
    if entity.items.len() > 1 && entity.head().is_some_and(Item::is_open) {
        // The failed head may take effect after this yet: what follows is pushed all the same.
        let create_sent = entity.record.create_sent;
        entity.items.remove(0);
        let went_on = go_on(entity, update, Some(seen));
        entity.record.create_sent = create_sent;
        return went_on;
    }
    let record = &mut entity.record;
    let settled = u32::try_from(entity.items.len()).unwrap_or(u32::MAX);
    let agreed = record.base == Base::Same && record.standing == Standing::Plain;
    if agreed && settled == 0 && echoed == 0 && record.is_at(update) {
        return Received::Stale;
    }
    let placed = record.is_placed(update);
    if placed || record.base != Base::Same {
        record.leave_base(placed);
    }
    entity.items.clear();
    record.set_base(Base::Same);
    record.standing = Standing::Plain;
    record.conflicts_in_row = 0;
    record.adopt(update);
    Received::Agreed {
        settled: settled + echoed,
    }
}

/// The record becomes the cloud's state: its document, its names, its number.
pub(crate) fn apply(entity: &mut Entity, update: &Update, seen: &Seen) {
    let record = &mut entity.record;
    record.leave_base(record.is_placed(update));
    entity.grow_version(update.version.unwrap_or(0));
    let record = &mut entity.record;
    record.doc = seen.doc().cloned();
    record.set_base(Base::Same);
    record.standing = Standing::Plain;
    record.conflicts_in_row = 0;
    record.modified_by = update.by.clone();
    if let Some(stamp) = update.stamp {
        record.modified = record.modified.later(stamp.into());
    }
    record.adopt(update);
}

#[cfg(test)]
mod tests;
