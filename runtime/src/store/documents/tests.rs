//! Whatever happens to an entity, what is read back is what was written, and no document is left behind.

use super::*;
use crate::store::entity_rows::write_entity;
use crate::store::rows::Rows;
use crate::store::{Direction, MemoryStore};
use proptest::prelude::*;
use selaras_core::accept::{Incoming, accept};
use selaras_core::item::ItemState;
use selaras_core::push::{Outcome, Policy, absorb, attempt, give_up};
use selaras_core::receive::receive;
use selaras_core::settle::{Decision, Means, settle};
use selaras_core::stamp::Millis;
use selaras_core::update::{Seen, Update};
use std::sync::Arc;

const NOW: Millis = Millis(1_769_509_800_000);

#[derive(Clone, Debug)]
enum Step {
    Change { bytes: Option<usize>, coalesce: bool },
    Attempt,
    Succeed,
    Fail { for_good: bool },
    GiveUp { place: usize },
    Update { bytes: Option<usize> },
    Decide { decision: usize, bytes: usize },
}

fn step() -> impl Strategy<Value = Step> {
    // Around the size from which a document lies apart.
    let bytes = || prop_oneof![Just(40), Just(APART_BYTES), Just(APART_BYTES + 1), Just(600)];
    let perhaps = || prop_oneof![4 => bytes().prop_map(Some), 1 => Just(None)];
    prop_oneof![
        4 => (perhaps(), any::<bool>()).prop_map(|(bytes, coalesce)| Step::Change { bytes, coalesce }),
        3 => Just(Step::Attempt),
        2 => Just(Step::Succeed),
        1 => any::<bool>().prop_map(|for_good| Step::Fail { for_good }),
        1 => (0..4usize).prop_map(|place| Step::GiveUp { place }),
        2 => perhaps().prop_map(|bytes| Step::Update { bytes }),
        2 => (0..4usize, bytes()).prop_map(|(decision, bytes)| Step::Decide { decision, bytes }),
    ]
}

fn doc(number: u64, bytes: usize) -> Doc {
    let head = format!("{{\"n\":{number},\"fill\":\"");
    let fill = ".".repeat(bytes - head.len() - 2);
    Doc::parse(&format!("{head}{fill}\"}}")).expect("a document")
}

fn update(number: u64, bytes: Option<usize>, above: u64) -> Update {
    Update {
        version: Some(above + 1),
        stamp: Some(NOW),
        body: bytes.map(|bytes| doc(number, bytes)),
        ..Update::default()
    }
}

/// Whether the step changes items in the middle, for which all must be loaded.
fn needs_all(step: &Step) -> bool {
    matches!(
        step,
        Step::GiveUp { .. } | Step::Update { .. } | Step::Decide { .. }
    )
}

fn take(entity: &mut Entity, step: &Step, number: u64) {
    let cloud = entity.record.cloud_version;
    match step {
        Step::Change { bytes, coalesce } => {
            let incoming = Incoming {
                doc: bytes.map(|bytes| doc(number, bytes)),
                stamp: NOW.into(),
                by: None,
                change_id: format!("ch-{number}"),
                order: number,
                now: NOW,
            };
            accept(entity, incoming, *coalesce);
        }
        Step::Attempt if entity.head().is_some_and(|head| head.state != ItemState::Failed) => {
            attempt(entity, NOW);
        }
        Step::Succeed => answer(
            entity,
            number,
            Outcome::Success {
                cloud_id: None,
                version: Some(cloud + 1),
            },
        ),
        Step::Fail { for_good } => {
            let error = "no".to_owned();
            answer(
                entity,
                number,
                Outcome::Failed {
                    error,
                    retryable: !for_good,
                },
            );
        }
        Step::GiveUp { place } => {
            if let Some(order) = entity.items.get(*place).map(|item| item.order) {
                give_up(entity, order);
            }
        }
        Step::Update { bytes } if entity.items.is_empty() => {
            let update = update(number, *bytes, cloud);
            let seen = update.body.clone().map_or(Seen::Deleted, Seen::Doc);
            receive(entity, &update, &seen);
        }
        Step::Decide { decision, bytes } if !entity.is_attempted() && !entity.items.is_empty() => {
            let update = update(number, Some(*bytes), cloud);
            let seen = Seen::Doc(doc(number, *bytes));
            let decision = match decision {
                0 => Decision::KeepLocal,
                1 => Decision::TakeCloud,
                2 => Decision::Merge(doc(number + 1_000_000, *bytes)),
                _ => Decision::Delete,
            };
            let means = Means {
                change_ids: (0..entity.items.len())
                    .map(|at| format!("new-{number}-{at}"))
                    .collect(),
                order: number,
                conflict_id: "1".to_owned(),
                stamp: NOW.into(),
                now: NOW,
            };
            settle(entity, &update, &seen, &decision, means);
        }
        Step::Attempt | Step::Update { .. } | Step::Decide { .. } => {}
    }
}

fn answer(entity: &mut Entity, number: u64, outcome: Outcome) {
    let Some(head) = entity.head().filter(|head| head.state == ItemState::Attempted) else {
        return;
    };
    let change_id = head.change_id.clone();
    let policy = Policy {
        max_retries: 1,
        retry_at: NOW,
        coalesce: true,
        new_change_id: format!("re-{number}"),
    };
    absorb(entity, &change_id, outcome, &policy);
}

fn commit(rows: &Rows, before: &Entity, mut after: Entity) {
    let mut batch = Batch::new();
    write_entity(&mut batch, before, &mut after, 5, |_| false);
    if !batch.changes_nothing() {
        // The store in memory has committed when the call returns.
        drop(rows.store().commit(batch));
    }
}

fn snapshots(entity: &Entity) -> Vec<(u64, u64, Option<Doc>)> {
    let named = |item: &Item| (item.order, item.version, item.snapshot.clone());
    entity.items.iter().map(named).collect()
}

fn documents(rows: &Rows) -> usize {
    let (from, to) = keys::all(keys::DOCUMENT);
    let found = rows.store().scan(&from, &to, Direction::Forward, usize::MAX);
    found.expect("reads").len()
}

fn check(steps: &[Step]) -> Result<(), TestCaseError> {
    let rows = Rows::new(Arc::new(MemoryStore::new("test")));
    let key = EntityKey::parse("order", "o-1").expect("a key");
    let mut model = Entity::new(key.clone());
    for (number, step) in (1..).zip(steps) {
        let before = if needs_all(step) {
            rows.entity(&key)
        } else {
            rows.entity_edges(&key)
        };
        let before = before.expect("reads");
        let mut after = before.clone();
        take(&mut after, step, number);
        commit(&rows, &before, after);

        take(&mut model, step, number);
        let read = rows.entity(&key).expect("reads");
        prop_assert_eq!(&read.record.doc, &model.record.doc);
        prop_assert_eq!(&read.record.base, &model.record.base);
        prop_assert_eq!(snapshots(&read), snapshots(&model));
        prop_assert_eq!(documents(&rows), apart(&model).len());
    }
    let mut batch = Batch::new();
    forget_documents(&mut batch, &rows.entity(&key).expect("reads"));
    drop(rows.store().commit(batch));
    prop_assert_eq!(documents(&rows), 0);
    Ok(())
}

proptest! {
    #[test]
    fn an_entity_reads_back_as_it_was_written_and_leaves_no_document_behind(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        check(&steps)?;
    }
}

#[test]
fn a_document_is_written_once_on_its_way_to_the_cloud() {
    let rows = Rows::new(Arc::new(MemoryStore::new("test")));
    let key = EntityKey::parse("order", "o-1").expect("a key");
    let steps = [
        Step::Change {
            bytes: Some(1024),
            coalesce: true,
        },
        Step::Attempt,
        Step::Succeed,
    ];
    let mut bytes = Vec::new();
    for (number, step) in (1..).zip(&steps) {
        let before = rows.entity_edges(&key).expect("reads");
        let mut after = before.clone();
        take(&mut after, step, number);
        let mut batch = Batch::new();
        write_entity(&mut batch, &before, &mut after, 5, |_| false);
        bytes.push(batch.bytes());
        drop(rows.store().commit(batch));
    }
    assert!(bytes[0] > 1024 && bytes[0] < 2000, "{bytes:?}");
    assert!(bytes[1] < 700 && bytes[2] < 700, "{bytes:?}");
}
