//! What is in doubt is sent as it was, does not fold, and is settled by whatever shows that it arrived.

use super::*;
use crate::accept::Queued;
use crate::echo::settle_echo;
use crate::fixture::{Case, deletion, price, seen, update};
use crate::push::{Absorbed, Attempt, Outcome};
use crate::receive::Received;
use crate::record::Operation;
use crate::settle::Decision;
use crate::update::Update;

fn doubted(mut case: Case) -> Case {
    case.step(|entity| {
        entity.version_floor = 1000;
        assert!(doubt(entity));
    });
    case
}

fn named(update: Update, change_id: &str) -> Update {
    Update {
        change_id: Some(change_id.to_owned()),
        ..update
    }
}

/// One that the cloud never heard of, with this many changes that do not fold.
fn created(prices: &[&str]) -> Case {
    let mut case = Case::without_coalescing();
    for text in prices {
        case.put(text);
    }
    doubted(case)
}

#[test]
fn a_later_change_does_not_fold_into_what_is_in_doubt() {
    let mut case = Case::synced();
    case.put("2");
    let mut case = doubted(case);
    assert!(matches!(case.put("3"), Queued::As(2, _)));
    assert_eq!(case.waiting(), ["ch-1", "ch-2"]);
    assert_eq!(case.head().snapshot, Some(price("2")));
    // What comes after it was never sent, and folds as ever.
    case.put("4");
    assert_eq!(case.waiting(), ["ch-1", "ch-2"]);
}

#[test]
fn a_create_in_doubt_that_is_deleted_here_is_deleted_at_the_cloud_too() {
    let mut case = created(&["1"]);
    assert!(matches!(case.delete(), Queued::As(..)));
    assert_eq!(case.waiting().len(), 2);
}

#[test]
fn it_is_sent_under_its_old_change_id_with_what_is_known_at_the_send() {
    let mut case = created(&["1", "2"]);
    assert_eq!(case.attempt(), Attempt::First);
    assert_eq!(case.head().change_id, "ch-1");
    assert_eq!(case.head().operation, Operation::Create);
    let cloud_id = Some(crate::fixture::id("c-1"));
    let version = Some(7);
    assert_eq!(
        case.answer(Outcome::Success { cloud_id, version }),
        Absorbed::Gone
    );
    // In doubt still, and based on what the cloud has said just now.
    assert!(case.entity.is_attempted());
    assert_eq!(case.attempt(), Attempt::First);
    let sent = case.head().sent.clone().unwrap();
    assert_eq!((case.head().change_id.as_str(), sent.base_version), ("ch-2", 7));
    assert_eq!(case.head().operation, Operation::Update);
}

#[test]
fn a_refusal_ends_the_doubt() {
    let mut case = created(&["1"]);
    case.attempt();
    case.refuse(true);
    assert!(!case.head().is_open());
}

#[test]
fn what_was_sent_already_stays_as_it_was_sent() {
    let mut case = Case::without_coalescing();
    case.update(&update("1", 3));
    case.put("2");
    case.put("3");
    case.attempt();
    let head = case.head().clone();
    let case = doubted(case);
    assert_eq!(case.head(), &head);
    assert!(case.entity.items[1].doubted);
    assert_eq!(case.entity.items[1].state, ItemState::Attempted);
}

#[test]
fn to_doubt_twice_changes_nothing() {
    let mut case = created(&["1", "2"]);
    let before = case.entity.clone();
    assert!(!case.step(doubt));
    assert_eq!(case.entity, before);
}

#[test]
fn an_echo_of_a_later_one_settles_what_went_before_it() {
    let mut case = Case::without_coalescing();
    case.update(&update("1", 3));
    for text in ["2", "3", "4"] {
        case.put(text);
    }
    let mut case = doubted(case);
    let by_content = update("3", 5);
    let mut other = case.clone();
    assert_eq!(case.step(|e| settle_echo(e, &by_content, &seen(&by_content))), 2);
    assert_eq!(case.waiting(), ["ch-3"]);
    let by_name = named(update("9", 6), "ch-3");
    assert_eq!(other.step(|e| settle_echo(e, &by_name, &seen(&by_name))), 3);
    assert!(other.entity.items.is_empty());
}

#[test]
fn the_cloud_at_rest_is_no_echo_of_going_back_to_where_it_is() {
    let mut case = Case::without_coalescing();
    case.update(&update("1", 3));
    case.put("2");
    case.put("1");
    let mut case = doubted(case);
    assert_ne!(case.update(&update("1", 3)), Received::Agreed { settled: 2 });
    assert_eq!(case.waiting(), ["ch-1", "ch-2"]);
}

#[test]
fn a_create_that_the_cloud_speaks_of_has_arrived_whatever_became_of_it() {
    // Headquarters changed it since.
    let mut case = created(&["1"]);
    assert_eq!(case.update(&update("5", 2)), Received::Applied);
    assert_eq!(case.doc(), Some(r#"{"price":5}"#));
    // It was deleted since: it stays deleted.
    let mut case = created(&["1"]);
    assert_eq!(case.update(&deletion(2)), Received::Applied);
    assert_eq!((case.doc(), case.waiting().len()), (None, 0));
}

#[test]
fn what_is_in_doubt_behind_an_open_conflict_waits_for_the_decision_and_gets_another_name() {
    let mut case = Case::synced();
    case.put("2");
    assert_eq!(case.update(&update("9", 4)), Received::Contested);
    case.decide(&update("9", 4), &Decision::Defer);
    let mut case = doubted(case);
    assert!(!case.entity.is_attempted());
    assert_eq!(case.entity.slot(0), None);
    case.put("3");
    assert_eq!(case.waiting().len(), 2, "it does not fold");
    case.decide(&update("9", 4), &Decision::KeepLocal);
    assert!(
        case.entity
            .items
            .iter()
            .all(|item| !item.doubted && item.change_id.starts_with("v-"))
    );
}

#[test]
fn a_failed_one_counts_as_sent_when_it_is_put_back() {
    let mut case = Case::synced();
    case.put("2");
    case.park(false);
    let mut case = doubted(case);
    assert_eq!(case.head().state, ItemState::Failed);
    assert!(case.step(|entity| crate::push::retry(entity, 1)));
    assert!(case.entity.is_attempted());
}

#[test]
fn versions_go_on_above_the_floor_and_then_one_by_one() {
    let mut case = Case::synced();
    case.put("2");
    let mut case = doubted(case);
    case.put("3");
    assert_eq!(case.entity.record.version, 1001);
    case.put("4");
    assert_eq!(case.entity.record.version, 1002);
}

#[test]
fn a_version_above_the_floor_already_goes_far_ahead_once() {
    let mut case = Case::synced();
    case.update(&update("2", 5000));
    case.step(|entity| entity.version_floor = 1000);
    case.put("3");
    assert!(
        case.entity.record.version > 1_000_000,
        "{}",
        case.entity.record.version
    );
    let far = case.entity.record.version;
    case.put("4");
    assert_eq!(case.entity.record.version, far + 1);
}
