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
