//! The bytes of a batch request, and its results read. Items are spliced into one buffer as the text they are;
//! results are taken in every shape the contract allows. Matching results to items is the engine's.

use super::answer::{payload, results};
use super::error::{LinkError, excerpt};
use super::json::Json;
use std::sync::Arc;

/// One item of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushItem {
    /// The wire's name of the type.
    pub entity_type: String,
    /// `create`, `update` or `delete`.
    pub operation: &'static str,
    /// A JSON object's text with the runtime's fields in it; goes out byte for byte.
    pub data: Arc<str>,
    /// The change's id for life.
    pub change_id: String,
    /// The cloud version the change was made on; 0: none.
    pub base_version: u64,
}

/// What the cloud says of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemResult {
    /// The wire's name of the type.
    pub entity_type: Option<String>,
    /// The outlet's id.
    pub local_id: Option<String>,
    /// The cloud's id.
    pub cloud_id: Option<String>,
    /// Ours, given back (extension).
    pub change_id: Option<String>,
    /// What became of it.
    pub status: ResultStatus,
    /// The cloud's new version (extension).
    pub version: Option<u64>,
}

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResultStatus {
    /// Applied.
    Success,
    /// Applied already, earlier (extension).
    Duplicate,
    /// Refused.
    Failed {
        /// Why, as the cloud says it.
        error: String,
        /// Whether trying again makes sense (extension).
        retryable: Option<bool>,
    },
    /// The cloud has something newer than `base_version` (extension).
    Conflict {
        /// Its side, where it sent it.
        cloud: Option<CloudSide>,
    },
    /// A word that the contract does not have: the outcome is unknown.
    Unknown(String),
}

/// The cloud's side of a conflict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudSide {
    /// The cloud's id.
    pub cloud_id: Option<String>,
    /// The cloud's version.
    pub version: Option<u64>,
    /// The document's text, an object; none when deleted or not sent.
    pub data: Option<String>,
    /// When it was changed there, as sent.
    pub updated_at: Option<String>,
    /// Who changed it there.
    pub updated_by: Option<String>,
    /// Whether it is deleted there.
    pub deleted: bool,
}

/// What a per-document call answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DocumentResult {
    /// The cloud's id.
    pub cloud_id: Option<String>,
    /// The outlet's id.
    pub local_id: Option<String>,
    /// The cloud's version.
    pub version: Option<u64>,
    /// When, by the cloud's clock, as sent.
    pub synced_at: Option<String>,
}

/// The request's body, in one buffer.
pub(super) fn request_body<'i>(
    outlet_id: &str,
    outlet_code: &str,
    sync_timestamp: &str,
    items: impl IntoIterator<Item = &'i PushItem> + Clone,
) -> Vec<u8> {
    /// Names, quotes and ids around one item's data.
    const AROUND: usize = 192;
    let size = items
        .clone()
        .into_iter()
        .map(|i| i.data.len() + i.entity_type.len() + AROUND)
        .sum::<usize>();
    let mut body = Vec::with_capacity(size + 256);
    body.extend_from_slice(b"{\"outlet_id\":");
    quote(&mut body, outlet_id);
    body.extend_from_slice(b",\"outlet_code\":");
    quote(&mut body, outlet_code);
    body.extend_from_slice(b",\"sync_timestamp\":");
    quote(&mut body, sync_timestamp);
    body.extend_from_slice(b",\"items\":[");
    for (place, item) in items.into_iter().enumerate() {
        body.extend_from_slice(if place == 0 {
            b"{\"entity_type\":"
        } else {
            b",{\"entity_type\":"
        });
        quote(&mut body, &item.entity_type);
        body.extend_from_slice(b",\"operation\":");
        quote(&mut body, item.operation);
        body.extend_from_slice(b",\"data\":");
        body.extend_from_slice(item.data.as_bytes());
        body.extend_from_slice(b",\"change_id\":");
        quote(&mut body, &item.change_id);
        body.extend_from_slice(b",\"base_version\":");
        body.extend_from_slice(item.base_version.to_string().as_bytes());
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    body
}

/// Appends a JSON string.
pub(super) fn quote(body: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(body, text).expect("invariant: a string is JSON, and a Vec takes every byte");
}

/// Reads a batch result. Elements that are no objects are strangers like any other unmatched result.
pub(super) fn read_results(body: &str) -> Result<Vec<ItemResult>, LinkError> {
    let Some(results) = results(body)? else {
        return Err(LinkError::Nonsense(
            "a batch result without \"results\"".to_owned(),
        ));
    };
    Ok(results
        .elements()
        .filter(|r| r.is_object())
        .map(read_result)
        .collect())
}

fn read_result(json: Json<'_>) -> ItemResult {
    let mut result = ItemResult {
        entity_type: None,
        local_id: None,
        cloud_id: None,
        change_id: None,
        status: ResultStatus::Unknown(String::new()),
        version: None,
    };
    let (mut status, mut error, mut retryable, mut cloud) = (None, None, None, None);
    for member in json.members() {
        let value = member.value;
        match &*member.name {
            "entity_type" => result.entity_type = value.word(),
            "local_id" => result.local_id = value.word(),
            "cloud_id" => result.cloud_id = value.word(),
            "change_id" => result.change_id = value.word(),
            "version" => result.version = value.whole(),
            "status" => status = value.word(),
            "error" => error = Some(value),
            "retryable" => retryable = value.truth(),
            "cloud" => cloud = value.is_object().then(|| read_side(value)),
            _ => {}
        }
    }
    result.status = match status.as_deref() {
        Some("success") => ResultStatus::Success,
        Some("duplicate") => ResultStatus::Duplicate,
        Some("failed") => ResultStatus::Failed {
            error: reason(error),
            retryable,
        },
        Some("conflict") => ResultStatus::Conflict { cloud },
        other => ResultStatus::Unknown(other.unwrap_or_default().to_owned()),
    };
    result
}

/// A failure's reason: text, or whatever JSON the cloud put there.
fn reason(error: Option<Json<'_>>) -> String {
    match error.filter(|e| !e.is_null()) {
        Some(error) => error.word().unwrap_or_else(|| excerpt(error.text())),
        None => "the cloud gave no reason".to_owned(),
    }
}

fn read_side(json: Json<'_>) -> CloudSide {
    let data = json
        .get("data")
        .filter(|d| d.is_object())
        .map(|d| d.text().to_owned());
    CloudSide {
        cloud_id: json.get("cloud_id").and_then(Json::word),
        version: json.get("version").and_then(Json::whole),
        updated_at: json.get("updated_at").and_then(Json::word),
        updated_by: json.get("updated_by").and_then(Json::word),
        deleted: json.get("deleted").and_then(Json::truth).unwrap_or(false),
        data,
    }
}

/// Reads the answer of a per-document call.
pub(super) fn read_document_result(body: &str) -> Result<DocumentResult, LinkError> {
    let data = payload(body)?;
    Ok(DocumentResult {
        cloud_id: data.get("cloud_id").and_then(Json::word),
        local_id: data.get("local_id").and_then(Json::word),
        version: data.get("version").and_then(Json::whole),
        synced_at: data.get("synced_at").and_then(Json::word),
    })
}

#[cfg(test)]
mod tests;
