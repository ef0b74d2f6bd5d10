//! What a plugin cannot handle is kept whole, each way, and tried again: by itself when what it failed under changes, or
//! when a person asks.

mod late;
mod unreadable;

use crate::harness::json_text::{at, string_at};
use crate::harness::{mapper, wait};
use crate::outlet::{Outlet, Reply, Setup};
use crate::scripted_cloud::ScriptedCloud;

/// A mapper to which every price with a fraction is an error, each way.
const FAILING: &str = r#"{"mapper":"catalog_mapper","settings":{"price_fields":["n"],"minor_digits":0}}"#;
const WORKING: &str = r#"{"mapper":"catalog_mapper","settings":{}}"#;

impl Outlet {
    /// Parked documents, newest first: the elements of the list.
    async fn parked(&self, query: &str) -> Vec<String> {
        self.read(&format!("sync/parked{query}")).await.expect(200).list()
    }

    async fn retry_parked(&self, id: &str) -> Reply {
        self.request("POST", &format!("/api/v1/sync/parked/{id}/retry"))
            .await
    }

    async fn drop_parked(&self, id: &str, body: &str) -> Reply {
        self.request("DELETE", &format!("/api/v1/sync/parked/{id}"))
            .json(body)
            .await
    }

    async fn until_parked(&self, count: i64) {
        self.run_until("so many to be parked", |status| {
            status.num("data.parked_count") == count
        })
        .await;
    }

    /// Until nothing is parked any more, without anybody asking for it.
    async fn until_cured(&self) {
        wait::until("what is parked to be tried again by itself", || async {
            let status = self.status().await;
            let done = status.num("data.parked_count") == 0 && status.num("data.pending_count") == 0;
            done.then_some(())
        })
        .await;
    }
}

fn field(parked: &str, name: &str) -> String {
    string_at(parked, name).unwrap_or_else(|| panic!("no {name}: {parked}"))
}

/// An outlet whose product mapper fails, with one product parked each way: `p` came from the cloud, `q` is made here.
async fn one_each_way() -> (ScriptedCloud, Outlet) {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.bind("product", FAILING).await;
    cloud.state().set("product", "p", r#"{"n":1.50}"#);
    outlet.put("product", "q", r#"{"n":2.50}"#).await.expect(201);
    outlet.until_parked(2).await;
    (cloud, outlet)
}

#[tokio::test]
async fn both_ways_are_in_one_list_whole_and_filtered() {
    let (_cloud, outlet) = one_each_way().await;
    let all = outlet.parked("").await;
    assert_eq!(all.len(), 2, "{all:#?}");
    assert_ne!(field(&all[0], "id"), field(&all[1], "id"));
    let incoming = outlet.parked("?direction=to_local").await;
    let outgoing = outlet.parked("?direction=to_cloud").await;
    assert_eq!((incoming.len(), outgoing.len()), (1, 1));
    let (incoming, outgoing) = (&incoming[0], &outgoing[0]);
    assert_eq!(field(incoming, "direction"), "to_local");
    assert_eq!(field(incoming, "entity_type"), "product");
    assert_eq!(field(incoming, "cloud_id"), "hq-product-p");
    assert_eq!(at(incoming, "version").as_deref(), Some("1"));
    assert_eq!(at(incoming, "document").as_deref(), Some(r#"{"n":1.50}"#));
    assert_eq!(field(outgoing, "direction"), "to_cloud");
    assert_eq!(field(outgoing, "entity_id"), "q");
    assert_eq!(field(outgoing, "operation"), "create");
    assert_eq!(at(outgoing, "document").as_deref(), Some(r#"{"n":2.50}"#));
    for parked in &all {
        assert_eq!(field(parked, "error_code"), "plugin-error");
        assert!(field(parked, "error").contains("price"), "{parked}");
        assert_eq!(field(parked, "plugin.name"), "catalog_mapper");
        assert_eq!(field(parked, "plugin.digest").len(), 64);
        assert!(!field(parked, "at").is_empty());
    }
    assert_eq!(
        outlet
            .parked("?error_code=plugin-error&entity_type=product")
            .await
            .len(),
        2
    );
    assert_eq!(outlet.parked("?error_code=plugin-trap").await.len(), 0);
    assert_eq!(outlet.parked("?entity_type=order").await.len(), 0);
    let first = outlet.read("sync/parked?limit=1").await.expect(200);
    let second = format!("sync/parked?limit=1&cursor={}", first.str("next_cursor"));
    let second = outlet.read(&second).await.expect(200);
    assert_eq!(
        [first.list(), second.list()].concat(),
        all,
        "newest first, page by page"
    );
    assert_eq!(second.string("next_cursor"), None);
    outlet
        .read("sync/parked?direction=up")
        .await
        .expect_error(422, "invalid_value")
        .names("direction");
    outlet
        .read("sync/parked?cursor=nonsense")
        .await
        .expect_error(400, "invalid_cursor");
}

#[tokio::test]
async fn a_retry_that_fails_again_is_422_and_stays_parked_each_way() {
    let (cloud, outlet) = one_each_way().await;
    for parked in outlet.parked("").await {
        let id = field(&parked, "id");
        let reply = outlet.retry_parked(&id).await.expect_error(422, "mapper_failed");
        assert_eq!(reply.str("data.error_code"), "plugin-error");
        assert!(reply.str("data.error").contains("price"), "{}", reply.text);
    }
    let all = outlet
        .request("POST", "/api/v1/sync/parked/retry")
        .json(r#"{"direction":"to_local"}"#)
        .await
        .expect(200);
    assert_eq!((all.num("data.taken"), all.num("data.still_parked")), (0, 1));
    assert_eq!(outlet.parked("").await.len(), 2);
    assert_eq!(outlet.status().await.num("data.parked_count"), 2);
    assert_eq!(cloud.state().times_applied("product", "q"), 0);
    for id in ["99999999", "p", "-1"] {
        outlet
            .retry_parked(id)
            .await
            .expect_error(404, "parked_not_found");
        outlet
            .drop_parked(id, "{}")
            .await
            .expect_error(404, "parked_not_found");
    }
    outlet
        .request("POST", "/api/v1/sync/parked/retry")
        .json(r#"{"typ":"product"}"#)
        .await
        .expect_error(422, "invalid_value")
        .names("typ");
}

#[tokio::test]
async fn both_ways_are_tried_again_by_themselves_when_the_settings_change() {
    let (cloud, outlet) = one_each_way().await;
    // A newer one of the same entity takes the older one's place.
    cloud.state().edit("product", "p", r#"{"n":3.50}"#);
    wait::until("the newer one to take the older one's place", || async {
        outlet.run().await;
        let incoming = outlet.parked("?direction=to_local").await;
        (at(&incoming[0], "version").as_deref() == Some("2") && incoming.len() == 1).then_some(())
    })
    .await;
    assert_eq!(outlet.status().await.num("data.parked_count"), 2);
    outlet.bind("product", WORKING).await;
    outlet.until_cured().await;
    assert_eq!(
        outlet.document("product", "p").await.as_deref(),
        Some(r#"{"n":3.50}"#)
    );
    assert_eq!(
        cloud.state().content("product", "q").as_deref(),
        Some(r#"{"n":2.50}"#)
    );
    assert_eq!(cloud.state().times_applied("product", "q"), 1);
    assert_eq!(outlet.parked("").await.len(), 0);
    assert_eq!(outlet.status().await.num("data.failed_count"), 0);
}

#[tokio::test]
async fn both_ways_are_tried_again_by_themselves_when_another_component_has_the_name() {
    let cloud = ScriptedCloud::start().await;
    let setup = Setup::of(&cloud);
    let plugins = setup.data_dir().join("plugins");
    std::fs::create_dir_all(&plugins).unwrap();
    let file = plugins.join("shop.wasm");
    std::fs::write(&file, mapper::broken("shop_mapper")).unwrap();
    let outlet = setup.start().await;
    outlet.bind("product", r#"{"mapper":"shop_mapper"}"#).await;
    cloud.state().set("product", "p", r#"{"n":1}"#);
    outlet.put("product", "q", r#"{"n":2}"#).await.expect(201);
    outlet.until_parked(2).await;
    let before = outlet.parked("").await;
    assert!(field(&before[0], "error").contains(mapper::WHY), "{before:#?}");
    // Nothing changed: a restart with the same file leaves them as they are.
    let outlet = outlet.restart().await;
    outlet.run().await;
    assert_eq!(outlet.parked("").await, before);
    let setup = outlet.kill().await;
    std::fs::write(&file, mapper::whole("shop_mapper")).unwrap();
    let outlet = setup.start().await;
    outlet.until_cured().await;
    assert_eq!(
        outlet.document("product", "p").await.as_deref(),
        Some(r#"{"n":1}"#)
    );
    assert_eq!(
        cloud.state().content("product", "q").as_deref(),
        Some(r#"{"n":2}"#)
    );
    assert_eq!(cloud.state().times_applied("product", "q"), 1);
}

#[tokio::test]
async fn a_parked_one_holds_only_its_own_entity_and_its_next_change_cures_it() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet
        .bind(
            "product",
            r#"{"mapper":"catalog_mapper","settings":{"price_fields":["price"]}}"#,
        )
        .await;
    // Not whole minor units.
    outlet.put("product", "bad", r#"{"price":1.5}"#).await.expect(201);
    outlet
        .put("product", "good", r#"{"price":150}"#)
        .await
        .expect(201);
    outlet.until_parked(1).await;
    assert_eq!(cloud.state().times_applied("product", "good"), 1);
    outlet.put("product", "bad", r#"{"price":160}"#).await.expect(200);
    outlet.settle().await;
    assert_eq!(outlet.status().await.num("data.parked_count"), 0);
    assert_eq!(cloud.state().times_applied("product", "bad"), 1);
}

#[tokio::test]
async fn a_retry_takes_an_update_in_and_puts_a_change_into_the_queue() {
    let (cloud, outlet) = one_each_way().await;
    let parked = outlet.parked("").await;
    // The settings' change tries them again by itself; whoever comes first, each takes effect once.
    outlet.bind("product", WORKING).await;
    for parked in &parked {
        let reply = outlet.retry_parked(&field(parked, "id")).await;
        if reply.status == 404 {
            continue;
        }
        let reply = reply.expect(200);
        let outcome = match field(parked, "direction").as_str() {
            "to_local" => "applied",
            _ => "queued",
        };
        assert_eq!(reply.str("data.outcome"), outcome);
    }
    outlet.until_cured().await;
    assert_eq!(
        outlet.document("product", "p").await.as_deref(),
        Some(r#"{"n":1.50}"#)
    );
    assert_eq!(cloud.state().times_applied("product", "q"), 1);
}

#[tokio::test]
async fn a_parked_document_is_given_up_with_a_word_of_what_becomes_of_it() {
    let (cloud, outlet) = one_each_way().await;
    let incoming = field(&outlet.parked("?direction=to_local").await[0], "id");
    let outgoing = field(&outlet.parked("?direction=to_cloud").await[0], "id");
    outlet
        .drop_parked(&incoming, r#"{"why":"old"}"#)
        .await
        .expect_error(422, "invalid_value")
        .names("why");
    let reply = outlet
        .drop_parked(&incoming, r#"{"reason":"sold out long ago"}"#)
        .await
        .expect(200);
    assert!(reply.str("message").contains("next version"), "{}", reply.text);
    let reply = outlet.drop_parked(&outgoing, "{}").await.expect(200);
    assert_eq!(reply.str("data.entity_id"), "q");
    assert_eq!(outlet.parked("").await.len(), 0);
    let status = outlet.status().await;
    assert_eq!(
        (status.num("data.parked_count"), status.num("data.failed_count")),
        (0, 0)
    );
    assert_eq!(
        outlet.get("product", "q").await.str("data.sync_status"),
        "diverged"
    );
    assert!(
        outlet.log().contains("sold out long ago"),
        "who gave it up, and why, is in the log"
    );
    outlet
        .drop_parked(&incoming, "{}")
        .await
        .expect_error(404, "parked_not_found");
    outlet.bind("product", WORKING).await;
    cloud.state().edit("product", "p", r#"{"n":9}"#);
    outlet.settle().await;
    assert_eq!(
        outlet.document("product", "p").await.as_deref(),
        Some(r#"{"n":9}"#)
    );
    assert_eq!(cloud.state().times_applied("product", "q"), 0);
}
