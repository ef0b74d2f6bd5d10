mod echoes;

use super::*;
use crate::fixture::{Case, deletion, doc, id, price, seen, unnumbered, update};
use crate::id::CloudId;
use crate::past::Former;
use crate::push::{Absorbed, Outcome};
use crate::record::{Record, SyncStatus};
use crate::settle::Decision;
use crate::stamp::Millis;

fn success() -> Outcome {
    Outcome::Success {
        cloud_id: None,
        version: None,
    }
}

fn named(update: Update, change_id: &str) -> Update {
    Update {
        change_id: Some(change_id.to_owned()),
        ..update
    }
}

/// Price 2 is sent, on top of price 1 at number 3.
fn attempted() -> Case {
    let mut case = Case::synced();
    case.put("2");
    case.attempt();
    case
}

#[test]
fn an_update_is_applied_where_nothing_waits() {
    let mut case = Case::synced();
    assert_eq!(case.update(&update("9", 4)), Received::Applied);
    assert_eq!(case.doc(), Some(r#"{"price":9}"#));
    assert_eq!(
        (case.entity.record.version, case.entity.record.cloud_version),
        (4, 4)
    );
}

#[test]
fn promise_4_an_update_that_meets_a_waiting_change_is_contested_and_changes_nothing() {
    let mut case = Case::synced();
    case.put("2");
    let before = case.entity.clone();
    assert_eq!(case.update(&update("9", 4)), Received::Contested);
    assert_eq!(case.entity, before);
}

#[test]
fn promise_4_an_update_that_meets_a_document_the_mapper_withheld_is_contested() {
    let mut case = Case::synced();
    case.put("2");
    case.answer(Outcome::Skipped);
    assert_eq!(
        case.update(&update("1", 3)),
        Received::Unchanged,
        "a repeat takes nothing back"
    );
    assert_eq!(case.doc(), Some(r#"{"price":2}"#));
    assert_eq!(case.update(&update("9", 4)), Received::Contested);
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Filtered);
}

#[test]
fn promise_7_an_older_version_that_comes_late_does_not_bring_a_delete_back() {
    let mut case = Case::synced();
    case.delete();
    case.push(None, Some(4));
    assert_eq!(case.update(&update("1", 3)), Received::Stale);
    assert_eq!(case.doc(), None);
}

#[test]
fn promise_7_the_repeat_of_the_last_stated_number_does_not_undo_what_was_pushed_since() {
    let mut case = Case::synced();
    case.delete();
    case.push(None, None);
    assert_eq!(
        case.update(&update("1", 3)),
        Received::Stale,
        "the delete had no number"
    );
    assert_eq!(case.doc(), None);
    case.put("5");
    assert_eq!(case.update(&update("1", 3)), Received::Stale);
    case.push(None, None);
    assert_eq!(case.update(&update("1", 3)), Received::Stale);
    assert_eq!(
        case.update(&deletion(4)),
        Received::Stale,
        "the echo of the delete"
    );
    assert_eq!(case.doc(), Some(r#"{"price":5}"#));
    assert_eq!(
        case.update(&deletion(6)),
        Received::Applied,
        "but a new one counts"
    );
}

#[test]
fn promise_7_a_deletion_of_an_unknown_entity_is_kept_without_a_change_to_tell() {
    let mut case = Case::new();
    assert_eq!(case.update(&deletion(4)), Received::Agreed { settled: 0 });
    assert!(case.entity.is_known());
    assert_eq!(case.entity.record.cloud_id, Some(id("c-1")));
    assert_eq!(case.update(&update("1", 3)), Received::Stale);
    assert_eq!(case.update(&deletion(4)), Received::Stale);
    assert_eq!(case.update(&update("1", 5)), Received::Applied);
}

#[test]
fn promise_7_a_deletion_without_a_number_is_not_undone_by_a_repeat_from_before_it() {
    let mut case = Case::new();
    let numbered = Update {
        stamp: Some(Millis(10)),
        ..update("1", 3)
    };
    case.update(&numbered);
    assert_eq!(case.update(&unnumbered(deletion(0), Some(20))), Received::Applied);
    assert_eq!(case.update(&numbered), Received::Stale);
    assert_eq!(case.doc(), None);
}

#[test]
fn rule_4_an_update_above_the_last_stated_number_that_equals_the_base_only_tells_its_number() {
    let mut case = Case::synced();
    case.put("2");
    case.push(None, None);
    let version = case.entity.record.version;
    assert_eq!(case.update(&update("2.0", 4)), Received::Agreed { settled: 0 });
    assert_eq!(case.entity.record.cloud_version, 4);
    assert_eq!(case.entity.record.version, version);
    assert_eq!(case.entity.record.past, None);
}

#[test]
fn rule_4_the_base_coming_again_with_a_higher_number_lets_what_waits_go_on() {
    let mut case = Case::synced();
    case.put("2");
    assert_eq!(case.update(&update("1", 7)), Received::Unchanged);
    case.attempt();
    assert_eq!(case.head().sent.as_ref().unwrap().base_version, 7);
}

#[test]
fn rule_7_the_base_coming_again_over_a_change_of_unknown_outcome_is_contested() {
    let mut case = attempted();
    while case.answer(Outcome::Missing) != Absorbed::Failed {
        case.attempt();
    }
    assert_eq!(case.update(&update("1", 3)), Received::Unchanged, "a mere repeat");
    assert_eq!(
        case.update(&update("1", 5)),
        Received::Contested,
        "headquarters may have undone it, and a cloud that remembers its change_id would not do it again"
    );
}

#[test]
fn rule_4_an_equal_number_with_different_content_is_not_stale() {
    let mut case = Case::synced();
    assert_eq!(case.update(&update("9", 3)), Received::Applied);
    case.put("2");
    assert_eq!(case.update(&update("8", 3)), Received::Contested);
}

#[test]
fn rule_4_an_equal_number_stamped_later_may_say_again_what_was_before() {
    let stamped = |text, stamp| Update {
        stamp: Some(Millis(stamp)),
        ..update(text, 3)
    };
    let mut case = Case::new();
    case.update(&stamped("1", 10));
    case.put("2");
    case.push(None, None);
    assert_eq!(case.update(&stamped("1", 10)), Received::Stale);
    assert_eq!(
        case.update(&stamped("1", 30)),
        Received::Applied,
        "headquarters put it back"
    );
}

#[test]
fn rule_4_without_numbers_the_stamps_decide() {
    let mut case = Case::new();
    case.update(&unnumbered(update("1", 0), Some(10)));
    assert_eq!(case.update(&unnumbered(update("0", 0), Some(9))), Received::Stale);
    assert_eq!(
        case.update(&unnumbered(update("2", 0), Some(11))),
        Received::Applied
    );
    case.put("3");
    case.push(None, None);
    assert_eq!(
        case.update(&unnumbered(update("2", 0), Some(11))),
        Received::Stale
    );
    assert_eq!(case.doc(), Some(r#"{"price":3}"#));
}

#[test]
fn rule_4_without_numbers_and_stamps_it_is_applied_only_where_nothing_is_unsynced() {
    let unordered = |text| unnumbered(update(text, 0), None);
    let mut case = Case::new();
    assert_eq!(case.update(&unordered("1")), Received::Applied);
    assert_eq!(
        case.update(&unordered("1")),
        Received::Stale,
        "the very same says nothing"
    );
    assert_eq!(case.update(&unordered("2")), Received::Applied);
    case.put("3");
    assert_eq!(case.update(&unordered("4")), Received::Contested);
    assert_eq!(case.update(&unordered("3")), Received::Unchanged);
    assert_eq!(case.waiting(), ["ch-1"], "nobody knows whether it is of today");
    assert!(!unordered("4").is_ordered() && update("4", 0).is_ordered());
}

#[test]
fn rule_4_an_update_under_a_former_name_is_stale_whatever_its_number() {
    let mut case = Case::kept_over_deletion();
    case.push(Some("c-2"), Some(1));
    assert_eq!(case.update(&deletion(9)), Received::Stale);
    assert_eq!(case.doc(), Some(r#"{"price":2}"#));
}

#[test]
fn rule_8_what_lives_under_a_former_name_after_its_deletion_is_another_entity() {
    let mut case = Case::kept_over_deletion();
    case.push(Some("c-2"), Some(1));
    let another = |case: &Case, update: &Update| is_anothers(&case.entity, update);
    assert!(!another(&case, &update("3", 3)), "late, of before the deletion");
    assert!(!another(&case, &deletion(6)), "it does not live");
    assert!(another(&case, &update("5", 5)));
    case.step(|entity| entity.record.note_deletion(&deletion(6)));
    assert!(!another(&case, &update("5", 5)), "deleted once more");
    assert!(another(&case, &update("7", 7)));
    let kept: Record = serde_json::from_str(&serde_json::to_string(&case.entity.record).unwrap()).unwrap();
    assert_eq!(kept, case.entity.record);
    case.step(|entity| entity.record.give_up_name(&CloudId::parse("c-1").unwrap()));
    assert_eq!(case.entity.record.former_ids, []);
}

#[test]
fn rule_8_where_no_deletion_was_stated_a_former_name_tells_nothing() {
    let mut case = Case::synced();
    case.delete();
    case.push(None, None);
    case.put("2");
    case.push(Some("c-2"), Some(1));
    assert!(
        !is_anothers(&case.entity, &update("1", 9)),
        "perhaps of before our deletion"
    );
    let older: Former = serde_json::from_str(r#""c-1""#).unwrap();
    assert_eq!(
        (older.version, older.stamp),
        (0, None),
        "as older versions kept it"
    );
}

#[test]
fn rule_8_the_repeat_of_an_overruled_deletion_undoes_nothing_at_any_time() {
    let mut case = Case::kept_over_deletion();
    assert_eq!(case.update(&deletion(4)), Received::Stale, "before the create");
    case.attempt();
    assert_eq!(case.update(&deletion(4)), Received::Stale, "under way");
    case.answer(success());
    assert_eq!(
        case.update(&deletion(4)),
        Received::Stale,
        "after it, without a name or number"
    );
    assert_eq!(case.doc(), Some(r#"{"price":2}"#));
    let mut renamed = Case::kept_over_deletion();
    renamed.push(Some("c-2"), None);
    assert_eq!(renamed.update(&deletion(4)), Received::Stale);
    let mut same_name = Case::kept_over_deletion();
    same_name.push(Some("c-1"), None);
    assert_eq!(same_name.update(&deletion(4)), Received::Stale);
    assert_eq!(
        same_name.update(&deletion(6)),
        Received::Applied,
        "deleted once more"
    );
}

#[test]
fn rule_8_the_repeat_of_an_overruled_deletion_without_numbers_undoes_nothing() {
    let mut case = Case::new();
    case.update(&unnumbered(update("1", 0), Some(10)));
    case.put("2");
    let gone = unnumbered(deletion(0), Some(20));
    case.decide(&gone, &Decision::KeepLocal);
    case.push(None, None);
    assert_eq!(case.update(&gone), Received::Stale);
    assert_eq!(case.doc(), Some(r#"{"price":2}"#));
}

#[test]
fn rule_8_the_echo_of_a_create_under_a_new_name_begins_its_numbers_anew() {
    let mut case = Case::kept_over_deletion();
    case.attempt();
    let echo = Update {
        cloud_id: Some(id("c-2")),
        ..update("2", 1)
    };
    assert_eq!(case.update(&echo), Received::Agreed { settled: 1 });
    assert_eq!(case.entity.record.cloud_id, Some(id("c-2")));
    assert_eq!(case.entity.record.cloud_version, 1);
    assert_eq!(case.update(&deletion(4)), Received::Stale);
}

#[test]
fn rule_8_a_deletion_under_a_name_not_heard_of_yet_is_another_than_the_overruled_one() {
    let mut case = Case::kept_over_deletion();
    case.attempt();
    while case.answer(Outcome::Missing) != Absorbed::Failed {
        case.attempt();
    }
    let gone = Update {
        cloud_id: Some(id("c-2")),
        ..deletion(4)
    };
    assert_eq!(
        case.update(&gone),
        Received::Contested,
        "the create went through, and was undone"
    );
}

#[test]
fn rule_12_a_skip_to_the_outlet_moves_the_number_and_nothing_else() {
    let mut case = Case::synced();
    let before = case.entity.record.clone();
    let skip = Seen::Skipped("private".to_owned());
    assert_eq!(case.update_as(&update("9", 4), &skip), Received::Filtered);
    let after = &case.entity.record;
    assert_eq!(after.cloud_version, 4);
    assert_eq!(
        (&after.doc, after.version, &after.base),
        (&before.doc, before.version, &before.base)
    );
    assert_eq!(case.update_as(&update("9", 4), &skip), Received::Stale);
}

#[test]
fn rule_12_a_skip_that_meets_a_waiting_change_is_left_to_be_deferred() {
    let mut case = Case::synced();
    case.put("2");
    let skip = Seen::Skipped("private".to_owned());
    assert_eq!(case.update_as(&update("9", 4), &skip), Received::Contested);
    assert_eq!(case.entity.record.cloud_version, 3);
}

#[test]
fn rule_12_the_skipped_echo_of_our_own_change_settles_it() {
    let mut case = attempted();
    let skip = Seen::Skipped("private".to_owned());
    let echo = named(update("2", 4), "ch-1");
    assert_eq!(case.update_as(&echo, &skip), Received::Agreed { settled: 1 });
    assert_eq!(case.entity.record.cloud_version, 4);
}

#[test]
fn an_update_gives_way_in_the_inbox_only_to_a_newer_one() {
    assert!(supersedes(&update("2", 4), &update("1", 3)));
    assert!(!supersedes(&update("1", 3), &update("2", 4)));
    let stamped = |stamp| Update {
        stamp: Some(Millis(stamp)),
        ..update("1", 3)
    };
    assert!(!supersedes(&stamped(1), &stamped(2)));
    assert!(supersedes(&stamped(2), &stamped(2)));
    let other_name = Update {
        cloud_id: Some(id("c-2")),
        ..update("1", 1)
    };
    assert!(supersedes(&other_name, &deletion(4)), "numbered by itself");
    assert!(
        supersedes(&unnumbered(update("1", 0), None), &update("2", 9)),
        "the later arrival"
    );
}

#[test]
fn rule_17_an_applied_update_never_sets_the_stamp_back() {
    let mut case = Case::synced();
    case.put("2");
    case.push(None, Some(4));
    let modified = case.entity.record.modified;
    let early = Update {
        stamp: Some(Millis(1)),
        ..update("9", 5)
    };
    assert_eq!(case.update(&early), Received::Applied);
    assert_eq!(case.entity.record.modified, modified);
}

#[test]
fn rule_3_an_applied_update_raises_the_version_above_the_old_one_and_to_the_clouds() {
    let mut case = Case::synced();
    case.put("2");
    case.push(None, Some(4));
    case.update(&update("5", 5));
    assert_eq!(case.entity.record.version, 5);
    case.update(&update("6", 5));
    assert_eq!(case.entity.record.version, 6);
    case.update(&update("7", 20));
    assert_eq!(case.entity.record.version, 20);
}

#[test]
fn rule_9_a_name_is_learned_from_an_update_and_kept_by_a_tombstone() {
    let mut case = Case::new();
    case.put("1");
    case.attempt();
    case.answer(success());
    assert_eq!(case.update(&deletion(2)), Received::Applied);
    assert_eq!(case.entity.record.cloud_id, Some(id("c-1")));
    assert_eq!(case.update(&update("1", 1)), Received::Stale);
}

#[test]
fn the_seen_state_of_a_price_is_its_document() {
    assert_eq!(seen(&update("1", 1)), Seen::Doc(price("1")));
    assert_eq!(seen(&deletion(1)), Seen::Deleted);
}

#[test]
fn rule_8_no_name_of_the_past_comes_back_however_many_there_were() {
    let mut case = Case::kept_over_deletion();
    case.push(Some("c-2"), Some(1));
    case.delete();
    case.push(Some("c-2"), Some(2));
    case.put("5");
    case.attempt();
    assert_eq!(
        case.update(&update("1", 9)),
        Received::Stale,
        "c-1 has had a successor"
    );
    let undeleted = Update {
        cloud_id: Some(id("c-2")),
        ..update("4", 3)
    };
    assert_eq!(case.update(&undeleted), Received::Waits, "c-2 has had none yet");
}
