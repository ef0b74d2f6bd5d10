//! The bytes of a batch request, and its results read. Items are spliced into one buffer as the text they are;
//! results are taken in every shape the contract allows. Matching results to items is the engine's.

use super::answer::payload;
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
pub(super) fn request_body(
    outlet_id: &str,
    outlet_code: &str,
    sync_timestamp: &str,
    items: &[PushItem],
) -> Vec<u8> {
    /// Names, quotes and ids around one item's data.
    const AROUND: usize = 192;
    let size = items
        .iter()
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
    for (place, item) in items.iter().enumerate() {
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
    let Some(results) = payload(body)?.get("results").filter(|r| r.is_array()) else {
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
mod tests {
    use super::*;

    fn item(data: &str, change_id: &str, base_version: u64) -> PushItem {
        PushItem {
            entity_type: "product".into(),
            operation: "update",
            data: data.into(),
            change_id: change_id.into(),
            base_version,
        }
    }

    fn one(result: &str) -> ItemResult {
        let body = format!(r#"{{"success":true,"data":{{"results":[{result}]}}}}"#);
        read_results(&body).unwrap().remove(0)
    }

    #[test]
    fn items_go_out_as_the_text_they_are() {
        let items = [
            item(
                r#"{"local_id":"a", "price": 9.80000019,"n":12345678901234567890}"#,
                "01J1",
                3,
            ),
            item(r#"{"x":1e400}"#, "01J2", 0),
        ];
        let body = request_body("out\"1", "JKT-001", "2026-01-27T10:35:00Z", &items);
        assert_eq!(
            String::from_utf8(body).unwrap(),
            concat!(
                r#"{"outlet_id":"out\"1","outlet_code":"JKT-001","sync_timestamp":"2026-01-27T10:35:00Z","items":["#,
                r#"{"entity_type":"product","operation":"update","data":{"local_id":"a", "price": 9.80000019,"#,
                r#""n":12345678901234567890},"change_id":"01J1","base_version":3},"#,
                r#"{"entity_type":"product","operation":"update","data":{"x":1e400},"change_id":"01J2","base_version":0}]}"#
            )
        );
        assert!(Json::check(std::str::from_utf8(&request_body("", "", "", &[])).unwrap()).is_ok());
    }

    #[test]
    fn a_result_of_a_cloud_without_extensions_is_read() {
        let body = r#"{"success":true,"data":{"processed":2,"success":1,"failed":1,"synced_at":"…","results":[
            {"entity_type":"product","local_id":"prod-123","cloud_id":"c-1","status":"success"},
            {"entity_type":"order","local_id":"ORD-1","status":"failed","error":"no stock"}]}}"#;
        let results = read_results(body).unwrap();
        assert_eq!(results[0].status, ResultStatus::Success);
        assert_eq!(results[0].cloud_id.as_deref(), Some("c-1"));
        assert_eq!((results[0].version, &results[0].change_id), (None, &None));
        assert_eq!(
            results[1].status,
            ResultStatus::Failed {
                error: "no stock".into(),
                retryable: None
            }
        );
    }

    #[test]
    fn the_extensions_of_a_result_are_read() {
        let seen = one(r#"{"change_id":"01J","status":"success","version":4,"future":{"x":[1]}}"#);
        assert_eq!((seen.version, seen.change_id.as_deref()), (Some(4), Some("01J")));
        assert_eq!(one(r#"{"status":"duplicate","version":"4"}"#).version, Some(4));
        assert_eq!(
            one(r#"{"status":"failed","error":"x","retryable":false}"#).status,
            ResultStatus::Failed {
                error: "x".into(),
                retryable: Some(false)
            }
        );
        let conflict = one(
            r#"{"status":"conflict","cloud":{"cloud_id":7,"version":5,"data":{"p": 1.10},
            "updated_at":"2026-01-27T10:30:00Z","updated_by":"hq","deleted":false}}"#,
        );
        let side = CloudSide {
            cloud_id: Some("7".into()),
            version: Some(5),
            data: Some(r#"{"p": 1.10}"#.into()),
            updated_at: Some("2026-01-27T10:30:00Z".into()),
            updated_by: Some("hq".into()),
            deleted: false,
        };
        assert_eq!(conflict.status, ResultStatus::Conflict { cloud: Some(side) });
        let gone = one(r#"{"status":"conflict","cloud":{"version":6,"data":null,"deleted":true}}"#);
        assert!(
            matches!(gone.status, ResultStatus::Conflict { cloud: Some(s) } if s.deleted && s.data.is_none())
        );
        assert_eq!(
            one(r#"{"status":"conflict"}"#).status,
            ResultStatus::Conflict { cloud: None }
        );
    }

    #[test]
    fn what_a_result_should_not_hold_is_unknown_and_nothing_breaks() {
        assert_eq!(
            one(r#"{"status":"queued"}"#).status,
            ResultStatus::Unknown("queued".into())
        );
        assert_eq!(
            one(r#"{"local_id":"a"}"#).status,
            ResultStatus::Unknown(String::new())
        );
        assert_eq!(
            one(r#"{"status":{"a":1}}"#).status,
            ResultStatus::Unknown(String::new())
        );
        assert_eq!(one(r#"{"status":"success","version":-1}"#).version, None);
        assert_eq!(
            one(r#"{"status":"success","cloud_id":42}"#).cloud_id.as_deref(),
            Some("42")
        );
        let odd = one(r#"{"status":"failed","error":{"code":[7]}}"#);
        assert_eq!(
            odd.status,
            ResultStatus::Failed {
                error: r#"{"code":[7]}"#.into(),
                retryable: None
            }
        );
        assert!(
            matches!(one(r#"{"status":"failed","error":null}"#).status, ResultStatus::Failed { error, .. } if error.contains("no reason"))
        );
        let body = r#"{"data":{"results":[null,1,"x",[{}],{"status":"success"}]}}"#;
        assert_eq!(read_results(body).unwrap().len(), 1);
    }

    #[test]
    fn an_answer_without_results_decides_nothing() {
        for body in [
            r#"{"success":true}"#,
            r#"{"data":{"processed":1}}"#,
            r#"{"data":{"results":{}}}"#,
        ] {
            assert_eq!(read_results(body).unwrap_err().code(), "nonsense", "{body}");
        }
        assert_eq!(read_results(r#"{"results":[]}"#).unwrap(), []);
        assert_eq!(
            read_results(r#"{"success":false,"data":{"results":[]}}"#)
                .unwrap_err()
                .code(),
            "not_success"
        );
    }

    #[test]
    fn the_answer_of_a_document_call_is_read() {
        let read = read_document_result(
            r#"{"success":true,"data":{"cloud_id":"c-1","local_id":"a","version":"2","synced_at":"t"}}"#,
        );
        let whole = DocumentResult {
            cloud_id: Some("c-1".into()),
            local_id: Some("a".into()),
            version: Some(2),
            synced_at: Some("t".into()),
        };
        assert_eq!(read.unwrap(), whole);
        assert_eq!(
            read_document_result(r#"{"success":true}"#).unwrap(),
            DocumentResult::default()
        );
        assert!(read_document_result("").is_err());
    }
}
