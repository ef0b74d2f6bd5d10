//! What a verdict does to an entity (rules 7, 8; promise 4). The losing document is kept by the conflict's record,
//! which the engine commits with it.

use crate::entity::Entity;
use crate::item::Item;
use crate::json::Doc;
use crate::offset::Stamp;
use crate::payload::same_state;
use crate::receive::apply;
use crate::record::{Base, Standing};
use crate::stamp::Millis;
use crate::update::{Seen, Update};

/// What a strategy or a person decided.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// The outlet's document stays and is pushed on.
    KeepLocal,
    /// The cloud's document replaces it.
    TakeCloud,
    /// A third document, kept here and pushed.
    Merge(Doc),
    /// The entity is deleted on both sides.
    Delete,
    /// Left to a person.
    Defer,
}

impl Decision {
    /// The word in records and answers.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::KeepLocal => "keep_local",
            Self::TakeCloud => "take_cloud",
            Self::Merge(_) => "merge",
            Self::Delete => "delete",
            Self::Defer => "defer",
        }
    }
}

/// What settling needs from outside.
#[derive(Clone, Debug)]
pub struct Means {
    /// New change_ids for what goes on to the cloud, one an item at least (rule 7).
    pub change_ids: Vec<String>,
    /// The place of a new item in the order of acceptance.
    pub order: u64,
    /// The id of the conflict's record, for a decision to defer.
    pub conflict_id: String,
    /// When it was decided.
    pub stamp: Stamp,
    /// Now, corrected.
    pub now: Millis,
}

/// Carries out `decision` on an entity whose waiting changes meet `update`, and empties the inbox (unless deferred).
/// The entity must hold all its items.
///
/// # Panics
/// When there are fewer new change_ids than items.
pub fn settle(entity: &mut Entity, update: &Update, seen: &Seen, decision: &Decision, means: Means) {
    entity.record.conflicts_in_row += 1;
    match decision {
        Decision::Defer => {
            entity.record.inbox = Some(update.clone());
            entity.record.conflict = Some(means.conflict_id);
            return;
        }
        Decision::TakeCloud => take_cloud(entity, update, seen),
        Decision::Merge(doc) if same_state(Some(doc), seen.doc()) => take_cloud(entity, update, seen),
        Decision::Delete if *seen == Seen::Deleted => take_cloud(entity, update, seen),
        Decision::KeepLocal => keep_local(entity, update, seen, means),
        Decision::Merge(doc) => replace(entity, update, seen, Some(doc.clone()), means),
        Decision::Delete => replace(entity, update, seen, None, means),
    }
    entity.record.inbox = None;
    entity.record.conflict = None;
}

fn take_cloud(entity: &mut Entity, update: &Update, seen: &Seen) {
    entity.items.clear();
    apply(entity, update, seen);
}

/// The cloud's state becomes the base that everything waiting now rests on.
fn rebase(entity: &mut Entity, update: &Update, seen: &Seen) {
    let record = &mut entity.record;
    record.leave_base(record.is_placed(update));
    record.set_base(match seen {
        // It has the entity, but in a state that has no form here: its own will do.
        Seen::Skipped(_) => Base::Other(update.body.clone()),
        Seen::Doc(_) | Seen::Deleted => Base::Other(seen.doc().cloned()),
    });
    record.standing = Standing::Plain;
    record.adopt(update);
    if update.body.is_none() {
        record.part_with_name(update.cloud_id.as_ref());
    }
}

fn keep_local(entity: &mut Entity, update: &Update, seen: &Seen, means: Means) {
    rebase(entity, update, seen);
    // The document stays; its number only has to be above the cloud's.
    if entity.record.version <= entity.record.cloud_version {
        entity.grow_version(entity.record.cloud_version + 1);
    }
    let record = &mut entity.record;
    let mut change_ids = means.change_ids.into_iter();
    let mut next_id = || {
        change_ids
            .next()
            .expect("invariant: a new change_id for each item")
    };
    for item in &mut entity.items {
        item.renew(next_id());
    }
    match entity.items.last_mut() {
        // The change that made the document may have been given up; decided for, it goes with the last that waits.
        Some(tail) => {
            tail.snapshot = record.doc.clone();
            tail.version = record.version;
            tail.modified = record.modified;
        }
        // Nothing waits: all was given up or withheld.
        None => {
            let item = Item::of(record, means.order, next_id(), means.now);
            entity.items.push(item);
        }
    }
    if let Some(head) = entity.items.first_mut() {
        head.operation = record.operation(head.snapshot.as_ref());
    }
}

fn replace(entity: &mut Entity, update: &Update, seen: &Seen, doc: Option<Doc>, means: Means) {
    rebase(entity, update, seen);
    entity.grow_version(entity.record.cloud_version + 1);
    let record = &mut entity.record;
    record.modified = record.modified.later(means.stamp);
    record.doc = doc;
    let change_id = means.change_ids.into_iter().next();
    let change_id = change_id.expect("invariant: a new change_id for what a verdict makes");
    entity.items = vec![Item::of(record, means.order, change_id, means.now)];
}

#[cfg(test)]
mod tests;
