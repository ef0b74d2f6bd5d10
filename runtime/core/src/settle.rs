//! What a verdict does to an entity (rules 7, 8; promise 4). The losing document is kept by the conflict's record,
//! which the engine commits with it.

use crate::entity::Entity;
use crate::item::{Item, ItemState};
use crate::json::Doc;
use crate::offset::Stamp;
use crate::payload::same_state;
use crate::receive::apply;
use crate::record::{Base, Operation, Standing};
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
pub fn settle(entity: &mut Entity, update: &Update, seen: &Seen, decision: &Decision, means: Means) {
    entity.record.conflicts_in_row += 1;
    match decision {
        Decision::Defer => {
            entity.record.inbox = Some(update.clone());
            entity.record.conflict = Some(means.conflict_id);
            return;
        }
        Decision::TakeCloud => {
            entity.items.clear();
            apply(entity, update, seen);
        }
        Decision::Merge(doc) if same_state(Some(doc), seen.doc()) => {
            entity.items.clear();
            apply(entity, update, seen);
        }
        Decision::KeepLocal => keep_local(entity, update, seen, means.change_ids),
        Decision::Merge(doc) => replace(entity, update, seen, Some(doc.clone()), means),
        Decision::Delete => replace(entity, update, seen, None, means),
    }
    entity.record.inbox = None;
    entity.record.conflict = None;
}

/// The cloud's state becomes the base that everything waiting now rests on.
fn rebase(entity: &mut Entity, update: &Update, seen: &Seen) {
    let record = &mut entity.record;
    record.base = Base::Other(seen.doc().cloned());
    record.standing = Standing::Plain;
    record.adopt(update);
    if update.body.is_none() {
        // The cloud's entity is gone; what goes on is a new one there (rule 8).
        record.cloud_id = None;
    }
}

fn keep_local(entity: &mut Entity, update: &Update, seen: &Seen, change_ids: Vec<String>) {
    rebase(entity, update, seen);
    entity.record.version = entity.record.next_version();
    let version = entity.record.version;
    let last = entity.items.len().saturating_sub(1);
    for ((at, item), change_id) in entity.items.iter_mut().enumerate().zip(change_ids) {
        item.renew(change_id);
        if at == last {
            item.version = version;
        }
    }
}

fn replace(entity: &mut Entity, update: &Update, seen: &Seen, doc: Option<Doc>, means: Means) {
    rebase(entity, update, seen);
    let record = &mut entity.record;
    record.version = record.next_version();
    record.modified = record.modified.later(means.stamp);
    record.doc = doc.clone();
    entity.items.clear();
    if same_state(doc.as_ref(), seen.doc()) {
        record.base = Base::Same;
        return;
    }
    let operation = match (&doc, record.cloud_has()) {
        (None, _) => Operation::Delete,
        (Some(_), true) => Operation::Update,
        (Some(_), false) => Operation::Create,
    };
    entity.items.push(Item {
        order: means.order,
        change_id: means.change_ids.into_iter().next().unwrap_or_default(),
        operation,
        snapshot: doc,
        version: record.version,
        modified: record.modified.clone(),
        created_at: means.now,
        state: ItemState::Pending,
        retries: 0,
        due: None,
        error: None,
        sent: None,
    });
}
