use super::*;
use crate::fixture::{Case, deletion, price, update};
use crate::push::{Absorbed, Attempt, Outcome, give_up};
use crate::receive::Received;
use crate::record::SyncStatus;
use crate::settle::Decision;

fn operations(case: &Case) -> Vec<Operation> {
    case.entity.items.iter().map(|item| item.operation).collect()
}

#[test]
fn rule_1_a_change_after_the_attempt_leaves_the_attempted_item_as_it_was() {
    let mut case = Case::synced();
    case.put("2");
    case.attempt();
    let sent = case.head().clone();
    case.put("3");
    case.delete();
    assert_eq!(*case.head(), sent);
    assert_eq!(case.waiting(), ["ch-1", "ch-2"], "the later two fold behind it");
}

#[test]
fn rule_1_a_change_does_not_fold_into_an_item_that_was_refused_and_will_be_retried() {
    let mut case = Case::synced();
    case.put("2");
    case.attempt();
    assert_eq!(case.refuse(true), Absorbed::Retry);
    case.put("3");
    assert_eq!(case.waiting(), ["ch-1", "ch-3"]);
    assert_eq!(case.head().snapshot, Some(price("2")));
}

#[test]
fn rule_1_create_and_update_fold_into_a_create_under_the_first_change_id() {
    let mut case = Case::new();
    assert_eq!(case.put("1"), Queued::As(1, "ch-1".to_owned()));
    assert_eq!(case.put("2"), Queued::As(1, "ch-1".to_owned()));
    assert_eq!(operations(&case), [Operation::Create]);
    assert_eq!(case.head().snapshot, Some(price("2")));
    assert_eq!(case.head().version, 2);
}

#[test]
fn rule_1_update_and_delete_fold_into_a_delete() {
    let mut case = Case::synced();
    case.put("2");
    case.delete();
    assert_eq!(operations(&case), [Operation::Delete]);
    assert_eq!(case.head().snapshot, None);
}

#[test]
fn rule_1_delete_and_create_fold_into_an_update() {
    let mut case = Case::synced();
    case.delete();
    case.put("2");
    assert_eq!(operations(&case), [Operation::Update]);
}

#[test]
fn rule_1_create_and_delete_fold_into_nothing() {
    let mut case = Case::new();
    case.put("1");
    assert_eq!(case.delete(), Queued::Nothing);
    assert!(case.entity.items.is_empty());
    assert_eq!(case.doc(), None);
    assert_eq!(case.entity.record.version, 2);
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Synced);
}

#[test]
fn rule_1_a_create_that_was_sent_and_its_delete_do_not_fold_into_nothing() {
    let mut case = Case::new();
    case.put("1");
    case.attempt();
    assert_eq!(case.delete(), Queued::As(2, "ch-2".to_owned()));
    assert_eq!(case.waiting(), ["ch-1", "ch-2"]);
}

#[test]
fn rule_1_without_coalescing_each_change_is_an_item_of_its_own() {
    let mut case = Case::without_coalescing();
    case.put("1");
    case.put("2");
    case.delete();
    case.put("4");
    let meant = [
        Operation::Create,
        Operation::Update,
        Operation::Delete,
        Operation::Create,
    ];
    assert_eq!(operations(&case), meant);
}

#[test]
fn rule_3_a_local_change_passes_both_the_own_version_and_the_clouds() {
    let mut case = Case::synced();
    assert_eq!(case.entity.record.version, 3, "the cloud's number was taken");
    case.put("2");
    assert_eq!(case.entity.record.version, 4);
    case.push(None, Some(9));
    assert_eq!(case.entity.record.version, 4, "a success changes no document");
    case.put("3");
    assert_eq!(case.entity.record.version, 10);
}

#[test]
fn rule_3_the_rev_grows_with_a_change_of_the_queue_alone() {
    let mut case = Case::synced();
    case.put("2");
    let (rev, version) = (case.entity.record.rev, case.entity.record.version);
    case.attempt();
    assert_eq!(case.entity.record.rev, rev + 1);
    assert_eq!(case.entity.record.version, version);
}

#[test]
fn rule_10_the_next_change_replaces_a_failed_item_under_a_new_change_id() {
    let mut case = Case::synced();
    case.put("2");
    case.attempt();
    assert_eq!(case.refuse(false), Absorbed::Failed);
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Failed);
    assert_eq!(case.put("3"), Queued::As(1, "ch-3".to_owned()));
    assert_eq!(case.head().state, ItemState::Pending);
    assert_eq!((case.head().retries, &case.head().sent), (0, &None));
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Pending);
    assert!(case.entity.record.slot.is_some());
}

#[test]
fn rule_10_without_coalescing_a_failed_head_holds_its_entity() {
    let mut case = Case::without_coalescing();
    case.put("1");
    case.attempt();
    case.refuse(false);
    case.put("2");
    assert_eq!(case.waiting(), ["ch-1", "ch-3"]);
    assert_eq!(case.entity.record.slot, None);
}

#[test]
fn rule_10_a_failed_head_is_dropped_when_a_change_folds_into_what_waits_behind_it() {
    let mut case = Case::without_coalescing();
    case.put("1");
    case.attempt();
    case.refuse(false);
    case.put("2");
    case.coalesce = true;
    case.put("3");
    assert_eq!(case.waiting(), ["ch-3"]);
    assert_eq!((case.entity.record.waiting, case.entity.record.failed), (1, 0));
    assert_eq!(case.head().snapshot, Some(price("3")));
}

#[test]
fn rule_11_changes_to_an_entity_in_conflict_are_accepted_and_fold_and_hold() {
    let mut case = Case::synced();
    case.put("2");
    case.decide(&update("9", 4), &Decision::Defer);
    assert_eq!(case.put("3"), Queued::As(1, "ch-1".to_owned()));
    assert_eq!(
        case.delete(),
        Queued::As(1, "ch-1".to_owned()),
        "a delete is not lost"
    );
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Conflict);
    assert_eq!(case.entity.record.slot, None);
    assert_eq!(case.entity.record.inbox, Some(update("9", 4)));
}

#[test]
fn rule_11_a_create_deleted_while_an_update_waits_is_not_forgotten() {
    let mut case = Case::kept_over_deletion();
    case.step(|entity| entity.record.inbox = Some(update("5", 6)));
    assert!(matches!(case.delete(), Queued::As(..)));
}

#[test]
fn rule_8_a_delete_of_what_the_cloud_deleted_needs_no_push() {
    let mut case = Case::kept_over_deletion();
    assert_eq!(case.delete(), Queued::Nothing);
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Synced);
    assert_eq!(case.update(&deletion(4)), Received::Agreed { settled: 0 });
    assert_eq!(case.update(&deletion(4)), Received::Stale);
}

#[test]
fn rule_17_the_stamps_of_an_entity_never_go_back() {
    let mut case = Case::synced();
    case.put("2");
    let modified = case.entity.record.modified.clone();
    let earlier = Incoming {
        doc: Some(price("3")),
        stamp: Millis(5).into(),
        by: None,
        change_id: "ch-9".to_owned(),
        order: 9,
        now: Millis(6),
    };
    case.step(|entity| accept(entity, earlier, true));
    assert_eq!(case.entity.record.modified, modified);
    assert_eq!(case.head().modified, modified);
}

#[test]
fn with_only_the_edges_loaded_a_long_queue_is_counted_right() {
    let mut case = Case::without_coalescing();
    for n in 1..=6 {
        case.put(&n.to_string());
    }
    assert_eq!(case.entity.record.waiting, 6);
    // As the store loads it for intake and push: the first two and the last.
    case.entity.items.drain(2..5);
    case.coalesce = true;
    case.put("7");
    assert_eq!(case.entity.record.waiting, 6, "it folded into the last");
    case.attempt();
    assert_eq!(case.refuse(false), Absorbed::Retry, "what follows is its cure");
    assert_eq!((case.entity.record.waiting, case.entity.record.failed), (5, 0));
    assert_eq!(case.head().snapshot, Some(price("2")));
    let order = case.head().order;
    assert_eq!(case.attempt(), Attempt::First);
    assert_eq!(
        case.answer(Outcome::Success {
            cloud_id: None,
            version: None
        }),
        Absorbed::Gone
    );
    assert_eq!(case.entity.record.waiting, 4);
    assert!(case.step(|entity| give_up(entity, order)).is_none());
}
