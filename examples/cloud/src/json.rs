//! JSON objects as text: reading members without touching their values, dropping envelope fields, merge patch.
//! It never parses a number, so `9.80000019`, `0.10` and `1e400` leave as they came.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What a runtime writes into a document on its way here, and what travels beside a document on its way back.
/// None of it is content: an app at one outlet must find what an app at another outlet wrote, no more.
///
/// `id` stays: it is the document's own name and the same everywhere. `updated_at` goes, because the runtime
/// overwrites it with the time of the edit, which this cloud keeps beside the document and sends back there.
pub const ENVELOPE: [&str; 6] = [
    "local_id",
    "cloud_id",
    "version",
    "updated_at",
    "outlet_id",
    "outlet_code",
];

/// How deep a merge patch may nest.
const MAX_PATCH_DEPTH: usize = 64;

/// Why a text was not usable as a JSON object.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or not an object.
    #[error("not a JSON object: {0}")]
    NotAnObject(#[from] serde_json::Error),
    /// Nested deeper than this cloud follows.
    #[error("a merge patch may be nested {MAX_PATCH_DEPTH} levels deep at most")]
    TooDeep,
}

/// An object's members in the order written: names unescaped, values exactly as they were.
#[derive(Debug)]
pub struct Object<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'a> Object<'a> {
    /// Reads one object.
    ///
    /// # Errors
    /// When the text is not JSON or not an object.
    pub fn parse(text: &'a str) -> Result<Self, JsonError> {
        Ok(serde_json::from_str(text)?)
    }

    /// The members in order.
    pub fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// A member's value; of a name written twice, the last.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, value)| *value)
    }

    /// A member that is a string.
    pub fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// The object as text without the [`ENVELOPE`] fields.
    pub fn content(&self) -> String {
        write_object(
            self.members()
                .filter(|(name, _)| !ENVELOPE.contains(name))
                .map(|(n, v)| (n, v.get())),
        )
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(16);
                while let Some((Name(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Object(members))
            }
        }
        from.deserialize_map(Members)
    }
}

/// A member's name, borrowed where it holds no escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_str(Text)
    }
}

/// Applies an RFC 7396 merge patch to an object given as text; untouched members keep their bytes.
///
/// # Errors
/// When either side is not an object, or the patch is nested too deep.
pub fn merge_patch(target: &str, patch: &str) -> Result<String, JsonError> {
    merge_at(target, patch, 0)
}

fn merge_at(target: &str, patch: &str, depth: usize) -> Result<String, JsonError> {
    if depth > MAX_PATCH_DEPTH {
        return Err(JsonError::TooDeep);
    }
    let (target, patch) = (Object::parse(target)?, Object::parse(patch)?);
    let mut members: Vec<(Cow<'_, str>, Cow<'_, str>)> = target
        .members()
        .map(|(n, v)| (Cow::Owned(n.to_owned()), Cow::Borrowed(v.get())))
        .collect();
    for (name, value) in patch.members() {
        let place = members.iter().position(|(n, _)| n == name);
        if value.get() == "null" {
            members.retain(|(n, _)| n != name);
            continue;
        }
        let new = if value.get().starts_with('{') {
            let old = place
                .map(|at| members[at].1.as_ref())
                .filter(|old| old.starts_with('{'));
            Cow::Owned(merge_at(old.unwrap_or("{}"), value.get(), depth + 1)?)
        } else {
            Cow::Borrowed(value.get())
        };
        match place {
            Some(at) => members[at].1 = new,
            None => members.push((Cow::Owned(name.to_owned()), new)),
        }
    }
    Ok(write_object(
        members.iter().map(|(n, v)| (n.as_ref(), v.as_ref())),
    ))
}

/// Writes an object from names and values that are JSON text already.
pub fn write_object<'a>(members: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::with_capacity(256);
    out.push('{');
    for (at, (name, value)) in members.enumerate() {
        if at > 0 {
            out.push(',');
        }
        push_text(&mut out, name);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    out
}

/// Appends a JSON string, quoted and escaped.
pub fn push_text(out: &mut String, text: &str) {
    let plain = text.bytes().all(|b| b >= 0x20 && b != b'"' && b != b'\\');
    if plain {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::String(text.to_owned()).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_drops_the_envelope_and_keeps_every_digit() {
        let pushed = r#"{"id":"p-1","local_id":"p-1","version":2,"price": 9.80000019 ,"n":12345678901234567890,"m":1e400,
            "z":0.10,"updated_at":"2026-01-27T10:35:00Z","outlet_id":"o","outlet_code":"c","cloud_id":"k","\u00e9":[1.50, {"version":1}]}"#;
        let content = Object::parse(pushed).unwrap().content();
        assert_eq!(
            content,
            r#"{"id":"p-1","price":9.80000019,"n":12345678901234567890,"m":1e400,"z":0.10,"é":[1.50, {"version":1}]}"#
        );
    }

    #[test]
    fn a_merge_patch_follows_rfc_7396_and_leaves_the_rest_alone() {
        let merged = merge_patch(
            r#"{"a":"b","c":{"d":"e","f":1.10},"g":[1],"h":0.10}"#,
            r#"{"a":"z","c":{"f":null,"n":{"x":null,"y":2.0}},"g":{"k":1}}"#,
        );
        assert_eq!(
            merged.unwrap(),
            r#"{"a":"z","c":{"d":"e","n":{"y":2.0}},"g":{"k":1},"h":0.10}"#
        );
    }

    #[test]
    fn a_patch_nested_too_deep_is_refused() {
        let deep = format!("{}1{}", r#"{"a":"#.repeat(100), "}".repeat(100));
        assert!(matches!(merge_patch("{}", &deep), Err(JsonError::TooDeep)));
    }

    #[test]
    fn names_are_escaped_again() {
        let object = Object::parse(r#"{"a\"b\n":1}"#).unwrap();
        assert_eq!(object.content(), r#"{"a\"b\n":1}"#);
        assert!(Object::parse("[1]").is_err());
    }
}
