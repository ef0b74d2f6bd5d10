//! More waits than the cloud takes at once: its limit on requests is kept, and nothing starves.

use crate::harness::json_text::{at, elements, string_at};
use crate::harness::northwind::Line;
use crate::harness::wait;
use crate::outlet::{Outlet, Setup};
use crate::scripted_cloud::{Call, Fault, ScriptedCloud};

/// Documents of a type, as many as wanted.
fn many(entity_type: &'static str, count: usize) -> Vec<Line> {
    let line = |n| Line {
        entity_type,
        id: format!("{entity_type}-{n}"),
        document: format!(r#"{{"stock":{n}}}"#),
    };
    (0..count).map(line).collect()
}

/// The ids in each batch so far.
fn batches(cloud: &ScriptedCloud) -> Vec<Vec<String>> {
    let ids = |body: &str| {
        let items = elements(&at(body, "items").expect("a batch"));
        let id = |item: &String| string_at(&at(item, "data")?, "local_id");
        items.iter().map(|item| id(item).expect("an id")).collect()
    };
    cloud
        .calls(Call::Batch)
        .iter()
        .map(|call| ids(&call.body))
        .collect()
}

async fn switch(outlet: &Outlet, on: bool) {
    outlet
        .request("POST", "/api/v1/config/sync/toggle")
        .json(format!(r#"{{"sync_enabled":{on}}}"#))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_backlog_drains_in_full_batches_and_without_a_refusal() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    cloud.allow(100);
    outlet
        .configure("sync", r#"{"requests_per_minute":100}"#)
        .await
        .expect(200);
    switch(&outlet, false).await;
    outlet.hand_over(&many("stock", 6_000)).await;
    let status = outlet.status().await;
    assert_eq!(status.num("data.rate.batch_size"), 1_000);
    assert_eq!(status.num("data.rate.requests_per_minute"), 100);
    assert_eq!(status.str("data.rate.source"), "set");
    switch(&outlet, true).await;
    outlet.settle().await;
    assert_eq!(cloud.refusals(), 0);
    let sizes: Vec<usize> = batches(&cloud).iter().map(Vec::len).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 6_000);
    assert!(sizes.len() <= 8, "{sizes:?}");
    let status = outlet.status().await;
    assert_eq!(status.num("data.rate.batch_size"), 100);
    assert!(status.num("data.rate.last_minute") >= 6);
    assert_eq!(
        (status.num("data.pending_count"), status.num("data.failed_count")),
        (0, 0)
    );
}

#[tokio::test]
async fn what_is_made_now_goes_with_the_next_batch_although_a_day_waits_and_nobody_starves() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.configure("sync", r#"{"batch_size":20}"#).await.expect(200);
    outlet.bind("note", r#"{"priority":9}"#).await;
    cloud.always(Call::Batch, Fault::HangBefore);
    switch(&outlet, false).await;
    outlet.hand_over(&many("stock", 2_000)).await;
    outlet.hand_over(&many("note", 40)).await;
    switch(&outlet, true).await;
    wait::until_true("three batches to be under way", || cloud.count(Call::Batch) == 3).await;
    outlet
        .put("stock", "made-now", r#"{"stock":1}"#)
        .await
        .expect(201);
    outlet
        .put("order", "paid-now", r#"{"total":1}"#)
        .await
        .expect(201);
    cloud.behave();
    cloud.release();
    outlet.settle().await;
    let batches = batches(&cloud);
    let batch_of = |id: &str| batches.iter().position(|ids| ids.iter().any(|one| one == id));
    // Three were under way. Three follow at once, and the first of them to be dealt has it.
    assert!(
        batch_of("paid-now").is_some_and(|batch| (3..=5).contains(&batch)),
        "{batches:?}"
    );
    assert!(
        batch_of("made-now").is_some_and(|batch| batch <= 6),
        "{batches:?}"
    );
    // Two notes of forty go with each, and a third with every tenth.
    for ids in &batches[..15] {
        let notes = ids.iter().filter(|id| id.starts_with("note-")).count();
        assert!((1..=3).contains(&notes), "{ids:?}");
    }
    assert_eq!(batches.iter().map(Vec::len).sum::<usize>(), 2_042);
}

#[tokio::test]
async fn a_refusal_is_waited_out_and_learned_from_and_no_outage() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.settle().await;
    cloud.forget_requests();
    for expected in [100, 50] {
        cloud.next(Call::Batch, Fault::RateLimited(2));
        outlet
            .put("product", &format!("p-{expected}"), r#"{"n":1}"#)
            .await
            .expect(201);
        wait::until_true("the refusal", || cloud.faults_left() == 0).await;
        let status = wait::until("the limit to be learned", || async {
            let status = outlet.status().await;
            (status.num("data.rate.requests_per_minute") == expected).then_some(status)
        })
        .await;
        assert_eq!(status.str("data.rate.source"), "learned");
        assert!(status.truth("data.online"));
        outlet.settle().await;
    }
    assert_eq!(cloud.count(Call::Ping), 0, "the line was never in doubt");
    assert!(cloud.state().times_applied("product", "p-100") == 1);
    assert_eq!(outlet.status().await.num("data.failed_count"), 0);
}

#[tokio::test]
async fn no_request_over_the_limit_is_made_also_after_a_restart_and_stopping_does_not_wait_for_one() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.settle().await;
    outlet
        .configure("sync", r#"{"requests_per_minute":1}"#)
        .await
        .expect(200);
    let before = cloud.requests().len();
    outlet.put("order", "o", r#"{"total":1}"#).await.expect(201);
    let refused = |run: &crate::outlet::Reply| {
        assert_eq!(run.str("data.status"), "failed");
        let error = run.str("data.error");
        assert!(error.contains("limit") || error.contains("no request"), "{error}");
    };
    refused(&outlet.run().await);
    let status = outlet.status().await;
    assert!(status.string("data.rate.limited_until").is_some());
    assert!(status.string("data.next_run_at").is_some());
    assert_eq!(
        (status.num("data.pending_count"), status.num("data.failed_count")),
        (1, 0)
    );
    let setup: Setup = outlet.stop().await;
    let outlet = setup.start().await;
    refused(&outlet.run().await);
    assert!(outlet.status().await.num("data.rate.last_minute") >= 1);
    assert_eq!(cloud.requests().len(), before, "nothing was sent");
    outlet
        .configure("sync", r#"{"requests_per_minute":0}"#)
        .await
        .expect(200);
    outlet.stop().await;
}
