//! Elements of the cloud that cannot be read: kept as they came, and read again.

use super::field;
use crate::harness::json_text::at;
use crate::outlet::{Hook, Outlet, stamp};
use crate::scripted_cloud::{CHECKPOINT_ZERO, ScriptedCloud};

#[tokio::test]
async fn what_cannot_be_read_is_kept_whole_once_and_read_again_when_its_type_is_known() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    let typed = r#"{"entity_type":"Product","cloud_id":"c-1","version":3,"data":{"n":1.50}}"#;
    let page = format!(
        r#"{{"items":[{typed},7],"products":[{{"name":"nobody"}}],"sync_checkpoint":"{CHECKPOINT_ZERO}"}}"#
    );
    for _ in 0..2 {
        cloud.state().pages.push_back(page.clone());
        outlet
            .run_until("the page to be taken", |_| cloud.state().pages.is_empty())
            .await;
    }
    let hook = format!(
        r#"{{"timestamp":"{}","updates":[{{"entity_type":"Product","cloud_id":"c-2","version":1,"data":{{"n":2}}}}]}}"#,
        stamp(0)
    );
    outlet.hook(&Hook::signed("bulk-update", &hook)).await.expect(200);
    let parked = outlet.parked("?error_code=unreadable").await;
    assert_eq!(parked.len(), 4, "each once: {parked:#?}");
    let documents: Vec<_> = parked.iter().filter_map(|p| at(p, "document")).collect();
    assert!(documents.contains(&"7".to_owned()) && documents.contains(&r#"{"name":"nobody"}"#.to_owned()));
    assert!(
        documents
            .iter()
            .any(|d| d.contains(r#""data":{"n":1.50}"#) && d.contains("c-1"))
    );
    for parked in &parked {
        let reply = outlet.retry_parked(&field(parked, "id")).await;
        reply.expect_error(422, "unreadable");
    }
    assert_eq!(outlet.parked("").await.len(), 4);
    for parked in parked.iter().filter(|p| !p.contains("\"Product\"")) {
        outlet.drop_parked(&field(parked, "id"), "{}").await.expect(200);
    }
    assert_eq!(outlet.status().await.num("data.parked_count"), 2);
    outlet.bind("product", r#"{"cloud_type":"Product"}"#).await;
    outlet.until_cured().await;
    let products = outlet.list("product").await;
    let found: Vec<_> = products.iter().filter_map(|p| at(p, "data")).collect();
    assert_eq!(found.len(), 2, "{products:#?}");
    assert!(found.contains(&r#"{"n":1.50}"#.to_owned()) && found.contains(&r#"{"n":2}"#.to_owned()));
}
