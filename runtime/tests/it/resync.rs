//! Fetching again: what differs comes to be the same, what waits is not lost, and what a full listing does not show ends.

use crate::harness::json_text::{at, elements, number_at, string_at};
use crate::harness::wait;
use crate::outlet::{Outlet, Reply};
use crate::scripted_cloud::{Call, Fault, ScriptedCloud};

/// Pages of the going listing that are taken in; none: nothing is listed.
async fn pages(outlet: &Outlet) -> Option<u64> {
    let pages = outlet.status().await.raw("data.resync.pages")?;
    pages.parse().ok()
}

const BEGINNING: &str = "since=1970-01-01T00%3A00%3A00Z";

async fn resync(outlet: &Outlet, body: &str) -> Reply {
    outlet.request("POST", "/api/v1/sync/resync").json(body).await
}

/// Runs until nothing is being fetched again.
async fn fetched(outlet: &Outlet) {
    let is_done = |status: &Reply| status.raw("data.resync").as_deref() == Some("null");
    outlet
        .run_until("what is fetched again to be there", is_done)
        .await;
}

/// The details of the newest resync in the log.
async fn logged(outlet: &Outlet) -> String {
    let lines = outlet.read("sync/logs?sync_type=pull").await.expect(200).list();
    let mut details = lines.iter().filter_map(|line| at(line, "details.resync"));
    details
        .next()
        .unwrap_or_else(|| panic!("no resync in the log: {lines:#?}"))
}

/// The cloud's products of these ids, all at the outlet.
async fn with_products(cloud: &ScriptedCloud, ids: &[&str]) -> Outlet {
    for id in ids {
        cloud.state().set("product", id, r#"{"price":1}"#);
    }
    let outlet = Outlet::of(cloud).await;
    outlet.settle().await;
    outlet
}

#[tokio::test]
async fn what_differs_under_an_equal_number_is_repaired_and_what_waits_is_pushed() {
    let cloud = ScriptedCloud::start().await;
    let outlet = with_products(&cloud, &["a", "b"]).await;
    let checkpoint = outlet.status().await.str("data.checkpoint");
    cloud.state().rewrite("product", "a", r#"{"price":7}"#);
    outlet.settle().await;
    assert_eq!(
        outlet.content("product", "a").await.as_deref(),
        Some(r#"{"price":1}"#),
        "no pull shows it"
    );
    cloud.always(Call::Batch, Fault::Status(503));
    outlet.put("product", "b", r#"{"price":2}"#).await.expect(200);
    let asked = resync(&outlet, "{}").await.expect(200);
    assert!(!asked.truth("data.joined"));
    fetched(&outlet).await;
    for (id, content) in [("a", r#"{"price":7}"#), ("b", r#"{"price":2}"#)] {
        assert_eq!(outlet.content("product", id).await.as_deref(), Some(content));
    }
    assert_eq!(
        outlet.get("product", "b").await.str("data.sync_status"),
        "pending"
    );
    assert_eq!(outlet.status().await.str("data.checkpoint"), checkpoint);
    cloud.behave();
    outlet.settle().await;
    assert_eq!(
        cloud.state().content("product", "b").as_deref(),
        Some(r#"{"price":2}"#)
    );
    let details = logged(&outlet).await;
    assert_eq!(at(&details, "scope.everything").as_deref(), Some("true"));
    assert_eq!(
        (number_at(&details, "pages"), number_at(&details, "seen")),
        (Some(1), Some(2))
    );
    assert_eq!(
        (number_at(&details, "applied"), number_at(&details, "removed")),
        (Some(1), Some(0))
    );
}

#[tokio::test]
async fn what_a_complete_listing_does_not_show_ends_and_nothing_else() {
    let cloud = ScriptedCloud::start().await;
    cloud.state().set("order", "o", r#"{"total":1}"#);
    let outlet = with_products(&cloud, &["a", "b", "c", "d", "e"]).await;
    cloud.state().page_size = 2;
    for (entity_type, id) in [("order", "o"), ("product", "c"), ("product", "d")] {
        cloud.state().forget(entity_type, id);
    }
    cloud.always(Call::Batch, Fault::Status(503));
    outlet.put("product", "d", r#"{"price":2}"#).await.expect(200);
    outlet.put("product", "mine", r#"{"price":3}"#).await.expect(201);
    let head = outlet.feed(0).await.num("head");
    resync(&outlet, r#"{"entity_type":"product"}"#).await.expect(200);
    fetched(&outlet).await;
    assert_eq!(outlet.document("product", "c").await, None);
    assert!(outlet.get("product", "c").await.truth("data.deleted"));
    for (entity_type, id) in [
        ("product", "a"),
        ("product", "b"),
        ("product", "d"),
        ("product", "e"),
        ("product", "mine"),
        ("order", "o"),
    ] {
        assert!(
            outlet.document(entity_type, id).await.is_some(),
            "{entity_type}/{id}"
        );
    }
    let feed = outlet.feed(head).await.list();
    assert_eq!(feed.len(), 1, "{feed:?}");
    assert_eq!(string_at(&feed[0], "entity_id").as_deref(), Some("c"));
    assert_eq!(at(&feed[0], "deleted").as_deref(), Some("true"));
    assert_eq!(string_at(&feed[0], "origin").as_deref(), Some("cloud"));
    let details = logged(&outlet).await;
    assert_eq!(number_at(&details, "removed"), Some(1), "{details}");
    assert_eq!(number_at(&details, "pages"), Some(2), "{details}");
}

#[tokio::test]
async fn a_cloud_that_does_not_say_that_it_showed_everything_removes_nothing() {
    let cloud = ScriptedCloud::plain().await;
    let outlet = with_products(&cloud, &["a", "b"]).await;
    cloud.state().forget("product", "b");
    resync(&outlet, "").await.expect(200);
    fetched(&outlet).await;
    assert_eq!(
        outlet.content("product", "b").await.as_deref(),
        Some(r#"{"price":1}"#)
    );
    assert_eq!(at(&logged(&outlet).await, "complete").as_deref(), Some("false"));
}

#[tokio::test]
async fn after_a_power_cut_it_goes_on_where_it_was() {
    let cloud = ScriptedCloud::start().await;
    let outlet = with_products(&cloud, &["a", "b", "c", "d", "e"]).await;
    cloud.state().page_size = 1;
    cloud.state().forget("product", "c");
    cloud.state().rewrite("product", "e", r#"{"price":7}"#);
    // The pull and two pages come; the third hangs.
    for fault in [Fault::None, Fault::None, Fault::None, Fault::HangBefore] {
        cloud.next(Call::Updates, fault);
    }
    resync(&outlet, r#"{"entity_type":"product"}"#).await.expect(200);
    let walked = wait::until("the cloud to hang in the middle", || async {
        pages(&outlet)
            .await
            .filter(|pages| *pages >= 1 && cloud.faults_left() == 0)
    })
    .await;
    assert!(walked < 4, "{walked}");
    let asked = cloud.calls(Call::Updates).len();
    let outlet = outlet.kill().await.start().await;
    fetched(&outlet).await;
    let after = &cloud.calls(Call::Updates)[asked..];
    assert!(
        after.iter().all(|request| !request.query.contains(BEGINNING)),
        "it does not begin again: {after:#?}"
    );
    assert_eq!(outlet.document("product", "c").await, None);
    assert_eq!(
        outlet.content("product", "e").await.as_deref(),
        Some(r#"{"price":7}"#)
    );
}

#[tokio::test]
async fn one_entity_is_found_and_the_listing_left_early() {
    let cloud = ScriptedCloud::start().await;
    let outlet = with_products(&cloud, &["a", "b", "c", "d", "e"]).await;
    cloud.state().page_size = 1;
    for id in ["a", "b"] {
        cloud.state().rewrite("product", id, r#"{"price":7}"#);
    }
    resync(&outlet, r#"{"entity_type":"product","entity_id":"b"}"#)
        .await
        .expect(200);
    fetched(&outlet).await;
    assert_eq!(
        outlet.content("product", "b").await.as_deref(),
        Some(r#"{"price":7}"#)
    );
    assert_eq!(
        outlet.content("product", "a").await.as_deref(),
        Some(r#"{"price":1}"#),
        "nobody asked for it"
    );
    let details = logged(&outlet).await;
    assert_eq!(
        (number_at(&details, "pages"), number_at(&details, "seen")),
        (Some(2), Some(1)),
        "{details}"
    );
}

#[tokio::test]
async fn an_item_given_up_has_its_entity_fetched_again() {
    let cloud = ScriptedCloud::start().await;
    let outlet = with_products(&cloud, &["a"]).await;
    outlet.configure("sync", r#"{"max_retries":0}"#).await.expect(200);
    cloud.state().refused.insert("a".into(), "no".into());
    outlet.put("product", "a", r#"{"price":2}"#).await.expect(200);
    outlet
        .run_until("the change to fail", |s| s.num("data.failed_count") == 1)
        .await;
    let item = string_at(&outlet.failed().await[0], "id").unwrap();
    outlet
        .request("DELETE", &format!("/api/v1/sync/queue/{item}"))
        .json(r#"{"reason":"wrong price"}"#)
        .await
        .expect(200);
    fetched(&outlet).await;
    assert_eq!(
        outlet.content("product", "a").await.as_deref(),
        Some(r#"{"price":1}"#)
    );
    assert_eq!(outlet.get("product", "a").await.str("data.sync_status"), "synced");
}

#[tokio::test]
async fn a_checkpoint_that_is_too_old_is_a_full_listing_with_what_is_gone_gone() {
    let cloud = ScriptedCloud::start().await;
    let outlet = with_products(&cloud, &["a", "b", "c"]).await;
    cloud.state().page_size = 1;
    // Deleted so long ago that the cloud lists no tombstone of it any more, as its answer to the checkpoint says.
    cloud.state().forget("product", "b");
    cloud.state().set("product", "d", r#"{"price":4}"#);
    cloud.next(Call::Updates, Fault::Status(410));
    // And once more in the middle.
    cloud.next(Call::Updates, Fault::Status(410));
    outlet.settle().await;
    assert_eq!(cloud.faults_left(), 0);
    fetched(&outlet).await;
    assert_eq!(outlet.document("product", "b").await, None);
    for id in ["a", "c", "d"] {
        assert!(outlet.document("product", id).await.is_some(), "{id}");
    }
    assert!(!outlet.status().await.str("data.checkpoint").contains('L'));
    assert_eq!(number_at(&logged(&outlet).await, "restarts"), Some(1));
}

#[tokio::test]
async fn a_listing_that_is_gone_again_and_again_is_given_up() {
    let cloud = ScriptedCloud::start().await;
    let outlet = with_products(&cloud, &["a"]).await;
    cloud.always(Call::Updates, Fault::Status(410));
    resync(&outlet, "{}").await.expect(200);
    outlet
        .run_until("it to be given up", |_| outlet.log().contains("is given up"))
        .await;
    assert!(outlet.document("product", "a").await.is_some());
    cloud.behave();
    outlet.settle().await;
    assert!(outlet.document("product", "a").await.is_some());
}

#[tokio::test]
async fn trouble_in_the_middle_costs_time_only() {
    let cloud = ScriptedCloud::start().await;
    let outlet = with_products(&cloud, &["a", "b", "c", "d"]).await;
    cloud.state().page_size = 1;
    cloud.state().forget("product", "b");
    cloud.state().rewrite("product", "d", r#"{"price":7}"#);
    for fault in [
        Fault::Status(500),
        Fault::Html,
        Fault::DropAfter,
        Fault::Truncated,
        Fault::RateLimited(1),
    ] {
        cloud.next(Call::Updates, fault);
    }
    resync(&outlet, "{}").await.expect(200);
    wait::until("it to go on by itself", || async {
        let status = outlet.status().await;
        (status.raw("data.resync").as_deref() == Some("null")).then_some(())
    })
    .await;
    assert_eq!(outlet.document("product", "b").await, None);
    assert_eq!(
        outlet.content("product", "d").await.as_deref(),
        Some(r#"{"price":7}"#)
    );
    outlet.settle().await;
}

#[tokio::test]
async fn the_first_listing_of_another_address_empties_nothing() {
    let (old, new) = (ScriptedCloud::start().await, ScriptedCloud::start().await);
    let outlet = with_products(&old, &["a", "b"]).await;
    // It knows neither the checkpoint nor anything else, and says that this is all there is.
    new.next(Call::Updates, Fault::Status(410));
    let body = format!(r#"{{"cloud_api_url":"{}"}}"#, new.url());
    outlet.configure("outlet", &body).await.expect(200);
    outlet.settle().await;
    for id in ["a", "b"] {
        assert!(outlet.document("product", id).await.is_some(), "{id}");
    }
    assert_eq!(number_at(&logged(&outlet).await, "removed"), Some(0));
}

#[tokio::test]
async fn who_asks_twice_joins_and_what_is_wrong_is_named() {
    let cloud = ScriptedCloud::start().await;
    let outlet = with_products(&cloud, &["a"]).await;
    cloud.next(Call::Updates, Fault::HangBefore);
    resync(&outlet, r#"{"entity_type":"product"}"#).await.expect(200);
    let again = resync(&outlet, r#"{"entity_type":"product","entity_id":"a"}"#)
        .await
        .expect(200);
    assert!(again.truth("data.joined"), "{}", again.text);
    let status = outlet.status().await;
    let types = status.raw("data.resync.scope.entity_types").unwrap();
    assert_eq!(elements(&types), [r#""product""#], "{}", status.text);
    cloud.release();
    fetched(&outlet).await;

    resync(&outlet, r#"{"entity_id":"a"}"#)
        .await
        .expect(422)
        .names("entity_type");
    resync(&outlet, r#"{"type":"product"}"#)
        .await
        .expect(422)
        .names("type");
    resync(&outlet, r#"{"entity_type":7}"#)
        .await
        .expect(422)
        .names("entity_type");
    resync(&outlet, r#"{"entity_type":"no type!"}"#)
        .await
        .expect(422)
        .names("entity_type");
    resync(&outlet, "[]").await.expect(400);
    outlet
        .configure("sync", r#"{"pull_enabled":false}"#)
        .await
        .expect(200);
    resync(&outlet, "{}").await.expect_error(409, "pull_disabled");
}
