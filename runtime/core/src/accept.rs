//! An app's change becomes a new state of the record and an item of its queue. Owns folding (rules 1, 3, 10).

use crate::entity::Entity;
use crate::item::{Item, ItemState};
use crate::json::Doc;
use crate::offset::Stamp;
use crate::record::{Operation, Standing};
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
    let cloud_has = entity.record.cloud_has();
    let record = &mut entity.record;
    let operation = match (&incoming.doc, cloud_has) {
        (None, _) => Operation::Delete,
        (Some(_), true) => Operation::Update,
        (Some(_), false) => Operation::Create,
    };
    record.version = record.next_version();
    record.replace_doc(incoming.doc.clone());
    record.modified = record.modified.later(incoming.stamp.clone());
    record.modified_by = incoming.by;
    record.standing = Standing::Plain;

    let foldable = coalesce
        && entity.items.last().is_some_and(|tail| match tail.state {
            ItemState::Pending => tail.sent.is_none(),
            ItemState::Failed => true,
            ItemState::Attempted => false,
        });
    let untold = !cloud_has && !record.create_sent;
    let alone = entity.items.len() == usize::from(foldable) && record.inbox.is_none();
    if operation == Operation::Delete && untold && alone {
        entity.items.clear();
        return Queued::Nothing;
    }
    if foldable && let Some(mut tail) = entity.items.pop() {
        // The snapshot is whole: what failed before it is cured by it (rule 10).
        entity.items.retain(|item| item.state != ItemState::Failed);
        if tail.state == ItemState::Failed {
            tail.renew(incoming.change_id);
        }
        tail.operation = operation;
        tail.snapshot = incoming.doc;
        tail.version = record.version;
        tail.modified = record.modified.clone();
        let queued = Queued::As(tail.order, tail.change_id.clone());
        entity.items.push(tail);
        return queued;
    }
    let queued = Queued::As(incoming.order, incoming.change_id.clone());
    entity.items.push(Item {
        order: incoming.order,
        change_id: incoming.change_id,
        operation,
        snapshot: incoming.doc,
        version: record.version,
        modified: record.modified.clone(),
        created_at: incoming.now,
        state: ItemState::Pending,
        retries: 0,
        due: None,
        error: None,
        sent: None,
    });
    queued
}
