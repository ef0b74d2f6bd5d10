//! The line and the cloud's answers at their worst: no answer, half of one, the wrong one, another address, another key. Nothing
//! is lost or done twice.

use crate::harness::json_text::{at, elements, quote, string_at};
use crate::harness::{northwind, wait};
use crate::outlet::{Outlet, Reply, Setup};
use crate::scripted_cloud::{CHECKPOINT_ZERO, Call, Fault, ScriptedCloud};
use std::time::Duration;

/// Each of these orders took effect once, and nothing failed.
async fn once_each(cloud: &ScriptedCloud, outlet: &Outlet, orders: &[northwind::Line]) {
    for line in orders {
        assert_eq!(cloud.state().times_applied("order", &line.id), 1, "{}", line.id);
    }
    let status = outlet.status().await;
    assert_eq!(
        (status.num("data.pending_count"), status.num("data.failed_count")),
        (0, 0)
    );
}

#[tokio::test]
async fn a_cloud_that_never_ends_its_answer_holds_a_run_no_longer_than_its_deadline() {
    for fault in [Fault::HangBefore, Fault::HangAfter, Fault::Drip] {
        let cloud = ScriptedCloud::start().await;
        let outlet = Outlet::of(&cloud).await;
        outlet.settle().await;
        outlet
            .configure("sync", r#"{"run_timeout_seconds":5,"push_delay_ms":60000}"#)
            .await
            .expect(200);
        let orders = &northwind::of("order")[..5];
        outlet.hand_over(orders).await;
        cloud.next(Call::Batch, fault.clone());
        let run = outlet.run().await;
        assert_eq!(run.str("data.status"), "failed", "{fault:?}: {}", run.text);
        assert!(run.str("data.error").contains("deadline"), "{}", run.text);
        outlet.settle().await;
        once_each(&cloud, &outlet, orders).await;
    }
}

#[tokio::test]
async fn a_name_that_does_not_resolve_costs_nothing_and_another_address_cures_it() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Setup::of(&cloud)
        .env("CLOUD_API_URL", "http://no-such-cloud.invalid")
        .env("CLOUD_ALLOW_HTTP", "true")
        .start()
        .await;
    let orders = &northwind::of("order")[..5];
    outlet.hand_over(orders).await;
    for _ in 0..5 {
        let run = outlet.run().await;
        assert!(
            run.str("data.error").contains("cannot be reached"),
            "{}",
            run.text
        );
    }
    assert!(!outlet.status().await.truth("data.online"));
    let body = format!(r#"{{"cloud_api_url":{}}}"#, quote(cloud.url()));
    outlet.configure("outlet", &body).await.expect(200);
    outlet.settle().await;
    once_each(&cloud, &outlet, orders).await;
}

#[tokio::test]
async fn a_cloud_that_asks_for_an_hour_gets_it_however_it_says_so() {
    let cloud = ScriptedCloud::start().await;
    let in_an_hour = || {
        let now_ms = cloud.state().now_ms().unsigned_abs();
        let at = Duration::from_secs(3600) + Duration::from_millis(now_ms);
        httpdate::fmt_http_date(std::time::UNIX_EPOCH + at)
    };
    let mut outlet = Outlet::of(&cloud).await;
    outlet.settle().await;
    for (n, fault) in [
        Fault::RetryAfter("3600".to_owned()),
        Fault::RetryAfter(in_an_hour()),
        Fault::RateLimited(3600),
    ]
    .into_iter()
    .enumerate()
    {
        cloud.next(Call::Batch, fault.clone());
        let id = format!("o-{n}");
        outlet.put("order", &id, r#"{"n":1}"#).await.expect(201);
        outlet
            .run_until("the cloud to ask for a rest", |_| cloud.faults_left() == 0)
            .await;
        wait::until("the answer to be taken in", || async {
            let status = outlet.status().await;
            status
                .string("data.last_error")
                .filter(|error| error.contains("to wait 3"))
        })
        .await;
        let asked = cloud.requests().len();
        let refused = outlet.run().await;
        assert!(
            refused
                .str("data.error")
                .contains("wants no request for another 3"),
            "{fault:?}: {}",
            refused.text
        );
        assert_eq!(cloud.requests().len(), asked, "not even when a person asks");
        assert_eq!(outlet.status().await.num("data.failed_count"), 0);
        // A new process asks anew.
        outlet = outlet.restart().await;
        outlet.settle().await;
        assert_eq!(cloud.state().times_applied("order", &id), 1);
    }
}

#[tokio::test]
async fn results_out_of_order_missing_double_or_strange_settle_each_item_once() {
    for fault in [
        Fault::Reordered,
        Fault::Short,
        Fault::Doubled,
        Fault::Strangers,
        Fault::NoResults,
    ] {
        let cloud = ScriptedCloud::start().await;
        let outlet = Outlet::of(&cloud).await;
        let orders = &northwind::of("order")[..20];
        cloud.next(Call::Batch, fault.clone());
        outlet.hand_over(orders).await;
        outlet.settle().await;
        assert_eq!(cloud.faults_left(), 0, "{fault:?}");
        once_each(&cloud, &outlet, orders).await;
        assert_eq!(outlet.status().await.num("data.total_synced"), 20, "{fault:?}");
        for line in orders {
            let here = outlet.get("order", &line.id).await;
            let there = cloud.state().find("order", &line.id).unwrap().cloud_id.clone();
            assert_eq!(here.str("data.cloud_id"), there, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_checkpoint_that_goes_back_brings_nothing_twice_and_ends() {
    let cloud = ScriptedCloud::start().await;
    for n in 0..3 {
        cloud.state().set("product", &format!("p-{n}"), r#"{"n":1}"#);
    }
    let outlet = Outlet::of(&cloud).await;
    outlet.settle().await;
    let head = outlet.feed(0).await.num("head");
    let back = format!(r#"{{"items":[],"sync_checkpoint":{}}}"#, quote(CHECKPOINT_ZERO));
    cloud.state().pages.push_back(back);
    outlet
        .run_until("the page to be taken in", |_| cloud.state().pages.is_empty())
        .await;
    outlet.settle().await;
    assert_eq!(
        outlet.feed(0).await.num("head"),
        head,
        "what comes again is known"
    );
    // Back and forth, and always more to come: the pull ends all the same.
    for n in 0..60 {
        let place = format!("at +%&é={}", n % 2);
        let page = format!(
            r#"{{"items":[],"sync_checkpoint":{},"has_more":true}}"#,
            quote(&place)
        );
        cloud.state().pages.push_back(page);
    }
    cloud.state().edit("product", "p-1", r#"{"n":2}"#);
    let run = outlet.run().await;
    assert_eq!(run.str("data.status"), "success", "{}", run.text);
    assert!(!cloud.state().pages.is_empty(), "it has left before the end");
    cloud.state().pages.clear();
    outlet.settle().await;
    assert_eq!(
        outlet.content("product", "p-1").await.as_deref(),
        Some(r#"{"n":2}"#)
    );
}

/// Item counts of the batches that came.
fn sizes(cloud: &ScriptedCloud) -> Vec<usize> {
    let items = |body: &str| at(body, "items").map_or(0, |list| elements(&list).len());
    cloud
        .calls(Call::Batch)
        .iter()
        .map(|call| items(&call.body))
        .collect()
}

#[tokio::test]
async fn a_batch_that_is_too_large_is_split_until_it_fits() {
    let cloud = ScriptedCloud::start().await;
    cloud.state().most_items = 3;
    let outlet = Outlet::of(&cloud).await;
    let orders = &northwind::of("order")[..20];
    outlet.hand_over(orders).await;
    outlet.settle().await;
    once_each(&cloud, &outlet, orders).await;
    let sizes = sizes(&cloud);
    assert!(
        sizes.iter().any(|size| *size > 3) && sizes.iter().any(|size| *size <= 3),
        "{sizes:?}"
    );
}

#[tokio::test]
async fn of_a_batch_with_a_poison_item_only_that_fails() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.configure("sync", r#"{"max_retries":1}"#).await.expect(200);
    let orders = &northwind::of("order")[..20];
    cloud.state().poison = Some(orders[7].id.clone());
    outlet.hand_over(orders).await;
    outlet
        .run_until("the poison to be found", |s| {
            s.num("data.failed_count") == 1 && s.num("data.pending_count") == 0
        })
        .await;
    for (n, line) in orders.iter().enumerate() {
        let times = usize::from(n != 7);
        assert_eq!(
            cloud.state().times_applied("order", &line.id),
            times,
            "{}",
            line.id
        );
    }
    let failed = outlet.failed().await;
    assert_eq!(
        string_at(&failed[0], "entity_id").as_deref(),
        Some(orders[7].id.as_str())
    );
    assert!(
        string_at(&failed[0], "error_message")
            .unwrap()
            .contains("HTTP 400")
    );
}

#[tokio::test]
async fn the_queue_goes_with_a_cloud_that_moves_and_nothing_arrives_twice() {
    let (old, new) = (ScriptedCloud::start().await, ScriptedCloud::start().await);
    let outlet = Outlet::of(&old).await;
    let orders = &northwind::of("order")[..30];
    let (first, second) = orders.split_at(10);
    // Taken at the old address; the answer is lost, and the line with it.
    old.always(Call::Batch, Fault::DropAfter);
    outlet.hand_over(first).await;
    wait::until_true("the old cloud to have taken some", || {
        !old.state().applied.is_empty()
    })
    .await;
    old.go_down();
    outlet.hand_over(second).await;
    outlet.run().await;
    new.state().take_after(&old.state());
    let taken = old.state().applied.len();
    let body = format!(r#"{{"cloud_api_url":{}}}"#, quote(new.url()));
    outlet.configure("outlet", &body).await.expect(200);
    outlet.settle().await;
    assert_eq!(
        old.state().applied.len(),
        taken,
        "nothing goes to the old one any more"
    );
    for line in orders {
        let (before, after) = (
            old.state().times_applied("order", &line.id),
            new.state().times_applied("order", &line.id),
        );
        assert_eq!(before + after, 1, "{}", line.id);
    }
    assert_eq!(new.state().entities.len(), 30);
}

#[tokio::test]
async fn a_new_key_lets_everything_flow_without_a_retry_used_up() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.settle().await;
    cloud.state().api_key = Some("sk_live_rotated0987654321".to_owned());
    let orders = &northwind::of("order")[..10];
    outlet.hand_over(orders).await;
    for _ in 0..5 {
        let run = outlet.run().await;
        assert!(run.str("data.error").contains("cloud_api_key"), "{}", run.text);
    }
    for item in outlet.queue().await {
        assert_eq!(at(&item, "retry_count").as_deref(), Some("0"), "{item}");
    }
    outlet
        .configure("outlet", r#"{"cloud_api_key":"sk_live_rotated0987654321"}"#)
        .await
        .expect(200);
    wait::until("the queue to drain by itself", || async {
        (outlet.status().await.num("data.pending_count") == 0).then_some(())
    })
    .await;
    once_each(&cloud, &outlet, orders).await;
}

/// The details of the newest line of the log that has what is looked for.
async fn details(outlet: &Outlet, sync_type: &str, has: impl Fn(&str) -> bool) -> String {
    let logs: Reply = outlet
        .read(&format!("sync/logs?sync_type={sync_type}"))
        .await
        .expect(200);
    let all: Vec<String> = logs
        .list()
        .iter()
        .filter_map(|line| at(line, "details"))
        .collect();
    let found = all.iter().find(|details| has(details));
    found.unwrap_or_else(|| panic!("none of {all:#?}")).clone()
}

#[tokio::test]
async fn the_log_tells_counts_errors_verdicts_pages_and_bytes() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.bind("product", r#"{"strategy":"cloud_wins"}"#).await;
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    outlet.settle().await;
    cloud.state().page_size = 1;
    cloud
        .state()
        .refused
        .insert("bad".into(), "price is missing".into());
    outlet
        .configure("sync", r#"{"max_retries":0,"push_delay_ms":60000}"#)
        .await
        .expect(200);
    outlet.rest().await;
    cloud.state().edit("product", "p", r#"{"n":2}"#);
    cloud.state().create("order", r#"{"n":1}"#);
    outlet.put("product", "p", r#"{"n":3}"#).await.expect(200);
    outlet.put("product", "bad", r#"{"n":1}"#).await.expect(201);
    outlet.put("order", "o", r#"{"n":1}"#).await.expect(201);
    outlet
        .run_until("everything but one to be done", |s| {
            s.num("data.failed_count") == 1 && s.num("data.pending_count") == 0
        })
        .await;
    let pushed = details(&outlet, "push", |details| details.contains("price is missing")).await;
    let num = |text: &str, path: &str| {
        at(text, path)
            .and_then(|n| n.parse::<u64>().ok())
            .unwrap_or_default()
    };
    assert_eq!(num(&pushed, "by_type.product.failed"), 1, "{pushed}");
    assert_eq!(
        string_at(&pushed, "errors.0.entity_type").as_deref(),
        Some("product")
    );
    assert_eq!(num(&pushed, "errors.0.count"), 1);
    assert!(
        num(&pushed, "requests") >= 1 && num(&pushed, "bytes_sent") > 100,
        "{pushed}"
    );
    let pulled = details(&outlet, "pull", |details| {
        num(details, "conflicts.cloud_wins") == 1
    })
    .await;
    assert!(num(&pulled, "pages") >= 2, "{pulled}");
    assert_eq!(num(&pulled, "by_type.order.success"), 1, "{pulled}");
    assert!(
        num(&pulled, "requests") >= 2 && num(&pulled, "bytes_received") > 100,
        "{pulled}"
    );
}
