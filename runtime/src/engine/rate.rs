//! Every request of a run goes through here: it waits for its place in the budget, and the budget learns from the answer. What
//! the budget allows is core's; what a request carries is its caller's.

use crate::cloud::LinkError;
use crate::engine::Engine;
use crate::engine::api::{RateView, Unavailable};
use crate::store::rows::{Rows, put_meta};
use crate::store::{Batch, Counter};
use parking_lot::Mutex;
use selaras_core::rate::{Budget, Kept, Place};
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// A run waits so long for a place; for a longer time it ends, and the next begins when there is one.
const PATIENCE_MS: u64 = 15_000;
/// The name of the stored row.
const RATE: &str = "rate";

/// The budget, and who waits for it.
#[derive(Default)]
pub struct Rate {
    budget: Mutex<Budget>,
    /// A request ended.
    ended: Notify,
}

/// The budget as it was, and when by this machine's clock.
#[derive(Serialize, Deserialize)]
struct Stored {
    wall_ms: i64,
    kept: Kept,
}

impl Rate {
    /// The budget with what is known from before the restart. A clock that went back meanwhile counts as no time at all.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn stored(rows: &Rows, set: u32, now_ms: u64, wall_ms: i64) -> Result<Self, Unavailable> {
        let stored: Option<Stored> = rows.meta(RATE)?;
        let budget = stored.map_or_else(Budget::default, |Stored { wall_ms: then, kept }| {
            let age = u64::try_from(wall_ms.saturating_sub(then)).unwrap_or(0);
            Budget::restored(&kept, set, now_ms, age)
        });
        Ok(Self {
            budget: Mutex::new(budget),
            ended: Notify::new(),
        })
    }
}

/// A request that may be made now. Dropped, its place is free again, or counts from now on if the request was begun.
pub struct Permit {
    engine: Engine,
    place: Option<Place>,
    begun: bool,
}

impl Permit {
    /// Makes the request.
    ///
    /// # Errors
    /// The request's own.
    pub async fn spend<T>(
        mut self,
        call: impl Future<Output = Result<T, LinkError>>,
    ) -> Result<T, LinkError> {
        self.engine.keep_rate().await;
        self.begun = true;
        let answer = call.await;
        if let Err(LinkError::RateLimited { retry_after }) = &answer
            && let Some(place) = self.place.take()
        {
            let pause = retry_after.map_or(0, |wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            let now = self.engine.mono_ms();
            self.engine.inner.rate.budget.lock().refused(place, now, pause);
            self.engine.inner.rate.ended.notify_waiters();
        }
        answer
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(place) = self.place.take() else { return };
        let (now, rate) = (self.engine.mono_ms(), &self.engine.inner.rate);
        if self.begun {
            rate.budget.lock().end(place, now);
        } else {
            rate.budget.lock().cancel(place);
        }
        rate.ended.notify_waiters();
    }
}

/// When a request that cannot be made now may be.
#[derive(Clone, Copy, Debug)]
pub struct Shut {
    wait_ms: u64,
}

impl Shut {
    /// Waits until it is worth to ask again. Dropped when something else comes first.
    ///
    /// # Errors
    /// It is too long for a run to wait.
    pub async fn wait(self, engine: &Engine) -> Result<(), LinkError> {
        let wait = Duration::from_millis(self.wait_ms);
        if self.wait_ms > PATIENCE_MS {
            return Err(LinkError::OverLimit { wait });
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = engine.inner.rate.ended.notified() => {}
        }
        Ok(())
    }
}

impl Engine {
    /// A place in the budget.
    ///
    /// # Errors
    /// When there may be one.
    pub(super) fn permit(&self) -> Result<Permit, Shut> {
        let set = self.settings().sync.requests_per_minute;
        let mut budget = self.inner.rate.budget.lock();
        budget.set(set);
        match budget.begin(self.mono_ms()) {
            Ok(place) => Ok(Permit {
                engine: self.clone(),
                place: Some(place),
                begun: false,
            }),
            Err(wait_ms) => Err(Shut { wait_ms }),
        }
    }

    /// Makes a request when the budget allows it. None: `halt` came first, and nothing was sent.
    pub(super) async fn ask<T>(
        &self,
        halt: &CancellationToken,
        call: impl Future<Output = Result<T, LinkError>>,
    ) -> Option<Result<T, LinkError>> {
        match self.permit_in_turn(halt).await? {
            Ok(permit) => Some(permit.spend(call).await),
            Err(error) => Some(Err(error)),
        }
    }

    /// A place in the budget, waited for. None: `halt` came first.
    pub(super) async fn permit_in_turn(&self, halt: &CancellationToken) -> Option<Result<Permit, LinkError>> {
        while !halt.is_cancelled() {
            match self.permit() {
                Ok(permit) => return Some(Ok(permit)),
                Err(shut) => {
                    if let Err(error) = self.until_open(shut, halt).await {
                        return Some(Err(error));
                    }
                }
            }
        }
        None
    }

    /// Waits until a request may be made, or `halt` comes.
    ///
    /// # Errors
    /// It is too long for a run to wait.
    pub(super) async fn until_open(&self, shut: Shut, halt: &CancellationToken) -> Result<(), LinkError> {
        tokio::select! {
            () = halt.cancelled() => Ok(()),
            waited = shut.wait(self) => waited,
        }
    }

    /// Waits beside something else until a request may be made; for ever when that is not what is waited for.
    pub(super) async fn opened(&self, shut: Option<Shut>) {
        match shut {
            Some(shut) => tokio::time::sleep(Duration::from_millis(shut.wait_ms)).await,
            None => std::future::pending().await,
        }
    }

    /// Makes a request that a person waits for: it counts, and goes at once.
    pub(super) async fn ask_at_once<T>(
        &self,
        call: impl Future<Output = Result<T, LinkError>>,
    ) -> Result<T, LinkError> {
        let place = self.inner.rate.budget.lock().take(self.mono_ms());
        let permit = Permit {
            engine: self.clone(),
            place: Some(place),
            begun: false,
        };
        permit.spend(call).await
    }

    /// Items a request may carry now: the settings' number, more while requests are scarce, less while the cloud has
    /// trouble with so many.
    pub(super) fn batch_limit(&self) -> usize {
        let settings = self.settings();
        let (usual, largest) = (settings.sync.batch_size, settings.sync.batch_size_max);
        let waiting = self.inner.rows.store().counter(Counter::Pending);
        let waiting = usize::try_from(waiting).unwrap_or(0);
        let mut budget = self.inner.rate.budget.lock();
        budget.set(settings.sync.requests_per_minute);
        let size = budget.batch_size(self.mono_ms(), waiting, usual as usize, largest as usize);
        self.inner.link.lock().batch_limit(size)
    }

    /// Whether the cloud's limit is known, so that requests may be what is scarce.
    pub(super) fn is_limited(&self) -> bool {
        let mut budget = self.inner.rate.budget.lock();
        budget.set(self.settings().sync.requests_per_minute);
        budget.limit(self.mono_ms()).is_some()
    }

    /// A limit comes into force, and what it must know of the last minute is stored with it.
    pub(super) fn limit_rate(&self, requests_per_minute: u32, batch: &mut Batch) {
        self.inner.rate.budget.lock().set(requests_per_minute);
        self.note_rate(batch);
    }

    /// Notes in a commit that is made anyway what a restart must know.
    pub(super) fn note_rate(&self, batch: &mut Batch) {
        let kept = self.inner.rate.budget.lock().keep(self.mono_ms());
        if let Some(kept) = kept {
            let wall_ms = self.inner.time.clock().wall_ms();
            put_meta(batch, RATE, &Stored { wall_ms, kept });
        }
    }

    /// The same in a commit of its own, when too much would be forgotten otherwise.
    async fn keep_rate(&self) {
        if !self.inner.rate.budget.lock().must_keep(self.mono_ms()) {
            return;
        }
        let mut batch = Batch::new();
        self.note_rate(&mut batch);
        if let Err(error) = self.inner.rows.store().commit(batch).await {
            tracing::warn!(%error, "how many requests were made could not be kept for after a restart");
        }
    }

    /// What status shows.
    pub(super) fn rate_view(&self) -> RateView {
        let batch_size = self.batch_limit();
        let now = self.mono_ms();
        let quiet = self.inner.link.lock().quiet_ms(now).unwrap_or(0);
        let mut budget = self.inner.rate.budget.lock();
        let wait = budget.opens_in(now).max(quiet);
        let limit = budget.limit(now);
        RateView {
            requests_per_minute: limit.map(|limit| limit.requests),
            learned: limit.is_some_and(|limit| limit.learned),
            last_minute: budget.used(now),
            batch_size,
            limited_until: (wait > 0).then(|| self.now().plus_ms(i64::try_from(wait).unwrap_or(i64::MAX))),
        }
    }
}
