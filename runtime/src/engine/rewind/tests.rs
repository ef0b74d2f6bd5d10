//! A store that went back, and the engine's first steps on it.

use super::*;
use crate::clock::ManualClock;
use crate::engine::api::{FeedError, Scope};
use crate::engine::settings::Defaults;
use crate::engine::testing::{self, engine_over};
use crate::store::rewound::Cause;
use crate::store::{Direction, MemoryDisk, MemoryStore};
use selaras_core::item::ItemState;
use selaras_core::stamp::Millis;
use std::sync::Arc;
use std::time::Duration;

const START: i64 = 1_769_509_800_000;

fn open(disk: &MemoryDisk) -> Engine {
    let store = MemoryStore::open(disk.clone(), "first").unwrap();
    let clock = Arc::new(ManualClock::new(START, 1));
    engine_over(Arc::new(store), clock, Defaults::default())
}

async fn put(engine: &Engine, id: &str, price: u32) -> u64 {
    let key = EntityKey::parse("product", id).unwrap();
    testing::put(engine, key, &format!("{{\"price\":{price}}}")).await
}

fn go_back(disk: &MemoryDisk) {
    let row = Rewound::new(
        Millis(START),
        Cause::Restored,
        "from a backup".to_owned(),
        Some(9),
    );
    disk.rewind(START.unsigned_abs(), "second", &row);
}

fn items(engine: &Engine) -> Vec<selaras_core::item::Item> {
    let rows = engine.inner.rows.items(&[keys::ITEM], 10_000).unwrap();
    rows.into_iter()
        .filter_map(|(_, row)| row)
        .map(|row| row.item)
        .collect()
}

#[tokio::test]
async fn what_waits_is_put_in_doubt_and_the_checkpoint_forgotten() {
    let disk = MemoryDisk::default();
    let engine = open(&disk);
    for n in 0..450 {
        put(&engine, &format!("p-{n}"), n).await;
    }
    let mut batch = Batch::new();
    put_meta(&mut batch, CHECKPOINT, &"somewhere".to_owned());
    engine.inner.rows.store().commit(batch).await.unwrap();
    assert!(!engine.awaits_pull() && engine.went_back().is_none());
    let disk = disk.copy();
    go_back(&disk);

    let engine = open(&disk);
    engine.rewind().await.unwrap();
    let items = items(&engine);
    assert_eq!(items.len(), 450);
    assert!(
        items
            .iter()
            .all(|item| item.doubted && item.state == ItemState::Attempted)
    );
    assert_eq!(engine.checkpoint().unwrap(), None);
    assert!(engine.awaits_pull());
    let shown = engine.went_back().unwrap();
    assert_eq!(
        (shown.cause, shown.lost_commits, shown.pulled),
        ("restored", Some(9), false)
    );
    let (from, to) = keys::all(keys::LOG);
    let log = engine
        .inner
        .rows
        .page::<LogRow>((&from, &to), Direction::Forward, 10)
        .unwrap();
    assert!(log[0].1.error_message.as_ref().unwrap().contains("from a backup"));

    // The next start finds it done, and a pull ends it.
    let engine = open(&disk);
    engine.rewind().await.unwrap();
    assert!(engine.awaits_pull());
    engine.pulled_to_the_end().await.unwrap();
    assert!(!engine.awaits_pull());
    assert!(!open(&disk).awaits_pull());
}

#[tokio::test]
async fn interrupted_anywhere_it_goes_on() {
    let disk = MemoryDisk::default();
    let engine = open(&disk);
    for n in 0..3 {
        put(&engine, &format!("p-{n}"), n).await;
    }
    let disk = disk.copy();
    go_back(&disk);
    // The first start comes as far as one entity.
    let engine = open(&disk);
    engine.close_old_feed().await.unwrap();
    let one = BTreeSet::from([EntityKey::parse("product", "p-1").unwrap()]);
    assert_eq!(engine.put_in_doubt(one).await.unwrap(), 1);
    let engine = open(&disk);
    engine.rewind().await.unwrap();
    assert!(items(&engine).iter().all(|item| item.doubted));
}

#[tokio::test]
async fn a_place_in_the_feed_from_before_is_told_apart() {
    let disk = MemoryDisk::default();
    let engine = open(&disk);
    put(&engine, "p-1", 1).await;
    let disk = disk.copy();
    put(&engine, "p-1", 2).await;
    put(&engine, "p-1", 3).await;
    go_back(&disk);
    let engine = open(&disk);
    engine.rewind().await.unwrap();
    put(&engine, "p-1", 4).await;
    let head = engine.inner.rows.store().feed_head();
    for old in [0, 1, 2, 3, head - 2] {
        match engine.feed(old, 10, Duration::ZERO, &Scope::ALL).await {
            Err(FeedError::Truncated {
                epoch,
                oldest,
                head: told,
            }) => {
                assert_eq!((epoch.as_str(), oldest, told), ("second", head, head));
            }
            other => panic!("since {old}: {other:?}"),
        }
    }
    let feed = engine
        .feed(head - 1, 10, Duration::ZERO, &Scope::ALL)
        .await
        .unwrap();
    assert_eq!(feed.entries.len(), 1);
    // And after one more start.
    assert!(
        open(&disk)
            .feed(1, 10, Duration::ZERO, &Scope::ALL)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_version_that_an_app_saw_does_not_come_again() {
    let disk = MemoryDisk::default();
    let engine = open(&disk);
    put(&engine, "p-1", 1).await;
    let disk = disk.copy();
    let lost = [put(&engine, "p-1", 2).await, put(&engine, "p-2", 3).await];
    go_back(&disk);
    let engine = open(&disk);
    engine.rewind().await.unwrap();
    let new = [put(&engine, "p-1", 4).await, put(&engine, "p-2", 5).await];
    assert!(
        new.iter()
            .all(|version| !lost.contains(version) && *version > 1_000_000),
        "{new:?}"
    );
    assert_eq!(put(&engine, "p-2", 6).await, new[1] + 1, "one by one from there");
}

#[tokio::test]
async fn nothing_is_held_back_where_nothing_can_be_pulled() {
    let disk = MemoryDisk::default();
    drop(open(&disk));
    go_back(&disk);
    let engine = open(&disk);
    engine.rewind().await.unwrap();
    let settings = engine.settings();
    assert!(engine.holds_pushes(&settings, None));
    let server = LinkError::Server {
        status: 500,
        excerpt: String::new(),
        retry_after: None,
    };
    assert!(engine.holds_pushes(&settings, Some(&server)));
    assert!(!engine.holds_pushes(&settings, Some(&LinkError::NotFound(String::new()))));
    engine
        .inner
        .pull_failures
        .store(MOST_PULL_FAILURES, Ordering::Relaxed);
    assert!(!engine.holds_pushes(&settings, Some(&server)), "not for ever");
}
