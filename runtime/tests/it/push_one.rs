//! One entity's waiting changes are pushed because somebody asks, and what came of it is answered.

use crate::harness::json_text::{elements, string_at};
use crate::harness::wait;
use crate::outlet::{Outlet, Reply};
use crate::scripted_cloud::{Call, Fault, ScriptedCloud};

/// An outlet whose runs come only when they are asked for, and whose backoffs last an hour.
async fn patient() -> (ScriptedCloud, Outlet) {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.settle().await;
    outlet
        .configure(
            "sync",
            r#"{"initial_backoff_seconds":3600,"max_backoff_seconds":3600,"push_delay_ms":3600000}"#,
        )
        .await
        .expect(200);
    // Changed settings make a run of their own.
    outlet.rest().await;
    (cloud, outlet)
}

impl Outlet {
    async fn push(&self, entity_type: &str, id: &str) -> Reply {
        self.request("POST", &format!("/api/v1/sync/push/{entity_type}/{id}"))
            .await
    }
}

fn outcomes(reply: &Reply) -> Vec<String> {
    elements(&reply.raw("data.items").unwrap())
        .iter()
        .map(|item| string_at(item, "outcome").unwrap())
        .collect()
}

#[tokio::test]
async fn an_entity_is_pushed_now_whatever_its_backoff_and_the_clouds_words_are_told() {
    let (cloud, outlet) = patient().await;
    let reason = "the stock is being counted".to_owned();
    cloud.state().refused.insert("p".to_owned(), reason.clone());
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    outlet.put("product", "other", r#"{"n":1}"#).await.expect(201);
    let reply = outlet.push("product", "p").await.expect(200);
    assert_eq!((reply.num("data.pushed"), reply.num("data.failed")), (0, 1));
    assert_eq!(outcomes(&reply), ["retry"]);
    assert_eq!(reply.str("data.error"), reason);
    assert_eq!(reply.str("data.sync_status"), "pending");
    let item = elements(&reply.raw("data.items").unwrap()).remove(0);
    assert_eq!(string_at(&item, "error"), Some(reason));
    assert!(string_at(&item, "next_attempt_at").is_some());
    cloud.state().refused.clear();
    let reply = outlet.push("product", "p").await.expect(200);
    assert_eq!((reply.num("data.pushed"), reply.num("data.failed")), (1, 0));
    assert_eq!(outcomes(&reply), ["pushed"]);
    assert_eq!(reply.str("data.sync_status"), "synced");
    assert_eq!(cloud.state().times_applied("product", "p"), 1);
    let logs = outlet.read("sync/logs?sync_type=push").await.expect(200);
    assert!(!logs.list().is_empty(), "it is in the sync log");
}

#[tokio::test]
async fn all_changes_of_the_entity_go_in_order_and_nothing_waiting_is_no_error() {
    let (cloud, outlet) = patient().await;
    outlet.bind("product", r#"{"coalesce":false}"#).await;
    outlet.settle().await;
    for n in 1..=3 {
        outlet.put("product", "p", &format!(r#"{{"n":{n}}}"#)).await;
    }
    let reply = outlet.push("product", "p").await.expect(200);
    assert_eq!(outcomes(&reply), ["pushed", "pushed", "pushed"]);
    assert_eq!(cloud.state().times_applied("product", "p"), 3);
    let reply = outlet.push("product", "p").await.expect(200);
    assert_eq!((reply.num("data.pushed"), outcomes(&reply).len()), (0, 0));
    assert_eq!(reply.str("data.sync_status"), "synced");
    outlet
        .push("product", "nobody")
        .await
        .expect_error(404, "entity_not_found");
    outlet
        .push("No Type", "p")
        .await
        .expect_error(422, "invalid_value");
}

#[tokio::test]
async fn an_open_conflict_is_409_and_says_what_to_do() {
    let (cloud, outlet) = patient().await;
    outlet.bind("product", r#"{"strategy":"manual"}"#).await;
    outlet.rest().await;
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    outlet.push("product", "p").await.expect(200);
    cloud.state().edit("product", "p", r#"{"n":2}"#);
    outlet.put("product", "p", r#"{"n":3}"#).await.expect(200);
    // The cloud tells of it in its answer to the push.
    let reply = outlet.push("product", "p").await.expect(200);
    assert_eq!(outcomes(&reply), ["conflict"]);
    assert_eq!(reply.str("data.sync_status"), "conflict");
    let reply = outlet
        .push("product", "p")
        .await
        .expect_error(409, "conflict_open");
    let conflict = reply.str("data.conflict_id");
    assert!(
        reply
            .str("message")
            .contains(&format!("/sync/resolve/{conflict}"))
    );
    outlet
        .resolve(&conflict, r#"{"strategy":"local_wins"}"#)
        .await
        .expect(200);
    outlet.push("product", "p").await.expect(200);
    assert_eq!(
        cloud.state().content("product", "p").as_deref(),
        Some(r#"{"n":3}"#)
    );
}

#[tokio::test]
async fn a_link_that_rests_and_a_rate_limit_are_kept_and_told() {
    let (cloud, outlet) = patient().await;
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    cloud.always(Call::Batch, Fault::RateLimited(3000));
    let reply = outlet
        .push("product", "p")
        .await
        .expect_error(503, "cloud_unavailable");
    let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!((2900..=3000).contains(&wait), "{wait}");
    assert_eq!(reply.num("data.pushed"), 0);
    assert_eq!(outcomes(&reply), ["waiting"]);
    let sent = cloud.count(Call::Batch);
    let reply = outlet.push("product", "p").await.expect_error(503, "link_paused");
    assert!(reply.header("retry-after").is_some());
    assert_eq!(cloud.count(Call::Batch), sent, "nothing was sent");
    outlet
        .request("POST", "/api/v1/config/sync/toggle")
        .json(r#"{"enabled":false}"#)
        .await
        .expect(200);
    outlet.push("product", "p").await.expect_error(409, "sync_off");
}

#[tokio::test]
async fn while_a_run_is_going_it_waits_for_it_and_nothing_is_sent_twice() {
    let (cloud, outlet) = patient().await;
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    cloud.next(Call::Batch, Fault::HangBefore);
    outlet.request("POST", "/api/v1/sync/trigger").await.expect(200);
    wait::until_true("the run to send", || cloud.count(Call::Batch) == 1).await;
    let pushing = outlet.push("product", "p");
    let releasing = async {
        // Whether it was asked for before or after the release: it has its turn after the run.
        cloud.release();
    };
    let (reply, ()) = tokio::join!(pushing, releasing);
    let reply = reply.expect(200);
    assert!(["settled", "pushed"].contains(&outcomes(&reply).first().map_or("settled", String::as_str)));
    assert_eq!(reply.str("data.sync_status"), "synced");
    assert_eq!(cloud.state().times_applied("product", "p"), 1);
    assert_eq!(cloud.count(Call::Batch), 1);
}
