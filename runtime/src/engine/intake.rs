//! Apps' changes: validated, taken into their entities by the rules, and made durable in one commit with the queue
//! item, the feed entry and the keys that make a repeat harmless.

use crate::engine::Engine;
use crate::engine::api::{
    Accepted, Actor, Change, ChangeError, Idempotency, Intent, Precondition, Unavailable,
};
use crate::engine::settings::{Rules, Settings};
use crate::engine::tx::{Load, Tx, TxError, feed_row};
use crate::store::keys;
use crate::store::rows::{Origin, put};
use selaras_core::accept::{Incoming, Queued, accept};
use selaras_core::daily;
use selaras_core::entity::Entity;
use selaras_core::id::EntityKey;
use selaras_core::json::Doc;
use selaras_core::record::SyncStatus;
use selaras_core::stamp::Millis;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How often a change that others race is looked at again.
const LOOKS: usize = 200;

/// A kept answer, given again to a repeat.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    digest: [u8; 32],
    /// When it was given first.
    pub(super) at: Millis,
    answers: Vec<KeptAnswer>,
}

#[derive(Clone, Serialize, Deserialize)]
struct KeptAnswer {
    key: EntityKey,
    version: u64,
    queue_id: Option<String>,
    change_id: Option<String>,
    sync_status: SyncStatus,
    created: bool,
}

impl From<&Accepted> for KeptAnswer {
    fn from(a: &Accepted) -> Self {
        Self {
            key: a.key.clone(),
            version: a.version,
            queue_id: a.queue_id.clone(),
            change_id: a.change_id.clone(),
            sync_status: a.sync_status,
            created: a.created,
        }
    }
}

impl From<KeptAnswer> for Accepted {
    fn from(a: KeptAnswer) -> Self {
        Self {
            key: a.key,
            version: a.version,
            queue_id: a.queue_id,
            change_id: a.change_id,
            sync_status: a.sync_status,
            created: a.created,
        }
    }
}

impl Engine {
    /// Takes one change. Durable when it answers; a repeat under the same idempotency key gets the first answer.
    ///
    /// # Errors
    /// See [`ChangeError`]; nothing was done then.
    pub async fn change(
        &self,
        change: Change,
        idempotency: Option<Idempotency>,
        actor: &Actor,
    ) -> Result<Accepted, ChangeError> {
        let mut accepted = self.changes(vec![change], idempotency, actor).await?;
        Ok(accepted.pop().expect("invariant: one change, one answer"))
    }

    /// Takes all changes or none, in order.
    ///
    /// # Errors
    /// See [`ChangeError`]; nothing was done then.
    pub async fn changes(
        &self,
        changes: Vec<Change>,
        idempotency: Option<Idempotency>,
        actor: &Actor,
    ) -> Result<Vec<Accepted>, ChangeError> {
        let repeat = idempotency.as_ref().map(|i| (repeat_key(i, actor), i.digest));
        for _ in 0..LOOKS {
            if let Some(answers) = self.answered_before(repeat.as_ref())? {
                return Ok(answers);
            }
            self.room_for_changes()?;
            let settings = self.settings();
            let mut tx = Tx::new(&self.inner.rows, &settings);
            let mut accepted = Vec::with_capacity(changes.len());
            for (index, change) in changes.iter().enumerate() {
                accepted.push(self.take(&mut tx, &settings, change, index, actor)?);
            }
            if let Some((key, digest)) = &repeat {
                let answers = accepted.iter().map(KeptAnswer::from).collect();
                tx.batch.expect_absent(key.clone());
                put(
                    &mut tx.batch,
                    key.clone(),
                    &Kept {
                        digest: *digest,
                        at: self.now(),
                        answers,
                    },
                );
            }
            let announce = Announce::new(self);
            let committed = tx.commit().await;
            announce.now();
            match committed {
                Ok(_) => return Ok(accepted),
                Err(TxError::Raced(_) | TxError::Refused) => tokio::task::yield_now().await,
                Err(TxError::Unavailable(error)) => return Err(error.into()),
            }
        }
        Err(ChangeError::Busy(changes[0].key.clone()))
    }

    fn answered_before(
        &self,
        repeat: Option<&(Vec<u8>, [u8; 32])>,
    ) -> Result<Option<Vec<Accepted>>, ChangeError> {
        let Some((key, digest)) = repeat else {
            return Ok(None);
        };
        match self.inner.rows.get::<Kept>(key).map_err(Unavailable::from)? {
            Some(kept) if kept.digest == *digest => {
                Ok(Some(kept.answers.into_iter().map(Accepted::from).collect()))
            }
            Some(_) => Err(ChangeError::KeyReused {
                what: "Idempotency-Key",
                index: 0,
            }),
            None => Ok(None),
        }
    }

    fn take(
        &self,
        tx: &mut Tx<'_>,
        settings: &Settings,
        change: &Change,
        index: usize,
        actor: &Actor,
    ) -> Result<Accepted, ChangeError> {
        let named = change
            .change_id
            .as_ref()
            .map(|id| (keys::named(keys::CHANGE_ID, id.as_bytes()), digest(change)));
        if let Some((key, digest)) = &named {
            match self.inner.rows.get::<Kept>(key).map_err(Unavailable::from)? {
                Some(mut kept) if kept.digest == *digest => {
                    return Ok(kept
                        .answers
                        .pop()
                        .expect("invariant: kept with its answer")
                        .into());
                }
                Some(_) => {
                    return Err(ChangeError::KeyReused {
                        what: "change_id",
                        index,
                    });
                }
                // Twice in one request.
                None if tx.batch.expects.iter().any(|expect| expect.key == *key) => {
                    return Err(ChangeError::KeyReused {
                        what: "change_id",
                        index,
                    });
                }
                None => {}
            }
        }
        let is_day = matches!(change.intent, Intent::Day(_));
        if is_day != (change.key.entity_type.as_str() == daily::TYPE) {
            return Err(ChangeError::Reserved {
                key: change.key.clone(),
                index,
            });
        }
        let rules = settings.rules(&change.key.entity_type);
        let entity = tx.entity(&change.key, Load::Edges).map_err(Unavailable::from)?;
        check(entity, &change.precondition, index)?;
        let created = entity.record.doc.is_none();
        let Some(doc) = wanted(entity, &change.intent, &rules, index)? else {
            let accepted = Accepted {
                change_id: change.change_id.clone(),
                ..untouched(entity)
            };
            // Its repeat does nothing either, whatever was done since.
            self.keep_answer(tx, named, &accepted);
            return Ok(accepted);
        };
        let incoming = Incoming {
            doc,
            stamp: self.inner.time.stamp_of(change.updated_at),
            by: Some(actor.id.clone()),
            change_id: change.change_id.clone().unwrap_or_else(|| self.inner.time.ulid()),
            order: self.inner.rows.store().reserve(),
            now: self.now(),
        };
        let change_id = incoming.change_id.clone();
        let queued = accept(entity, incoming, rules.coalesce);
        let mut feed = feed_row(entity, Origin::App, self.now());
        let accepted = Accepted {
            key: change.key.clone(),
            version: entity.record.version,
            queue_id: match &queued {
                Queued::As(order, _) => Some(order.to_string()),
                Queued::Nothing => None,
            },
            change_id: Some(change_id.clone()),
            sync_status: match (&queued, entity.record.conflict.is_some()) {
                (_, true) => SyncStatus::Conflict,
                (Queued::As(..), false) => SyncStatus::Pending,
                (Queued::Nothing, false) => SyncStatus::Synced,
            },
            created: created && feed_lives(&feed),
        };
        feed.token_id.clone_from(&actor.token_id);
        feed.change_id = Some(change_id);
        tx.feed(&feed);
        self.keep_answer(tx, named, &accepted);
        Ok(accepted)
    }

    /// Keeps the answer under the app's own change_id, if it gave one.
    fn keep_answer(&self, tx: &mut Tx<'_>, named: Option<(Vec<u8>, [u8; 32])>, accepted: &Accepted) {
        let Some((key, digest)) = named else { return };
        let kept = Kept {
            digest,
            at: self.now(),
            answers: vec![KeptAnswer::from(accepted)],
        };
        tx.batch.expect_absent(key.clone());
        put(&mut tx.batch, key, &kept);
    }
}

/// Tells others of a commit, also when the app hangs up while it is being made: it may well become durable then.
struct Announce<'a> {
    engine: Option<&'a Engine>,
}

impl<'a> Announce<'a> {
    fn new(engine: &'a Engine) -> Self {
        Self { engine: Some(engine) }
    }

    fn now(mut self) {
        if let Some(engine) = self.engine.take() {
            engine.changed();
        }
    }
}

impl Drop for Announce<'_> {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take().cloned() {
            tokio::spawn(async move {
                // Long enough for a commit under way.
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                engine.changed();
            });
        }
    }
}

fn feed_lives(row: &crate::store::rows::FeedRow) -> bool {
    !row.deleted
}

fn check(entity: &Entity, precondition: &Precondition, index: usize) -> Result<(), ChangeError> {
    let current = if entity.record.doc.is_some() {
        entity.record.version
    } else {
        0
    };
    let holds = match precondition {
        Precondition::None => true,
        Precondition::Versions(versions) => current > 0 && versions.contains(&current),
        Precondition::Exists => current > 0,
        Precondition::Absent => current == 0,
    };
    if holds {
        return Ok(());
    }
    Err(ChangeError::PreconditionFailed {
        key: entity.key.clone(),
        current,
        index,
    })
}

/// The document that the entity is to have (`Some(None)`: a tombstone); none: nothing is to be done.
fn wanted(
    entity: &Entity,
    intent: &Intent,
    rules: &Rules,
    index: usize,
) -> Result<Option<Option<Doc>>, ChangeError> {
    let missing = || ChangeError::NotFound {
        key: entity.key.clone(),
        index,
    };
    let doc = match (intent, &entity.record.doc) {
        (Intent::Day(doc), Some(there)) if there.same(doc) && is_in_order(entity) => return Ok(None),
        (Intent::Put(doc) | Intent::Day(doc), _) => doc.clone(),
        (Intent::Patch(patch), Some(doc)) => doc.merge_patch(patch),
        (Intent::Patch(_), None) => return Err(missing()),
        (Intent::Delete { .. }, Some(_)) => return Ok(Some(None)),
        (Intent::Delete { strict: true }, None) => return Err(missing()),
        (Intent::Delete { strict: false }, None) => return Ok(None),
    };
    let (bytes, limit) = (doc.len(), rules.max_document_bytes);
    if bytes > limit {
        return Err(ChangeError::TooLarge {
            key: entity.key.clone(),
            bytes,
            limit,
            index,
        });
    }
    Ok(Some(Some(doc)))
}

/// Whether what the entity holds is on its way to the cloud, or there.
fn is_in_order(entity: &Entity) -> bool {
    matches!(
        entity.record.sync_status(),
        SyncStatus::Pending | SyncStatus::Synced
    )
}

fn untouched(entity: &Entity) -> Accepted {
    Accepted {
        key: entity.key.clone(),
        version: entity.record.version,
        queue_id: None,
        change_id: None,
        sync_status: entity.record.sync_status(),
        created: false,
    }
}

fn repeat_key(idempotency: &Idempotency, actor: &Actor) -> Vec<u8> {
    let who = actor.token_id.as_deref().unwrap_or(&actor.id);
    let mut hash = Sha256::new();
    hash.update((who.len() as u64).to_be_bytes());
    hash.update(who);
    hash.update(&idempotency.key);
    keys::named(keys::IDEMPOTENCY, &hash.finalize())
}

fn digest(change: &Change) -> [u8; 32] {
    let (word, doc) = match &change.intent {
        Intent::Put(doc) => ("put", doc.as_str()),
        Intent::Day(doc) => ("day", doc.as_str()),
        Intent::Patch(doc) => ("patch", doc.as_str()),
        Intent::Delete { .. } => ("delete", ""),
    };
    let mut hash = Sha256::new();
    for part in [change.key.entity_type.as_str(), change.key.id.as_str(), word, doc] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
