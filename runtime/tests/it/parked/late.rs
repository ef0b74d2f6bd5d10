//! Parked updates that are tried late: they come in when what they waited for is here, and overwrite nothing newer.

use super::field;
use crate::harness::json_text::{at, string_at};
use crate::outlet::Outlet;
use crate::scripted_cloud::ScriptedCloud;

/// A product whose category is not known yet: its mapper says that later can help.
async fn awaits_its_category() -> (ScriptedCloud, Outlet) {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    let settings = r#"{"strategy":"manual","mapper":"catalog_mapper","settings":{"reference_fields":{"category":"category"}}}"#;
    outlet.bind("product", settings).await;
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    outlet.settle().await;
    cloud
        .state()
        .edit("product", "p", r#"{"n":2,"category":"hq-category-tea"}"#);
    outlet.until_parked(1).await;
    (cloud, outlet)
}

#[tokio::test]
async fn what_a_parked_update_waited_for_brings_it_in() {
    let (cloud, outlet) = awaits_its_category().await;
    cloud.state().set("category", "tea", r#"{"name":"Tea"}"#);
    outlet.run().await;
    outlet.until_cured().await;
    let tea = string_at(&outlet.list("category").await[0], "entity_id").unwrap();
    assert_eq!(
        outlet.document("product", "p").await,
        Some(format!(r#"{{"n":2,"category":"{tea}"}}"#))
    );
}

#[tokio::test]
async fn a_parked_update_never_overwrites_what_is_newer() {
    let (cloud, outlet) = awaits_its_category().await;
    let old = field(&outlet.parked("").await[0], "id");
    cloud.state().edit("product", "p", r#"{"n":3}"#);
    outlet.settle().await;
    assert_eq!(outlet.parked("").await.len(), 0, "the newer one took its place");
    cloud.state().set("category", "tea", r#"{"name":"Tea"}"#);
    outlet.settle().await;
    outlet
        .retry_parked(&old)
        .await
        .expect_error(404, "parked_not_found");
    assert_eq!(
        outlet.document("product", "p").await.as_deref(),
        Some(r#"{"n":3}"#)
    );
}

#[tokio::test]
async fn beside_an_open_conflict_a_side_that_cannot_be_translated_is_parked_and_the_conflict_can_be_decided()
{
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    let settings = r#"{"strategy":"manual","mapper":"catalog_mapper","settings":{"reference_fields":{"category":"category"}}}"#;
    outlet.bind("product", settings).await;
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    outlet.settle().await;
    outlet
        .configure("sync", r#"{"push_delay_ms":3600000}"#)
        .await
        .expect(200);
    outlet
        .contest(&cloud, ("product", "p"), r#"{"n":2}"#, r#"{"n":3}"#)
        .await;
    outlet
        .run_until("the conflict", |status| status.num("data.conflict_count") == 1)
        .await;
    cloud
        .state()
        .edit("product", "p", r#"{"n":4,"category":"hq-category-tea"}"#);
    outlet.until_parked(1).await;
    let conflict = outlet.conflict_of("product", "p").await;
    assert_eq!(conflict.raw("data.cloud.data").as_deref(), Some(r#"{"n":2}"#));
    outlet
        .resolve(&conflict.str("data.id"), r#"{"strategy":"cloud_wins"}"#)
        .await
        .expect(200);
    cloud.state().set("category", "tea", r#"{"name":"Tea"}"#);
    outlet.run().await;
    outlet.until_cured().await;
    let document = outlet.document("product", "p").await.unwrap();
    assert_eq!(at(&document, "n").as_deref(), Some("4"));
}
