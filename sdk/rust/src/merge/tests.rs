//! The merge on cases that people know. What holds for all documents is in `laws.rs`.

use super::*;
use crate::{testing, Decision, Settings};

fn doc(body: &str) -> Document {
    match body {
        "" => Document::tombstone("product", "p"),
        body => Document::new("product", "p", body),
    }
}

fn decide(settings: &str, base: Option<&str>, local: &str, cloud: &str) -> Verdict {
    let conflict = Conflict {
        base: base.map(doc),
        ..testing::conflict(doc(local), doc(cloud))
    };
    let rules = Rules::read(&Settings::parse(settings).unwrap()).unwrap();
    resolve(&rules, &conflict).unwrap()
}

fn merged(settings: &str, base: &str, local: &str, cloud: &str) -> String {
    match decide(settings, Some(base), local, cloud).decision {
        Decision::Merge(body) => body,
        other => panic!("{other:?}"),
    }
}

#[test]
fn changes_of_different_fields_come_together_and_keep_their_bytes() {
    let base = r#"{"id":"p","name":"Ch\u0061i","price":18.50,"sku":12345678901234567890,"old":1}"#;
    let local =
        r#"{"id":"p","name":"Ch\u0061i","price":18.50,"sku":12345678901234567890,"old":1,"stock":39.0}"#;
    let cloud = r#"{"price":19.00,"id":"p","name":"Ch\u0061i","sku":12345678901234567890}"#;
    let verdict = decide(r#"{"default":"defer"}"#, Some(base), local, cloud);
    let expected = r#"{"id":"p","name":"Ch\u0061i","price":19.00,"sku":12345678901234567890,"stock":39.0}"#;
    assert_eq!(verdict.decision, Decision::Merge(expected.into()));
    assert_eq!(
        verdict.reason,
        "Only the outlet changed stock. Only the cloud changed price, old."
    );
}

#[test]
fn the_settings_decide_what_both_changed() {
    let (base, local, cloud) = (
        r#"{"name":"a","price":1,"note":"n"}"#,
        r#"{"name":"b","price":2,"note":"n"}"#,
        r#"{"name":"c","price":3,"note":"m"}"#,
    );
    let settings = r#"{"default":"local","fields":{"price":"cloud"}}"#;
    let verdict = decide(settings, Some(base), local, cloud);
    assert_eq!(
        verdict.decision,
        Decision::Merge(r#"{"name":"b","price":3,"note":"m"}"#.into())
    );
    assert_eq!(
        verdict.reason,
        "Both sides changed price: the cloud's stands. Both sides changed name: the outlet's stands. \
         Only the cloud changed note."
    );
    let left = decide(
        r#"{"default":"cloud","fields":{"name":"defer"}}"#,
        Some(base),
        local,
        cloud,
    );
    assert_eq!(left.decision, Decision::Defer);
    assert!(
        left.reason.ends_with("leave to a person: name."),
        "{}",
        left.reason
    );
}

#[test]
fn the_newest_is_the_default_and_a_tie_or_a_missing_stamp_goes_to_the_cloud() {
    let sides = |local: Option<u64>, cloud: Option<u64>| {
        let mut conflict = testing::conflict(doc(r#"{"a":1}"#), doc(r#"{"a":2}"#));
        (conflict.local.modified_ms, conflict.cloud.modified_ms) = (local, cloud);
        resolve(&Rules::default(), &conflict).unwrap().decision
    };
    assert_eq!(sides(Some(2), Some(1)), Decision::KeepLocal);
    for stamps in [
        (Some(1), Some(2)),
        (Some(2), Some(2)),
        (Some(2), None),
        (None, None),
    ] {
        assert_eq!(sides(stamps.0, stamps.1), Decision::TakeCloud);
    }
}

#[test]
fn a_path_decides_what_is_below_it_and_a_longer_one_more_so() {
    let settings = r#"{"default":"defer","fields":{"stock":"local","stock.min":"cloud"}}"#;
    let base = r#"{"stock":{"qty":1,"min":1},"stocked":1}"#;
    let local = r#"{"stock":{"qty":2,"min":2},"stocked":1}"#;
    let cloud = r#"{"stock":{"qty":3,"min":3},"stocked":1}"#;
    assert_eq!(
        merged(settings, base, local, cloud),
        r#"{"stock":{"qty":2,"min":3},"stocked":1}"#
    );
    // `stocked` is not below `stock`.
    let (local, cloud) = (
        base.replace("ked\":1", "ked\":2"),
        base.replace("ked\":1", "ked\":3"),
    );
    assert_eq!(
        decide(settings, Some(base), &local, &cloud).decision,
        Decision::Defer
    );
}

#[test]
fn without_a_base_what_one_side_has_alone_is_kept() {
    let verdict = decide(
        r#"{"default":"cloud"}"#,
        None,
        r#"{"a":1,"b":2,"o":{"x":1}}"#,
        r#"{"b":3,"c":4,"o":{"y":2}}"#,
    );
    let expected = r#"{"a":1,"b":3,"o":{"x":1,"y":2},"c":4}"#;
    assert_eq!(verdict.decision, Decision::Merge(expected.into()));
}

#[test]
fn what_comes_to_one_sides_document_is_that_sides() {
    let base = r#"{"a":1,"b":1}"#;
    for (local, cloud, expected) in [
        (base, r#"{"a":2,"b":1}"#, Decision::TakeCloud),
        (r#"{"a":2,"b":1}"#, base, Decision::KeepLocal),
        (r#"{"a":2,"b":1}"#, r#"{"b":1,"a":2.0}"#, Decision::TakeCloud),
        (r#"{"a":2,"b":1}"#, r#"{"a":3,"b":1}"#, Decision::TakeCloud),
        // The cloud's change is one of the outlet's.
        (r#"{"a":2,"b":2}"#, r#"{"a":2,"b":1}"#, Decision::KeepLocal),
    ] {
        assert_eq!(
            decide(r#"{"default":"cloud"}"#, Some(base), local, cloud).decision,
            expected,
            "{local} {cloud}"
        );
    }
}

#[test]
fn a_delete_against_a_change_goes_by_its_own_setting_and_waits_by_default() {
    let (base, edited) = (r#"{"a":1}"#, r#"{"a":2}"#);
    for (settings, by_outlet, by_cloud) in [
        ("{}", Decision::Defer, Decision::Defer),
        (r#"{"deletes":"cloud"}"#, Decision::TakeCloud, Decision::TakeCloud),
        (r#"{"deletes":"local"}"#, Decision::KeepLocal, Decision::KeepLocal),
    ] {
        assert_eq!(decide(settings, Some(base), "", edited).decision, by_outlet);
        assert_eq!(decide(settings, Some(base), edited, "").decision, by_cloud);
        assert_eq!(decide(settings, None, edited, "").decision, by_cloud);
        // A document that nobody changed does not stand against a delete.
        assert_eq!(
            decide(settings, Some(base), "", base).decision,
            Decision::KeepLocal
        );
        assert_eq!(
            decide(settings, Some(base), base, "").decision,
            Decision::TakeCloud
        );
        assert_eq!(decide(settings, Some(base), "", "").decision, Decision::TakeCloud);
    }
}

const LINES: &str = r#"{"arrays":{"lines":"sku"},"default":"defer"}"#;

#[test]
fn elements_that_are_known_are_merged_one_by_one() {
    let base = r#"{"lines":[{"sku":"A","qty":1},{"sku":"B","qty":1},{"sku":"C","qty":1}]}"#;
    let local = r#"{"lines":[{"sku":"A","qty":2},{"sku":"C","qty":1},{"sku":"D","qty":4}]}"#;
    let cloud = r#"{"lines":[{"sku":"A","qty":1,"note":"x"},{"sku":"B","qty":1},{"sku":"C","qty":9},{"sku":"E","qty":5}]}"#;
    assert_eq!(
        merged(LINES, base, local, cloud),
        r#"{"lines":[{"sku":"A","qty":2,"note":"x"},{"sku":"C","qty":9},{"sku":"D","qty":4},{"sku":"E","qty":5}]}"#
    );
    let both = decide(
        LINES,
        Some(base),
        &base.replace("\"A\",\"qty\":1", "\"A\",\"qty\":2"),
        &base.replace("\"A\",\"qty\":1", "\"A\",\"qty\":3"),
    );
    assert_eq!(both.decision, Decision::Defer);
    assert!(both.reason.contains("lines[A].qty"), "{}", both.reason);
}

#[test]
fn elements_stand_in_the_outlets_order_or_in_the_clouds_where_the_cloud_reordered_them() {
    let array = |keys: &str| {
        let elements: Vec<_> = keys.chars().map(|key| format!(r#"{{"sku":"{key}"}}"#)).collect();
        format!(r#"{{"lines":[{}]}}"#, elements.join(","))
    };
    for (base, local, cloud, expected) in [
        ("ab", "bax", "aby", "baxy"),
        ("ab", "abx", "bay", "bayx"),
        ("abc", "cabx", "bcay", "bcayx"),
    ] {
        assert_eq!(
            merged(LINES, &array(base), &array(local), &array(cloud)),
            array(expected)
        );
    }
}

#[test]
fn keys_are_equal_as_values_and_an_array_with_an_element_that_is_not_known_is_one_value() {
    let base = r#"{"lines":[{"sku":1,"q":1}]}"#;
    let (local, cloud) = (
        r#"{"lines":[{"sku":1.0,"q":2}]}"#,
        r#"{"lines":[{"sku":1,"q":1,"n":3}]}"#,
    );
    assert_eq!(
        merged(LINES, base, local, cloud),
        r#"{"lines":[{"sku":1,"q":2,"n":3}]}"#
    );
    for odd in [
        r#"{"lines":[{"sku":1,"q":5},{"sku":1.0,"q":6}]}"#,
        r#"{"lines":[{"q":5}]}"#,
        r#"{"lines":[{"sku":null}]}"#,
        r#"{"lines":[7]}"#,
        r#"{"lines":"none"}"#,
    ] {
        assert_eq!(
            decide(LINES, Some(base), local, odd).decision,
            Decision::Defer,
            "{odd}"
        );
    }
}

#[test]
fn counters_are_added_up_wherever_they_are() {
    let rules = Rules::read(&Settings::parse(r#"{"arrays":{"bins":"id"}}"#).unwrap()).unwrap();
    let rules = rules.with_counters(vec!["on_hand.main".into(), "bins.qty".into()]);
    let mut conflict = testing::conflict(
        doc(r#"{"on_hand":{"main":8.5},"bins":[{"id":1,"qty":3}]}"#),
        doc(r#"{"on_hand":{"main":8.50},"bins":[{"id":1,"qty":4}]}"#),
    );
    conflict.base = Some(doc(r#"{"on_hand":{"main":10},"bins":[{"id":1,"qty":5}]}"#));
    let verdict = resolve(&rules, &conflict).unwrap();
    let expected = r#"{"on_hand":{"main":7.00},"bins":[{"id":1,"qty":2}]}"#;
    assert_eq!(verdict.decision, Decision::Merge(expected.into()));
    assert!(
        verdict.reason.contains("on_hand.main, bins[1].qty"),
        "{}",
        verdict.reason
    );
}

#[test]
fn a_counter_without_a_number_to_count_from_waits_unless_both_sides_are_equal() {
    let rules = Rules::of(Wins::Cloud).with_counters(vec!["n".into()]);
    let decide = |base: Option<&str>, local: &str, cloud: &str| {
        let conflict = Conflict {
            base: base.map(doc),
            ..testing::conflict(doc(local), doc(cloud))
        };
        resolve(&rules, &conflict).unwrap().decision
    };
    assert_eq!(decide(None, r#"{"n":1}"#, r#"{"n":2}"#), Decision::Defer);
    assert_eq!(
        decide(Some(r#"{"n":"?"}"#), r#"{"n":1}"#, r#"{"n":2}"#),
        Decision::Defer
    );
    assert_eq!(decide(Some(r#"{"n":1}"#), "{}", r#"{"n":2}"#), Decision::Defer);
    assert_eq!(
        decide(Some(r#"{"n":1}"#), r#"{"n":1e9999}"#, r#"{"n":2}"#),
        Decision::Defer
    );
    assert_eq!(decide(None, r#"{"n":1}"#, r#"{"n":1.0}"#), Decision::TakeCloud);
    assert_eq!(decide(None, r#"{"n":1}"#, "{}"), Decision::KeepLocal);
    assert_eq!(
        decide(Some(r#"{"n":1}"#), r#"{"n":1}"#, "{}"),
        Decision::TakeCloud
    );
}

#[test]
fn settings_that_say_nothing_sensible_are_refused_by_name() {
    for (settings, field) in [
        (r#"{"defualt":"cloud"}"#, "defualt"),
        (r#"{"default":"both"}"#, "default"),
        (r#"{"default":1}"#, "default"),
        (r#"{"deletes":"never"}"#, "deletes"),
        (r#"{"fields":["price"]}"#, "fields"),
        (r#"{"fields":{"price":"mine"}}"#, "fields.price"),
        (r#"{"fields":{"a..b":"cloud"}}"#, "fields"),
        (r#"{"arrays":{"lines":""}}"#, "arrays.lines"),
        (r#"{"arrays":{"":"sku"}}"#, "arrays"),
    ] {
        let error = Rules::read(&Settings::parse(settings).unwrap()).unwrap_err();
        assert_eq!(error.code, "invalid-settings");
        assert_eq!(error.field.as_deref(), Some(field), "{settings}");
    }
}

#[test]
fn long_accounts_are_cut() {
    let long = "x".repeat(200);
    let fields: Vec<_> = (0..30).map(|n| format!(r#""{long}{n}":{n}"#)).collect();
    let local = format!("{{{}}}", fields.join(","));
    let verdict = decide("{}", None, &local, "{}");
    assert!(verdict.reason.ends_with(" and 22 more."), "{}", verdict.reason);
    assert!(verdict.reason.len() < 700);
}
