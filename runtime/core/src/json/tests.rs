//! The laws of documents, checked against a plain reference on parsed values.

use super::*;
use proptest::prelude::*;
use serde_json::{Map, Value};

fn doc(text: &str) -> Doc {
    Doc::parse(text).unwrap()
}

fn object() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(name(), value(), 0..5).prop_map(|members| members.into_iter().collect())
}

/// Few names, so that documents share some; one that must be escaped and one outside of ASCII.
fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "b", "c\"\n", "é", ""]).prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3i64..3).prop_map(Value::from),
        prop::sample::select(vec!["", "x", "\\\"\u{7}é😀"]).prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name(), inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The same value in another spelling: members turned round, spaces, escapes, decimals, shadowed duplicates.
fn respelled(value: &Value) -> String {
    match value {
        Value::Number(n) if n.as_i64() == Some(0) => "-0.00e7".to_owned(),
        Value::Number(n) => format!("{n}0.0E-1"),
        Value::String(s) => respelled_text(s),
        Value::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(respelled).collect();
            format!("[ {} ]", elements.join("\n,\t"))
        }
        Value::Object(members) => {
            let shadowed = members
                .keys()
                .map(|name| format!("{}: \"shadowed\"", quote(name)));
            let real = members
                .iter()
                .rev()
                .map(|(name, v)| format!("{} :{}", respelled_text(name), respelled(v)));
            format!("{{ {} }}", shadowed.chain(real).collect::<Vec<_>>().join(" , "))
        }
        literal => literal.to_string(),
    }
}

fn respelled_text(s: &str) -> String {
    let units: String = s.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{units}\"")
}

#[test]
fn a_document_is_the_very_text_it_came_in() {
    let text = r#"{ "n" : 12345678901234567890, "p":0.10,"q":9.80000019 ,"big":1e400,"p":"\u00e9" }"#;
    let document = doc(&format!(" \n{text}\t\r\n"));
    assert_eq!(document.as_str(), text);
    assert_eq!(document.len(), text.len());
    assert_eq!(document.get("big"), Some("1e400"));
    assert_eq!(document.get("p"), Some(r#""\u00e9""#));
    assert_eq!(document.get_string("p").as_deref(), Some("é"));
    assert_eq!(document.get_string("n"), None);
    assert_eq!(document.get("missing"), None);
    let stored = serde_json::to_string(&document).unwrap();
    assert_eq!(stored, serde_json::to_string(text).unwrap());
    assert_eq!(serde_json::from_str::<Doc>(&stored).unwrap(), document);
}

#[test]
fn a_refusal_says_what_is_wrong_and_where() {
    let says = |text: &str| Doc::parse(text).unwrap_err().to_string();
    assert_eq!(
        says("{\n \"é\": 01}"),
        "not valid JSON: a number must not begin with 0 at line 2 column 8"
    );
    assert_eq!(
        says(""),
        "not valid JSON: the text ends where a value was expected at line 1 column 1"
    );
    assert_eq!(
        says("{\"a\":1}\n\n x"),
        "not valid JSON: unexpected text after the end of the value at line 3 column 2"
    );
    assert_eq!(says("[1]"), "a document must be a JSON object");
    assert_eq!(
        says("[1"),
        "not valid JSON: the text ends inside an object or array at line 1 column 3"
    );
    assert_eq!(says("null"), "a document must be a JSON object");
    assert_eq!(says(&"{\"a\":".repeat(50_000)), "nested deeper than 128 levels");
}

#[test]
fn members_are_the_top_level_in_order_with_duplicates() {
    let document = doc(r#"{"a": {"x":[1,{"y":2}]} ,"b\u0022":[ ] , "a":null, "":"s"}"#);
    let members = document.members();
    let expected = [
        ("a", r#"{"x":[1,{"y":2}]}"#),
        ("b\"", "[ ]"),
        ("a", "null"),
        ("", "\"s\""),
    ];
    assert_eq!(
        members.iter().map(|(n, v)| (n.as_ref(), *v)).collect::<Vec<_>>(),
        expected
    );
    assert_eq!(document.get("a"), Some("null"));
    assert_eq!(document.get("x"), None, "only the top level has names");
    assert!(doc("{ }").members().is_empty());
}

#[test]
fn setting_members_leaves_the_bytes_of_all_others() {
    let document = doc(r#"{"version":1, "p" : 0.10,"\u0076ersion":2,"q":[1 , 2]}"#);
    assert_eq!(
        document.with(&[("id", "\"x\""), ("version", "3")]).as_str(),
        r#"{"p" : 0.10,"q":[1 , 2],"id":"x","version":3}"#
    );
    assert_eq!(document.without(&["version", "q"]).as_str(), r#"{"p" : 0.10}"#);
    assert_eq!(document.without(&["version", "p", "q"]).as_str(), "{}");
    assert_eq!(doc("{}").with(&[("a\"b", "1")]).as_str(), r#"{"a\"b":1}"#);
    let untouched = document.without(&["none", "such"]);
    assert!(
        std::ptr::eq(untouched.as_str(), document.as_str()),
        "a cheap clone"
    );
}

#[test]
fn merge_patch_does_what_the_examples_of_rfc_7396_say() {
    // Appendix A, those where target and patch are objects.
    for (target, patch, result) in [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (
            r#"{"a":{"b":"c"}}"#,
            r#"{"a":{"b":"d","c":null}}"#,
            r#"{"a":{"b":"d"}}"#,
        ),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
        // Section 3's worked example.
        (
            r#"{"title":"Goodbye!","author":{"givenName":"John","familyName":"Doe"},"tags":["example","sample"],"content":"This will be unchanged"}"#,
            r#"{"title":"Hello!","phoneNumber":"+01-123-456-7890","author":{"familyName":null},"tags":["example"]}"#,
            r#"{"title":"Hello!","author":{"givenName":"John"},"tags":["example"],"content":"This will be unchanged","phoneNumber":"+01-123-456-7890"}"#,
        ),
    ] {
        assert_eq!(
            doc(target).merge_patch(&doc(patch)).as_str(),
            result,
            "{target} + {patch}"
        );
    }
}

#[test]
fn merge_patch_keeps_bytes_and_places_and_the_last_of_duplicates() {
    let target = doc(r#"{ "p" : 0.10, "x":1, "y":{"deep" : 1e400,"z":[ ]}, "x":{"k":2}, "u" :null }"#);
    let patch = doc(r#"{"n":1,"\u0078":null,"y":{"z":[null]},"x":{"l":3,"m":null},"n":{"a":{"b":null}}}"#);
    assert_eq!(
        target.merge_patch(&patch).as_str(),
        r#"{"p" : 0.10,"y":{"deep" : 1e400,"z":[null]},"x":{"k":2,"l":3},"u" :null,"n":{"a":{}}}"#
    );
    assert_eq!(target.merge_patch(&doc("{ }")), target);
}

#[test]
fn same_means_the_same_json_and_not_the_same_text() {
    for (a, b) in [
        ("1", "1.0"),
        ("[1,10e-1]", " [ 1.0 , 1 ] "),
        (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#),
        (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
        (r#"{"a":1,"b":0,"a":2}"#, r#"{"a":3,"a":2,"b":-0}"#),
        (r#"{"a":1,"b":0,"a":2}"#, r#"{"a":3,"b":0.0,"a":2.0}"#),
        (r#"{"\u0061":"\u00e9\/"}"#, r#"{"a":"é/"}"#),
        (r#""\ud83d\ude00""#, "\"😀\""),
    ] {
        assert!(same_json(a, b) && same_json(b, a), "{a} = {b}");
    }
    for (a, b) in [
        ("1", "\"1\""),
        ("null", "false"),
        ("[]", "{}"),
        ("[1,2]", "[2,1]"),
        ("[1]", "[1,1]"),
        ("{}", r#"{"a":null}"#),
        (r#"{"a":1,"a":2}"#, r#"{"a":2,"a":1}"#),
        (r#"{"a":1,"a":2}"#, r#"{"a":1,"a":3}"#),
        (r#"{"a":{"b":1}}"#, r#"{"a":{"b":2}}"#),
        (r#""\ud83d""#, r#""\ud83e""#),
        (r#"{"n":12345678901234567890}"#, r#"{"n":12345678901234567891}"#),
        ("junk", "other junk"),
    ] {
        assert!(!same_json(a, b) && !same_json(b, a), "{a} != {b}");
    }
    assert!(same_json("junk", "junk"));
}

#[test]
fn ignored_members_are_ignored_on_both_sides_of_the_top_level_only() {
    let a = doc(r#"{"version":1,"name":"x","sub":{"version":1}}"#);
    assert!(a.same_ignoring(&doc(r#"{"name":"x","sub":{"version":1.0}}"#), &["version"]));
    assert!(a.same_ignoring(
        &doc(r#"{"sub":{"version":1},"versio\u006e":9,"name":"x","updated_at":0}"#),
        &["version", "updated_at"]
    ));
    assert!(!a.same_ignoring(
        &doc(r#"{"version":1,"name":"x","sub":{"version":2}}"#),
        &["version"]
    ));
    assert!(!a.same_ignoring(&doc(r#"{"version":1,"sub":{"version":1}}"#), &["version"]));
}

#[test]
fn very_many_members_and_very_deep_ones_are_compared_and_patched_rightly() {
    // So many that a quadratic comparison or patch would hardly come to an end.
    let object = |order: &mut dyn Iterator<Item = usize>, tail: &str| {
        let members: Vec<_> = order.map(|i| format!("\"k{i}\":[{i}]")).collect();
        doc(&format!("{{{},\"tail\":{tail}}}", members.join(",")))
    };
    let a = object(&mut (0..50_000), "1");
    let b = object(&mut (0..50_000).rev(), "1.0");
    assert!(a.same(&b));
    assert!(!a.same(&object(&mut (0..50_000).rev(), "2")));
    assert!(a.merge_patch(&b).same(&a));
    let duplicates = |n: usize| doc(&format!("{{{}\"a\":1}}", "\"a\":0,".repeat(n)));
    assert!(duplicates(50_000).same(&duplicates(25_000)));
    let nested = |leaf: &str| format!("{}{leaf}{}", "{\"a\":".repeat(127), "}".repeat(127));
    assert!(same_json(&nested("[1]"), &nested("[1.0]")));
    assert!(!same_json(&nested("[1]"), &nested("[2]")));
}

/// RFC 7396 §2, word for word.
fn reference_merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let target = target.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            reference_merge(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

proptest! {
    #[test]
    fn same_does_not_see_order_spacing_escapes_or_number_spelling(a in value()) {
        let (plain, other) = (a.to_string(), respelled(&a));
        prop_assert!(same_json(&plain, &other), "{} {}", plain, other);
        prop_assert!(same_json(&other, &plain));
    }

    #[test]
    fn same_is_equality_of_the_values(a in value(), b in value()) {
        prop_assert_eq!(same_json(&a.to_string(), &b.to_string()), a == b);
        prop_assert_eq!(same_json(&respelled(&a), &b.to_string()), a == b);
        prop_assert_eq!(same_json(&b.to_string(), &respelled(&a)), a == b);
    }

    #[test]
    fn ignoring_members_is_comparing_without_them(a in object(), b in object(), names in prop::collection::vec(name(), 0..3)) {
        let (a, b) = (doc(&Value::from(a).to_string()), doc(&respelled(&Value::from(b))));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        prop_assert_eq!(a.same_ignoring(&b, &names), a.without(&names).same(&b.without(&names)));
        prop_assert!(a.same_ignoring(&a.with(&names.iter().map(|n| (*n, "7")).collect::<Vec<_>>()), &names));
    }

    #[test]
    fn merge_patch_is_the_rfcs_algorithm(target in object(), patch in object(), respell: bool) {
        let (target, patch) = (Value::from(target), Value::from(patch));
        let spell = |value: &Value| doc(&if respell { respelled(value) } else { value.to_string() });
        let mut expected = target.clone();
        reference_merge(&mut expected, &patch);
        let merged = spell(&target).merge_patch(&spell(&patch));
        prop_assert!(same_json(merged.as_str(), &expected.to_string()), "{:?} is not {}", merged, expected);
        prop_assert!(Doc::parse(merged.as_str()).is_ok());
        // What the patch asks for is done; asking again changes nothing.
        prop_assert!(merged.merge_patch(&spell(&patch)).same(&merged));
    }

    #[test]
    fn merge_patch_keeps_the_bytes_and_order_of_what_it_does_not_name(target in object(), patch in object()) {
        let (target, patch) = (doc(&respelled(&Value::from(target))), doc(&Value::from(patch).to_string()));
        let touched: Vec<_> = patch.members().into_iter().map(|(name, _)| name).collect();
        let untouched = |d: &Doc| -> Vec<String> {
            super::members(d.as_str()).iter()
                .filter(|m| !touched.contains(&m.name().to_str()))
                .map(|m| m.whole().to_owned())
                .collect()
        };
        prop_assert_eq!(untouched(&target.merge_patch(&patch)), untouched(&target));
    }

    #[test]
    fn with_and_without_keep_the_bytes_and_order_of_all_other_members(a in object(), names in prop::collection::vec(name(), 0..4)) {
        let document = doc(&respelled(&Value::from(a)));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let set: Vec<(&str, &str)> = names.iter().map(|name| (*name, "[1e400]")).collect();
        let mut expected: Vec<_> = document.members();
        expected.retain(|(name, _)| !names.contains(&name.as_ref()));
        let without = document.without(&names);
        prop_assert_eq!(without.members(), expected.clone());
        expected.extend(set.iter().map(|(name, value)| (Cow::Borrowed(*name), *value)));
        let with = document.with(&set);
        prop_assert_eq!(with.members(), expected);
        prop_assert!(Doc::parse(with.as_str()).is_ok() && Doc::parse(without.as_str()).is_ok());
    }

    #[test]
    fn members_are_what_a_parser_sees(a in object()) {
        let document = doc(&respelled(&Value::from(a.clone())));
        for (name, value) in &a {
            prop_assert!(same_json(document.get(name).unwrap(), &value.to_string()));
            prop_assert_eq!(document.get_string(name), value.as_str().map(str::to_owned));
        }
        prop_assert_eq!(document.members().len(), 2 * a.len(), "the shadowed ones are there, too");
    }

    #[test]
    fn a_quoted_text_is_a_json_string_that_means_it(s: String) {
        prop_assert_eq!(serde_json::from_str::<String>(&quote(&s)).unwrap(), s.as_str());
        prop_assert_eq!(Doc::parse(&format!("{{\"s\":{}}}", quote(&s))).unwrap().get_string("s"), Some(s));
    }

    #[test]
    fn no_text_makes_reading_panic(text in r#"[\[\]{}":,0-9e.\-tfn\\ud8 é]{0,40}"#) {
        let trusted: Doc = Doc(text.as_str().into());
        let _ = (Doc::parse(&text), trusted.members(), trusted.get("a"), trusted.without(&["a"]));
        prop_assert!(trusted.same(&trusted.clone()));
        prop_assert!(!same_json(&text, r#"{"no":"such"}"#), "not the same");
    }
}
