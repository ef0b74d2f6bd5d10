//! Documents as text. Two are equal when they are the same JSON with key order aside and every number written with
//! the same digits: stricter than a sync needs to be, and independent of how the runtime compares.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::value::RawValue;

/// What the runtime and the cloud write into documents for themselves.
pub const ENVELOPE: [&str; 7] = [
    "id",
    "local_id",
    "cloud_id",
    "version",
    "updated_at",
    "outlet_id",
    "outlet_code",
];

/// An object's members: names, and values as text.
pub type Members = BTreeMap<String, Box<RawValue>>;

/// Reads an object.
///
/// # Errors
/// When it is not one.
pub fn members(text: &str) -> anyhow::Result<Members> {
    serde_json::from_str(text).with_context(|| format!("not a JSON object: {text}"))
}

/// The document with one member set; `value` is JSON text.
///
/// # Errors
/// When either is not JSON.
pub fn with(text: &str, name: &str, value: &str) -> anyhow::Result<String> {
    let mut members = members(text)?;
    members.insert(name.to_owned(), RawValue::from_string(value.to_owned())?);
    Ok(serde_json::to_string(&members)?)
}

/// One member as text.
pub fn member(text: &str, name: &str) -> Option<String> {
    Some(members(text).ok()?.get(name)?.get().to_owned())
}

/// The document's content in one agreed way of writing: without the [`ENVELOPE`], names sorted, no white space,
/// strings escaped alike, numbers untouched.
///
/// # Errors
/// When it is not an object.
pub fn content(text: &str) -> anyhow::Result<String> {
    let mut members = members(text)?;
    members.retain(|name, _| !ENVELOPE.contains(&name.as_str()));
    write_object(&members)
}

fn canonical(value: &str) -> anyhow::Result<String> {
    match value.as_bytes().first() {
        Some(b'{') => write_object(&members(value)?),
        Some(b'[') => {
            let elements: Vec<Box<RawValue>> = serde_json::from_str(value)?;
            let elements: Vec<_> = elements
                .iter()
                .map(|e| canonical(e.get()))
                .collect::<Result<_, _>>()?;
            Ok(format!("[{}]", elements.join(",")))
        }
        Some(b'"') => Ok(serde_json::to_string(&serde_json::from_str::<String>(value)?)?),
        _ => Ok(value.to_owned()),
    }
}

fn write_object(members: &Members) -> anyhow::Result<String> {
    let members = members.iter().map(|(name, value)| {
        Ok(format!(
            "{}:{}",
            serde_json::to_string(name)?,
            canonical(value.get())?
        ))
    });
    Ok(format!(
        "{{{}}}",
        members.collect::<anyhow::Result<Vec<_>>>()?.join(",")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_envelope_do_not_count_but_every_digit_does() {
        let a =
            content(r#"{"id":"1","price":9.80000019,"l":[1.0, {"b":1,"a":"\u00e9"}],"version":3}"#).unwrap();
        let b = content(r#"{"l":[1.0,{"a":"é","b":1}],"price":9.80000019,"id":"2"}"#).unwrap();
        assert_eq!(a, b);
        assert_ne!(
            a,
            content(r#"{"l":[1,{"a":"é","b":1}],"price":9.80000019}"#).unwrap()
        );
        assert!(content("[1]").is_err());
    }

    #[test]
    fn one_member_is_set_and_the_rest_keeps_its_digits() {
        let doc = with(r#"{"a":1e400,"b":0.10}"#, "b", "0.20").unwrap();
        assert_eq!(doc, r#"{"a":1e400,"b":0.20}"#);
        assert_eq!(member(&doc, "b").as_deref(), Some("0.20"));
    }
}
