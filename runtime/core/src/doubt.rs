//! What becomes of an entity's queue when the store went back in time. Between the state that is back and now, anything
//! that waits may have been sent, and nobody here knows. So it counts as attempted (rule 1): later changes do not fold
//! into it, an echo settles it, and what is not settled so is sent again under the same change_id.
//!
//! How it was sent is not known either: its operation and base_version are read at the next send, as at a first one. A
//! cloud that knows the change_id does not look at them.

use crate::entity::Entity;
use crate::item::ItemState;
use crate::record::Base;

/// Puts what waits in doubt. False: there is nothing that was not open already. The entity must hold all its items.
///
/// What an undecided update or an open conflict holds back keeps its state, so that this is decided first: it was not
/// sent before that, and a verdict gives what goes on another change_id (rule 7). It does not fold either.
pub fn doubt(entity: &mut Entity) -> bool {
    let record = &mut entity.record;
    let held = record.inbox.is_some() || record.conflict.is_some();
    let mut doubted = false;
    for item in entity.items.iter_mut().filter(|item| !item.is_open()) {
        item.doubted = true;
        doubted = true;
        if item.state == ItemState::Pending && !held {
            item.state = ItemState::Attempted;
            // A backoff of that time means nothing now.
            item.due = None;
        }
    }
    let creates = !record.cloud_has() && entity.items.iter().any(|item| item.snapshot.is_some());
    if doubted && creates {
        if record.base == Base::Other(None) && !held {
            // Its successor may have another name at the cloud (rule 8).
            record.part_with_name(None);
        }
        record.create_sent = true;
    }
    doubted
}

#[cfg(test)]
mod tests;
