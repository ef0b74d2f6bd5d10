//! Stores that lack rows: what is made anew of what is left.

use super::super::conformance::wait;
use super::super::rows::{ParkedRow, put};
use super::super::{MemoryStore, RESERVED};
use super::*;
use selaras_core::accept::{Incoming, accept};
use selaras_core::id::CloudId;
use selaras_core::item::Parked;
use selaras_core::json::Doc;
use selaras_core::push::{Outcome, Policy, absorb, attempt};
use selaras_core::receive::{Received, receive};
use selaras_core::record::SyncStatus;
use selaras_core::stamp::Millis;
use selaras_core::update::{Seen, Update};

const NOW: Millis = Millis(1_769_509_800_000);

fn doc(text: &str) -> Doc {
    Doc::parse(text).unwrap()
}

/// A product that both sides know, with a change of it waiting.
fn changed(id: &str) -> Entity {
    let mut entity = Entity::new(EntityKey::parse("product", id).unwrap());
    let update = Update {
        cloud_id: Some(CloudId::parse(&format!("c-{id}")).unwrap()),
        version: Some(7),
        body: Some(doc(r#"{"n":1}"#)),
        ..Update::default()
    };
    let seen = Seen::Doc(doc(r#"{"n":1}"#));
    assert_eq!(receive(&mut entity, &update, &seen), Received::Applied);
    change(&mut entity, 11, Some(r#"{"n":2}"#));
    entity
}

fn change(entity: &mut Entity, order: u64, text: Option<&str>) {
    let incoming = Incoming {
        doc: text.map(doc),
        stamp: NOW.into(),
        by: None,
        change_id: format!("ch-{order}"),
        order,
        now: NOW,
    };
    accept(entity, incoming, false);
}

fn park(entity: &mut Entity) {
    let change_id = entity.head().unwrap().change_id.clone();
    let by = Parked {
        code: "plugin-trap".to_owned(),
        plugin: "m".to_owned(),
        digest: None,
        under: "u".to_owned(),
        at: NOW,
    };
    let outcome = Outcome::Parked {
        error: "plugin-trap: no".to_owned(),
        retryable: false,
        by,
    };
    let policy = Policy {
        max_retries: 3,
        retry_at: NOW,
        coalesce: false,
        new_change_id: "never".to_owned(),
    };
    absorb(entity, &change_id, outcome, &policy);
}

fn write(store: &MemoryStore, entity: &Entity) {
    let mut batch = Batch::new();
    let before = Entity::new(entity.key.clone());
    write_entity(&mut batch, &before, &mut entity.clone(), 3, |_| false);
    wait(store.commit(batch)).unwrap();
}

/// What a salvage makes of the store when these rows cannot be read: what is there, but for what follows from it.
fn salvaged(store: &MemoryStore, lost: &[Vec<u8>]) -> (Arc<MemoryStore>, Salvaged) {
    let made = Arc::new(MemoryStore::new("made"));
    let rows = store
        .scan(&[0], &[RESERVED], Direction::Forward, usize::MAX)
        .unwrap();
    let mut batch = Batch::new();
    for (key, value) in rows {
        if !is_derived(&key) && !lost.contains(&key) {
            batch.count(Counter::Parked, i64::from(key[0] == keys::PARKED));
            batch.put(key, value);
        }
    }
    wait(made.commit(batch)).unwrap();
    let mut report = Salvaged::default();
    mend(made.clone(), &mut report).unwrap();
    (made, report)
}

fn item_row(order: u64) -> Vec<u8> {
    keys::numbered(keys::ITEM, order)
}

#[test]
fn a_record_whose_item_is_lost_is_queued_anew_on_the_clouds_version() {
    let store = MemoryStore::new("broken");
    let entity = changed("p");
    write(&store, &entity);
    let (made, report) = salvaged(&store, &[item_row(11)]);
    assert_eq!(report.lost_items, 1);
    let rows = Rows::new(made.clone());
    let mut mended = rows.entity(&entity.key).unwrap();
    assert_eq!(mended.record.sync_status(), SyncStatus::Pending);
    assert_eq!((mended.record.waiting, mended.items.len()), (1, 1));
    assert_eq!(made.counter(Counter::Pending), 1);
    let head = mended.head().unwrap();
    assert!(head.order > 0 && head.change_id != "ch-11", "{head:?}");
    assert_eq!(head.snapshot, Some(doc(r#"{"n":2}"#)));
    assert!(mended.record.slot.is_some(), "it is in the schedule");
    let (again, _) = salvaged(&store, &[item_row(11)]);
    let twin = Rows::new(again).entity(&entity.key).unwrap();
    assert_eq!(twin.head().unwrap().change_id, head.change_id);
    attempt(&mut mended, NOW);
    let sent = mended.head().unwrap().sent.clone().unwrap();
    assert_eq!(sent.base_version, 7);
}

#[test]
fn a_record_whose_sent_create_is_lost_is_diverged() {
    let store = MemoryStore::new("broken");
    let mut entity = Entity::new(EntityKey::parse("order", "o").unwrap());
    change(&mut entity, 11, Some(r#"{"n":1}"#));
    attempt(&mut entity, NOW);
    write(&store, &entity);
    let (made, report) = salvaged(&store, &[item_row(11)]);
    assert_eq!(report.lost_items, 1);
    let mended = Rows::new(made.clone()).entity(&entity.key).unwrap();
    assert_eq!(mended.record.sync_status(), SyncStatus::Diverged);
    assert!(mended.items.is_empty() && mended.record.waiting == 0);
    assert_eq!(made.counter(Counter::Pending), 0);
    assert_eq!(mended.record.doc, Some(doc(r#"{"n":1}"#)), "nothing here is lost");
}

#[test]
fn a_lost_tail_is_queued_anew_behind_what_is_left() {
    let store = MemoryStore::new("broken");
    let mut entity = changed("p");
    change(&mut entity, 12, Some(r#"{"n":3}"#));
    write(&store, &entity);
    let (made, _) = salvaged(&store, &[item_row(12)]);
    let mended = Rows::new(made).entity(&entity.key).unwrap();
    let queue: Vec<_> = mended.items.iter().map(|item| item.snapshot.clone()).collect();
    assert_eq!(queue, [Some(doc(r#"{"n":2}"#)), Some(doc(r#"{"n":3}"#))]);
    assert!(mended.items[1].order > mended.items[0].order);
    assert_eq!(mended.items[0].change_id, "ch-11");
}

#[test]
fn what_is_parked_is_counted_and_found_by_its_entitys_name_again() {
    let store = MemoryStore::new("broken");
    let mut entity = changed("p");
    park(&mut entity);
    write(&store, &entity);
    let row = ParkedRow {
        entity_type: "product".to_owned(),
        entity_id: Some("q".to_owned()),
        update: Some(Update {
            cloud_id: Some(CloudId::parse("c-q").unwrap()),
            ..Update::default()
        }),
        raw: None,
        error_code: "plugin-trap".to_owned(),
        error: "no".to_owned(),
        at: NOW,
        plugin: None,
        digest: None,
        under: None,
        version: 0,
        collection: None,
    };
    let mut batch = Batch::new();
    put(&mut batch, keys::numbered(keys::PARKED, 20), &row);
    put(&mut batch, keys::numbered(keys::PARKED, 21), &"no such row");
    batch.count(Counter::Parked, 2);
    wait(store.commit(batch)).unwrap();
    assert_eq!(store.counter(Counter::Parked), 3);
    let (made, report) = salvaged(&store, &[]);
    assert_eq!(
        made.counter(Counter::Parked),
        2,
        "the item and the readable update"
    );
    assert_eq!((made.counter(Counter::Failed), report.broken), (1, 1));
    let number = made.get(&row.slot().unwrap()).unwrap();
    assert_eq!(number, Some(20_u64.to_be_bytes().to_vec()));
}
