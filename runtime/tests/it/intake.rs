//! An app hands changes over: versions, preconditions, keys, the feed, and that nothing accepted is lost.

use crate::harness::json_text::{at, elements, number_at, string_at};
use crate::harness::northwind;
use crate::outlet::{Outlet, Setup};
use crate::scripted_cloud::ScriptedCloud;

/// An outlet whose changes stay where they are.
async fn alone() -> Outlet {
    Setup::without_cloud().start().await
}

#[tokio::test]
async fn a_document_is_created_updated_patched_and_deleted() {
    let outlet = alone().await;
    let created = outlet
        .put("product", "p-1", r#"{"name":"Chai","price":18}"#)
        .await
        .expect(201);
    assert_eq!(created.str("data.entity_type"), "product");
    assert_eq!(created.str("data.entity_id"), "p-1");
    assert_eq!(created.num("data.version"), 1);
    assert_eq!(created.str("data.sync_status"), "pending");
    assert!(created.string("data.queue_id").is_some());
    assert_eq!(created.header("etag"), Some("\"1\""));

    let updated = outlet
        .put("product", "p-1", r#"{"name":"Chai","price":19}"#)
        .await
        .expect(200);
    assert_eq!(updated.num("data.version"), 2);
    let patched = outlet
        .patch("product", "p-1", r#"{"stock":3,"name":null}"#)
        .await
        .expect(200);
    assert_eq!(patched.num("data.version"), 3);
    assert_eq!(
        outlet.document("product", "p-1").await.as_deref(),
        Some(r#"{"price":19,"stock":3}"#)
    );

    outlet.delete("product", "p-1").await.expect(200);
    let gone = outlet.get("product", "p-1").await.expect(200);
    assert!(gone.truth("data.deleted"));
    assert_eq!(gone.num("data.version"), 4);
    outlet
        .delete("product", "p-1")
        .await
        .expect_error(404, "entity_not_found");
    outlet
        .patch("product", "p-2", "{}")
        .await
        .expect_error(404, "entity_not_found");
    outlet
        .get("product", "p-2")
        .await
        .expect_error(404, "entity_not_found");
}

#[tokio::test]
async fn a_document_comes_out_byte_for_byte() {
    let outlet = alone().await;
    let document = r#"{"z": 0.10,"a":9.80000019,"n":12345678901234567890,"huge":1e400,"tiny":-0.0E-7,"s":"\u00e9\/é","nested":{"b":[1.0, 1]}}"#;
    outlet.put("odd", "x/y z", document).await.expect(201);
    assert_eq!(outlet.document("odd", "x/y z").await.as_deref(), Some(document));
    outlet
        .patch("odd", "x/y z", r#"{"added":1.50}"#)
        .await
        .expect(200);
    let patched = outlet.document("odd", "x/y z").await.unwrap();
    assert_eq!(patched, document.replace("]}}", r#"]},"added":1.50}"#));
}

#[tokio::test]
async fn if_match_protects_a_version_and_if_none_match_a_place() {
    let outlet = alone().await;
    let put = |version: &str| {
        outlet
            .request("PUT", "/api/v1/entities/product/p")
            .json(r#"{"n":1}"#)
            .header("If-Match", version)
    };
    put("\"1\"").await.expect(412);
    let fresh = || {
        outlet
            .request("PUT", "/api/v1/entities/product/p")
            .json(r#"{"n":0}"#)
            .header("If-None-Match", "*")
    };
    fresh().await.expect(201);
    fresh().await.expect_error(412, "version_mismatch");
    put("\"7\"").await.expect_error(412, "version_mismatch");
    put("\"1\"").await.expect(200);
    put("\"1\"").await.expect(412);
    assert_eq!(
        outlet.document("product", "p").await.as_deref(),
        Some(r#"{"n":1}"#)
    );
    let delete = outlet
        .request("DELETE", "/api/v1/entities/product/p")
        .header("If-Match", "\"1\"");
    delete.await.expect(412);
}

#[tokio::test]
async fn a_repeated_idempotency_key_gets_the_first_answer_also_after_a_power_cut() {
    let outlet = alone().await;
    async fn put(outlet: &Outlet, document: &str) -> crate::outlet::Reply {
        let request = outlet.request("PUT", "/api/v1/entities/order/o-1").json(document);
        request.header("Idempotency-Key", "k-1").await
    }
    let first = put(&outlet, r#"{"total":5}"#).await.expect(201);
    outlet.put("order", "o-1", r#"{"total":6}"#).await.expect(200);
    let again = put(&outlet, r#"{"total":5}"#).await.expect(201);
    assert_eq!(again.raw("data.version"), first.raw("data.version"));
    put(&outlet, r#"{"total":7}"#)
        .await
        .expect_error(422, "idempotency_key_reused");

    let outlet = outlet.kill().await.start().await;
    let later = put(&outlet, r#"{"total":5}"#).await.expect(201);
    assert_eq!(later.raw("data.queue_id"), first.raw("data.queue_id"));
    assert_eq!(
        outlet.document("order", "o-1").await.as_deref(),
        Some(r#"{"total":6}"#)
    );
}

#[tokio::test]
async fn a_list_of_changes_is_taken_whole_or_not_at_all() {
    let outlet = alone().await;
    let bad = r#"{"changes":[
        {"entity_type":"product","entity_id":"a","operation":"create","data":{"n":1}},
        {"entity_type":"product","entity_id":"b","operation":"upsert","data":{"n":1}},
        {"entity_type":"product","entity_id":"c","operation":"create"}]}"#;
    let refused = outlet
        .request("POST", "/api/v1/changes")
        .json(bad)
        .await
        .expect(422);
    assert_eq!(
        refused.named_fields(),
        ["changes[1].operation", "changes[2].data"]
    );
    outlet.get("product", "a").await.expect(404);
    assert_eq!(outlet.feed(0).await.list().len(), 0);

    let good = r#"{"changes":[
        {"entity_type":"product","entity_id":"a","operation":"create","data":{"n":1},"change_id":"mine-1"},
        {"entity_type":"product","entity_id":"a","operation":"update","data":{"n":2}},
        {"entity_type":"product","entity_id":"nobody","operation":"delete"}]}"#;
    let taken = outlet
        .request("POST", "/api/v1/changes")
        .json(good)
        .await
        .expect(201);
    assert_eq!(taken.list().len(), 3);
    assert_eq!((taken.num("data.0.version"), taken.num("data.1.version")), (1, 2));
    assert_eq!(
        outlet.document("product", "a").await.as_deref(),
        Some(r#"{"n":2}"#)
    );
}

#[tokio::test]
async fn an_apps_own_change_id_takes_effect_once() {
    let outlet = alone().await;
    let change = |n: u8| {
        format!(
            r#"{{"changes":[{{"entity_type":"product","entity_id":"a","operation":"update","data":{{"n":{n}}},"change_id":"mine-1"}}]}}"#
        )
    };
    outlet
        .request("POST", "/api/v1/changes")
        .json(change(1))
        .await
        .expect(201);
    outlet
        .request("POST", "/api/v1/changes")
        .json(change(1))
        .await
        .expect(201);
    assert_eq!(outlet.get("product", "a").await.num("data.version"), 1);
    outlet
        .request("POST", "/api/v1/changes")
        .json(change(2))
        .await
        .expect(422);
}

#[tokio::test]
async fn a_delete_that_found_nothing_deletes_nothing_either_when_it_is_repeated() {
    let outlet = alone().await;
    let delete = || {
        outlet.request("POST", "/api/v1/changes").json(
            r#"{"changes":[{"entity_type":"product","entity_id":"a","operation":"delete","change_id":"mine-1"}]}"#
                .to_owned(),
        )
    };
    let first = delete().await.expect(201);
    assert_eq!(
        string_at(&first.list()[0], "change_id").as_deref(),
        Some("mine-1")
    );
    outlet.put("product", "a", r#"{"n":1}"#).await.expect(201);
    let again = delete().await.expect(201);
    assert_eq!(again.list(), first.list());
    assert_eq!(
        outlet.document("product", "a").await.as_deref(),
        Some(r#"{"n":1}"#)
    );
}

#[tokio::test]
async fn the_feed_tells_every_change_in_order_and_wakes_who_waits() {
    let outlet = alone().await;
    outlet.put("product", "a", r#"{"n":1}"#).await.expect(201);
    outlet.put("order", "o", r#"{"n":1}"#).await.expect(201);
    outlet.delete("product", "a").await.expect(200);
    let feed = outlet.feed(0).await;
    let told: Vec<_> = feed
        .list()
        .iter()
        .map(|e| {
            (
                string_at(e, "entity_id").unwrap(),
                number_at(e, "version").unwrap(),
                at(e, "deleted").unwrap(),
            )
        })
        .collect();
    let expected = [("a", 1, "false"), ("o", 1, "false"), ("a", 2, "true")];
    assert_eq!(told, expected.map(|(id, v, d)| (id.to_owned(), v, d.to_owned())));
    let seqs: Vec<_> = feed.list().iter().map(|e| number_at(e, "seq").unwrap()).collect();
    assert!(seqs.windows(2).all(|w| w[0] < w[1]), "{seqs:?}");
    assert!(
        feed.list()
            .iter()
            .all(|e| string_at(e, "origin").as_deref() == Some("app"))
    );

    let last = *seqs.last().unwrap();
    let path = format!("changes?since={last}&wait=30");
    let poll = outlet.read(&path);
    let change = outlet.put("product", "b", r#"{"n":1}"#);
    let (polled, _) = tokio::join!(poll, change);
    let polled = polled.expect(200).list();
    assert_eq!(string_at(&polled[0], "entity_id").as_deref(), Some("b"));
    outlet
        .read("changes?since=999999")
        .await
        .expect_error(410, "feed_truncated");
}

#[tokio::test]
async fn a_list_is_paged_without_gaps_or_repeats() {
    let outlet = alone().await;
    let products = northwind::of("product");
    outlet.hand_over(&products).await;
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = outlet
            .read(&format!("entities/product?limit=10{cursor}"))
            .await
            .expect(200);
        assert_eq!(page.num("count"), i64::try_from(page.list().len()).unwrap());
        seen.extend(page.list().iter().map(|e| string_at(e, "entity_id").unwrap()));
        match page.string("next_cursor") {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let mut expected: Vec<_> = products.into_iter().map(|l| l.id).collect();
    expected.sort();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn whatever_was_answered_2xx_survives_a_power_cut() {
    let cloud = ScriptedCloud::start().await;
    cloud.go_down();
    let outlet = Outlet::of(&cloud).await;
    let orders = northwind::of("order");
    let (first, second) = orders.split_at(400);
    outlet.hand_over(first).await;
    let outlet = outlet.kill().await.start().await;
    outlet.hand_over(second).await;
    outlet.put("order", "last", r#"{"n":1}"#).await.expect(201);
    let outlet = outlet.kill().await.start().await;
    for line in &orders {
        assert_eq!(
            outlet.document("order", &line.id).await.as_deref(),
            Some(line.document.as_str())
        );
    }
    assert_eq!(outlet.status().await.num("data.pending_count"), 831);
    let first_page = elements(&outlet.feed(0).await.raw("data").unwrap());
    assert_eq!(first_page.len(), 500);
}
