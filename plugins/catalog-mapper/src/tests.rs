//! What the mapper promises, natively: the law of the round trip, and what is refused.

use super::*;
use proptest::prelude::*;
use selaras_sdk::testing::{self, Outlet};
use selaras_sdk::Value;

const SETTINGS: &str = r#"{"price_fields":["price","cost"],"rename":{"name":"title","stock":"quantity"},
    "private":["note","margin"],"reference_fields":{"category_id":"category"}}"#;

fn product(body: &str) -> Document {
    Document::new("product", "p-1", body)
}

fn outlet() -> Outlet {
    Outlet::new()
        .with(Document::new("category", "cat-1", "{}").with_cloud_id("c-11"))
        .with(Document::new("category", "cat-2", "{}").with_cloud_id("c-22"))
        .with(Document::new("category", "cat-3", "{}"))
}

fn put(outcome: Result<Outcome, Error>) -> String {
    match outcome.unwrap() {
        Outcome::Put(document) => document.body,
        Outcome::Skip(reason) => panic!("skipped: {reason}"),
    }
}

fn to_cloud(settings: &str, body: &str) -> Result<Outcome, Error> {
    CatalogMapper::to_cloud(&testing::context(settings), &product(body))
}

fn to_local(settings: &str, body: &str) -> Result<Outcome, Error> {
    CatalogMapper::to_local(&testing::context(settings), &product(body))
}

fn same(a: &str, b: &str) -> bool {
    Value::parse(a).unwrap().same_value(&Value::parse(b).unwrap())
}

#[test]
fn a_product_goes_to_the_cloud_in_the_clouds_shape_and_other_fields_keep_their_bytes() {
    let _outlet = outlet().install();
    let body = r#"{"id":"p-1","name":"Ch\u0061i","category_id":"cat-1","price":1800,"cost":5,"note":"shh","stock":39,"weight":0.10,"sku":12345678901234567890,"x":1e400}"#;
    assert_eq!(
        put(to_cloud(SETTINGS, body)),
        r#"{"id":"p-1","title":"Ch\u0061i","category_id":"c-11","price":18.00,"cost":0.05,"quantity":39,"weight":0.10,"sku":12345678901234567890,"x":1e400}"#
    );
}

#[test]
fn private_fields_survive_what_comes_back_and_are_never_taken_from_the_cloud() {
    let record = product(r#"{"name":"Chai","note":"shh","margin":12.50}"#);
    let outlet = outlet().with(record).install();
    let back = put(to_local(
        SETTINGS,
        r#"{"title":"Chai latte","note":"from elsewhere"}"#,
    ));
    assert_eq!(back, r#"{"name":"Chai latte","note":"shh","margin":12.50}"#);
    assert_eq!(outlet.logged().len(), 1);
}

#[test]
fn a_record_that_is_new_or_deleted_here_has_no_private_fields_to_put_back() {
    let body = r#"{"title":"Chai"}"#;
    assert_eq!(put(to_local(SETTINGS, body)), r#"{"name":"Chai"}"#);
    let _outlet = Outlet::new()
        .with(Document::tombstone("product", "p-1"))
        .install();
    assert_eq!(put(to_local(SETTINGS, body)), r#"{"name":"Chai"}"#);
}

#[test]
fn a_price_is_never_rounded() {
    for (cloud, outlet) in [
        ("10.50", "1050"),
        ("10.5", "1050"),
        ("10.500", "1050"),
        ("105e-1", "1050"),
        ("-0.01", "-1"),
        ("40000", "4000000"),
    ] {
        assert_eq!(
            put(to_local(SETTINGS, &format!(r#"{{"price":{cloud}}}"#))),
            format!(r#"{{"price":{outlet}}}"#)
        );
    }
    for price in ["10.505", "9.80000019", "1e-3"] {
        let error = to_local(SETTINGS, &format!(r#"{{"price":{price}}}"#)).unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.retryable, error.field.as_deref()),
            ("price-too-precise", false, Some("price"))
        );
    }
}

#[test]
fn digits_beyond_two_are_carried_where_the_settings_say_so() {
    let settings = r#"{"price_fields":["price"],"minor_digits":8}"#;
    assert_eq!(
        put(to_local(settings, r#"{"price":9.80000019}"#)),
        r#"{"price":980000019}"#
    );
    let none = r#"{"price_fields":["price"],"minor_digits":0}"#;
    assert_eq!(put(to_cloud(none, r#"{"price":40000}"#)), r#"{"price":40000}"#);
}

#[test]
fn what_is_no_price_is_refused_by_name() {
    for price in ["10.5", "\"1050\"", "true", "[]", "1e400"] {
        let error = to_cloud(SETTINGS, &format!(r#"{{"cost":{price}}}"#)).unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.retryable, error.field.as_deref()),
            ("invalid-price", false, Some("cost"))
        );
    }
    assert_eq!(put(to_cloud(SETTINGS, r#"{"price":null}"#)), r#"{"price":null}"#);
}

#[test]
fn a_reference_the_other_side_does_not_know_yet_waits_instead_of_being_lost() {
    let _outlet = outlet().install();
    for id in ["cat-3", "cat-9", "c-11"] {
        let error = to_cloud(SETTINGS, &format!(r#"{{"category_id":"{id}"}}"#)).unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.retryable, error.field.as_deref()),
            ("unknown-reference", true, Some("category_id"))
        );
    }
    let error = to_local(SETTINGS, r#"{"category_id":"c-99"}"#).unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.retryable),
        ("unknown-reference", true)
    );
    assert_eq!(
        to_cloud(SETTINGS, r#"{"category_id":1}"#).unwrap_err().code,
        "invalid-reference"
    );
    assert_eq!(
        put(to_cloud(SETTINGS, r#"{"category_id":null}"#)),
        r#"{"category_id":null}"#
    );
}

#[test]
fn a_field_that_would_come_back_under_another_name_is_refused_both_ways() {
    for body in [r#"{"title":"a"}"#, r#"{"name":"a","title":"b"}"#] {
        assert_eq!(
            to_cloud(SETTINGS, body).unwrap_err().code,
            "field-name-taken",
            "{body}"
        );
    }
    for body in [r#"{"name":"a"}"#, r#"{"name":"a","title":"b"}"#] {
        assert_eq!(
            to_local(SETTINGS, body).unwrap_err().code,
            "field-name-taken",
            "{body}"
        );
    }
}

#[test]
fn names_can_be_exchanged() {
    let settings = r#"{"rename":{"a":"b","b":"a"}}"#;
    assert_eq!(put(to_cloud(settings, r#"{"a":1,"b":2}"#)), r#"{"b":1,"a":2}"#);
    assert_eq!(put(to_local(settings, r#"{"b":1,"a":2}"#)), r#"{"a":1,"b":2}"#);
}

#[test]
fn settings_that_would_lose_something_are_refused() {
    for (settings, field) in [
        (r#"{"price_field":["price"]}"#, "price_field"),
        (r#"{"price_fields":"price"}"#, "price_fields"),
        (r#"{"minor_digits":19}"#, "minor_digits"),
        (r#"{"minor_digits":-1}"#, "minor_digits"),
        (r#"{"rename":{"a":"x","b":"x"}}"#, "rename"),
        (r#"{"rename":{"a":"x"},"private":["a"]}"#, "private"),
        (r#"{"price_fields":["a"],"private":["a"]}"#, "price_fields"),
        (
            r#"{"price_fields":["a"],"reference_fields":{"a":"t"}}"#,
            "price_fields",
        ),
    ] {
        for error in [
            to_cloud(settings, "{}").unwrap_err(),
            to_local(settings, "{}").unwrap_err(),
        ] {
            assert_eq!(
                (error.code.as_str(), error.retryable),
                ("invalid-settings", false),
                "{settings}"
            );
            assert_eq!(error.field.as_deref(), Some(field), "{settings}");
        }
    }
}

#[test]
fn a_tombstone_and_a_document_without_rules_pass_as_they_are() {
    let gone = Document::tombstone("product", "p-1");
    let cx = testing::context(SETTINGS);
    assert_eq!(
        CatalogMapper::to_cloud(&cx, &gone),
        Ok(Outcome::Put(gone.clone()))
    );
    assert_eq!(
        CatalogMapper::to_local(&cx, &gone),
        Ok(Outcome::Put(gone.clone()))
    );
    assert_eq!(
        put(to_cloud("{}", r#"{"price":9.80000019,"n":0.10}"#)),
        r#"{"price":9.80000019,"n":0.10}"#
    );
}

#[test]
fn a_body_that_is_no_object_is_refused() {
    for body in ["null", "[]", "{", r#"{"note":1,"note":2}"#] {
        assert_eq!(
            to_cloud(SETTINGS, body).unwrap_err().code,
            "invalid-document",
            "{body}"
        );
    }
}

#[test]
fn the_schema_names_every_setting_there_is() {
    let schema = Value::parse(rules::SCHEMA).unwrap().as_object().unwrap();
    let properties = schema.get("properties").unwrap().as_object().unwrap();
    let names: Vec<&str> = properties.iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "price_fields",
            "minor_digits",
            "rename",
            "private",
            "reference_fields"
        ]
    );
    let info = CatalogMapper::info();
    assert_eq!(
        info.attrs,
        [("settings-schema".to_owned(), rules::SCHEMA.to_owned())]
    );
}

/// Members of an outlet's product: what the rules treat, and anything else, in any order.
fn members() -> impl Strategy<Value = Vec<(String, String)>> {
    let of = |name: &'static str, values: BoxedStrategy<String>| {
        values.prop_map(move |value| (name.to_owned(), value)).boxed()
    };
    let minor = || {
        prop_oneof![
            any::<i64>().prop_map(|minor| minor.to_string()),
            Just("null".to_owned())
        ]
        .boxed()
    };
    let text = || any::<String>().prop_map(|text| quoted(&text)).boxed();
    let other = (
        "x[a-z]{1,6}",
        "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,3})?",
    );
    let category = prop::sample::select(vec![
        "\"cat-1\"".to_owned(),
        "\"cat-2\"".to_owned(),
        "null".to_owned(),
    ])
    .boxed();
    let known = vec![
        of("name", text()),
        of("note", text()),
        of("margin", minor()),
        of("price", minor()),
        of("cost", minor()),
        of("stock", minor()),
        of("category_id", category),
    ];
    (known, proptest::collection::btree_map(other.0, other.1, 0..4)).prop_flat_map(|(known, others)| {
        let all: Vec<_> = known.into_iter().chain(others).collect();
        let count = all.len();
        (proptest::sample::subsequence(all, 0..=count)).prop_shuffle()
    })
}

fn quoted(text: &str) -> String {
    let mut object = Object::new();
    object.set("v", text);
    let quoted = object.get("v").unwrap().raw().to_owned();
    quoted
}

fn body(members: &[(String, String)]) -> String {
    let members: Vec<String> = members
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", members.join(","))
}

proptest! {
    #[test]
    fn what_went_to_the_cloud_and_comes_back_is_the_outlets_document_again(members in members()) {
        let body = body(&members);
        let _outlet = outlet().with(product(&body)).install();
        let cloud = put(to_cloud(SETTINGS, &body));
        let back = put(to_local(SETTINGS, &cloud));
        prop_assert!(same(&back, &body), "{} -> {} -> {}", body, cloud, back);
        let shape = Object::parse(&cloud).unwrap();
        prop_assert!(!shape.contains("note") && !shape.contains("margin") && !shape.contains("name"));
        prop_assert_eq!(put(to_cloud(SETTINGS, &back)).len(), cloud.len());
    }

    #[test]
    fn without_private_fields_the_way_there_and_back_keeps_every_byte(members in members()) {
        let settings = r#"{"price_fields":["price","cost"],"rename":{"name":"title","stock":"quantity"},"reference_fields":{"category_id":"category"}}"#;
        let body = body(&members);
        let _outlet = outlet().install();
        prop_assert_eq!(put(to_local(settings, &put(to_cloud(settings, &body)))), body);
    }

    #[test]
    fn what_came_from_the_cloud_and_goes_back_is_the_clouds_document_again(minor in any::<i64>(), digits in 0usize..3, title in any::<String>()) {
        let _outlet = outlet().install();
        let mut price = selaras_sdk::Number::from_scaled(i128::from(minor), 2).as_str().to_owned();
        price.push_str(&"0".repeat(digits));
        let cloud = format!(r#"{{"title":{},"price":{price},"category_id":"c-22"}}"#, quoted(&title));
        let back = put(to_cloud(SETTINGS, &put(to_local(SETTINGS, &cloud))));
        prop_assert!(same(&back, &cloud), "{} -> {}", cloud, back);
    }
}
