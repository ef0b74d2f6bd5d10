//! Push: plan a batch of due items, map them, commit the attempt, send, absorb the answer. Several requests are under
//! way at once, never two of one entity.

use crate::cloud::{Client, LinkError, PushItem, Timing};
use crate::engine::Engine;
use crate::engine::api::{Binding, Route, Unavailable};
use crate::engine::plugins::{StoreLookup, context, local_document};
use crate::engine::progress::Progress;
use crate::engine::run::Stop;
use crate::engine::settings::Settings;
use crate::engine::ship::{MOST_BYTES, Parcel, Said, Shipment};
use crate::engine::twin::adopt_twin;
use crate::engine::tx::{Load, Tx, TxError};
use crate::plugin::{Direction as Way, Failure, Mapped};
use crate::store::rows::RowError;
use crate::store::{Counter, Direction, keys};
use selaras_core::backoff::Backoff;
use selaras_core::entity::Entity;
use selaras_core::id::EntityKey;
use selaras_core::json::Doc;
use selaras_core::payload::{Envelope, data};
use selaras_core::push::{Absorbed, Attempt, Outcome, Policy, absorb, attempt};
use selaras_core::receive::supersedes;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;
use tokio::task::JoinSet;

/// How often the schedule is read again when what it named has changed meanwhile.
const MOST_LOOKS: usize = 100;

/// What a shipment comes back with: the entities it held, what is to be done next, and what was counted.
type Returned = (Vec<EntityKey>, Result<Next, Unavailable>, Progress);

impl Engine {
    /// Pushes what is due until nothing is, the link fails, or the run must stop. While a shipment is under way or its
    /// answer is taken in, the next one is made ready.
    pub(crate) async fn push(
        &self,
        cloud: &Client,
        stop: &Stop,
        progress: &mut Progress,
    ) -> Result<(), Trouble> {
        let mut under_way: JoinSet<Returned> = JoinSet::new();
        let mut busy: HashSet<EntityKey> = HashSet::new();
        let mut packed: VecDeque<Shipment> = VecDeque::new();
        let mut trouble = None;
        loop {
            while trouble.is_none() && !stop.is_set() && under_way.len() < self.inner.link.lock().window() {
                if packed.is_empty() {
                    packed.extend(self.plan(&busy, progress).await?);
                }
                let Some(shipment) = packed.pop_front() else { break };
                busy.extend(shipment.parcels.iter().map(|parcel| parcel.key.clone()));
                under_way.spawn(self.clone().ship(cloud.clone(), shipment));
            }
            let Some(joined) = stop.or_abandoned(under_way.join_next()).await else {
                break;
            };
            let (keys, next, counted) = match joined {
                Some(Ok(returned)) => returned,
                Some(Err(error)) => {
                    return Err(Trouble::Store(Unavailable::Store(format!(
                        "a request task died: {error}"
                    ))));
                }
                None => break,
            };
            for key in &keys {
                busy.remove(key);
            }
            progress.merge(counted);
            match next? {
                Next::Go => {}
                Next::Again(first, second) => {
                    packed.push_front(second);
                    packed.push_front(first);
                }
                Next::Stop(error) => {
                    packed.clear();
                    trouble.get_or_insert(error);
                }
            }
        }
        trouble.map_or(Ok(()), |error| Err(Trouble::Link(error)))
    }

    /// Sends a shipment and takes its answer in. Dropped in between, it leaves attempts that are durable.
    async fn ship(self, cloud: Client, shipment: Shipment) -> Returned {
        let keys = shipment.parcels.iter().map(|parcel| parcel.key.clone()).collect();
        let mut counted = Progress::default();
        let answer = shipment.send(&cloud, self.now()).await;
        let next = self.answered(&cloud, shipment, answer, &mut counted).await;
        (keys, next, counted)
    }

    async fn answered(
        &self,
        cloud: &Client,
        shipment: Shipment,
        answer: Result<(Vec<Said>, Option<Timing>), LinkError>,
        progress: &mut Progress,
    ) -> Result<Next, Unavailable> {
        let error = match answer {
            Ok((said, timing)) => {
                self.heard(timing);
                self.absorb(shipment, said, progress).await?;
                return Ok(Next::Go);
            }
            Err(error) => error,
        };
        if error.blames_payload() {
            tracing::info!(%error, items = shipment.parcels.len(), "the cloud refuses a request");
            return match shipment.split() {
                Ok((first, second)) => Ok(Next::Again(first, second)),
                Err(alone) => {
                    let outcome = Outcome::Failed {
                        error: error.to_string(),
                        retryable: true,
                    };
                    let said = Said {
                        outcome,
                        update: None,
                    };
                    self.absorb(alone, vec![said], progress).await?;
                    Ok(Next::Go)
                }
            };
        }
        let alone = shipment.parcels.len() == 1 && matches!(error, LinkError::Server { .. });
        if alone && let Ok(pong) = cloud.ping().await {
            // The cloud is well; it is this document that it cannot bear. It waits, the others flow.
            self.heard(pong.timing);
            self.postpone(&shipment.parcels[0], &error).await?;
            progress.error = Some(error.to_string());
            return Ok(Next::Go);
        }
        self.link_failed(&error, shipment.parcels.len());
        Ok(Next::Stop(error))
    }

    /// Entities whose head may go now, in order, without those that are under way.
    fn due(&self, limit: usize, busy: &HashSet<EntityKey>) -> Result<Vec<EntityKey>, Unavailable> {
        let store = self.inner.rows.store();
        let most = limit + busy.len();
        let late = keys::due_from(self.now().plus_ms(1));
        let mut rows = store
            .scan(&[keys::DUE], &late, Direction::Forward, most)
            .map_err(RowError::from)?;
        let (from, to) = keys::all(keys::READY);
        rows.extend(
            store
                .scan(&from, &to, Direction::Forward, most)
                .map_err(RowError::from)?,
        );
        let names = rows.iter().filter_map(|(_, name)| keys::parse_entity(name));
        Ok(names.filter(|key| !busy.contains(key)).take(limit).collect())
    }

    /// Plans, maps and marks the next shipments. Empty when nothing is due.
    async fn plan(
        &self,
        busy: &HashSet<EntityKey>,
        progress: &mut Progress,
    ) -> Result<Vec<Shipment>, Unavailable> {
        let mut looks = 0;
        loop {
            let settings = self.settings();
            let limit = self
                .inner
                .link
                .lock()
                .batch_limit(settings.sync.batch_size as usize);
            let due = self.due(limit, busy)?;
            if due.is_empty() {
                return Ok(Vec::new());
            }
            let mut entities = Vec::with_capacity(due.len());
            for key in &due {
                let entity = self.inner.rows.entity_edges(key)?;
                // Without a head that may go it was changed since the schedule was read.
                if entity.head().is_some() && entity.record.slot.is_some() {
                    entities.push(entity);
                }
            }
            if entities.is_empty() {
                tokio::task::yield_now().await;
                looks += 1;
                if looks > MOST_LOOKS {
                    tracing::error!(first = %due[0], "the schedule names entities that have nothing to send");
                    return Ok(Vec::new());
                }
                continue;
            }
            let mapped = self.map_to_cloud(&settings, &entities).await;
            let parcels = self.mark(&settings, entities, mapped, progress).await?;
            if !parcels.is_empty() {
                return Ok(Shipment::pack(parcels));
            }
        }
    }

    /// What the mappers make of the heads' snapshots, in their order. Deletes carry no document.
    async fn map_to_cloud(
        &self,
        settings: &Settings,
        entities: &[Entity],
    ) -> Vec<Result<Option<Mapped>, Failure>> {
        let mut mapped: Vec<Result<Option<Mapped>, Failure>> =
            (0..entities.len()).map(|_| Ok(None)).collect();
        let mut by_type: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, entity) in entities.iter().enumerate() {
            if entity.items[0].snapshot.is_some() {
                by_type
                    .entry(entity.key.entity_type.as_str())
                    .or_default()
                    .push(at);
            }
        }
        for (entity_type, indexes) in by_type {
            let binding = settings.binding(entity_type);
            let Some(mapper) = &binding.mapper else { continue };
            let documents = indexes
                .iter()
                .map(|at| {
                    let (entity, head) = (&entities[*at], &entities[*at].items[0]);
                    let modified = self.inner.time.resolve(&head.modified);
                    local_document(entity, head.snapshot.as_ref(), head.version, modified)
                })
                .collect();
            let lookup = Arc::new(StoreLookup::new(self.inner.rows.clone(), self.inner.time.clone()));
            let cx = context(settings, &binding, self.now());
            let outcomes = self
                .inner
                .host
                .map(mapper, Way::ToCloud, cx, documents, lookup)
                .await;
            for (at, outcome) in indexes.into_iter().zip(outcomes) {
                mapped[at] = outcome.map(Some);
            }
        }
        mapped
    }

    /// Commits the attempts; only then may a byte leave (rule 1). Entities that changed meanwhile are left out.
    async fn mark(
        &self,
        settings: &Settings,
        entities: Vec<Entity>,
        mapped: Vec<Result<Option<Mapped>, Failure>>,
        progress: &mut Progress,
    ) -> Result<Vec<(Parcel, Route, String)>, Unavailable> {
        let mut left: Vec<_> = entities.into_iter().zip(mapped).collect();
        loop {
            let mut tx = Tx::new(&self.inner.rows, settings);
            let mut parcels = Vec::with_capacity(left.len());
            let mut bytes = 0;
            let mut settled = Progress::default();
            for (place, (before, mapped)) in left.iter().enumerate() {
                if bytes > MOST_BYTES {
                    break;
                }
                let mut after = before.clone();
                if let Some(prepared) = self.prepare(settings, &mut after, mapped, &mut settled) {
                    bytes += prepared.push.data.len() + 512;
                    parcels.push((place, prepared));
                }
                tx.track(before.clone(), after);
            }
            match tx.commit().await {
                Ok((_, sealed)) => {
                    progress.merge(settled);
                    let mut sealed: Vec<_> = sealed.into_iter().map(Some).collect();
                    let parcels = parcels.into_iter().map(|(place, prepared)| {
                        let entity = sealed[place].take();
                        prepared.of(entity.expect("invariant: tracked once, in this order"))
                    });
                    return Ok(parcels.collect());
                }
                Err(TxError::Raced(key)) => left.retain(|(before, _)| before.key != key),
                Err(TxError::Refused) => unreachable!("an attempt adds no precondition of its own"),
                Err(TxError::Unavailable(error)) => return Err(error),
            }
        }
    }

    /// The head as a parcel, or none when there is nothing to send: its mapper skips or fails, or the cloud never
    /// heard of what it deletes.
    fn prepare(
        &self,
        settings: &Settings,
        entity: &mut Entity,
        mapped: &Result<Option<Mapped>, Failure>,
        progress: &mut Progress,
    ) -> Option<Prepared> {
        let entity_type = entity.key.entity_type.clone();
        let head = &entity.items[0];
        let change_id = head.change_id.clone();
        let body = match mapped {
            Ok(None) => head.snapshot.clone(),
            Ok(Some(Mapped::Put(body))) => Some(Doc::from_trusted(body.clone())),
            Ok(Some(Mapped::Skip(reason))) => {
                tracing::info!(key = %entity.key, reason, "the mapper keeps a change from the cloud");
                absorb(
                    entity,
                    &change_id,
                    Outcome::Skipped,
                    &self.policy(settings, entity),
                );
                progress.filtered(&entity_type);
                return None;
            }
            Err(failure) => {
                let error = format!("{}: {}", failure.code.as_str(), failure.message);
                tracing::warn!(key = %entity.key, error, "a change is parked: its mapper could not handle it");
                let outcome = Outcome::Parked {
                    error: error.clone(),
                    retryable: failure.retryable,
                };
                absorb(entity, &change_id, outcome, &self.policy(settings, entity));
                progress.push_failed(&entity_type, error);
                return None;
            }
        };
        let updated_at = self.inner.time.resolve(&head.modified);
        if attempt(entity, updated_at) == Attempt::Needless {
            return None;
        }
        let head = &entity.items[0];
        let sent = head.sent.as_ref().expect("invariant: an attempted item was sent");
        let binding = settings.binding(entity_type.as_str());
        let cloud_id = entity.record.cloud_id.as_ref().map(ToString::to_string);
        let envelope = Envelope {
            key: &entity.key,
            cloud_id: cloud_id.as_deref(),
            version: head.version,
            updated_at: sent.updated_at,
            outlet_id: &settings.outlet.outlet_id,
            outlet_code: &settings.outlet.outlet_code,
        };
        let push = PushItem {
            entity_type: binding.cloud_type.clone(),
            operation: head.operation.as_str(),
            data: data(body.as_ref(), &envelope).into_text(),
            change_id,
            base_version: sent.base_version,
        };
        Some(Prepared {
            push,
            cloud_id,
            binding,
        })
    }

    /// Takes the cloud's answers into the entities, in one commit.
    async fn absorb(
        &self,
        mut shipment: Shipment,
        said: Vec<Said>,
        progress: &mut Progress,
    ) -> Result<(), Unavailable> {
        // At first as they were when they were sent; those that others changed since are read again with all.
        let mut as_sent: Vec<Entity> = Vec::with_capacity(shipment.parcels.len());
        as_sent.extend(
            shipment
                .parcels
                .iter_mut()
                .filter_map(|parcel| parcel.entity.take()),
        );
        loop {
            let settings = self.settings();
            let mut tx = Tx::new(&self.inner.rows, &settings);
            for entity in as_sent.drain(..) {
                tx.track(entity.clone(), entity);
            }
            let mut counted = Progress::default();
            for (parcel, said) in shipment.parcels.iter().zip(&said) {
                let mut outcome = said.outcome.clone();
                if let Outcome::Success { cloud_id: named, .. } = &mut outcome
                    && let Some(cloud_id) = named.clone()
                    && !adopt_twin(&mut tx, &parcel.key, &cloud_id)?
                {
                    *named = None;
                }
                let entity = tx.entity(&parcel.key, Load::Edges)?;
                let policy = self.policy(&settings, entity);
                let absorbed = absorb(entity, &parcel.push.change_id, outcome, &policy);
                let inbox = &mut entity.record.inbox;
                if let Some(update) = said.update.as_ref().filter(|_| absorbed != Absorbed::Unknown)
                    && inbox.as_ref().is_none_or(|waiting| supersedes(update, waiting))
                {
                    *inbox = Some(update.clone());
                }
                counted.pushed(
                    &parcel.key.entity_type,
                    absorbed,
                    &said.outcome,
                    said.update.is_some(),
                );
            }
            if counted.push_ok > 0 {
                tx.batch.count(
                    Counter::Synced,
                    i64::try_from(counted.push_ok).unwrap_or(i64::MAX),
                );
            }
            match tx.commit().await {
                Ok(_) => {
                    self.inner.feed_moved();
                    progress.merge(counted);
                    return Ok(());
                }
                Err(TxError::Raced(_) | TxError::Refused) => {}
                Err(TxError::Unavailable(error)) => return Err(error),
            }
        }
    }

    /// A document that the cloud cannot bear waits for the longest backoff; no retry is used up (rule 6).
    async fn postpone(&self, parcel: &Parcel, error: &LinkError) -> Result<(), Unavailable> {
        loop {
            let settings = self.settings();
            let mut tx = Tx::new(&self.inner.rows, &settings);
            let entity = tx.entity(&parcel.key, Load::Edges)?;
            if let Some(head) = entity
                .items
                .first_mut()
                .filter(|head| head.change_id == parcel.push.change_id)
            {
                head.due = Some(
                    self.now()
                        .plus_ms(1000 * i64::from(settings.sync.max_backoff_seconds)),
                );
                head.error = Some(error.to_string());
            }
            match tx.commit().await {
                Ok(_) => return Ok(()),
                Err(TxError::Unavailable(error)) => return Err(error),
                Err(TxError::Raced(_) | TxError::Refused) => {}
            }
        }
    }

    fn policy(&self, settings: &Settings, entity: &Entity) -> Policy {
        let sync = &settings.sync;
        let backoff = Backoff {
            initial_ms: u64::from(sync.initial_backoff_seconds) * 1000,
            multiplier: sync.backoff_multiplier,
            max_ms: u64::from(sync.max_backoff_seconds) * 1000,
        };
        let tries = entity.head().map_or(1, |head| head.retries + 1);
        let delay = backoff.delay_ms(tries, self.inner.time.random());
        Policy {
            max_retries: sync.max_retries,
            retry_at: self.now().plus_ms(i64::try_from(delay).unwrap_or(i64::MAX)),
            coalesce: settings.rules(&entity.key.entity_type).coalesce,
            new_change_id: self.inner.time.ulid(),
        }
    }
}

/// A head that is ready to be sent.
struct Prepared {
    push: PushItem,
    cloud_id: Option<String>,
    binding: Arc<Binding>,
}

impl Prepared {
    /// With the entity as its attempt was committed, and how it travels.
    fn of(self, entity: Entity) -> (Parcel, Route, String) {
        let parcel = Parcel {
            key: entity.key.clone(),
            push: self.push,
            cloud_id: self.cloud_id,
            entity: Some(entity),
        };
        (parcel, self.binding.route, self.binding.collection.clone())
    }
}

/// What follows from a shipment's answer.
enum Next {
    Go,
    Again(Shipment, Shipment),
    Stop(LinkError),
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The line or the cloud.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The store.
    #[error(transparent)]
    Store(#[from] Unavailable),
}
