//! What is old is removed while the outlet runs; seen from outside, and in the files.

use crate::harness::wait;
use crate::outlet::{Outlet, Setup};
use selaras::store::rows::{LogRow, put};
use selaras::store::{Batch, Direction, FEED_PREFIX, SledOptions, SledStore, Store, keys};
use selaras_core::json::Doc;
use selaras_core::stamp::Millis;

fn store(setup: &Setup) -> SledStore {
    SledStore::open(&setup.data_dir().join("store"), SledOptions::new("unused")).unwrap()
}

fn count(store: &SledStore, kind: u8) -> usize {
    let rows = store.scan(&[kind], &[kind + 1], Direction::Forward, 10_000);
    rows.unwrap().len()
}

async fn set(outlet: &Outlet, settings: &str) {
    let request = outlet.request("PUT", "/api/v1/config/sync").json(settings);
    request.await.expect(200);
}

#[tokio::test]
async fn the_feed_keeps_as_many_entries_as_it_may_and_says_how_to_begin_anew() {
    let outlet = Setup::without_cloud().start().await;
    for part in 0..3 {
        let change = |n: u32| {
            format!(
                r#"{{"entity_type":"product","entity_id":"p-{n}","operation":"create","data":{{"n":{n}}}}}"#
            )
        };
        let changes: Vec<String> = (part * 100..part * 100 + 100).map(change).collect();
        let body = format!(r#"{{"changes":[{}]}}"#, changes.join(","));
        outlet
            .request("POST", "/api/v1/changes")
            .json(body)
            .await
            .expect(201);
    }
    set(&outlet, r#"{"feed_max_entries":100}"#).await;
    let gone = wait::until("the feed to be trimmed", || async {
        let reply = outlet.read("changes?since=0&limit=1").await;
        (reply.status == 410).then_some(reply)
    })
    .await;
    let gone = gone.expect_error(410, "feed_truncated");
    assert_eq!((gone.num("data.oldest"), gone.num("data.head")), (201, 300));
    assert_eq!(outlet.list("product").await.len(), 300);
    outlet.feed(gone.num("data.head")).await;
    assert_eq!(outlet.feed(200).await.list().len(), 100);
    let setup = outlet.stop().await;
    assert_eq!(count(&store(&setup), FEED_PREFIX), 100);
}

#[tokio::test]
async fn old_lines_of_the_log_go_while_it_runs_and_what_waits_stays() {
    let setup = Setup::without_cloud().start().await.stop().await;
    let written = store(&setup);
    let mut batch = Batch::new();
    for _ in 0..700 {
        let row = LogRow {
            push: true,
            entity_type: None,
            entity_count: 1,
            status: 0,
            error_message: None,
            started_at: Millis(1_000_000),
            duration_ms: 1,
            details: Doc::parse("{}").unwrap(),
        };
        put(&mut batch, keys::numbered(keys::LOG, written.reserve()), &row);
    }
    written.commit(batch).await.unwrap();
    written.close().unwrap();
    drop(written);

    let outlet = setup.start().await;
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    set(&outlet, r#"{"log_retention_days":7}"#).await;
    wait::until("the log to be emptied", || async {
        let logs = outlet.read("sync/logs").await.expect(200);
        logs.list().is_empty().then_some(())
    })
    .await;
    assert_eq!(outlet.status().await.num("data.pending_count"), 1);
    let setup = outlet.stop().await;
    let left = store(&setup);
    assert_eq!((count(&left, keys::LOG), count(&left, keys::ITEM)), (0, 1));
}
