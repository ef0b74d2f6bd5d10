//! Pages in every shape, whole and broken.

use super::*;

fn page(data: &str) -> Page {
    read_page(&format!(r#"{{"success":true,"data":{data}}}"#)).unwrap()
}

fn only(data: &str) -> Element {
    let mut page = page(data);
    assert_eq!((page.elements.len(), &page.problems), (1, &vec![]), "{data}");
    page.elements.remove(0)
}

const CONTRACT: &str = r#"{"success":true,"data":{
  "products":[{"cloud_id":"c-1","local_id":"prod-123","name":"…","price":40000,"version":3,"updated_at":"2026-01-27T11:00:00Z","action":"update"}],
  "categories":[], "items":[{"entity_type":"customer","cloud_id":"c-9","data":{"a": 1.0},"version":1,"updated_at":"2026-01-27T18:00:00.5+07:00"}],
  "deleted":[{"entity_type":"product","local_id":"prod-456","cloud_id":"c-456","version":4,"deleted_at":"2026-01-27T11:10:00Z"}],
  "sync_checkpoint":"2026-01-27T11:15:00Z","has_more":false}}"#;

#[test]
fn the_page_of_the_contract_is_read() {
    let page = read_page(CONTRACT).unwrap();
    assert_eq!(page.checkpoint.as_deref(), Some("2026-01-27T11:15:00Z"));
    assert!(!page.has_more && !page.complete && page.problems.is_empty());
    let [product, customer, deleted] = &page.elements[..] else {
        panic!("{page:?}")
    };
    assert_eq!(product.collection, Collection::Plural("products".into()));
    assert_eq!(product.data.as_deref(), Some(r#"{"name":"…","price":40000}"#));
    assert_eq!(
        (product.version, product.local_id.as_deref()),
        (Some(3), Some("prod-123"))
    );
    assert_eq!(product.stamp_ms, Some(1_769_511_600_000));
    assert_eq!(customer.collection, Collection::Typed("customer".into()));
    assert_eq!(customer.data.as_deref(), Some(r#"{"a": 1.0}"#));
    assert_eq!(customer.local_id, None);
    assert_eq!(customer.stamp_ms, Some(1_769_511_600_500));
    assert_eq!(deleted.collection, Collection::Typed("product".into()));
    assert_eq!((deleted.data.as_deref(), deleted.version), (None, Some(4)));
    assert_eq!(deleted.stamp_ms, Some(1_769_512_200_000));
}

#[test]
fn a_flat_document_keeps_its_bytes_and_order() {
    let seen = only(
        r#"{"things":[{ "z" : 1e400, "cloud_id":"c", "n":12345678901234567890,"p":0.10 ,"version":1,"s":"a\u00e9\\\"","nested":{"version": 7,"cloud_id":[1]}, "deleted_at":null }]}"#,
    );
    assert_eq!(
        seen.data.as_deref(),
        Some(
            r#"{"z" : 1e400,"n":12345678901234567890,"p":0.10,"s":"a\u00e9\\\"","nested":{"version": 7,"cloud_id":[1]},"deleted_at":null}"#
        )
    );
    assert_eq!(
        only(r#"{"things":[{"cloud_id":"c"}]}"#).data.as_deref(),
        Some("{}")
    );
}

#[test]
fn only_an_object_under_data_is_the_document() {
    assert_eq!(
        only(r#"{"notes":[{"cloud_id":"c","data":"text","x":1}]}"#)
            .data
            .as_deref(),
        Some(r#"{"data":"text","x":1}"#)
    );
    assert_eq!(
        only(r#"{"notes":[{"cloud_id":"c","data":{"v":1},"x":1}]}"#)
            .data
            .as_deref(),
        Some(r#"{"v":1}"#)
    );
}

#[test]
fn ids_and_versions_come_in_every_dress() {
    let seen = only(
        r#"{"orders":[{"cloud_id":17,"local_id":"","version":"3","updated_at":1769511600,"updated_by":5}]}"#,
    );
    assert_eq!(
        (seen.cloud_id.as_deref(), seen.local_id, seen.version),
        (Some("17"), None, Some(3))
    );
    assert_eq!(
        (seen.stamp_ms, seen.updated_by.as_deref()),
        (Some(1_769_511_600_000), Some("5"))
    );
    let seen = only(
        r#"{"orders":[{"local_id":"a","version":null,"timestamp":1769511600000,"updated_at":"yesterday"}]}"#,
    );
    assert_eq!((seen.version, seen.stamp_ms), (None, Some(1_769_511_600_000)));
    let page = page(r#"{"sync_checkpoint":42,"has_more":"true","complete":true}"#);
    assert_eq!(
        (page.checkpoint.as_deref(), page.has_more, page.complete),
        (Some("42"), true, true)
    );
}

#[test]
fn a_delete_is_a_delete_wherever_it_stands() {
    for data in [
        r#"{"products":[{"cloud_id":"c","action":"delete","name":"x"}]}"#,
        r#"{"items":[{"entity_type":"product","cloud_id":"c","operation":"delete","data":{"a":1}}]}"#,
        r#"{"deleted":[{"entity_type":"product","cloud_id":"c","data":{"a":1}}]}"#,
    ] {
        assert_eq!(only(data).data, None, "{data}");
    }
}

#[test]
fn a_change_id_is_given_back() {
    assert_eq!(
        only(r#"{"items":[{"entity_type":"order","cloud_id":"c","change_id":"01J","data":{}}]}"#)
            .change_id
            .as_deref(),
        Some("01J")
    );
}

#[test]
fn one_bad_element_is_a_problem_and_the_rest_goes_on() {
    let page = page(
        r#"{"products":[1,{"name":"no id"},{"cloud_id":"c","name":"good"},null],"items":[{"cloud_id":"d"}],
        "server":{"load":1e999},"note":"hi","sync_checkpoint":"7"}"#,
    );
    assert_eq!(page.elements.len(), 1);
    assert_eq!(page.checkpoint.as_deref(), Some("7"));
    assert_eq!(
        page.problems,
        [
            "products[0] is no object: 1",
            "products[1] has neither cloud_id nor local_id: {\"name\":\"no id\"}",
            "products[3] is no object: null",
            "items[0] has no entity_type: {\"cloud_id\":\"d\"}",
        ]
    );
}

#[test]
fn the_problems_of_a_page_are_bounded() {
    let page = page(&format!(r#"{{"x":[{}0]}}"#, "0,".repeat(999)));
    assert_eq!(page.problems.len(), MOST_PROBLEMS + 1);
    assert_eq!(page.problems.last().unwrap(), "and 950 more");
}

#[test]
fn an_empty_answer_is_an_empty_page_and_a_broken_one_is_none() {
    assert_eq!(page("{}"), Page::default());
    assert_eq!(read_page(r#"{"success":true}"#).unwrap(), Page::default());
    for broken in [
        "",
        "<html>",
        "[]",
        &CONTRACT[..300],
        "null",
        r#"{"success":false}"#,
    ] {
        assert!(read_page(broken).is_err(), "{broken}");
    }
}

#[test]
fn every_cut_of_a_page_is_refused_as_a_whole() {
    let whole = CONTRACT.trim_end();
    for cut in (0..whole.len()).filter(|cut| whole.is_char_boundary(*cut)) {
        assert_eq!(read_page(&whole[..cut]).unwrap_err().code(), "nonsense");
    }
}

#[test]
fn an_element_that_cannot_be_read_is_kept_whole_beside_its_problem() {
    let page = page(r#"{"items":[{"cloud_id":"c-1","data":{"n":1.50}},7],"products":[{"name":"Chai"}]}"#);
    let kept: Vec<_> = page
        .unreadable
        .iter()
        .map(|u| (u.collection.as_str(), u.raw.as_str()))
        .collect();
    assert_eq!(
        kept,
        [
            ("items", r#"{"cloud_id":"c-1","data":{"n":1.50}}"#),
            ("items", "7"),
            ("products", r#"{"name":"Chai"}"#)
        ]
    );
    assert_eq!(page.problems.len(), 3);
    let (collection, raw) = (&page.unreadable[0].collection, &page.unreadable[0].raw);
    assert_eq!(read_again(collection, raw), Err("has no entity_type".to_owned()));
    assert!(read_again("products", raw).is_ok());
}

#[test]
fn an_element_told_as_text_is_read_as_the_same_element() {
    let page = page(
        r#"{"items":[{"entity_type":"product","cloud_id":"c \"1","local_id":"p","version":3,"updated_by":"hq",
            "change_id":"ch","updated_at":"2026-01-27T10:35:00.500Z","data":{"n":1.50}}],
            "products":[{"cloud_id":"c-2","name":"Chai"}],
            "deleted":[{"entity_type":"product","local_id":"p","version":4,"deleted_at":"2026-01-27T10:35:00Z"}]}"#,
    );
    assert_eq!(page.elements.len(), 3);
    for element in &page.elements {
        let (collection, raw) = element.text();
        assert_eq!(read_again(&collection, &raw).as_ref(), Ok(element), "{raw}");
    }
}
