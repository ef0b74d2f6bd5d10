//! What the engine writes of an entity: the same rules, rows and feed entries, without HTTP in front of them.

use crate::document;
use anyhow::Context;
use selaras::store::entity_rows::write_entity;
use selaras::store::rows::{FeedRow, Origin, encode};
use selaras::store::{Batch, keys};
use selaras_core::accept::{Incoming, accept};
use selaras_core::entity::Entity;
use selaras_core::id::{CloudId, EntityKey, ulid};
use selaras_core::json::Doc;
use selaras_core::push::{Outcome, Policy, absorb, attempt};
use selaras_core::receive::receive;
use selaras_core::stamp::Millis;
use selaras_core::update::{Seen, Update};

const NOW: Millis = Millis(1_769_509_800_000);
const PRIORITY: u8 = 5;

/// The entity with this number.
///
/// # Errors
/// Never, with numbers.
pub fn key(number: usize) -> anyhow::Result<EntityKey> {
    Ok(EntityKey::parse("order", &format!("o-{number:09}"))?)
}

fn doc(number: usize) -> anyhow::Result<Doc> {
    Doc::parse(&document(number)).context("a document is not JSON")
}

fn feed(entity: &Entity, origin: Origin, change_id: Option<String>) -> Vec<u8> {
    encode(&FeedRow {
        entity_type: entity.key.entity_type.to_string(),
        entity_id: entity.key.id.to_string(),
        version: entity.record.version,
        deleted: false,
        origin,
        token_id: change_id.as_ref().map(|_| "tok-1".to_owned()),
        change_id,
        at: Some(NOW),
    })
}

/// An app's change of an entity: the commit, and the entity after it. `order` is its place in the queue.
///
/// # Errors
/// Never, with documents of the bench.
pub fn change(before: &Entity, number: usize, order: u64) -> anyhow::Result<(Batch, Entity)> {
    let change_id = ulid(NOW, u128::from(order));
    let mut after = before.clone();
    let incoming = Incoming {
        doc: Some(doc(number)?),
        stamp: NOW.into(),
        by: Some("till-1".to_owned()),
        change_id: change_id.clone(),
        order,
        now: NOW,
    };
    accept(&mut after, incoming, true);
    let mut batch = Batch::new();
    batch.append_feed(feed(&after, Origin::App, Some(change_id)));
    write_entity(&mut batch, before, &mut after, PRIORITY, |_| false);
    Ok((batch, after))
}

/// Its way to the cloud: the commits before and after the batch is sent.
///
/// # Errors
/// Never, with numbers.
pub fn push(entities: Vec<(usize, Entity)>) -> anyhow::Result<(Batch, Batch)> {
    let (mut sent, mut answered) = (Batch::new(), Batch::new());
    for (number, before) in entities {
        let mut tried = before.clone();
        attempt(&mut tried, NOW);
        write_entity(&mut sent, &before, &mut tried, PRIORITY, |_| false);
        let mut after = tried.clone();
        let change_id = after
            .items
            .first()
            .context("nothing is queued")?
            .change_id
            .clone();
        let outcome = Outcome::Success {
            cloud_id: Some(CloudId::parse(&format!("c-{number}"))?),
            version: Some(1),
        };
        let policy = Policy {
            max_retries: 3,
            retry_at: NOW,
            coalesce: true,
            new_change_id: format!("again-{number}"),
        };
        absorb(&mut after, &change_id, outcome, &policy);
        write_entity(&mut answered, &tried, &mut after, PRIORITY, |_| false);
    }
    Ok((sent, answered))
}

/// An entity that came from the cloud, into a page's commit.
///
/// # Errors
/// Never, with numbers.
pub fn pulled(batch: &mut Batch, number: usize) -> anyhow::Result<()> {
    let before = Entity::new(key(number)?);
    let mut after = before.clone();
    let body = doc(number)?;
    let update = Update {
        cloud_id: Some(CloudId::parse(&format!("c-{number}"))?),
        version: Some(1),
        stamp: Some(NOW),
        by: Some("hq".to_owned()),
        change_id: None,
        body: Some(body.clone()),
    };
    receive(&mut after, &update, &Seen::Doc(body));
    write_entity(batch, &before, &mut after, PRIORITY, |_| false);
    batch.append_feed(feed(&after, Origin::Cloud, None));
    Ok(())
}

/// A bare document under a number: one write, and nothing around it.
pub fn bare(number: usize) -> Batch {
    let mut batch = Batch::new();
    batch.put(keys::numbered(keys::ITEM, number as u64), document(number));
    batch
}
