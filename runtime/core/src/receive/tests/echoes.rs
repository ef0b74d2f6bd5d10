//! Rule 5: what the outlet said itself comes back, and what both sides came to say alike.

use super::*;

#[test]
fn rule_5_an_update_that_carries_the_attempted_change_id_settles_it() {
    let mut case = attempted();
    assert_eq!(
        case.update(&named(update("2", 4), "ch-1")),
        Received::Agreed { settled: 1 }
    );
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Synced);
    assert_eq!(case.entity.record.cloud_version, 4);
}

#[test]
fn rule_5_an_update_that_equals_the_attempted_snapshot_settles_it() {
    let mut case = attempted();
    case.put("3");
    assert_eq!(case.update(&update("2.00", 4)), Received::Unchanged);
    assert_eq!(case.waiting(), ["ch-2"]);
    assert_eq!(case.entity.record.cloud_version, 4);
}

#[test]
fn rule_5_another_update_waits_until_the_outcome_is_known() {
    let mut case = attempted();
    assert_eq!(case.update(&update("9", 4)), Received::Waits);
    assert!(case.entity.is_attempted());
}

#[test]
fn rule_5_an_echo_that_the_cloud_enriched_is_taken_over() {
    let mut case = attempted();
    let enriched = Update {
        body: Some(doc(r#"{"price":2,"tax":1}"#)),
        ..named(update("2", 4), "ch-1")
    };
    assert_eq!(case.update(&enriched), Received::Applied);
    assert_eq!(case.doc(), Some(r#"{"price":2,"tax":1}"#));
    assert!(case.entity.items.is_empty());
}

#[test]
fn rule_5_an_enriched_echo_never_meets_a_strategy_even_when_it_comes_after_the_answer() {
    let enriched = Update {
        body: Some(doc(r#"{"price":2,"tax":1}"#)),
        ..named(update("2", 4), "ch-1")
    };
    for answered in [false, true] {
        let mut case = attempted();
        case.put("3");
        if answered {
            case.answer(Outcome::Success {
                cloud_id: None,
                version: Some(4),
            });
        }
        assert_eq!(case.update(&enriched), Received::Unchanged);
        assert_eq!(case.entity.record.base_doc(), Some(enriched.body.as_ref()));
        assert_eq!(case.waiting(), ["ch-2"]);
        assert_eq!(
            case.update(&update("9", 5)),
            Received::Contested,
            "what is new is contested"
        );
    }
}

#[test]
fn rule_5_the_repeat_of_an_earlier_state_is_no_echo_of_going_back_to_it() {
    let mut case = Case::synced();
    case.put("2");
    case.push(None, None);
    case.put("1");
    case.attempt();
    assert_eq!(case.update(&update("1", 3)), Received::Stale);
    assert!(case.entity.is_attempted(), "the cloud still holds price 2");
}

#[test]
fn rule_5_the_repeat_of_an_earlier_state_is_no_agreement_with_going_back_to_it() {
    let mut case = Case::synced();
    case.put("2");
    case.push(None, None);
    case.put("1");
    assert_eq!(case.update(&update("1", 3)), Received::Stale);
    assert_eq!(case.waiting(), ["ch-3"]);
}

#[test]
fn rule_5_the_late_echo_of_an_earlier_push_never_meets_a_strategy() {
    let mut case = Case::synced();
    case.put("2");
    case.push(None, None);
    case.put("3");
    case.push(None, None);
    case.put("4");
    assert_eq!(case.update(&update("2", 4)), Received::Stale);
    assert_eq!(case.update(&update("3", 5)), Received::Unchanged);
}

#[test]
fn rule_5_both_sides_coming_to_say_the_same_settles_all_that_waits() {
    let mut case = Case::without_coalescing();
    case.update(&update("1", 3));
    case.put("2");
    case.put("3");
    assert_eq!(case.update(&update("3", 4)), Received::Agreed { settled: 2 });
    assert_eq!(
        (case.entity.record.waiting, case.entity.record.cloud_version),
        (0, 4)
    );
}

#[test]
fn rule_5_agreement_over_a_change_of_unknown_outcome_still_pushes_what_follows_it() {
    let mut case = Case::without_coalescing();
    case.update(&update("1", 3));
    case.put("2");
    case.put("1");
    case.attempt();
    assert_eq!(case.park(false), Absorbed::Failed);
    assert_eq!(case.update(&update("1", 4)), Received::Unchanged);
    assert_eq!(case.waiting(), ["ch-2"], "price 2 may arrive there yet");
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Pending);
}

#[test]
fn rule_5_both_sides_deleted_is_agreement() {
    let mut case = Case::synced();
    case.delete();
    assert_eq!(case.update(&deletion(4)), Received::Agreed { settled: 1 });
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Synced);
    assert_eq!(case.update(&deletion(4)), Received::Stale);
}
