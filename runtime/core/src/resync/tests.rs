//! Fetching again.

use super::*;
use crate::fixture::{Case, NOW, deletion, seen, unnumbered, update};
use crate::push::give_up;

fn fetch(case: &mut Case, update: &Update) -> Received {
    case.step(|entity| refetch(entity, update, &seen(update)))
}

fn end(case: &mut Case) -> bool {
    case.step(|entity| end_unseen(entity, NOW.plus_ms(99).into()))
}

fn key(entity_type: &str, id: &str) -> EntityKey {
    EntityKey::parse(entity_type, id).unwrap()
}

fn of_type(name: &str) -> Scope {
    Scope::of_type(EntityType::parse(name).unwrap())
}

#[test]
fn rule_14_an_entity_whose_change_was_given_up_takes_the_clouds_document_under_the_same_number() {
    let mut case = Case::synced();
    case.put("2");
    case.attempt();
    case.refuse(false);
    let order = case.head().order;
    case.step(|entity| give_up(entity, order));
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Diverged);
    assert_eq!(fetch(&mut case, &update("1", 3)), Received::Applied);
    assert_eq!(case.doc(), Some(r#"{"price":1}"#));
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Synced);
}

#[test]
fn rule_14_a_change_given_up_that_the_cloud_has_all_the_same_is_agreed_on() {
    let mut case = Case::synced();
    case.put("2");
    case.attempt();
    let order = case.head().order;
    case.step(|entity| give_up(entity, order));
    assert_eq!(fetch(&mut case, &update("2", 4)), Received::Agreed { settled: 0 });
    assert_eq!(case.entity.record.sync_status(), SyncStatus::Synced);
}

#[test]
fn rule_14_what_the_cloud_lists_under_an_equal_number_is_taken_where_nothing_is_unsynced() {
    let mut case = Case::synced();
    case.put("2");
    case.push(Some("c-1"), None);
    // To a pull it is the repeat of what was before the push; a listing is asked for after it.
    assert_eq!(case.clone().update(&update("1", 3)), Received::Stale);
    assert_eq!(fetch(&mut case, &update("1", 3)), Received::Applied);
    assert_eq!(case.doc(), Some(r#"{"price":1}"#));
}

#[test]
fn rule_14_unsynced_changes_are_not_lost_to_a_listing() {
    let mut case = Case::synced();
    case.put("2");
    assert_eq!(fetch(&mut case, &update("1", 3)), Received::Unchanged);
    assert_eq!(fetch(&mut case, &update("7", 4)), Received::Contested);
    assert_eq!((case.doc(), case.waiting().len()), (Some(r#"{"price":2}"#), 1));
    assert_eq!(fetch(&mut case, &update("1", 2)), Received::Stale);
}

#[test]
fn rule_14_a_deletion_of_ours_stays_one_although_it_is_listed() {
    let mut case = Case::synced();
    case.delete();
    case.push(Some("c-1"), None);
    assert_eq!(fetch(&mut case, &update("1", 3)), Received::Stale);
    assert_eq!(case.doc(), None);
}

#[test]
fn rule_14_what_a_full_listing_did_not_show_ends_and_lives_again_when_it_is_listed() {
    let mut case = Case::synced();
    let version = case.entity.record.version;
    assert!(end(&mut case));
    let record = &case.entity.record;
    assert_eq!((record.doc.is_none(), record.version), (true, version + 1));
    assert_eq!(record.cloud_id.as_ref().unwrap().as_str(), "c-1");
    assert!(!end(&mut case), "once is enough");
    let mut older = case.clone();
    assert_eq!(older.update(&update("1", 2)), Received::Stale);
    assert_eq!(fetch(&mut case, &update("1", 3)), Received::Applied);
    assert_eq!(case.doc(), Some(r#"{"price":1}"#));
}

#[test]
fn rule_14_only_what_both_sides_had_and_nothing_waits_of_ends_unseen() {
    let mut waiting = Case::synced();
    waiting.put("2");
    let mut unknown_there = Case::new();
    unknown_there.put("1");
    unknown_there.push(None, Some(1));
    let mut given_up = Case::synced();
    given_up.put("2");
    let order = given_up.head().order;
    given_up.step(|entity| give_up(entity, order));
    let mut contested = Case::synced();
    contested.entity.record.conflict = Some("1".to_owned());
    let mut undecided = Case::synced();
    undecided.entity.record.inbox = Some(deletion(4));
    for mut case in [waiting, unknown_there, given_up, contested, undecided] {
        let before = case.entity.clone();
        assert!(!end(&mut case));
        assert_eq!(case.entity, before);
    }
}

#[test]
fn an_element_that_is_not_older_than_the_record_shows_it() {
    let case = Case::synced();
    let record = &case.entity.record;
    assert!(is_shown(record, &update("1", 3)) && is_shown(record, &update("1", 4)));
    assert!(!is_shown(record, &update("1", 2)));
    assert!(!is_shown(record, &unnumbered(update("1", 3), Some(5))));
    assert!(!is_shown(&Record::default(), &update("1", 3)));
}

#[test]
fn a_scope_takes_in_what_it_holds_already_without_growing() {
    let mut scope = Scope::of_entity(key("product", "a"));
    assert!(scope.takes(&key("product", "a")) && !scope.takes(&key("product", "b")));
    assert!(scope.is_named());
    scope.widen(of_type("product"));
    assert_eq!(scope, of_type("product"));
    assert!(scope.holds(&Scope::of_entity(key("product", "b"))));
    assert!(!scope.holds(&of_type("order")) && !scope.holds(&Scope::everything()));
    scope.widen(Scope::of_entity(key("order", "o")));
    assert!(!scope.is_named() && scope.takes(&key("order", "o")) && !scope.takes(&key("order", "p")));
    scope.widen(Scope::everything());
    assert_eq!(scope, Scope::everything());
    assert!(scope.holds(&of_type("order")));
}

#[test]
fn too_many_names_become_their_types() {
    let mut scope = Scope::default();
    for n in 0..=MOST_NAMED {
        scope.widen(Scope::of_entity(key("product", &format!("p-{n}"))));
    }
    assert_eq!(scope, of_type("product"));
}
