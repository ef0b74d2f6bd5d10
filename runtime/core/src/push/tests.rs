use super::*;
use crate::fixture::{Case, NOW, RETRY_AT, deletion, id, parked, price, update};
use crate::receive::Received;
use crate::record::{Slot, SyncStatus};

fn success(version: Option<u64>) -> Outcome {
    Outcome::Success {
        cloud_id: None,
        version,
    }
}

#[test]
fn rule_1_an_attempt_fixes_what_is_sent_until_the_cloud_decides() {
    let mut case = Case::synced();
    case.put("2");
    assert_eq!(case.attempt(), Attempt::First);
    let first = case.head().clone();
    assert_eq!(first.operation, Operation::Update);
    assert_eq!(first.sent.as_ref().unwrap().base_version, 3);
    case.answer(Outcome::Missing);
    assert_eq!(
        case.step(|entity| attempt(entity, NOW.plus_ms(99))),
        Attempt::Again
    );
    let again = case.head();
    assert_eq!(
        (&again.operation, &again.snapshot, &again.change_id, &again.sent),
        (&first.operation, &first.snapshot, &first.change_id, &first.sent)
    );
}

#[test]
fn rule_1_a_refused_item_is_retried_as_it_was_sent() {
    let mut case = Case::synced();
    case.put("2");
    case.attempt();
    let first = case.head().clone();
    assert_eq!(case.refuse(true), Absorbed::Retry);
    assert_eq!(case.attempt(), Attempt::Again);
    assert_eq!(case.head().change_id, first.change_id);
    assert_eq!(case.head().sent, first.sent);
}

#[test]
fn rule_1_a_lost_answer_keeps_the_item_attempted_and_in_the_schedule() {
    let mut case = Case::synced();
    case.put("2");
    case.attempt();
    assert!(case.entity.is_attempted());
    assert_eq!(
        case.entity.record.slot,
        Some(Slot::Ready {
            priority: 0,
            order: 1
        })
    );
    case.step(|entity| entity.record.inbox = Some(update("9", 4)));
    assert!(!case.entity.is_decidable());
    assert!(
        case.entity.record.slot.is_some(),
        "an update does not hold what must become known"
    );
}

#[test]
fn rule_2_a_success_rests_on_the_items_snapshot_and_not_on_todays_document() {
    let mut case = Case::synced();
    case.put("2");
    case.attempt();
    case.put("3");
    assert_eq!(case.answer(success(Some(4))), Absorbed::Gone);
    assert_eq!(case.entity.record.base_doc(), Some(Some(&price("2"))));
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Pending);
    case.push(None, Some(5));
    assert_eq!(case.entity.record.base, Base::Same);
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Synced);
}

#[test]
fn rule_2_the_base_version_is_read_at_the_first_send() {
    let mut case = Case::synced();
    case.put("2");
    case.attempt();
    case.put("3");
    case.answer(success(Some(7)));
    case.attempt();
    assert_eq!(case.head().sent.as_ref().unwrap().base_version, 7);
}

#[test]
fn rule_4_a_success_without_a_number_states_none() {
    let mut case = Case::synced();
    case.put("2");
    case.push(None, None);
    assert_eq!(case.entity.record.cloud_version, 3);
    case.put("3");
    case.push(None, Some(6));
    assert_eq!(case.entity.record.cloud_version, 6);
}

#[test]
fn rule_6_an_item_fails_after_its_retries_and_waits_in_between() {
    let mut case = Case::synced();
    case.put("2");
    for _ in 0..2 {
        case.attempt();
        assert_eq!(case.refuse(true), Absorbed::Retry);
        assert_eq!(case.head().due, Some(RETRY_AT));
    }
    case.attempt();
    assert_eq!(case.refuse(true), Absorbed::Failed);
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Failed);
    assert_eq!(case.entity.record.slot, None);
}

#[test]
fn rule_6_a_missing_result_uses_a_retry_and_leaves_the_outcome_open() {
    let mut case = Case::synced();
    case.put("2");
    case.attempt();
    assert_eq!(case.answer(Outcome::Missing), Absorbed::Retry);
    assert!(case.entity.is_attempted());
    assert_eq!(case.head().retries, 1);
}

#[test]
fn rule_6_an_answer_for_another_change_does_nothing() {
    let mut case = Case::synced();
    case.put("2");
    case.attempt();
    let before = case.entity.clone();
    let policy = crate::fixture::policy(true, "n");
    let absorbed = case.step(|entity| absorb(entity, "somebody", success(Some(8)), &policy));
    assert_eq!(absorbed, Absorbed::Unknown);
    assert_eq!(case.entity, before);
}

#[test]
fn rule_7_what_the_cloud_answered_with_a_conflict_goes_on_under_a_new_change_id() {
    let mut case = Case::synced();
    case.put("2");
    case.attempt();
    assert_eq!(case.answer(Outcome::Conflict), Absorbed::Retry);
    assert_ne!(case.head().change_id, "ch-1");
    assert_eq!(case.head().sent, None, "its base_version is read again");
    assert_eq!(case.head().due, Some(RETRY_AT));
    assert!(!case.entity.is_attempted(), "the update can be decided");
}

#[test]
fn rule_7_a_conflict_whose_update_is_what_both_agreed_on_is_pushed_on_at_once() {
    let mut case = Case::synced();
    case.put("2");
    case.push(None, None);
    case.put("3");
    case.attempt();
    case.answer(Outcome::Conflict);
    assert_eq!(case.update(&update("2", 4)), Received::Unchanged);
    assert_eq!(case.head().due, None);
    case.attempt();
    assert_eq!(case.head().sent.as_ref().unwrap().base_version, 4);
}

#[test]
fn rule_8_the_first_send_derives_the_operation_from_whether_the_cloud_has_it() {
    let mut case = Case::new();
    case.put("1");
    case.attempt();
    assert_eq!(case.head().operation, Operation::Create);
    case.put("2");
    case.answer(success(None));
    case.attempt();
    assert_eq!(case.head().operation, Operation::Update);
    case.delete();
    case.answer(success(None));
    case.attempt();
    assert_eq!(case.head().operation, Operation::Delete);
}

#[test]
fn rule_8_an_update_after_a_skipped_create_is_a_create() {
    let mut case = Case::new();
    case.put("1");
    assert_eq!(case.answer(Outcome::Skipped), Absorbed::Gone);
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Filtered);
    case.put("2");
    case.attempt();
    assert_eq!(case.head().operation, Operation::Create);
}

#[test]
fn rule_8_the_end_of_what_the_cloud_never_heard_of_is_not_sent() {
    let mut case = Case::without_coalescing();
    case.put("1");
    case.answer(Outcome::Skipped);
    case.put("2");
    case.delete();
    case.answer(Outcome::Skipped);
    assert_eq!(case.attempt(), Attempt::Needless);
    assert!(case.entity.items.is_empty());
}

#[test]
fn rule_8_a_delete_after_a_create_of_unknown_outcome_is_sent() {
    let mut case = Case::new();
    case.put("1");
    case.attempt();
    for _ in 0..2 {
        case.answer(Outcome::Missing);
        case.attempt();
    }
    assert_eq!(case.answer(Outcome::Missing), Absorbed::Failed);
    case.delete();
    assert_eq!(case.attempt(), Attempt::First);
    assert_eq!(case.head().operation, Operation::Delete);
}

#[test]
fn rule_8_a_create_over_a_tombstone_takes_the_name_and_number_it_is_given() {
    let mut case = Case::kept_over_deletion();
    case.push(Some("c-2"), Some(1));
    assert_eq!(case.entity.record.cloud_id, Some(id("c-2")));
    assert_eq!(case.entity.record.cloud_version, 1);
    let mut silent = Case::kept_over_deletion();
    silent.push(Some("c-2"), None);
    assert_eq!(
        silent.entity.record.cloud_version, 0,
        "the old name's number says nothing of the new"
    );
}

#[test]
fn rule_8_a_delete_pushed_and_made_again_is_created() {
    let mut case = Case::synced();
    case.delete();
    case.push(Some("c-1"), Some(4));
    assert!(!case.entity.record.create_sent);
    case.put("2");
    case.attempt();
    assert_eq!(case.head().operation, Operation::Create);
    assert_eq!(case.head().sent.as_ref().unwrap().base_version, 4);
    assert_eq!(
        case.entity.record.cloud_id, None,
        "the cloud may give it another name"
    );
    assert_eq!(case.update(&deletion(4)), Received::Stale);
    let echo = crate::update::Update {
        cloud_id: Some(id("c-2")),
        ..update("2", 1)
    };
    assert_eq!(case.update(&echo), Received::Agreed { settled: 1 });
}

#[test]
fn rule_9_a_record_answers_to_its_local_id_once_its_create_was_sent_and_no_name_is_known() {
    let mut case = Case::new();
    case.put("1");
    assert!(!case.entity.record.answers_to_local_id());
    case.attempt();
    assert!(case.entity.record.answers_to_local_id());
    case.answer(success(None));
    case.delete();
    case.push(None, None);
    assert!(
        case.entity.record.answers_to_local_id(),
        "also as a tombstone that was never named"
    );
    assert!(!Case::synced().entity.record.answers_to_local_id());
}

#[test]
fn rule_10_a_head_that_fails_gives_way_to_the_snapshot_behind_it() {
    let mut case = Case::synced();
    case.put("2");
    case.attempt();
    case.put("3");
    assert_eq!(case.refuse(false), Absorbed::Retry);
    assert_eq!(case.waiting(), ["ch-2"]);
    assert_eq!((case.entity.record.waiting, case.entity.record.failed), (1, 0));
    assert!(case.entity.record.slot.is_some());
}

#[test]
fn rule_10_a_parked_head_gives_way_as_well() {
    let mut case = Case::synced();
    case.put("2");
    case.attempt();
    case.put("3");
    assert_eq!(case.park(false), Absorbed::Retry);
    assert_eq!(case.waiting(), ["ch-2"]);
}

#[test]
fn rule_10_giving_up_marks_the_record_and_a_later_success_of_another_item_does_not_hide_it() {
    let mut case = Case::without_coalescing();
    case.put("1");
    case.put("2");
    assert_eq!(
        case.step(|entity| give_up(entity, 2)).unwrap().snapshot,
        Some(price("2"))
    );
    case.push(Some("c-1"), Some(1));
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Diverged);
    assert_eq!(case.update(&update("1", 1)), Received::Applied);
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Synced);
}

#[test]
fn rule_10_a_change_after_giving_up_heals_the_record() {
    let mut case = Case::synced();
    case.put("2");
    case.step(|entity| give_up(entity, 1));
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Diverged);
    case.put("3");
    case.push(None, Some(4));
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Synced);
}

#[test]
fn rule_12_a_skip_settles_the_item_and_says_so() {
    let mut case = Case::synced();
    case.put("2");
    assert_eq!(case.answer(Outcome::Skipped), Absorbed::Gone);
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Filtered);
    assert_eq!(case.entity.record.base_doc(), Some(Some(&price("1"))));
}

#[test]
fn a_mapper_that_fails_leaves_an_earlier_attempt_open() {
    let mut case = Case::synced();
    case.put("2");
    case.attempt();
    assert_eq!(case.park(true), Absorbed::Retry);
    assert!(case.entity.is_attempted(), "the cloud may have it");
    assert_eq!(
        case.entity.record.slot,
        Some(Slot::Due {
            at: RETRY_AT,
            order: 1
        })
    );
    let mut never_sent = Case::synced();
    never_sent.put("2");
    never_sent.park(true);
    assert!(!never_sent.entity.is_attempted());
}

#[test]
fn a_retry_counts_as_attempted_only_where_the_cloud_may_have_applied_it() {
    let failed = |outcome: Outcome| {
        let mut case = Case::synced();
        case.put("2");
        case.attempt();
        while case.answer(outcome.clone()) != Absorbed::Failed {
            case.attempt();
        }
        assert!(case.step(|entity| retry(entity, 1)));
        case
    };
    let missing = failed(Outcome::Missing);
    assert!(missing.entity.is_attempted());
    let refused = failed(Outcome::Failed {
        error: "no".to_owned(),
        retryable: true,
    });
    assert!(!refused.entity.is_attempted());
    for case in [missing, refused] {
        assert_eq!((case.head().retries, case.head().due), (0, None));
        assert_eq!(case.head().change_id, "ch-1");
        assert!(case.entity.record.slot.is_some());
    }
}

#[test]
fn a_parked_item_of_unknown_outcome_is_attempted_again_when_it_is_retried() {
    let mut case = Case::synced();
    case.put("2");
    case.attempt();
    assert_eq!(case.park(false), Absorbed::Failed);
    assert!(case.step(|entity| retry(entity, 1)));
    assert!(case.entity.is_attempted());
    assert!(!case.step(|entity| retry(entity, 1)), "it is not failed any more");
}

#[test]
fn a_parked_item_says_who_failed_at_it_until_something_else_becomes_of_it() {
    let mut case = Case::synced();
    case.put("2");
    assert_eq!(case.park(false), Absorbed::Failed);
    let head = case.entity.head().unwrap();
    assert!(head.is_parked());
    assert_eq!(head.parked, Some(parked("old")));
    let order = head.order;
    assert!(case.step(|entity| park_again(entity, order, "again".to_owned(), parked("new"))));
    assert_eq!(case.entity.head().unwrap().parked, Some(parked("new")));
    assert!(case.step(|entity| retry(entity, order)));
    assert!(!case.entity.head().unwrap().is_parked());
    assert!(!case.step(|entity| park_again(entity, order, "again".to_owned(), parked("newer"))));
    // The cloud refuses it: no mapper is to blame.
    case.attempt();
    assert_eq!(case.refuse(false), Absorbed::Failed);
    assert!(!case.entity.head().unwrap().is_parked());
}
