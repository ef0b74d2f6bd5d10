//! Batch requests byte for byte, and results in every shape.

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
fn results_speak_for_themselves_where_one_makes_the_whole_no_success() {
    let body = r#"{"success":false,"error":"1 failed","data":{"results":[
        {"entity_type":"order","local_id":"o-1","status":"success"},
        {"entity_type":"order","local_id":"o-2","status":"failed","error":"no stock"}]}}"#;
    let results = read_results(body).unwrap();
    assert_eq!(results[0].status, ResultStatus::Success);
    assert!(matches!(&results[1].status, ResultStatus::Failed { error, .. } if error == "no stock"));
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
