//! An app's change becomes a new state of the record and an item of its queue. Owns folding (rules 1, 3, 10).

use crate::entity::Entity;
use crate::item::{Item, ItemState};
use crate::json::Doc;
use crate::offset::Stamp;
use crate::record::{Base, Operation, Standing};
use crate::stamp::Millis;

/// An accepted change with all that the outside world adds to it.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The new document; none: delete.
    pub doc: Option<Doc>,
    /// When it was made.
    pub stamp: Stamp,
    /// By whom.
    pub by: Option<String>,
    /// Its id for life.
    pub change_id: String,
    /// Its place in the order of acceptance.
    pub order: u64,
    /// Now, corrected.
    pub now: Millis,
}

/// What became of the change in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Queued {
    /// It travels in the item with this order and change_id.
    As(u64, String),
    /// Nothing needs to be sent: a create that was never sent was deleted.
    Nothing,
}

/// Takes `incoming` into the entity. With `coalesce` it folds into an item that was never sent, and replaces one
/// that failed under its own change_id; an attempted item is never touched.
pub fn accept(entity: &mut Entity, incoming: Incoming, coalesce: bool) -> Queued {
    entity.grow_version(entity.record.cloud_version + 1);
    let record = &mut entity.record;
    record.replace_doc(incoming.doc);
    record.modified = record.modified.later(incoming.stamp);
    record.modified_by = incoming.by;
    record.standing = Standing::Plain;

    let foldable = coalesce
        && entity.items.last().is_some_and(|tail| match tail.state {
            ItemState::Pending => tail.sent.is_none() && !tail.doubted,
            ItemState::Failed => true,
            ItemState::Attempted => false,
        });
    let untold = !record.cloud_has() && !record.create_sent;
    let alone = entity.items.len() == usize::from(foldable) && record.inbox.is_none();
    if record.doc.is_none() && untold && alone {
        if record.base_doc() == Some(None) {
            record.set_base(Base::Same);
        }
        entity.items.clear();
        return Queued::Nothing;
    }
    let folded = if foldable { entity.items.pop() } else { None };
    let mut item = Item::of(record, incoming.order, incoming.change_id, incoming.now);
    if let Some(tail) = folded {
        item.order = tail.order;
        item.created_at = tail.created_at;
        if tail.state == ItemState::Pending {
            item.change_id = tail.change_id;
            item.due = tail.due;
            item.retries = tail.retries;
            item.error = tail.error;
        }
        // The snapshot is whole: what failed before it is cured by it (rule 10).
        entity.items.retain(|item| item.state != ItemState::Failed);
    }
    if let Some(before) = entity.items.last().filter(|_| item.snapshot.is_some()) {
        item.operation = match before.snapshot {
            Some(_) => Operation::Update,
            None => Operation::Create,
        };
    }
    let queued = Queued::As(item.order, item.change_id.clone());
    entity.items.push(item);
    queued
}

#[cfg(test)]
mod tests;
