//! Push: what `plan` has made ready is sent, and what the cloud says of it absorbed. Several requests are under way at
//! once, never two of one entity.

use crate::cloud::{Client, LinkError, Timing};
use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::engine::daily;
use crate::engine::fault::Fault;
use crate::engine::progress::Progress;
use crate::engine::rate::Permit;
use crate::engine::run::Stop;
use crate::engine::settings::Settings;
use crate::engine::ship::{Parcel, Said, Shipment};
use crate::engine::twin::adopt_twin;
use crate::engine::tx::{Load, Tx, TxError};
use crate::store::Counter;
use selaras_core::backoff::Backoff;
use selaras_core::entity::Entity;
use selaras_core::id::EntityKey;
use selaras_core::push::{Absorbed, Outcome, Policy, absorb};
use selaras_core::receive::supersedes;
use std::collections::{HashSet, VecDeque};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How often in a row the schedule may name nothing but entities that have nothing to send: read while they changed.
const MOST_IDLE: usize = 100;

/// What a task under way comes back with.
pub(super) struct Returned {
    /// Entities it is done with.
    free: Vec<EntityKey>,
    /// Shipments that are still to be sent, of entities that stay busy.
    packed: Vec<Shipment>,
    /// Why nothing more is to be sent.
    pub stop: Option<LinkError>,
    /// What was done.
    pub counted: Progress,
    /// It found nothing to do.
    pub idle: bool,
}

impl Engine {
    /// Pushes what is due until nothing is, the link fails, or the run must stop. Each task takes some due entities all
    /// the way: made ready, sent, the answer absorbed. So while one waits for the cloud or the disk, others work.
    pub(crate) async fn push(
        &self,
        cloud: &Client,
        stop: &Stop,
        progress: &mut Progress,
    ) -> Result<(), Trouble> {
        let halt = stop.child();
        let mut under_way: JoinSet<Result<Returned, Unavailable>> = JoinSet::new();
        let mut busy: HashSet<EntityKey> = HashSet::new();
        let mut packed: VecDeque<Shipment> = VecDeque::new();
        let mut trouble = None;
        let mut idle = 0;
        loop {
            let mut shut = None;
            while !halt.is_cancelled() && under_way.len() < self.inner.link.lock().window() {
                // First the permit, then what it is for: so what is made while requests are scarce goes with the next one.
                let permit = match self.permit() {
                    Ok(permit) => permit,
                    Err(until) => {
                        shut = Some(until);
                        break;
                    }
                };
                let (engine, cloud, halt) = (self.clone(), cloud.clone(), halt.clone());
                if let Some(shipment) = packed.pop_front() {
                    under_way.spawn(engine.ship(cloud, shipment, permit, halt).in_current_span());
                    continue;
                }
                let due = self.due(&busy)?;
                if due.is_empty() {
                    break;
                }
                busy.extend(due.iter().cloned());
                under_way.spawn(engine.carry(cloud, due, permit, halt).in_current_span());
            }
            let nothing_left = || Ok::<_, Unavailable>(packed.is_empty() && !self.has_due()?);
            if let Some(shut) = shut
                && under_way.is_empty()
            {
                if nothing_left()? {
                    break;
                }
                if let Err(error) = self.until_open(shut, &halt).await {
                    self.link_failed(&error, 0);
                    trouble.get_or_insert(error);
                    break;
                }
                continue;
            }
            let joined = tokio::select! {
                joined = stop.or_abandoned(under_way.join_next()) => joined,
                // Another request may be made meanwhile.
                () = self.opened(shut) => continue,
            };
            let Some(joined) = joined else {
                break;
            };
            let returned = match joined {
                Some(Ok(returned)) => returned?,
                Some(Err(error)) => {
                    return Err(Trouble::Store(Unavailable::Store(format!(
                        "a request task died: {error}"
                    ))));
                }
                None => break,
            };
            for key in &returned.free {
                busy.remove(key);
            }
            progress.merge(returned.counted);
            for shipment in returned.packed.into_iter().rev() {
                packed.push_front(shipment);
            }
            if let Some(error) = returned.stop {
                halt.cancel();
                trouble.get_or_insert(error);
            }
            idle = if returned.idle { idle + 1 } else { 0 };
            if idle > MOST_IDLE {
                tracing::error!(first = ?returned.free.first(), "the schedule names entities that have nothing to send");
                break;
            }
        }
        trouble.map_or(Ok(()), |error| Err(Trouble::Link(error)))
    }

    /// Makes due entities ready and sends the first shipment of them.
    pub(super) async fn carry(
        self,
        cloud: Client,
        due: Vec<EntityKey>,
        permit: Permit,
        halt: CancellationToken,
    ) -> Result<Returned, Unavailable> {
        let mut counted = Progress::default();
        let planned = self.plan(&due, &mut counted).await?;
        let mut packed = VecDeque::from(planned.shipments);
        let kept: HashSet<&EntityKey> = packed.iter().flat_map(Shipment::keys).collect();
        let free = due.iter().filter(|key| !kept.contains(key)).cloned().collect();
        let mut returned = match packed.pop_front() {
            Some(first) => self.ship(cloud, first, permit, halt).await?,
            None => Returned {
                free: Vec::new(),
                packed: Vec::new(),
                stop: None,
                counted: Progress::default(),
                idle: planned.idle,
            },
        };
        returned.free.extend::<Vec<_>>(free);
        returned.packed.extend(packed);
        returned.counted.merge(counted);
        Ok(returned)
    }

    /// Sends a shipment and takes its answer in. Dropped in between, or halted before, it leaves attempts that are
    /// durable: they are made again with the same change_id.
    async fn ship(
        self,
        cloud: Client,
        shipment: Shipment,
        permit: Permit,
        halt: CancellationToken,
    ) -> Result<Returned, Unavailable> {
        let keys: Vec<EntityKey> = shipment.keys().cloned().collect();
        let mut counted = Progress::default();
        let next = if halt.is_cancelled() {
            Next::Go
        } else {
            let answer = permit.spend(shipment.send(&cloud, self.now())).await;
            self.answered(&cloud, shipment, answer, &halt, &mut counted)
                .await?
        };
        let (free, packed, stop) = match next {
            Next::Go => (keys, Vec::new(), None),
            Next::Again(first, second) => (Vec::new(), vec![first, second], None),
            Next::Stop(error) => {
                halt.cancel();
                (keys, Vec::new(), Some(error))
            }
        };
        Ok(Returned {
            free,
            packed,
            stop,
            counted,
            idle: false,
        })
    }

    async fn answered(
        &self,
        cloud: &Client,
        shipment: Shipment,
        answer: Result<(Vec<Said>, Option<Timing>), LinkError>,
        halt: &CancellationToken,
        progress: &mut Progress,
    ) -> Result<Next, Unavailable> {
        let error = match answer {
            Ok((said, timing)) => {
                self.heard(timing);
                self.inner.link.lock().carried();
                self.absorb(shipment, said, progress).await?;
                return Ok(Next::Go);
            }
            Err(error) => error,
        };
        if error.blames_payload() {
            tracing::info!(%error, items = shipment.parcels.len(), "the cloud refuses a request");
            return match shipment.split() {
                Ok((first, second)) => Ok(Next::Again(first, second)),
                Err(alone) => self.refused(alone, error.to_string(), progress).await,
            };
        }
        match self.fault(cloud, &shipment, &error, halt).await {
            Fault::Call => self.refused(shipment, daily::explain(&error), progress).await,
            Fault::Clash => {
                // What it met there is pulled and decided; meanwhile it waits like everything refused.
                progress.wants_pull = true;
                self.refused(shipment, error.to_string(), progress).await
            }
            Fault::Item => {
                let parcel = &shipment.parcels[0];
                self.postpone(parcel, &error).await?;
                progress.push_failed(&parcel.key.entity_type, error.to_string());
                Ok(Next::Go)
            }
            Fault::Line => {
                self.link_failed(&error, shipment.parcels.len());
                Ok(Next::Stop(error))
            }
        }
    }

    /// The cloud refuses a parcel that was sent alone: that uses up a retry.
    async fn refused(
        &self,
        alone: Shipment,
        error: String,
        progress: &mut Progress,
    ) -> Result<Next, Unavailable> {
        let said = Said {
            outcome: Outcome::Failed {
                error,
                retryable: true,
            },
            update: None,
            duplicate: false,
        };
        self.absorb(alone, vec![said], progress).await?;
        Ok(Next::Go)
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
                    && !adopt_twin(&mut tx, &parcel.key, &cloud_id, self.now())?
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
                    (said.update.is_some(), said.duplicate),
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

    /// How an item of this entity is treated when it fails now.
    pub(super) fn policy(&self, settings: &Settings, entity: &Entity) -> Policy {
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
