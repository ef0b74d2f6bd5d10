//! One entity's waiting changes are pushed now, because somebody asks: its backoff is passed over, the link's rest is not. The
//! scheduler gives it a turn of its own between two runs, so nothing is sent twice.

use crate::cloud::{Client, LinkError};
use crate::engine::Engine;
use crate::engine::api::{EntityPush, PushError, PushOutcome, PushedItem, Resolution, Unavailable};
use crate::engine::progress::Progress;
use crate::engine::run::Stop;
use crate::engine::scheduler::Wanted;
use crate::store::Batch;
use crate::store::keys;
use crate::store::rows::put;
use selaras_core::entity::Entity;
use selaras_core::id::EntityKey;
use selaras_core::item::{Item, ItemState};
use selaras_core::stamp::Millis;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Items of one entity that are pushed in one go; those behind go with the next run.
const MOST: usize = 1000;

/// What has been seen of the items so far, by their orders.
type Outcomes = BTreeMap<u64, PushedItem>;

impl Engine {
    /// Pushes an entity's waiting changes now, after the run that may be going. Nothing waiting is no error.
    ///
    /// # Errors
    /// See [`PushError`].
    pub async fn push_entity(&self, key: &EntityKey) -> Result<EntityPush, PushError> {
        let view = self
            .entity(key)?
            .ok_or_else(|| PushError::NotFound(key.clone()))?;
        let entity = self.inner.rows.entity(&view.key).map_err(Unavailable::from)?;
        refuse_conflict(&entity)?;
        let items = entity.items.iter().map(|item| item.order).collect();
        let (answer, told) = oneshot::channel();
        self.inner.signals.want(Wanted {
            key: view.key,
            items,
            answer,
        });
        told.await.unwrap_or(Err(PushError::Stopping))
    }

    /// The entity's turn. Only the scheduler calls it: no run is going.
    pub(super) async fn push_one(
        &self,
        run_id: &str,
        key: &EntityKey,
        asked: &[u64],
        shutdown: &CancellationToken,
    ) -> Result<EntityPush, PushError> {
        let entity = self.inner.rows.entity(key).map_err(Unavailable::from)?;
        refuse_conflict(&entity)?;
        let mut outcomes: Outcomes = asked
            .iter()
            .map(|order| (*order, item(*order, None, PushOutcome::Settled)))
            .collect();
        if entity.items.is_empty() && entity.record.inbox.is_none() {
            return Ok(report(&entity, &Progress::default(), outcomes));
        }
        let cloud = self.reachable_cloud()?.under(run_id);
        let started_at = self.now();
        let started = self.mono_ms();
        let mut progress = Progress::of(run_id);
        let deadline = Duration::from_secs(u64::from(self.settings().sync.run_timeout_seconds));
        let token = shutdown.child_token();
        let stop = Stop::new(token.clone());
        let failed = {
            let work = self.push_in_turn(key, &cloud, &stop, &mut progress, &mut outcomes);
            tokio::pin!(work);
            tokio::select! {
                outcome = &mut work => outcome?,
                () = tokio::time::sleep(deadline) => {
                    token.cancel();
                    work.await?
                }
            }
        };
        if let Some(error) = &failed {
            progress.error = Some(error.to_string());
        }
        let lasted = self.mono_ms().saturating_sub(started);
        self.log_push(&progress, started_at, lasted, failed.is_some())
            .await;
        if progress.wants_pull {
            self.trigger();
        }
        let entity = self.inner.rows.entity(key).map_err(Unavailable::from)?;
        for left in &entity.items {
            let seen = outcomes.get(&left.order).map(|seen| seen.outcome);
            let told = left_behind(left, seen == Some(PushOutcome::Conflict));
            outcomes.insert(left.order, told);
        }
        let report = report(&entity, &progress, outcomes);
        match failed {
            None => Ok(report),
            Some(error) => Err(PushError::Link {
                error: error.to_string(),
                retry_after_seconds: self.link_rests(),
                report: Box::new(report),
            }),
        }
    }

    /// Head after head, until one stays where it is. The error: why the link failed.
    async fn push_in_turn(
        &self,
        key: &EntityKey,
        cloud: &Client,
        stop: &Stop,
        progress: &mut Progress,
        outcomes: &mut Outcomes,
    ) -> Result<Option<LinkError>, Unavailable> {
        for _ in 0..MOST {
            let decided = self.decide(vec![key.clone()]).await?;
            let before = self.inner.rows.entity_edges(key)?;
            let Some(head) = before.head().filter(|_| before.record.slot.is_some()) else {
                break;
            };
            if stop.is_set() {
                break;
            }
            let order = head.order;
            let halt = stop.child();
            let permit = match self.permit_in_turn(&halt).await {
                Some(Ok(permit)) => permit,
                Some(Err(error)) => return Ok(Some(error)),
                None => break,
            };
            let carried = self.clone().carry(cloud.clone(), vec![key.clone()], permit, halt);
            let Some(returned) = stop.or_abandoned(carried).await else {
                break;
            };
            let returned = returned?;
            let taken = returned.counted.push_ok > 0;
            progress.merge(returned.counted);
            if let Some(error) = returned.stop {
                return Ok(Some(error));
            }
            let after = self.inner.rows.entity_edges(key)?;
            let stays = after.head().is_some_and(|head| head.order == order);
            let contested = after.record.inbox.is_some() || progress.wants_pull;
            let outcome = match (stays, contested) {
                (false, _) if taken => PushOutcome::Pushed,
                (_, true) => PushOutcome::Conflict,
                (false, false) => PushOutcome::Settled,
                (true, false) => PushOutcome::Retry,
            };
            outcomes.insert(order, item(order, Some(head), outcome));
            let undecided = decided.iter().any(|(_, said)| *said == Resolution::Pending);
            if returned.idle || stays && (after.record.inbox.is_none() || undecided) {
                break;
            }
        }
        Ok(None)
    }

    /// The cloud, when it may be asked now.
    fn reachable_cloud(&self) -> Result<Client, PushError> {
        let settings = self.settings();
        if !settings.outlet.sync_enabled {
            return Err(PushError::Off(
                "sync is switched off: switch it on with POST /api/v1/config/sync/toggle",
            ));
        }
        let Some(cloud) = settings.cloud.clone() else {
            return Err(PushError::Off(
                "no cloud is configured: set cloud_api_url, cloud_api_key and outlet_id with POST /api/v1/config/outlet",
            ));
        };
        if self.holds_pushes(&settings, None) {
            return Err(PushError::Paused {
                why: "the store went back in time: everything is pulled before anything is pushed".to_owned(),
                retry_after_seconds: None,
            });
        }
        let rests = self.link_rests();
        let link = self.inner.link.lock();
        match rests {
            None => Ok(cloud),
            Some(_) => Err(PushError::Paused {
                why: if link.quiet_ms(self.mono_ms()).is_some() {
                    "the cloud wants fewer requests: it is left alone for a while".to_owned()
                } else {
                    let last = link.last_error.clone().unwrap_or_default();
                    format!("the link to the cloud rests after a failure: {last}")
                },
                retry_after_seconds: rests,
            }),
        }
    }

    /// How many seconds the link still rests.
    fn link_rests(&self) -> Option<u64> {
        let link = self.inner.link.lock();
        link.pause_ms(self.mono_ms()).map(|ms| ms.div_ceil(1000))
    }

    /// Writes what was done to the sync log, as a run does.
    async fn log_push(&self, progress: &Progress, started_at: Millis, lasted_ms: u64, stopped: bool) {
        progress.count_in(self.metrics());
        let mut batch = Batch::new();
        for row in progress.log_rows(started_at, lasted_ms, stopped) {
            let number = self.inner.rows.store().reserve();
            put(&mut batch, keys::numbered(keys::LOG, number), &row);
        }
        if !batch.changes_nothing()
            && let Err(error) = self.inner.rows.store().commit(batch).await
        {
            tracing::error!(%error, "a push could not be written to the log");
        }
    }
}

fn refuse_conflict(entity: &Entity) -> Result<(), PushError> {
    match &entity.record.conflict {
        None => Ok(()),
        Some(conflict) => Err(PushError::Conflict {
            key: entity.key.clone(),
            conflict: conflict.clone(),
        }),
    }
}

fn item(order: u64, known: Option<&Item>, outcome: PushOutcome) -> PushedItem {
    PushedItem {
        id: order.to_string(),
        operation: known.map(|item| item.operation),
        outcome,
        error: None,
        next_attempt_at: None,
    }
}

/// An item that is still in the queue.
fn left_behind(left: &Item, contested: bool) -> PushedItem {
    let outcome = match left.state {
        _ if contested => PushOutcome::Conflict,
        ItemState::Failed if left.is_parked() => PushOutcome::Parked,
        ItemState::Failed => PushOutcome::Failed,
        _ if left.error.is_some() => PushOutcome::Retry,
        ItemState::Pending | ItemState::Attempted => PushOutcome::Waiting,
    };
    PushedItem {
        error: left.error.clone(),
        next_attempt_at: left.due,
        ..item(left.order, Some(left), outcome)
    }
}

fn report(entity: &Entity, progress: &Progress, outcomes: Outcomes) -> EntityPush {
    EntityPush {
        key: entity.key.clone(),
        pushed: progress.push_ok,
        failed: progress.push_failed,
        items: outcomes.into_values().collect(),
        sync_status: entity.record.sync_status(),
        error: progress.error.clone(),
    }
}
