//! Asking for it, and the end of what was not shown; walking a listing is tested against a cloud.

use super::*;
use crate::clock::ManualClock;
use crate::engine::api::Actor;
use crate::engine::inflow::Arrival;
use crate::engine::settings::Defaults;
use crate::engine::testing::{engine_over, put};
use crate::store::seen::{mark, put_shown};
use crate::store::{MemoryDisk, MemoryStore};
use selaras_core::id::{CloudId, EntityType};
use selaras_core::json::Doc;
use selaras_core::update::Update;
use std::sync::Arc;

const START: i64 = 1_769_509_800_000;

fn open(disk: &MemoryDisk) -> Engine {
    let store = MemoryStore::open(disk.clone(), "first").unwrap();
    let clock = Arc::new(ManualClock::new(START, 1));
    engine_over(Arc::new(store), clock, Defaults::default())
}

fn key(id: &str) -> EntityKey {
    EntityKey::parse("product", id).unwrap()
}

fn products() -> Scope {
    Scope::of_type(EntityType::parse("product").unwrap())
}

async fn pulled(engine: &Engine, id: &str, version: u64) {
    let arrival = Arrival {
        entity_type: EntityType::parse("product").unwrap(),
        local_id: Some(key(id).id),
        update: Update {
            cloud_id: Some(CloudId::parse(&format!("c-{id}")).unwrap()),
            version: Some(version),
            body: Some(Doc::parse(&format!(r#"{{"n":{version}}}"#)).unwrap()),
            ..Update::default()
        },
        pulled: true,
        listed: false,
    };
    engine.take_in(&[arrival], |_, _| {}).await.unwrap().unwrap();
}

fn lives(engine: &Engine, id: &str) -> bool {
    engine.inner.rows.record(&key(id)).unwrap().unwrap().doc.is_some()
}

/// A listing of all products that has shown these and said that it is complete.
async fn complete_listing(engine: &Engine, shown: &[&str]) -> Walk {
    let mut walk = engine.begun().await.unwrap().unwrap();
    let marks: Vec<u64> = shown.iter().map(|id| mark(&key(id))).collect();
    let mut batch = Batch::new();
    put_shown(&mut batch, walk.listing, 0, &marks);
    engine.inner.rows.store().commit(batch).await.unwrap();
    walk.complete = true;
    walk
}

#[tokio::test]
async fn what_is_asked_for_is_there_after_a_restart_and_joined_where_it_is_asked_for_again() {
    let disk = MemoryDisk::default();
    let engine = open(&disk);
    let first = engine.resync(products()).await.unwrap();
    assert!(!first.joined && first.resync.unwrap().state == ResyncState::Waiting);
    let engine = open(&disk);
    assert_eq!(engine.resyncing().unwrap().scope, products());
    assert!(engine.resync(Scope::of_entity(key("a"))).await.unwrap().joined);
    let wider = engine.resync(Scope::everything()).await.unwrap();
    assert!(!wider.joined && wider.resync.unwrap().scope == Scope::everything());

    let walk = engine.begun().await.unwrap().unwrap();
    let engine = open(&disk);
    let shown = engine.resyncing().unwrap();
    assert_eq!((shown.state, &shown.scope), (ResyncState::Listing, &walk.scope));
    assert!(engine.resync(products()).await.unwrap().joined);
    assert_eq!(engine.inner.rows.listing(), Some(walk.listing));
    engine.end_walk(walk, None).await.unwrap();
    assert!(engine.resyncing().is_none() && engine.inner.rows.listing().is_none());
    assert!(open(&disk).resyncing().is_none());
}

#[tokio::test]
async fn what_a_listing_does_not_cover_is_fetched_after_it() {
    let engine = open(&MemoryDisk::default());
    engine.resync(Scope::of_entity(key("a"))).await.unwrap();
    let walk = engine.begun().await.unwrap().unwrap();
    let wider = engine.resync(products()).await.unwrap();
    assert!(!wider.joined && wider.resync.unwrap().next == Some(products()));
    engine.end_walk(walk, None).await.unwrap();
    assert_eq!(engine.begun().await.unwrap().unwrap().scope, products());
}

#[tokio::test]
async fn only_what_was_there_before_a_complete_listing_and_is_not_in_it_ends() {
    let disk = MemoryDisk::default();
    let engine = open(&disk);
    for id in ["gone", "shown", "edited", "touched"] {
        pulled(&engine, id, 3).await;
    }
    engine.resync(products()).await.unwrap();
    let mut walk = complete_listing(&engine, &["shown"]).await;
    // Meanwhile: an app's change, headquarters' by webhook, and what nobody had before.
    put(&engine, key("edited"), r#"{"n":99}"#).await;
    pulled(&engine, "touched", 4).await;
    pulled(&engine, "new", 1).await;
    let head = engine.inner.rows.store().feed_head();
    // Interrupted after the first commit, it goes on.
    let engine = match engine.remove_unseen(&mut walk, || true).await.unwrap() {
        true => engine,
        false => open(&disk),
    };
    let mut walk = engine.begun().await.unwrap().unwrap();
    assert!(engine.remove_unseen(&mut walk, || false).await.unwrap());
    assert!(!lives(&engine, "gone"));
    for id in ["shown", "edited", "touched", "new"] {
        assert!(lives(&engine, id), "{id}");
    }
    assert_eq!(walk.removed, 1);
    assert_eq!(engine.inner.rows.store().feed_head(), head + 1);
}

#[tokio::test]
async fn nothing_ends_where_the_listing_may_not_have_shown_everything() {
    let engine = open(&MemoryDisk::default());
    pulled(&engine, "a", 3).await;
    engine.resync(products()).await.unwrap();
    let whole = complete_listing(&engine, &[]).await;
    let spoilt: [fn(&mut Walk); 3] = [
        |walk| walk.complete = false,
        |walk| walk.unreadable = 1,
        |walk| walk.keeps = true,
    ];
    for spoil in spoilt {
        let mut walk = whole.clone();
        spoil(&mut walk);
        assert!(engine.remove_unseen(&mut walk, || false).await.unwrap());
        assert!(lives(&engine, "a"));
    }
}

#[tokio::test]
async fn a_listing_begins_again_on_a_store_that_went_back() {
    let disk = MemoryDisk::default();
    let engine = open(&disk);
    engine.resync(products()).await.unwrap();
    let before = complete_listing(&engine, &[]).await;
    let mut walk = before.clone();
    walk.epoch = "another".to_owned();
    walk.pages = 7;
    *engine.inner.resync.walk.lock() = Some(walk);
    let again = engine.begun().await.unwrap().unwrap();
    assert!(again.pages == 0 && again.listing != before.listing && !again.complete);
    assert_eq!(engine.inner.rows.listing(), Some(again.listing));
}

#[tokio::test]
async fn nothing_is_fetched_again_where_pulling_is_off() {
    let engine = open(&MemoryDisk::default());
    let mut sync = engine.sync_settings();
    sync.pull_enabled = false;
    let actor = Actor {
        id: "admin".to_owned(),
        token_id: None,
    };
    engine.set_sync_settings(sync, &actor).await.unwrap();
    assert!(matches!(
        engine.resync(products()).await,
        Err(ResyncError::PullDisabled)
    ));
}
