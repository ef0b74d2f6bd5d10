use super::*;
use crate::fixture::{Case, deletion, doc, price, update};
use crate::item::ItemState;
use crate::push::{Attempt, Outcome, give_up};
use crate::receive::Received;
use crate::record::{Operation, SyncStatus};

/// Prices 2 and 3 wait on top of price 1 at number 3; the cloud says price 9 by number 4.
fn contested() -> Case {
    let mut case = Case::without_coalescing();
    case.update(&update("1", 3));
    case.put("2");
    case.put("3");
    assert_eq!(case.update(&update("9", 4)), Received::Contested);
    case.step(|entity| entity.record.inbox = Some(update("9", 4)));
    case
}

#[test]
fn rule_7_keeping_the_local_side_makes_new_change_ids_and_rests_on_the_cloud() {
    let mut case = contested();
    case.attempt();
    case.refuse(true);
    let version = case.entity.record.version;
    case.decide(&update("9", 4), &Decision::KeepLocal);
    assert_eq!(case.entity.items.len(), 2);
    for item in &case.entity.items {
        assert!(item.change_id.starts_with("v-"), "{}", item.change_id);
        assert_eq!(
            (item.state, item.retries, &item.sent),
            (ItemState::Pending, 0, &None)
        );
    }
    let record = &case.entity.record;
    assert_eq!(record.base_doc(), Some(Some(&price("9"))));
    assert_eq!((record.cloud_version, &record.inbox), (4, &None));
    assert_eq!(
        record.version, version,
        "the document is the same and above the cloud's"
    );
    case.attempt();
    assert_eq!(case.head().sent.as_ref().unwrap().base_version, 4);
}

#[test]
fn rule_3_a_kept_document_is_numbered_above_the_clouds() {
    let mut case = contested();
    case.decide(&update("9", 40), &Decision::KeepLocal);
    assert_eq!(case.entity.record.version, 41);
    assert_eq!(case.entity.items.last().unwrap().version, 41);
}

#[test]
fn rule_8_keeping_the_local_side_over_a_deletion_clears_the_name_and_creates() {
    let mut case = Case::kept_over_deletion();
    assert_eq!(case.entity.record.cloud_id, None);
    assert_eq!(case.head().operation, Operation::Create);
    case.attempt();
    assert_eq!(case.head().operation, Operation::Create);
    assert_eq!(case.head().sent.as_ref().unwrap().base_version, 4);
}

#[test]
fn keeping_a_local_deletion_deletes_at_the_cloud() {
    let mut case = Case::synced();
    case.delete();
    case.decide(&update("9", 4), &Decision::KeepLocal);
    assert_eq!(case.attempt(), Attempt::First);
    assert_eq!(case.head().operation, Operation::Delete);
}

#[test]
fn keeping_the_local_side_pushes_it_also_where_its_change_was_given_up() {
    let mut case = Case::synced();
    case.put("2");
    case.decide(&update("9", 4), &Decision::Defer);
    case.step(|entity| give_up(entity, 1));
    case.decide(&update("9", 4), &Decision::KeepLocal);
    assert_eq!(case.head().snapshot, Some(price("2")));
    case.push(None, Some(5));
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Synced);

    let mut case = contested();
    case.step(|entity| give_up(entity, 2));
    case.decide(&update("9", 4), &Decision::KeepLocal);
    assert_eq!(case.entity.items.last().unwrap().snapshot, Some(price("3")));
}

#[test]
fn keeping_a_withheld_document_leaves_it_to_the_mapper_again() {
    let mut case = Case::synced();
    case.put("2");
    case.answer(Outcome::Skipped);
    case.decide(&update("9", 4), &Decision::KeepLocal);
    assert_eq!(case.head().snapshot, Some(price("2")));
    assert_eq!(case.entity.record.base_doc(), Some(Some(&price("9"))));
}

#[test]
fn taking_the_cloud_supersedes_all_that_waits() {
    let mut case = contested();
    let version = case.entity.record.version;
    case.decide(&update("9", 4), &Decision::TakeCloud);
    assert_eq!(case.doc(), Some(r#"{"price":9}"#));
    assert!(case.entity.items.is_empty());
    let record = &case.entity.record;
    assert_eq!(record.sync_status(), SyncStatus::Synced);
    assert_eq!((record.version, record.cloud_version), (version + 1, 4));
    assert_eq!((record.waiting, &record.inbox), (0, &None));
}

#[test]
fn taking_the_clouds_deletion_keeps_its_name_so_that_nothing_older_brings_it_back() {
    let mut case = Case::synced();
    case.put("2");
    case.decide(&deletion(4), &Decision::TakeCloud);
    assert_eq!(case.doc(), None);
    assert_eq!(case.update(&update("1", 3)), Received::Stale);
}

#[test]
fn a_merge_is_kept_here_and_pushed_once_as_a_new_change() {
    let mut case = contested();
    let version = case.entity.record.version;
    case.decide(&update("9", 4), &Decision::Merge(doc(r#"{"price":9,"stock":2}"#)));
    assert_eq!(case.doc(), Some(r#"{"price":9,"stock":2}"#));
    assert_eq!(case.entity.items.len(), 1);
    assert_eq!(case.entity.record.version, version + 1);
    assert!(case.head().change_id.starts_with("v-"));
    assert_eq!(case.head().version, version + 1);
    case.attempt();
    assert_eq!(case.head().operation, Operation::Update);
    assert_eq!(case.head().sent.as_ref().unwrap().base_version, 4);
}

#[test]
fn a_merge_that_is_the_clouds_document_needs_no_push() {
    let mut case = contested();
    case.decide(&update("9", 4), &Decision::Merge(price("9.0")));
    assert!(case.entity.items.is_empty());
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Synced);
}

#[test]
fn a_merge_over_a_deletion_creates() {
    let mut case = Case::synced();
    case.put("2");
    case.decide(&deletion(4), &Decision::Merge(price("5")));
    case.attempt();
    assert_eq!(case.head().operation, Operation::Create);
    assert_eq!(case.entity.record.cloud_id, None);
}

#[test]
fn a_merge_over_what_the_mapper_skips_updates_what_the_cloud_has() {
    let mut case = Case::synced();
    case.put("2");
    let skip = Seen::Skipped("private".to_owned());
    case.decide_as(&update("9", 4), &skip, &Decision::Merge(price("5")));
    case.attempt();
    assert_eq!(case.head().operation, Operation::Update);
}

#[test]
fn a_decision_to_delete_reaches_both_sides() {
    let mut case = contested();
    case.decide(&update("9", 4), &Decision::Delete);
    assert_eq!(case.doc(), None);
    case.attempt();
    assert_eq!(case.head().operation, Operation::Delete);
    case.answer(Outcome::Success {
        cloud_id: None,
        version: Some(5),
    });
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Synced);

    let mut both = Case::synced();
    both.put("2");
    both.decide(&deletion(4), &Decision::Delete);
    assert!(both.entity.items.is_empty());
    assert_eq!(both.update(&update("1", 3)), Received::Stale);
}

#[test]
fn rule_11_deferring_opens_one_conflict_and_holds_the_entity_whole() {
    let mut case = contested();
    let before = case.entity.clone();
    case.decide(&update("9", 4), &Decision::Defer);
    assert_eq!(case.entity.items, before.items);
    assert_eq!(case.entity.record.doc, before.record.doc);
    assert_eq!(case.entity.record.conflict.as_deref(), Some("7"));
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Conflict);
    assert_eq!(case.entity.record.slot, None);
    assert!(!case.entity.is_decidable());
    case.decide(&update("9", 4), &Decision::KeepLocal);
    assert_eq!(case.entity.record.conflict, None);
    assert!(case.entity.record.slot.is_some());
}

#[test]
fn conflicts_in_a_row_are_counted_until_both_sides_agree() {
    let mut case = contested();
    case.decide(&update("9", 4), &Decision::KeepLocal);
    case.decide(&update("8", 5), &Decision::KeepLocal);
    assert_eq!(case.entity.record.conflicts_in_row, 2);
    case.push(None, Some(6));
    assert_eq!(case.entity.record.conflicts_in_row, 0);
    case.decide(&update("7", 7), &Decision::KeepLocal);
    case.decide(&update("6", 8), &Decision::TakeCloud);
    assert_eq!(
        case.entity.record.conflicts_in_row, 0,
        "taking the cloud's side cannot go in circles"
    );
}

#[test]
#[should_panic(expected = "a new change_id for each item")]
fn a_decision_without_a_new_change_id_for_each_item_is_a_bug() {
    let mut case = contested();
    let means = Means {
        change_ids: vec!["one".to_owned()],
        order: 9,
        conflict_id: "1".to_owned(),
        stamp: crate::fixture::NOW.into(),
        now: crate::fixture::NOW,
    };
    let update = update("9", 4);
    let seen = crate::fixture::seen(&update);
    settle(&mut case.entity, &update, &seen, &Decision::KeepLocal, means);
}
