//! An entity's difference becomes writes: record, items, the schedule, the indexes and the kept counts, guarded by
//! the record's `rev`.

use crate::store::documents::write_documents;
use crate::store::entities::{item_bytes, record_bytes};
use crate::store::keys;
use crate::store::{Batch, Counter, Expect, Expected};
use selaras_core::entity::Entity;
use selaras_core::id::CloudId;
use selaras_core::item::{Item, ItemState};

/// Writes what changed between `before` (as loaded) and `after` into `batch`, and seals `after`. Returns how many
/// preconditions were added; none and no writes when nothing changed. `owns`: the cloud id names this entity already.
pub fn write_entity(
    batch: &mut Batch,
    before: &Entity,
    after: &mut Entity,
    priority: u8,
    owns: impl Fn(&CloudId) -> bool,
) -> usize {
    if before.record == after.record && before.items == after.items {
        return 0;
    }
    after.seal(before, priority);
    let row = keys::entity(keys::RECORD, &after.key);
    let want = match before.record.rev {
        0 => Expected::Absent,
        rev => Expected::StartsWith(rev.to_be_bytes().to_vec()),
    };
    batch.expects.push(Expect {
        key: row.clone(),
        want,
    });
    let lives = |e: &Entity| i64::from(e.record.doc.is_some());
    count(batch, Counter::Records, lives(after) - lives(before));
    batch.writes.push((row, Some(record_bytes(after))));
    write_documents(batch, before, after);
    write_items(batch, before, after);
    write_schedule(batch, before, after);
    1 + write_cloud_id(batch, before, after, owns)
}

fn write_items(batch: &mut Batch, before: &Entity, after: &Entity) {
    let has_failed = |item: &Item| item.state == ItemState::Failed;
    let find = |items: &[Item], order: u64| items.iter().position(|item| item.order == order);
    for gone in before
        .items
        .iter()
        .filter(|item| find(&after.items, item.order).is_none())
    {
        batch.delete(keys::numbered(keys::ITEM, gone.order));
        batch.delete(keys::entity_item(&after.key, gone.order));
        if has_failed(gone) {
            batch.delete(keys::numbered(keys::FAILED, gone.order));
        }
    }
    for item in &after.items {
        let old = find(&before.items, item.order).map(|at| &before.items[at]);
        if old != Some(item) {
            let row = keys::numbered(keys::ITEM, item.order);
            batch.writes.push((row, Some(item_bytes(&after.key, item))));
        }
        if old.is_none() {
            batch.put(keys::entity_item(&after.key, item.order), Vec::new());
        }
        let failed = has_failed(item);
        if failed != old.is_some_and(has_failed) {
            batch
                .writes
                .push((keys::numbered(keys::FAILED, item.order), failed.then(Vec::new)));
        }
    }
    let failed = |items: &[Item]| items.iter().filter(|item| has_failed(item)).count() as i64;
    let (was, is) = (failed(&before.items), failed(&after.items));
    let waiting = (after.items.len() as i64 - is) - (before.items.len() as i64 - was);
    let parked = |items: &[Item]| items.iter().filter(|item| item.is_parked()).count() as i64;
    count(
        batch,
        Counter::Parked,
        parked(&after.items) - parked(&before.items),
    );
    count(batch, Counter::Failed, is - was);
    count(batch, Counter::Pending, waiting);
}

fn write_schedule(batch: &mut Batch, before: &Entity, after: &Entity) {
    let name = || keys::entity(0, &after.key)[1..].to_vec();
    if before.record.slot != after.record.slot {
        if let Some(slot) = before.record.slot {
            batch.writes.push((keys::slot(slot), None));
        }
        if let Some(slot) = after.record.slot {
            batch.writes.push((keys::slot(slot), Some(name())));
        }
    }
    let decidable = |e: &Entity| e.record.inbox.is_some() && e.record.conflict.is_none();
    if decidable(before) != decidable(after) {
        let row = keys::entity(keys::INBOX, &after.key);
        batch.writes.push((row, decidable(after).then(Vec::new)));
    }
    let open = |e: &Entity| i64::from(e.record.conflict.is_some());
    count(batch, Counter::OpenConflicts, open(after) - open(before));
}

/// The cloud's id is unique per type: taking one that another commit has just given away fails this one. A former
/// id keeps naming the entity, so that what comes late under it is known as old.
fn write_cloud_id(
    batch: &mut Batch,
    before: &Entity,
    after: &Entity,
    owns: impl Fn(&CloudId) -> bool,
) -> usize {
    let Some(new) = &after.record.cloud_id else {
        return 0;
    };
    if before.record.cloud_id.as_ref() == Some(new) || owns(new) {
        return 0;
    }
    let row = keys::two(keys::BY_CLOUD_ID, after.key.entity_type.as_str(), new.as_str());
    batch.expects.push(Expect {
        key: row.clone(),
        want: Expected::Absent,
    });
    batch
        .writes
        .push((row, Some(after.key.id.as_str().as_bytes().to_vec())));
    1
}

fn count(batch: &mut Batch, counter: Counter, by: i64) {
    if by != 0 {
        batch.counts.push((counter, by));
    }
}
