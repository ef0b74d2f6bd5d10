//! An entity of whose queue damage took items: what was acknowledged and never told to the cloud is queued anew, as the
//! record's state of today.
//!
//! The lost change_id is lost, so the cloud cannot know the new one. For a change of what the cloud has, and for a delete,
//! that is no harm: the state is whole, to apply it twice is to apply it once, and its base_version tells the cloud when
//! something else came in between. A create that was sent, or may have been, is another matter: under a new change_id it
//! could be a second order. That one is left to a person, unless the cloud speaks of the entity (rule 5).

use crate::entity::Entity;
use crate::item::Item;
use crate::payload::same_state;
use crate::record::Standing;

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeued {
    /// What is left of the queue ends with the record's state, or the cloud need not hear of it.
    Needless,
    /// The record's state is queued under the new change_id.
    Anew,
    /// The cloud may have it already: the record is marked as diverged.
    Left,
}

/// Queues the record's state anew where the rest of its queue does not end with it. `order` and `change_id` are new.
pub fn requeue(entity: &mut Entity, order: u64, change_id: String) -> Requeued {
    let record = &mut entity.record;
    let untold = !record.cloud_has() && !record.create_sent;
    match entity.items.last() {
        Some(last) if same_state(last.snapshot.as_ref(), record.doc.as_ref()) => return Requeued::Needless,
        None if record.doc.is_none() && untold => return Requeued::Needless,
        None if record.doc.is_some() && !record.cloud_has() && record.create_sent => {
            record.standing = Standing::Diverged;
            return Requeued::Left;
        }
        Some(_) | None => {}
    }
    let accepted_at = record.modified.at;
    entity.items.push(Item::of(record, order, change_id, accepted_at));
    Requeued::Anew
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doubt::doubt;
    use crate::fixture::{Case, price, update};
    use crate::push::Attempt;
    use crate::receive::Received;
    use crate::record::{Operation, SyncStatus};

    /// Loses items, and queues anew.
    fn lose(case: &mut Case, from: usize) -> Requeued {
        case.step(|entity| {
            entity.items.truncate(from);
            requeue(entity, 9, "anew".to_owned())
        })
    }

    #[test]
    fn a_lost_change_of_what_the_cloud_has_goes_out_under_a_new_name_on_its_version() {
        let mut case = Case::synced();
        case.put("2");
        assert_eq!(lose(&mut case, 0), Requeued::Anew);
        assert_eq!(case.attempt(), Attempt::First);
        let head = case.entity.head().unwrap();
        assert_eq!(
            (head.change_id.as_str(), head.operation),
            ("anew", Operation::Update)
        );
        assert_eq!(head.snapshot, Some(price("2")));
        assert_eq!(
            head.sent.as_ref().unwrap().base_version,
            case.entity.record.cloud_version
        );
    }

    #[test]
    fn a_lost_delete_goes_out_again() {
        let mut case = Case::synced();
        case.delete();
        assert_eq!(lose(&mut case, 0), Requeued::Anew);
        case.attempt();
        assert_eq!(case.entity.head().unwrap().operation, Operation::Delete);
    }

    #[test]
    fn a_create_that_was_never_sent_goes_out_and_one_that_was_is_left_to_a_person() {
        let mut case = Case::new();
        case.put("1");
        assert_eq!(lose(&mut case, 0), Requeued::Anew);
        let mut case = Case::new();
        case.put("1");
        case.attempt();
        assert_eq!(lose(&mut case, 0), Requeued::Left);
        assert_eq!(case.entity.record.sync_status(), SyncStatus::Diverged);
        // Until the cloud shows that it has it.
        assert_eq!(case.update(&update("1", 1)), Received::Agreed { settled: 0 });
        assert_eq!(case.entity.record.sync_status(), SyncStatus::Synced);
    }

    #[test]
    fn what_is_behind_a_lost_tail_ends_with_the_records_state() {
        let mut case = Case::without_coalescing();
        case.update(&update("1", 3));
        case.put("2");
        case.put("3");
        assert_eq!(lose(&mut case, 1), Requeued::Anew);
        let last = case.entity.items.last().unwrap();
        assert_eq!((last.order, last.snapshot.clone()), (9, Some(price("3"))));
        assert_eq!(lose(&mut case, 2), Requeued::Needless);
    }

    #[test]
    fn when_the_lost_one_had_arrived_the_pull_that_follows_settles_the_new_one() {
        let mut case = Case::synced();
        case.put("2");
        lose(&mut case, 0);
        assert!(case.step(doubt));
        let after = case.entity.record.cloud_version + 1;
        assert!(matches!(
            case.update(&update("2", after)),
            Received::Agreed { settled: 1 }
        ));
        assert!(case.entity.items.is_empty());
    }
}
