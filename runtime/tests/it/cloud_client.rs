//! The client of the cloud API against the scripted cloud: that each understands the other, before a whole outlet
//! stands on both.

use crate::harness::json_text::{content, quote};
use crate::outlet::{API_KEY, OUTLET_CODE, OUTLET_ID};
use crate::scripted_cloud::{Call, Fault, ScriptedCloud};
use selaras::clock::SystemClock;
use selaras::cloud::{Client, CloudConfig, Collection, PushItem, ResultStatus};
use selaras::secret::Secret;
use std::sync::Arc;
use std::time::Duration;

const BEGINNING: &str = "1970-01-01T00:00:00Z";
const NOW: &str = "2026-01-27T10:35:00Z";

fn client(cloud: &ScriptedCloud) -> Client {
    let config = CloudConfig {
        base_url: cloud.url().to_owned(),
        api_key: Secret::new(API_KEY),
        outlet_id: OUTLET_ID.to_owned(),
        outlet_code: OUTLET_CODE.to_owned(),
        allow_http: false,
        request_timeout: Duration::from_secs(20),
    };
    Client::new(config, Arc::new(SystemClock::new())).unwrap()
}

fn item(operation: &'static str, id: &str, document: &str, change_id: &str, base_version: u64) -> PushItem {
    let id = quote(id);
    let own = document.trim_start_matches('{').trim_end_matches('}');
    let own = if own.is_empty() {
        String::new()
    } else {
        format!("{own},")
    };
    let data = format!(
        r#"{{{own}"id":{id},"local_id":{id},"version":1,"updated_at":"{NOW}","outlet_id":"{OUTLET_ID}","outlet_code":"{OUTLET_CODE}"}}"#
    );
    PushItem {
        entity_type: "product".into(),
        operation,
        data: data.into(),
        change_id: change_id.into(),
        base_version,
    }
}

#[tokio::test]
async fn a_change_takes_effect_once_and_is_told_as_a_duplicate_then() {
    let cloud = ScriptedCloud::start().await;
    let client = client(&cloud);
    let create = item("create", "p", r#"{"price":9.80000019}"#, "01J1", 0);
    cloud.next(Call::Batch, Fault::DropAfter);
    let lost = client
        .push_batch(std::slice::from_ref(&create), NOW)
        .await
        .unwrap_err();
    assert_eq!(lost.code(), "interrupted");
    let again = client.push_batch(&[create], NOW).await.unwrap().value;
    assert_eq!(
        (&again[0].status, again[0].version),
        (&ResultStatus::Duplicate, Some(1))
    );
    assert_eq!(cloud.state().times_applied("product", "p"), 1);
    assert_eq!(
        cloud.state().content("product", "p").as_deref(),
        Some(r#"{"price":9.80000019}"#)
    );
}

#[tokio::test]
async fn an_old_base_version_is_a_conflict_with_the_clouds_side() {
    let cloud = ScriptedCloud::start().await;
    let client = client(&cloud);
    let made = client
        .push_batch(&[item("create", "p", r#"{"n":1}"#, "01J1", 0)], NOW)
        .await
        .unwrap();
    assert_eq!(made.value[0].status, ResultStatus::Success);
    assert!(made.timing.is_some());
    cloud.state().edit("product", "p", r#"{"n":2.0}"#);
    let met = client
        .push_batch(&[item("update", "p", r#"{"n":3}"#, "01J2", 1)], NOW)
        .await
        .unwrap()
        .value;
    let ResultStatus::Conflict { cloud: Some(side) } = &met[0].status else {
        panic!("{met:?}")
    };
    assert_eq!(
        (side.version, side.data.as_deref()),
        (Some(2), Some(r#"{"n":2.0}"#))
    );
    let kept = client
        .push_batch(&[item("delete", "p", "{}", "01J3", 2)], NOW)
        .await
        .unwrap()
        .value;
    assert_eq!(
        (&kept[0].status, kept[0].version),
        (&ResultStatus::Success, Some(3))
    );
    assert_eq!(cloud.state().content("product", "p"), None);
}

#[tokio::test]
async fn pages_and_their_checkpoints_go_round() {
    let cloud = ScriptedCloud::start().await;
    let client = client(&cloud);
    cloud.state().page_size = 2;
    for n in 0..5 {
        cloud.state().create("product", &format!(r#"{{"n":{n}.0}}"#));
    }
    let mut since = BEGINNING.to_owned();
    let mut seen = Vec::new();
    loop {
        let page = client.updates(&since, None).await.unwrap().value;
        assert!(page.problems.is_empty());
        seen.extend(page.elements);
        since = page.checkpoint.unwrap();
        if !page.has_more {
            break;
        }
    }
    let documents: Vec<_> = seen.iter().map(|e| e.data.clone().unwrap()).collect();
    assert_eq!(
        documents,
        (0..5).map(|n| format!(r#"{{"n":{n}.0}}"#)).collect::<Vec<_>>()
    );
    assert_eq!(seen[0].collection, Collection::Typed("product".into()));
    assert!(
        client
            .updates(&since, None)
            .await
            .unwrap()
            .value
            .elements
            .is_empty()
    );
}

#[tokio::test]
async fn a_plain_cloud_is_understood() {
    let cloud = ScriptedCloud::plain().await;
    let client = client(&cloud);
    let create = item("create", "p", r#"{"price":0.10}"#, "01J1", 0);
    let made = client
        .push_batch(std::slice::from_ref(&create), NOW)
        .await
        .unwrap()
        .value;
    assert_eq!(
        (&made[0].status, made[0].version, &made[0].change_id),
        (&ResultStatus::Success, None, &None)
    );
    cloud.state().create("category", r#"{"name":"Tea"}"#);
    let page = client.updates(BEGINNING, None).await.unwrap().value;
    let [category, product] = &page.elements[..] else {
        panic!("{page:?}")
    };
    assert_eq!(category.collection, Collection::Plural("categories".into()));
    assert_eq!(product.collection, Collection::Plural("products".into()));
    assert_eq!(
        (product.local_id.as_deref(), product.version),
        (Some("p"), Some(1))
    );
    assert_eq!(content(product.data.as_ref().unwrap()), r#"{"price":0.10}"#);
    assert!(!page.has_more && page.checkpoint.is_some());
}

#[tokio::test]
async fn each_fault_is_what_it_is_called() {
    let cloud = ScriptedCloud::start().await;
    let client = client(&cloud);
    let faults = [
        (Fault::DropBefore, "interrupted"),
        (Fault::Status(500), "server_error"),
        (Fault::Status(422), "refused"),
        (Fault::RateLimited(7), "rate_limited"),
        (Fault::Html, "nonsense"),
        (Fault::Truncated, "nonsense"),
        (Fault::Body("{}".into()), "nonsense"),
    ];
    for (n, (fault, code)) in faults.into_iter().enumerate() {
        cloud.next(Call::Batch, fault.clone());
        let create = item("create", &format!("p{n}"), "{}", &format!("01J{n}"), 0);
        let error = client.push_batch(&[create], NOW).await.unwrap_err();
        assert_eq!(error.code(), code, "{fault:?}: {error}");
        assert_eq!(
            error.retry_after(),
            (fault == Fault::RateLimited(7)).then_some(Duration::from_secs(7))
        );
    }
    assert_eq!(
        cloud.state().applied.len(),
        1,
        "only what was truncated had taken effect"
    );
    cloud.next(Call::Batch, Fault::Strangers);
    let results = client
        .push_batch(&[item("create", "q", "{}", "01JQ", 0)], NOW)
        .await
        .unwrap()
        .value;
    assert_eq!(results.len(), 3);
    cloud.next(Call::Batch, Fault::NoResults);
    assert!(
        client
            .push_batch(&[item("create", "r", "{}", "01JR", 0)], NOW)
            .await
            .unwrap()
            .value
            .is_empty()
    );
    cloud.go_down();
    assert_eq!(client.ping().await.unwrap_err().code(), "interrupted");
    cloud.behave();
    client.ping().await.unwrap();
}
