//! JSON read as text, apart from the runtime's own code for the same, so that a fault there cannot hide here.
//! Numbers are compared digit by digit: `1.0` and `1` are different texts.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// What the runtime writes into a pushed document, and no document is compared by.
pub const RUNTIME_FIELDS: [&str; 7] = [
    "id",
    "local_id",
    "cloud_id",
    "version",
    "updated_at",
    "outlet_id",
    "outlet_code",
];

struct Members(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Members;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    members.push((name, value.get().to_owned()));
                }
                Ok(Members(members))
            }
        }
        from.deserialize_map(Each)
    }
}

/// An object's members, values as written.
pub fn members(text: &str) -> Vec<(String, String)> {
    serde_json::from_str::<Members>(text)
        .unwrap_or_else(|e| panic!("not an object ({e}): {text}"))
        .0
}

/// An array's elements as written.
pub fn elements(text: &str) -> Vec<String> {
    let list: Vec<Box<RawValue>> =
        serde_json::from_str(text).unwrap_or_else(|e| panic!("not an array ({e}): {text}"));
    list.into_iter().map(|e| e.get().to_owned()).collect()
}

/// A value by its path (`data.items.0.name`), as written.
pub fn at(text: &str, path: &str) -> Option<String> {
    path.split('.')
        .filter(|p| !p.is_empty())
        .try_fold(text.to_owned(), |text, part| match text.as_bytes()[0] {
            b'{' => members(&text)
                .into_iter()
                .rfind(|(name, _)| name == part)
                .map(|(_, value)| value),
            b'[' => elements(&text).into_iter().nth(part.parse().ok()?),
            _ => None,
        })
}

/// A string by its path; none where it is absent or no string.
pub fn string_at(text: &str, path: &str) -> Option<String> {
    serde_json::from_str(&at(text, path)?).ok()
}

/// A whole number by its path.
pub fn number_at(text: &str, path: &str) -> Option<i64> {
    at(text, path)?.parse().ok()
}

/// An object without some members.
pub fn without(text: &str, names: &[&str]) -> String {
    let kept = members(text)
        .into_iter()
        .filter(|(name, _)| !names.contains(&name.as_str()));
    object(kept)
}

/// An object of raw members.
pub fn object(members: impl IntoIterator<Item = (String, String)>) -> String {
    let members: Vec<_> = members
        .into_iter()
        .map(|(name, value)| format!("{}:{value}", quote(&name)))
        .collect();
    format!("{{{}}}", members.join(","))
}

/// A JSON string.
pub fn quote(text: &str) -> String {
    serde_json::to_string(text).expect("invariant: a string is JSON")
}

/// One spelling for each document: sorted names, no space, numbers digit by digit.
pub fn canonical(text: &str) -> String {
    match text.trim().as_bytes()[0] {
        b'{' => {
            let sorted: BTreeMap<_, _> = members(text)
                .into_iter()
                .map(|(name, value)| (name, canonical(&value)))
                .collect();
            object(sorted)
        }
        b'[' => format!(
            "[{}]",
            elements(text)
                .iter()
                .map(|e| canonical(e))
                .collect::<Vec<_>>()
                .join(",")
        ),
        b'"' => quote(&serde_json::from_str::<String>(text).expect("invariant: a string")),
        _ => text.trim().to_owned(),
    }
}

/// A document as it is compared: canonical, less what the runtime writes into it.
pub fn content(text: &str) -> String {
    canonical(&without(text, &RUNTIME_FIELDS))
}

#[test]
fn the_comparison_sees_digits_and_passes_over_order_and_runtime_fields() {
    assert_eq!(
        content(r#"{ "b":[1.0, "\u0041"],"a":{"y":1,"x":2}, "version":7}"#),
        content(r#"{"a":{"x":2,"y":1},"id":"p","b":[1.0,"A"]}"#)
    );
    assert_ne!(content(r#"{"a":1.0}"#), content(r#"{"a":1}"#));
    assert_eq!(content(r#"{"n":1e400}"#), r#"{"n":1e400}"#);
    assert_eq!(
        at(r#"{"a":[{"b":12345678901234567890}]}"#, "a.0.b").as_deref(),
        Some("12345678901234567890")
    );
    assert_eq!(at(r#"{"a":[]}"#, "a.0"), None);
}
