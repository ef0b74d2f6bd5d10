//! The way of an item to the cloud: fixed at the first send, settled by what the cloud says of it
//! (rules 1, 2, 4, 6, 8).

use crate::entity::Entity;
use crate::id::CloudId;
use crate::item::{Item, ItemState, Parked, Sent};
use crate::payload::same_state;
use crate::record::{Base, Operation, Standing};
use crate::stamp::Millis;

/// What the head of an entity is to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// First send: commit the attempt before any byte leaves.
    First,
    /// It was sent before; send it again as it was.
    Again,
    /// The cloud never had the entity and need not hear of its end: the item is done.
    Needless,
}

/// Marks the head as attempted and, at its first send, fixes its operation and base_version (rules 1 and 8).
/// `updated_at` is the change's corrected time.
///
/// # Panics
/// When the entity has no items: the schedule names only entities with a head.
pub fn attempt(entity: &mut Entity, updated_at: Millis) -> Attempt {
    let record = &mut entity.record;
    let head = entity
        .items
        .first_mut()
        .expect("invariant: only an entity with a head is attempted");
    // From here on it is known how it was sent.
    head.doubted = false;
    if let Some(sent) = &mut head.sent {
        sent.open = true;
        head.state = ItemState::Attempted;
        return Attempt::Again;
    }
    if head.snapshot.is_none() && !record.cloud_has() && !record.create_sent {
        settle_head(entity);
        if entity.items.is_empty() && entity.record.base_doc() == Some(None) {
            entity.record.set_base(Base::Same);
        }
        return Attempt::Needless;
    }
    head.operation = record.operation(head.snapshot.as_ref());
    if head.operation == Operation::Create {
        if record.base_doc() == Some(None) {
            record.part_with_name(None);
        }
        record.create_sent = true;
    }
    head.state = ItemState::Attempted;
    head.sent = Some(Sent {
        base_version: record.cloud_version,
        updated_at,
        open: true,
    });
    Attempt::First
}

/// What the cloud said of one item.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Applied, now or before.
    Success {
        /// The cloud's id of the entity, if it said so.
        cloud_id: Option<CloudId>,
        /// The cloud's new number, if it said so.
        version: Option<u64>,
    },
    /// Not applied.
    Failed {
        /// Why.
        error: String,
        /// False: the cloud says that no retry will help.
        retryable: bool,
    },
    /// A 200 that did not speak of this item: the outcome stays unknown.
    Missing,
    /// Not applied: the cloud's state is newer. What it is comes as an update of its own.
    Conflict,
    /// The mapper keeps it from the cloud.
    Skipped,
    /// The mapper could not translate it: nothing was sent now, and what an earlier send left open stays open.
    Parked {
        /// Code and message.
        error: String,
        /// True: it is tried again with backoff while it has retries. False: when a person or a change of the plugin
        /// asks.
        retryable: bool,
        /// Who failed, and under what.
        by: Parked,
    },
}

/// How failures are treated.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Retries before an item is `failed`.
    pub max_retries: u32,
    /// Now plus the backoff drawn for this item.
    pub retry_at: Millis,
    /// Whether later items may stand in for a failed one.
    pub coalesce: bool,
    /// Used when the item must become a new change to the cloud (rule 7).
    pub new_change_id: String,
}

/// Whether the outcome settled the item, used up a retry, or gave it up to `failed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absorbed {
    /// Done and gone.
    Gone,
    /// It is tried again.
    Retry,
    /// Out of retries.
    Failed,
    /// The item is no longer the attempted head; nothing was done.
    Unknown,
}

/// Takes the cloud's answer for the item with this change_id into the entity.
pub fn absorb(entity: &mut Entity, change_id: &str, outcome: Outcome, policy: &Policy) -> Absorbed {
    if entity.head().is_none_or(|head| head.change_id != change_id) {
        return Absorbed::Unknown;
    }
    match outcome {
        Outcome::Success { cloud_id, version } => {
            succeed(entity, cloud_id, version);
            Absorbed::Gone
        }
        Outcome::Skipped => {
            settle_head(entity);
            entity.record.standing = Standing::Filtered;
            Absorbed::Gone
        }
        Outcome::Conflict => {
            let head = &mut entity.items[0];
            let retries = head.retries;
            head.renew(policy.new_change_id.clone());
            head.retries = retries;
            head.due = Some(policy.retry_at);
            Absorbed::Retry
        }
        Outcome::Missing => {
            let error = "the cloud's answer has no result for it".to_owned();
            fail(entity, error, true, policy, None)
        }
        Outcome::Failed { error, retryable } => {
            if let Some(sent) = &mut entity.items[0].sent {
                sent.open = false;
            }
            fail(entity, error, retryable, policy, None)
        }
        Outcome::Parked { error, retryable, by } => fail(entity, error, retryable, policy, Some(by)),
    }
}

fn fail(
    entity: &mut Entity,
    error: String,
    retryable: bool,
    policy: &Policy,
    parked: Option<Parked>,
) -> Absorbed {
    let has_cure = policy.coalesce && entity.items.len() > 1;
    let head = &mut entity.items[0];
    head.retries += 1;
    head.error = Some(error);
    head.parked = parked;
    if retryable && head.retries <= policy.max_retries {
        head.state = head.waiting_state();
        head.due = Some(policy.retry_at);
        return Absorbed::Retry;
    }
    if has_cure {
        // A later, whole snapshot waits behind it: that one is its cure (rule 10).
        entity.items.remove(0);
        return Absorbed::Retry;
    }
    head.state = ItemState::Failed;
    head.due = None;
    Absorbed::Failed
}

/// The cloud holds the head's snapshot: it becomes the base (rule 2), and only a stated number is kept (rule 4).
pub(crate) fn succeed(entity: &mut Entity, cloud_id: Option<CloudId>, version: Option<u64>) {
    let Some(head) = settle_head(entity) else { return };
    let record = &mut entity.record;
    let moves = record
        .base_doc()
        .is_none_or(|base| !same_state(base, head.snapshot.as_ref()));
    if moves || version.is_some() {
        record.leave_base(version.is_some());
    }
    if entity.items.is_empty() && same_state(record.doc.as_ref(), head.snapshot.as_ref()) {
        record.set_base(Base::Same);
        record.standing = Standing::Plain;
    } else {
        // What was given up or withheld meanwhile still stands out.
        record.set_base(Base::Other(head.snapshot));
    }
    if let Some(id) = cloud_id {
        record.set_cloud_id(id);
    }
    record.cloud_version = match (head.operation, version) {
        // A create may begin a new line of numbers at the cloud.
        (Operation::Create, Some(stated)) => stated,
        (_, stated) => record.cloud_version.max(stated.unwrap_or(0)),
    };
    record.settled = Some(head.change_id);
    record.conflicts_in_row = 0;
}

/// Gives up an item: the cloud may hold something else from now on (rule 10). None when it is not there.
pub fn give_up(entity: &mut Entity, order: u64) -> Option<Item> {
    let at = entity.items.iter().position(|item| item.order == order)?;
    entity.record.standing = Standing::Diverged;
    Some(entity.items.remove(at))
}

/// Puts a failed item back: its retries are unused again, its change_id and what was sent stay. One that the cloud
/// may have applied counts as attempted again; one that it refused does not, so that an update can be decided first.
pub fn retry(entity: &mut Entity, order: u64) -> bool {
    let Some(item) = entity
        .items
        .iter_mut()
        .find(|i| i.order == order && i.state == ItemState::Failed)
    else {
        return false;
    };
    item.state = item.waiting_state();
    item.retries = 0;
    item.due = None;
    true
}

/// A parked item was tried again, and its mapper failed again: it says so. False: it is not parked any more.
pub fn park_again(entity: &mut Entity, order: u64, error: String, by: Parked) -> bool {
    let Some(item) = entity
        .items
        .iter_mut()
        .find(|i| i.order == order && i.is_parked())
    else {
        return false;
    };
    item.error = Some(error);
    item.parked = Some(by);
    true
}

fn settle_head(entity: &mut Entity) -> Option<Item> {
    (!entity.items.is_empty()).then(|| entity.items.remove(0))
}

#[cfg(test)]
mod tests;
