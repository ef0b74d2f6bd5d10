//! What objects promise.

use super::*;
use crate::json::Number;
use proptest::prelude::*;

const PRODUCT: &str = r#"{ "id" : "p-1", "n\u0061me":"caf\u00e9", "price":9.80000019, "big":12345678901234567890, "deep":{"a":[1, 2]} }"#;

#[test]
fn what_is_not_touched_keeps_its_bytes_and_its_order() {
    let mut object = Object::parse(PRODUCT).unwrap();
    object.set("price", &Number::parse("0.10").unwrap());
    object.set("new", "x\"y");
    assert!(object.remove("id"));
    assert_eq!(
        object.to_json(),
        r#"{"n\u0061me":"caf\u00e9","price":0.10,"big":12345678901234567890,"deep":{"a":[1, 2]},"new":"x\"y"}"#
    );
}

#[test]
fn names_are_compared_by_what_they_say_not_how_they_are_escaped() {
    let mut object = Object::parse(PRODUCT).unwrap();
    assert_eq!(object.get("name").unwrap().as_str().unwrap(), "café");
    assert!(object.remove("name"));
    assert!(!object.remove("name"));
}

#[test]
fn a_name_that_occurs_twice_is_refused_also_when_it_hides_in_an_escape() {
    for text in [r#"{"a":1,"b":2,"a":3}"#, r#"{"cost":1,"c\u006fst":2}"#] {
        assert_eq!(
            Object::parse(text).unwrap_err().problem,
            "a name occurs twice in the object"
        );
    }
}

#[test]
fn renaming_keeps_place_and_value_and_can_exchange_names() {
    let mut object = Object::parse(r#"{"a":1.0,"b":2,"c":3}"#).unwrap();
    object
        .rename_all(|name| match name {
            "a" => Some("b"),
            "b" => Some("a"),
            _ => None,
        })
        .unwrap();
    assert_eq!(object.to_json(), r#"{"b":1.0,"a":2,"c":3}"#);
    assert_eq!(object.rename("x", "y"), Ok(false));
}

#[test]
fn a_rename_onto_a_taken_name_changes_nothing() {
    let mut object = Object::parse(r#"{"a":1,"b":2}"#).unwrap();
    assert_eq!(object.rename("a", "b"), Err(NameTaken { name: "b".into() }));
    assert_eq!(object.to_json(), r#"{"a":1,"b":2}"#);
}

#[test]
fn what_is_no_object_is_refused() {
    for text in [
        "",
        "null",
        "[]",
        "{",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\":1}x",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        "{\"\\ud800\":1}",
    ] {
        assert!(Object::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_long_object_is_read_in_good_time() {
    let mut text = String::from("{");
    for at in 0..50_000 {
        text.push_str(&format!("\"k{at}\":1,"));
    }
    text.push_str("\"k0\":2}");
    assert!(Object::parse(&text).is_err());
}

#[test]
fn objects_are_the_same_whatever_their_order_and_spelling() {
    let a = Object::parse(r#"{"a":1.0,"b":["x",{"c":10}]}"#).unwrap();
    assert!(a.same_value(&Object::parse(r#"{"b":["\u0078",{"c":1e1}], "a":1}"#).unwrap()));
    for other in [
        r#"{"a":1}"#,
        r#"{"a":1,"b":["x",{"c":11}]}"#,
        r#"{"a":1,"b":["x"]}"#,
        r#"{"a":"1","b":["x",{"c":10}]}"#,
    ] {
        assert!(!a.same_value(&Object::parse(other).unwrap()), "{other}");
    }
}

proptest! {
    #[test]
    fn members_that_were_set_are_read_back_by_serde(members in proptest::collection::btree_map(any::<String>(), any::<i64>(), 0..20)) {
        let mut object = Object::new();
        for (name, value) in &members {
            object.set(name, value);
        }
        let read: std::collections::BTreeMap<String, i64> = serde_json::from_str(&object.to_json()).unwrap();
        prop_assert_eq!(read, members);
    }
}
