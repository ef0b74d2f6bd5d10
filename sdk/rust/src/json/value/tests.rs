//! What values promise, with serde as the second opinion.

use super::*;
use crate::json::MAX_DEPTH;
use proptest::prelude::*;

#[test]
fn every_kind_is_told_apart_and_read_only_as_what_it_is() {
    let value = |text: &'static str| Value::parse(text).unwrap();
    assert!(value(" null ").is_null());
    assert_eq!(value("true").as_bool(), Some(true));
    assert_eq!(value("false").as_bool(), Some(false));
    assert_eq!(value("0.10").as_number().unwrap().as_str(), "0.10");
    assert_eq!(value("\"a\"").as_str().unwrap(), "a");
    assert_eq!(
        value("[1, [2] ,{}]")
            .as_array()
            .unwrap()
            .iter()
            .map(Value::raw)
            .collect::<Vec<_>>(),
        ["1", "[2]", "{}"]
    );
    assert_eq!(value("[ ]").as_array().unwrap().len(), 0);
    assert!(value("{\"a\":1}").as_object().unwrap().contains("a"));
    assert!(
        value("1").as_str().is_none()
            && value("\"1\"").as_number().is_none()
            && value("null").as_bool().is_none()
    );
}

#[test]
fn nesting_is_limited_where_serde_limits_it_and_never_overflows_the_stack() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(Value::parse(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(
        Value::parse(&nested(MAX_DEPTH + 1)).unwrap_err().problem,
        "nested too deep"
    );
    assert!(Value::parse(&"[".repeat(1_000_000)).is_err());
}

fn nearly_json() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"a\"",
        "\"\\u00e9\"",
        "\"\\x\"",
        "1",
        "-0.5e3",
        "01",
        "true",
        "null",
        "nul",
        " ",
        "\n",
        "\"",
    ]);
    prop_oneof![
        proptest::collection::vec(token, 0..12).prop_map(|tokens| tokens.concat()),
        json().prop_map(|value| value.to_string()),
    ]
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    use serde_json::Value as Json;
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<String>().prop_map(Json::from)
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Json::from),
            proptest::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| Json::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_text_is_accepted_exactly_where_serde_accepts_it(text in nearly_json()) {
        let serde = serde_json::from_str::<&serde_json::value::RawValue>(&text);
        prop_assert_eq!(Value::parse(&text).is_ok(), serde.is_ok(), "{}", text);
    }

    #[test]
    fn a_value_is_the_same_as_itself_printed_another_way(value in json()) {
        let (short, long) = (value.to_string(), serde_json::to_string_pretty(&value).unwrap());
        prop_assert!(Value::parse(&short).unwrap().same_value(&Value::parse(&long).unwrap()));
    }

    #[test]
    fn values_are_the_same_exactly_where_serde_says_so(a in json(), b in json()) {
        let (left, right) = (a.to_string(), b.to_string());
        prop_assert_eq!(Value::parse(&left).unwrap().same_value(&Value::parse(&right).unwrap()), a == b);
    }
}
