use super::*;

fn doc(text: &str) -> Doc {
    Doc::parse(text).unwrap()
}

fn hook(path: Path, text: &str) -> Result<Hook, ApiError> {
    let doc = doc(text);
    read(&doc, path)?.into_hook(&doc)
}

fn named(error: &ApiError) -> Vec<&str> {
    error
        .details()
        .iter()
        .map(|detail| detail.field.as_str())
        .collect()
}

#[test]
fn an_updates_document_stays_byte_for_byte() {
    let data = r#"{ "price":9.80000019, "big":12345678901234567890,"e":1e400 }"#;
    let text = format!(
        r#"{{"event":"product.updated","timestamp":"2026-01-27T10:30:00+07:00","entity_type":"product",
            "cloud_id":"c-1","local_id":"p-1","version":3,"updated_by":"hq","data":{data}}}"#
    );
    let Hook::Update(update) = hook(Path::Update, &text).unwrap() else {
        panic!("no update")
    };
    assert_eq!(update.data.unwrap().as_str(), data);
    assert_eq!(update.version, Some(3));
    assert_eq!(update.stamp, Millis::parse_rfc3339("2026-01-27T03:30:00Z"));
    assert_eq!(
        (update.cloud_id.as_deref(), update.local_id.as_deref()),
        (Some("c-1"), Some("p-1"))
    );
}

#[test]
fn ids_and_versions_are_taken_as_text_or_number() {
    let text = r#"{"entity_type":"product","cloud_id":17,"version":"4","deleted_at":"2026-01-27T10:30:00Z"}"#;
    let Hook::Update(update) = hook(Path::Delete, text).unwrap() else {
        panic!("no update")
    };
    assert_eq!(
        (update.cloud_id.as_deref(), update.version, update.data),
        (Some("17"), Some(4), None)
    );
    assert!(update.stamp.is_some());
}

#[test]
fn every_wrong_field_of_an_update_is_named() {
    let error = hook(Path::Update, r#"{"version":-1,"data":[1],"updated_at":"now"}"#).unwrap_err();
    assert_eq!(error.status(), 422);
    assert_eq!(
        named(&error),
        ["entity_type", "cloud_id", "data", "updated_at", "version"]
    );
    assert_eq!(
        named(&hook(Path::Delete, "{}").unwrap_err()),
        ["entity_type", "cloud_id"]
    );
}

#[test]
fn an_event_of_another_path_is_refused() {
    for (path, event) in [
        (Path::Update, "entity.deleted"),
        (Path::Delete, "entity.updated"),
        (Path::Update, "conflict"),
        (Path::Conflict, "bulk_update"),
        (Path::Update, "bulk-update"),
        (Path::Delete, "update"),
    ] {
        let text = format!(r#"{{"event":"{event}","entity_type":"product"}}"#);
        let error = read(&doc(&text), path).unwrap_err();
        assert_eq!(
            (error.status().as_u16(), error.code()),
            (422, "event_mismatch"),
            "{event}"
        );
    }
}

#[test]
fn an_event_that_fits_or_says_nothing_known_passes() {
    for (path, event) in [
        (Path::Update, "product.created"),
        (Path::Update, "PRICE_CHANGED"),
        (Path::Update, "order.paid"),
        (Path::Delete, "entity_delete"),
        (Path::Conflict, "conflict.detected"),
        (Path::Bulk, "bulk_update"),
        (Path::Bulk, "bulk.deleted"),
        (Path::Update, "deleted_item.updated"),
    ] {
        let text = format!(r#"{{"event":"{event}","entity_type":"deleted_item"}}"#);
        assert!(read(&doc(&text), path).is_ok(), "{event}");
    }
}

#[test]
fn a_timestamp_that_is_no_time_is_422() {
    for bad in [r#""yesterday""#, "1769509800", "{}"] {
        let error = read(&doc(&format!(r#"{{"timestamp":{bad}}}"#)), Path::Update).unwrap_err();
        assert_eq!(
            (error.status().as_u16(), error.details()[0].field.as_str()),
            (422, "timestamp")
        );
    }
}

#[test]
fn one_bad_element_of_a_bulk_fails_alone() {
    let text = r#"{"timestamp":"2026-01-27T10:30:00Z","updates":[
        {"entity_type":"product","cloud_id":"c-1","version":1,"data":{"a": 1}},
        {"entity_type":"product","data":{}},
        "nothing",
        {"entity_type":"product","cloud_id":"c-2","version":2,"action":"delete"}]}"#;
    let Hook::Bulk(elements) = hook(Path::Bulk, text).unwrap() else {
        panic!("no bulk")
    };
    let [good, unnamed, nothing, gone] = elements.as_slice() else {
        panic!("{elements:?}")
    };
    let BulkElement::Update(good) = good else {
        panic!("{good:?}")
    };
    assert_eq!(good.data.as_ref().unwrap().as_str(), r#"{"a": 1}"#);
    assert_eq!(good.stamp, Millis::parse_rfc3339("2026-01-27T10:30:00Z"));
    let BulkElement::Unreadable { problem, .. } = unnamed else {
        panic!("{unnamed:?}")
    };
    assert!(problem.contains("updates[1].cloud_id"), "{problem}");
    assert_eq!(
        *nothing,
        BulkElement::Unreadable {
            problem: "updates[2] must be a JSON object".to_owned(),
            raw: "\"nothing\"".to_owned()
        }
    );
    assert!(matches!(gone, BulkElement::Update(HookUpdate { data: None, .. })));
}

#[test]
fn a_bulk_without_updates_is_422() {
    for bad in ["{}", r#"{"updates":{}}"#] {
        assert_eq!(named(&hook(Path::Bulk, bad).unwrap_err()), ["updates"]);
    }
}

#[test]
fn a_conflict_says_which_entity_and_whether_the_cloud_waits() {
    let text = r#"{"event":"conflict","timestamp":"2026-01-27T10:30:00Z","entity_type":"product","cloud_id":"c-1",
        "local_id":"p-1","conflict_id":"k-1","conflict":{"field":"price","cloud_value":1},"resolution_required":true}"#;
    let Hook::Conflict(conflict) = hook(Path::Conflict, text).unwrap() else {
        panic!("no conflict")
    };
    assert_eq!(conflict.conflict_id.as_deref(), Some("k-1"));
    assert!(conflict.resolution_required);
}

#[test]
fn events_of_broadcasts_and_configurations_belong_to_their_own_paths() {
    let of = |event: &str, path| read(&doc(&format!(r#"{{"event":"{event}"}}"#)), path).map(drop);
    for event in [
        "broadcast",
        "broadcast.created",
        "message_updated",
        "outlet.notified",
    ] {
        of(event, Path::Broadcast).unwrap();
    }
    for event in ["config", "config.updated", "outlet_settings_changed"] {
        of(event, Path::Config).unwrap();
    }
    for (event, path) in [
        ("product.updated", Path::Config),
        ("product.deleted", Path::Broadcast),
        ("broadcast", Path::Config),
        ("config", Path::Update),
    ] {
        assert_eq!(of(event, path).unwrap_err().code(), "event_mismatch", "{event}");
    }
}
