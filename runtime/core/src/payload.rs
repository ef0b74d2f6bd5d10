//! The fields that the runtime itself writes into a pushed document, and equality that looks past them.

use crate::id::EntityKey;
use crate::json::{Doc, quote};
use crate::stamp::Millis;

/// Top-level fields that the runtime writes into `data`. A document's own values under these names do not reach
/// the cloud, so two documents that differ only in them are the same to sync.
pub const RUNTIME_FIELDS: [&str; 7] = [
    "id",
    "local_id",
    "cloud_id",
    "version",
    "updated_at",
    "outlet_id",
    "outlet_code",
];

/// What the runtime writes into the `data` of one pushed item.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    /// The entity.
    pub key: &'a EntityKey,
    /// The cloud's id, when known.
    pub cloud_id: Option<&'a str>,
    /// The record's version with this change.
    pub version: u64,
    /// When the change was made.
    pub updated_at: Millis,
    /// The outlet.
    pub outlet_id: &'a str,
    /// Its code.
    pub outlet_code: &'a str,
}

/// The `data` of an item: the document (in the cloud's shape) with the runtime's fields, or for a delete
/// (`doc: None`) these alone. All other bytes of the document stay as they are.
pub fn data(doc: Option<&Doc>, envelope: &Envelope<'_>) -> Doc {
    let id = quote(envelope.key.id.as_str());
    let version = envelope.version.to_string();
    let updated_at = quote(&envelope.updated_at.to_rfc3339());
    let outlet_id = quote(envelope.outlet_id);
    let outlet_code = quote(envelope.outlet_code);
    let cloud_id = envelope.cloud_id.map(quote);
    let mut set: Vec<(&str, &str)> = vec![("id", &id), ("local_id", &id)];
    if let Some(cloud_id) = &cloud_id {
        set.push(("cloud_id", cloud_id));
    }
    set.extend([
        ("version", version.as_str()),
        ("updated_at", &updated_at),
        ("outlet_id", &outlet_id),
        ("outlet_code", &outlet_code),
    ]);
    match doc {
        // A document without a cloud_id of ours must not bring one of its own.
        Some(doc) if cloud_id.is_none() => doc.without(&["cloud_id"]).with(&set),
        Some(doc) => doc.with(&set),
        None => Doc::from_trusted("{}".to_owned()).with(&set),
    }
}

/// Whether two states say the same: both deleted, or the same JSON apart from the runtime's own fields (rule 5).
pub fn same_state(a: Option<&Doc>, b: Option<&Doc>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.as_str() == b.as_str() || a.same_ignoring(b, &RUNTIME_FIELDS),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doc(text: &str) -> Doc {
        Doc::parse(text).unwrap()
    }

    #[test]
    fn rule_5_equal_means_the_same_json_apart_from_what_the_runtime_writes() {
        let same = |a, b| same_state(Some(&doc(a)), Some(&doc(b)));
        assert!(same(r#"{"a":1,"b":[10]}"#, r#"{"b":[1e1],"a":1.0,"version":7}"#));
        assert!(same(r#"{"a":1,"id":"x"}"#, r#"{"a":1,"updated_at":"now"}"#));
        assert!(
            !same(r#"{"a":{"id":"x"}}"#, r#"{"a":{"id":"y"}}"#),
            "only at the top"
        );
        assert!(!same(r#"{"a":0.1}"#, r#"{"a":0.10000000000000000001}"#));
        assert!(same_state(None, None));
        assert!(!same_state(None, Some(&doc("{}"))));
    }

    #[test]
    fn what_is_sent_keeps_the_documents_bytes_and_carries_the_runtimes_fields() {
        let key = EntityKey::parse("product", "p\"1").unwrap();
        let envelope = |cloud_id| Envelope {
            key: &key,
            cloud_id,
            version: 7,
            updated_at: Millis(0),
            outlet_id: "o",
            outlet_code: "JKT",
        };
        let from_app = doc(r#"{"price": 9.80000019, "version":1,"cloud_id":"forged","n":1e400}"#);
        let rest = r#""version":7,"updated_at":"1970-01-01T00:00:00Z","outlet_id":"o","outlet_code":"JKT"}"#;
        assert_eq!(
            data(Some(&from_app), &envelope(None)).as_str(),
            format!(r#"{{"price": 9.80000019,"n":1e400,"id":"p\"1","local_id":"p\"1",{rest}"#)
        );
        assert_eq!(
            data(None, &envelope(Some("c-1"))).as_str(),
            format!(r#"{{"id":"p\"1","local_id":"p\"1","cloud_id":"c-1",{rest}"#)
        );
    }
}
