//! Merges by field and of counters, through the real process: both sides come to hold what each of them changed.

use crate::harness::json_text::{content, quote};
use crate::outlet::Outlet;
use crate::scripted_cloud::ScriptedCloud;

/// An outlet and its cloud, agreed on one product, with this binding. Only what a test asks for runs.
async fn agreed(binding: &str, base: &str) -> (ScriptedCloud, Outlet) {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet
        .configure("sync", r#"{"push_delay_ms":3600000}"#)
        .await
        .expect(200);
    outlet.bind("product", binding).await;
    outlet.put("product", "p", base).await.expect(201);
    outlet.settle().await;
    (cloud, outlet)
}

/// Both sides hold this.
async fn both_hold(cloud: &ScriptedCloud, outlet: &Outlet, document: &str) {
    outlet.settle().await;
    let document = content(document);
    assert_eq!(outlet.content("product", "p").await.as_deref(), Some(&*document));
    assert_eq!(cloud.state().content("product", "p").as_deref(), Some(&*document));
}

#[tokio::test]
async fn field_merge_keeps_what_each_side_changed_to_the_digit() {
    let binding = r#"{"strategy":"field_merge","settings":{"default":"cloud","fields":{"note":"local"},"arrays":{"sizes":"id"}}}"#;
    let base = r#"{"name":"Chai","price":18.50,"note":"a","sku":12345678901234567890,"sizes":[{"id":1,"ml":250},{"id":2,"ml":500}]}"#;
    let (cloud, outlet) = agreed(binding, base).await;
    let there = r#"{"name":"Tea","price":19.00,"note":"b","sku":12345678901234567890,"sizes":[{"id":1,"ml":250},{"id":2,"ml":450}]}"#;
    let local = r#"{"name":"Teh","price":18.50,"note":"c","sku":12345678901234567890,"stock":39.0,"sizes":[{"id":1,"ml":300},{"id":2,"ml":500}]}"#;
    outlet.contest(&cloud, ("product", "p"), there, local).await;
    let merged = r#"{"name":"Tea","price":19.00,"note":"c","sku":12345678901234567890,"stock":39.0,"sizes":[{"id":1,"ml":300},{"id":2,"ml":450}]}"#;
    both_hold(&cloud, &outlet, merged).await;
    assert_eq!(outlet.document("product", "p").await.as_deref(), Some(merged));
    let conflict = outlet.conflict_of("product", "p").await;
    assert_eq!(conflict.str("data.strategy"), "field_merge");
    assert_eq!(conflict.str("data.decision"), "merge");
    assert_eq!(
        conflict.str("data.reason"),
        "Both sides changed name: the cloud's stands. Both sides changed note: the outlet's stands. \
         Only the outlet changed stock, sizes[1]. Only the cloud changed price, sizes[2]."
    );
}

#[tokio::test]
async fn field_merge_defers_what_its_settings_leave_to_a_person_and_a_delete_against_an_edit() {
    let binding = r#"{"strategy":"field_merge","settings":{"default":"defer"}}"#;
    let (cloud, outlet) = agreed(binding, r#"{"name":"Chai"}"#).await;
    outlet
        .contest(&cloud, ("product", "p"), r#"{"name":"Tea"}"#, r#"{"name":"Teh"}"#)
        .await;
    outlet
        .run_until("the conflict to open", |s| s.num("data.conflict_count") == 1)
        .await;
    let open = outlet.conflict_of("product", "p").await;
    assert!(open.raw("data.error").as_deref() == Some("null"), "{}", open.text);
    assert!(open.str("data.reason").ends_with(": name."), "{}", open.text);
    let id = open.str("data.id");

    // Who decides it by this strategy gets no further; by another, they do.
    outlet
        .resolve(&id, r#"{"strategy":"field_merge"}"#)
        .await
        .expect_error(422, "strategy_failed");
    outlet
        .resolve(&id, r#"{"strategy":"local_wins"}"#)
        .await
        .expect(200);
    both_hold(&cloud, &outlet, r#"{"name":"Teh"}"#).await;

    outlet.hold().await;
    cloud.state().delete("product", "p");
    outlet
        .put("product", "p", r#"{"name":"Teh tarik"}"#)
        .await
        .expect(200);
    outlet.go_on().await;
    outlet
        .run_until("the conflict to open", |s| s.num("data.conflict_count") == 1)
        .await;
}

#[tokio::test]
async fn an_open_conflict_is_decided_by_a_plugin_with_the_settings_of_now() {
    let (cloud, outlet) = agreed(r#"{"strategy":"manual"}"#, r#"{"name":"Chai","stock":10}"#).await;
    outlet
        .contest(
            &cloud,
            ("product", "p"),
            r#"{"name":"Tea","stock":9}"#,
            r#"{"name":"Chai","stock":7}"#,
        )
        .await;
    outlet
        .run_until("the conflict to open", |s| s.num("data.conflict_count") == 1)
        .await;
    let id = outlet.conflict_of("product", "p").await.str("data.id");
    // Without settings it does not know what is counted, and the conflict stays open.
    outlet
        .resolve(&id, r#"{"strategy":"counter_merge"}"#)
        .await
        .expect_error(422, "strategy_failed");
    outlet
        .bind("product", r#"{"settings":{"counters":["stock"]}}"#)
        .await;
    let decided = outlet
        .resolve(&id, r#"{"strategy":"counter_merge"}"#)
        .await
        .expect(200);
    assert_eq!(decided.str("data.strategy"), "counter_merge");
    assert_eq!(decided.str("data.plugin_digest").len(), 64);
    both_hold(&cloud, &outlet, r#"{"name":"Tea","stock":6}"#).await;
}

#[tokio::test]
async fn stock_that_an_outlet_and_the_cloud_both_sell_ends_at_what_is_left() {
    let binding =
        r#"{"strategy":"counter_merge","settings":{"counters":["stock","on_hand.main"],"rest":"cloud"}}"#;
    let stock = |name: &str, pieces: i64, kilos: &str| {
        format!(
            r#"{{"name":{},"stock":{pieces},"on_hand":{{"main":{kilos}}}}}"#,
            quote(name)
        )
    };
    let (cloud, outlet) = agreed(binding, &stock("Chai", 100, "12.500")).await;
    // Three rounds in which both sell: each rests on what the one before left.
    let (mut left, mut grams) = (100, 12_500);
    let kilos = |grams: i64| format!("{}.{:03}", grams / 1000, grams % 1000);
    for round in 1..=3 {
        let (here, there) = (round * 3, round * 2 + 1);
        let (here_grams, there_grams) = (round * 125, round * 250);
        let at_cloud = stock("Tea", left - there, &kilos(grams - there_grams));
        outlet.hold().await;
        cloud.state().edit("product", "p", &at_cloud);
        // At the outlet each piece is a sale of its own.
        for sold in 1..=here {
            let at_outlet = format!(
                r#"{{"stock":{},"on_hand":{{"main":{}}}}}"#,
                left - sold,
                kilos(grams - here_grams)
            );
            outlet.patch("product", "p", &at_outlet).await.expect(200);
        }
        outlet.go_on().await;
        left -= here + there;
        grams -= here_grams + there_grams;
        both_hold(&cloud, &outlet, &stock("Tea", left, &kilos(grams))).await;
    }
    assert_eq!((left, grams), (67, 10_250));
    let conflicts = outlet.conflicts().await;
    assert_eq!(conflicts.len(), 3, "{conflicts:#?}");
}

#[tokio::test]
async fn settings_that_a_plugin_cannot_use_are_refused_when_they_are_set() {
    let (_cloud, outlet) = agreed(r#"{"strategy":"cloud_wins"}"#, "{}").await;
    for (binding, field) in [
        (
            r#"{"strategy":"field_merge","settings":{"defualt":"cloud"}}"#,
            "settings.defualt",
        ),
        (
            r#"{"strategy":"field_merge","settings":{"fields":{"price":"mine"}}}"#,
            "settings.fields.price",
        ),
        (r#"{"strategy":"counter_merge"}"#, "settings.counters"),
        (
            r#"{"strategy":"counter_merge","settings":{"counters":["a"],"rest":{"deletes":1}}}"#,
            "settings.rest.deletes",
        ),
        (
            r#"{"mapper":"catalog_mapper","settings":{"price_feilds":["price"]}}"#,
            "settings.price_feilds",
        ),
        // By plugin: each is asked about its own.
        (
            r#"{"strategy":"field_merge","mapper":"catalog_mapper",
                "settings":{"catalog_mapper":{"price_fields":["price"]},"field_merge":{"default":"nobody"}}}"#,
            "settings.default",
        ),
    ] {
        outlet
            .configure("entities/product", binding)
            .await
            .expect(422)
            .names(field);
    }
    let binding = outlet.read("config/entities/product").await.expect(200);
    assert_eq!(
        binding.str("data.strategy"),
        "cloud_wins",
        "nothing of it is in force"
    );
}

#[tokio::test]
async fn a_mapper_and_a_strategy_each_get_their_own_settings() {
    let binding = r#"{"strategy":"field_merge","mapper":"catalog_mapper","settings":{
        "catalog_mapper":{"price_fields":["price"],"minor_digits":2},"field_merge":{"default":"defer","fields":{"price":"cloud"}}}}"#;
    let (cloud, outlet) = agreed(binding, r#"{"name":"Chai","price":1850}"#).await;
    assert_eq!(
        cloud.state().content("product", "p").as_deref(),
        Some(r#"{"name":"Chai","price":18.50}"#)
    );
    let here = r#"{"name":"Chai","price":1800,"stock":1}"#;
    outlet
        .contest(&cloud, ("product", "p"), r#"{"name":"Chai","price":19.00}"#, here)
        .await;
    outlet.settle().await;
    assert_eq!(
        outlet.content("product", "p").await.as_deref(),
        Some(r#"{"name":"Chai","price":1900,"stock":1}"#)
    );
    assert_eq!(
        cloud.state().content("product", "p").as_deref(),
        Some(r#"{"name":"Chai","price":19.00,"stock":1}"#)
    );
}
