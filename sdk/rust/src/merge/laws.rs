//! What holds for every merge by field, whatever the documents.

use super::*;
use crate::{testing, Decision, Value};
use proptest::prelude::*;
use std::collections::BTreeMap;

type Fields = BTreeMap<String, String>;

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("1"),
        Just("1.0"),
        Just("2.50"),
        Just("12345678901234567890"),
        Just("null"),
        Just("true"),
        Just("\"a\""),
        Just("[1,2]"),
        Just("[{\"k\":1}]"),
    ]
    .prop_map(str::to_owned);
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop::collection::btree_map("[xyz]", inner, 0..3).prop_map(|fields| text(&fields))
    })
}

fn fields() -> impl Strategy<Value = Fields> {
    prop::collection::btree_map("[a-f]", value(), 0..6)
}

/// A side: the base with some fields changed, added and deleted.
fn sides() -> impl Strategy<Value = (Fields, Fields, Fields)> {
    let edits = || prop::collection::vec(("[a-f]", prop::option::weighted(0.8, value())), 0..4);
    (fields(), edits(), edits()).prop_map(|(base, local, cloud)| {
        let (local, cloud) = (edited(&base, local), edited(&base, cloud));
        (base, local, cloud)
    })
}

fn edited(base: &Fields, edits: Vec<(String, Option<String>)>) -> Fields {
    let mut side = base.clone();
    for (name, value) in edits {
        match value {
            Some(value) => side.insert(name, value),
            None => side.remove(&name),
        };
    }
    side
}

fn rules() -> impl Strategy<Value = Rules> {
    let word = || prop_oneof![Just("cloud"), Just("local"), Just("newest")];
    (
        word(),
        prop::collection::btree_map("[a-f](\\.[xyz])?", word(), 0..3),
    )
        .prop_map(|(default, fields)| {
            let fields: Vec<_> = fields
                .iter()
                .map(|(path, word)| format!(r#""{path}":"{word}""#))
                .collect();
            let settings = format!(r#"{{"default":"{default}","fields":{{{}}}}}"#, fields.join(","));
            Rules::read(&crate::Settings::parse(&settings).unwrap()).unwrap()
        })
}

fn text(fields: &Fields) -> String {
    let members: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("{name:?}:{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn reversed(fields: &Fields) -> String {
    let members: Vec<_> = fields
        .iter()
        .rev()
        .map(|(name, value)| format!("{name:?}:{value}"))
        .collect();
    format!("{{{}}}", members.join(" , "))
}

/// The outlet's side was changed at 1, the cloud's at `cloud_ms`.
fn decide(rules: &Rules, base: &str, local: &str, cloud: &str, local_is_newer: bool) -> Decision {
    let doc = |body: &str| Document::new("product", "p", body);
    let conflict = Conflict {
        base: Some(doc(base)),
        ..testing::conflict(
            doc(local).with_modified_ms(5),
            doc(cloud).with_modified_ms(if local_is_newer { 4 } else { 6 }),
        )
    };
    resolve(rules, &conflict).unwrap().decision
}

/// The document that both sides have afterwards.
fn outcome(decision: Decision, local: &str, cloud: &str) -> String {
    match decision {
        Decision::KeepLocal => local.to_owned(),
        Decision::TakeCloud => cloud.to_owned(),
        Decision::Merge(body) => body,
        other => panic!("{other:?}"),
    }
}

fn equal(a: &str, b: &str) -> bool {
    Value::parse(a).unwrap().same_value(&Value::parse(b).unwrap())
}

/// Whether every value of `merged` stands at its place in one of `sources`, to the byte.
fn comes_from(merged: &Object<'_>, sources: &[Object<'_>]) -> bool {
    merged.iter().all(|(name, value)| {
        let theirs: Vec<_> = sources.iter().filter_map(|source| source.get(name)).collect();
        theirs.iter().any(|their| their.raw() == value.raw())
            || value.as_object().is_some_and(|object| {
                let objects: Vec<_> = theirs.iter().filter_map(Value::as_object).collect();
                comes_from(&object, &objects)
            })
    })
}

proptest! {
    #[test]
    fn sides_that_touch_different_fields_never_conflict(
        base in fields(), local in prop::collection::vec(("[a-c]", prop::option::of(value())), 0..4),
        cloud in prop::collection::vec(("[d-f]", prop::option::of(value())), 0..4), newer: bool,
    ) {
        let both = edited(&edited(&base, local.clone()), cloud.clone());
        let (local, cloud) = (text(&edited(&base, local)), text(&edited(&base, cloud)));
        let decision = decide(&Rules::of(Wins::Defer), &text(&base), &local, &cloud, newer);
        prop_assert!(decision != Decision::Defer);
        prop_assert!(equal(&outcome(decision, &local, &cloud), &text(&both)));
    }

    #[test]
    fn a_side_that_changed_nothing_leaves_the_others_document((base, local, cloud) in sides(), rules in rules(), newer: bool) {
        let (base, local, cloud) = (text(&base), text(&local), text(&cloud));
        prop_assert_eq!(decide(&rules, &base, &base, &cloud, newer), Decision::TakeCloud);
        let kept = decide(&rules, &base, &local, &base, newer);
        prop_assert_eq!(kept, if equal(&local, &base) { Decision::TakeCloud } else { Decision::KeepLocal });
    }

    #[test]
    fn equal_sides_are_what_both_get((base, local, _) in sides(), rules in rules(), newer: bool) {
        let (base, local) = (text(&base), text(&local));
        prop_assert_eq!(decide(&rules, &base, &local, &local, newer), Decision::TakeCloud);
    }

    #[test]
    fn a_merge_of_a_merge_is_the_same((base, local, cloud) in sides(), rules in rules(), newer: bool) {
        let (base, local, cloud) = (text(&base), text(&local), text(&cloud));
        let once = outcome(decide(&rules, &base, &local, &cloud, newer), &local, &cloud);
        for (left, right) in [(&once, &cloud), (&local, &once), (&once, &once)] {
            let twice = outcome(decide(&rules, &base, left, right, newer), left, right);
            prop_assert!(equal(&once, &twice), "{once} became {twice}");
        }
    }

    #[test]
    fn the_newest_wins_whichever_side_it_is_on((base, local, cloud) in sides(), newer: bool) {
        let rules = Rules::of(Wins::Newest);
        let (base, local, cloud) = (text(&base), text(&local), text(&cloud));
        let one = outcome(decide(&rules, &base, &local, &cloud, newer), &local, &cloud);
        let other = outcome(decide(&rules, &base, &cloud, &local, !newer), &cloud, &local);
        prop_assert!(equal(&one, &other), "{one} or {other}");
    }

    #[test]
    fn the_order_of_fields_does_not_matter((base, local, cloud) in sides(), rules in rules(), newer: bool) {
        let one = outcome(decide(&rules, &text(&base), &text(&local), &text(&cloud), newer), &text(&local), &text(&cloud));
        let (b, l, c) = (reversed(&base), reversed(&local), reversed(&cloud));
        let other = outcome(decide(&rules, &b, &l, &c, newer), &l, &c);
        prop_assert!(equal(&one, &other), "{one} or {other}");
    }

    #[test]
    fn nothing_is_invented((base, local, cloud) in sides(), rules in rules(), newer: bool) {
        let (base, local, cloud) = (text(&base), text(&local), text(&cloud));
        let merged = outcome(decide(&rules, &base, &local, &cloud, newer), &local, &cloud);
        let sources = [&base, &local, &cloud].map(|text| Object::parse(text).unwrap());
        prop_assert!(comes_from(&Object::parse(&merged).unwrap(), &sources), "{merged}");
    }

    #[test]
    fn elements_come_together_whichever_side_they_are_on(
        base in prop::collection::btree_map(0u8..6, 0u8..3, 0..5),
        local in prop::collection::btree_map(0u8..6, 0u8..3, 0..5),
        cloud in prop::collection::btree_map(0u8..6, 0u8..3, 0..5), newer: bool,
    ) {
        let array = |elements: &BTreeMap<u8, u8>| {
            let elements: Vec<_> = elements.iter().map(|(key, n)| format!(r#"{{"k":{key},"n":{n}}}"#)).collect();
            format!(r#"{{"lines":[{}]}}"#, elements.join(","))
        };
        let rules = Rules::read(&crate::Settings::parse(r#"{"arrays":{"lines":"k"}}"#).unwrap()).unwrap();
        let (base, local, cloud) = (array(&base), array(&local), array(&cloud));
        let one = outcome(decide(&rules, &base, &local, &cloud, newer), &local, &cloud);
        let other = outcome(decide(&rules, &base, &cloud, &local, !newer), &cloud, &local);
        let sorted = |text: &str| {
            let object = Object::parse(text).unwrap();
            let elements = object.get("lines").unwrap().as_array().unwrap();
            let mut elements: Vec<_> = elements.iter().map(|element| element.raw().to_owned()).collect();
            elements.sort();
            elements
        };
        prop_assert_eq!(sorted(&one), sorted(&other));
        let twice = outcome(decide(&rules, &base, &one, &cloud, newer), &one, &cloud);
        prop_assert!(equal(&one, &twice), "{one} became {twice}");
    }

    #[test]
    fn a_counter_is_the_base_and_both_sides_differences(
        base in -(1i128 << 90)..(1i128 << 90), local in -(1i128 << 90)..(1i128 << 90),
        cloud in -(1i128 << 90)..(1i128 << 90), places in 0u32..12, newer: bool,
    ) {
        let number = |n| crate::Number::from_scaled(n, places);
        let doc = |n| format!(r#"{{"n":{}}}"#, number(n));
        let rules = Rules::of(Wins::Defer).with_counters(vec!["n".into()]);
        let (b, l, c) = (doc(base), doc(base + local), doc(base + cloud));
        let one = outcome(decide(&rules, &b, &l, &c, newer), &l, &c);
        prop_assert_eq!(&one, &doc(base + local + cloud));
        prop_assert_eq!(one, outcome(decide(&rules, &b, &c, &l, newer), &c, &l));
    }
}
