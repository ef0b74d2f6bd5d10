//! When runs are made: on the interval, soon after a change, when somebody asks, when a pause of the link ends. One at
//! a time; who asks while one is going joins it, and it goes round once more for them.

use crate::engine::Engine;
use crate::engine::api::{EntityPush, PushError, RunReport, RunStatus};
use crate::engine::run::Purpose;
use parking_lot::Mutex;
use selaras_core::backoff::Backoff;
use selaras_core::id::EntityKey;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// First retry of a pull that failed although the cloud answers.
const FIRST_RETRY_MS: u64 = 5_000;
/// Between two runs of which the first moved nothing.
const REST_MS: u64 = 1_000;
/// Between two looks at a store that has stopped.
const STORE_REST_MS: u64 = 5_000;

/// Somebody wants the waiting changes of one entity pushed, and to hear what came of it.
pub(super) struct Wanted {
    /// The entity.
    pub key: EntityKey,
    /// Its items when it was asked for, by their orders.
    pub items: Vec<u64>,
    /// Who waits.
    pub answer: oneshot::Sender<Result<EntityPush, PushError>>,
}

/// What others tell the scheduler.
#[derive(Default)]
pub struct Signals {
    changed: Notify,
    asked: Notify,
    settings: Notify,
    /// Somebody asked since the going run last looked.
    again: AtomicBool,
    waiters: Mutex<Vec<oneshot::Sender<RunReport>>>,
    /// Pushes of one entity: each has its turn between two runs.
    wanted: Mutex<VecDeque<Wanted>>,
    pushes: Notify,
    running: AtomicBool,
    /// When the next run begins by itself (monotonic ms; 0: never).
    next_at: std::sync::atomic::AtomicU64,
}

impl Signals {
    /// A change waits to be pushed.
    pub fn change(&self) {
        self.changed.notify_one();
    }

    /// Somebody wants a run now.
    pub fn ask(&self) {
        self.again.store(true, Ordering::Relaxed);
        self.asked.notify_one();
    }

    /// Somebody wants a run now, and its report. None: the scheduler has stopped.
    pub async fn ask_and_wait(&self) -> Option<RunReport> {
        let (sender, receiver) = oneshot::channel();
        self.waiters.lock().push(sender);
        self.ask();
        receiver.await.ok()
    }

    /// Somebody wants one entity pushed.
    pub(super) fn want(&self, wanted: Wanted) {
        self.wanted.lock().push_back(wanted);
        self.pushes.notify_one();
    }

    /// The settings changed.
    pub fn settings_changed(&self) {
        self.settings.notify_one();
    }

    /// Whether a run is going.
    pub fn is_running(&self) -> bool {
        self.running.load(Ordering::Relaxed)
    }

    /// When the next run begins by itself (monotonic ms).
    pub fn next_at(&self) -> Option<u64> {
        Some(self.next_at.load(Ordering::Relaxed)).filter(|at| *at > 0)
    }
}

/// When runs are due (monotonic ms).
#[derive(Debug, Default)]
struct Plan {
    /// The next pull and push.
    interval_at: u64,
    /// A change was made: its push.
    push_at: Option<u64>,
    /// What the last run left: items in backoff, or a link in doubt.
    rest_at: Option<u64>,
}

impl Plan {
    fn at(&self) -> u64 {
        [self.push_at, self.rest_at]
            .into_iter()
            .flatten()
            .fold(self.interval_at, u64::min)
    }

    /// Nothing is due before this.
    fn rest(&mut self, until: u64) {
        self.push_at = None;
        self.rest_at = Some(until);
        self.interval_at = self.interval_at.max(until);
    }
}

impl Engine {
    /// Makes runs until `shutdown`; then finishes or safely abandons the one that is going.
    pub async fn schedule(self, shutdown: CancellationToken) {
        let _vital = self.vital("the scheduler");
        let mut plan = Plan {
            interval_at: self.mono_ms(),
            ..Plan::default()
        };
        while !shutdown.is_cancelled() {
            let signals = &self.inner.signals;
            let due = self.due_at(&plan);
            signals
                .next_at
                .store(due.map_or(0, |at| at.max(1)), Ordering::Relaxed);
            let wait = due.map(|at| Duration::from_millis(at.saturating_sub(self.mono_ms())));
            // In this order, so that a run that was asked for also covers what was told before.
            let purpose = tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                () = signals.settings.notified() => {
                    plan.interval_at = self.mono_ms();
                    None
                }
                () = signals.changed.notified(), if plan.push_at.is_none() => {
                    plan.push_at = Some(self.mono_ms() + u64::from(self.settings().sync.push_delay_ms));
                    None
                }
                () = signals.pushes.notified() => {
                    self.push_wanted(&shutdown).await;
                    // What it left has its time, which the next run finds.
                    plan.push_at.get_or_insert(self.mono_ms());
                    None
                }
                // Unless the run that was going has looked again for them already.
                () = signals.asked.notified() => signals.again.load(Ordering::Relaxed).then_some(Purpose::Full),
                () = sleep(wait) => {
                    let full = self.mono_ms() >= plan.interval_at;
                    Some(if full { Purpose::Full } else { Purpose::Changes })
                }
            };
            if let Some(purpose) = purpose {
                self.make(purpose, &mut plan, &shutdown).await;
            }
        }
        self.inner.signals.waiters.lock().clear();
        self.inner.signals.wanted.lock().clear();
    }

    /// Pushes what is wanted, one entity after the other. No run is going meanwhile.
    async fn push_wanted(&self, shutdown: &CancellationToken) {
        let signals = &self.inner.signals;
        loop {
            let next = signals.wanted.lock().pop_front();
            let Some(Wanted { key, items, answer }) = next.filter(|_| !shutdown.is_cancelled()) else {
                return;
            };
            signals.running.store(true, Ordering::Relaxed);
            let run_id = self.new_run_id();
            let span = tracing::info_span!("push_one", run_id, %key);
            let pushed = self.push_one(&run_id, &key, &items, shutdown);
            let outcome = pushed.instrument(span).await;
            signals.running.store(false, Ordering::Relaxed);
            // Who no longer waits needs no answer.
            let _ = answer.send(outcome);
        }
    }

    /// When the next run begins by itself. None: sync is off or not configured.
    fn due_at(&self, plan: &Plan) -> Option<u64> {
        let settings = self.settings();
        if !settings.outlet.sync_enabled || settings.cloud.is_none() {
            return None;
        }
        let at = plan.at();
        let link = self.inner.link.lock();
        let now = self.mono_ms();
        Some(match link.pause_ms(now) {
            Some(left) => now + left,
            None => at,
        })
    }

    async fn make(&self, purpose: Purpose, plan: &mut Plan, shutdown: &CancellationToken) {
        let signals = &self.inner.signals;
        if let Some(refusal) = self.refusal(shutdown).await {
            signals.again.store(false, Ordering::Relaxed);
            answer(&signals.waiters, &refusal);
            return;
        }
        if self.inner.rows.store().health().is_err() && signals.waiters.lock().is_empty() {
            // What waits cannot be read now; it is looked at again until the store is open.
            plan.rest(self.mono_ms() + STORE_REST_MS);
            return;
        }
        signals.running.store(true, Ordering::Relaxed);
        plan.push_at = None;
        plan.rest_at = None;
        let run_id = self.new_run_id();
        let span = tracing::info_span!("run", run_id);
        let report = async {
            let report = self.run(&run_id, purpose, &signals.again, shutdown).await;
            log(&report);
            report
        };
        let report = report.instrument(span).await;
        signals.running.store(false, Ordering::Relaxed);
        self.metrics().run(report.status.as_str(), report.duration_ms);
        if signals.again.load(Ordering::Relaxed) && report.error.is_none() {
            // Asked for after the run's last look: they get a run of their own.
            signals.asked.notify_one();
        } else {
            signals.again.store(false, Ordering::Relaxed);
            answer(&signals.waiters, &report);
        }
        let now = self.mono_ms();
        let link = self.inner.link.lock();
        let paused = link.is_doubtful() || link.quiet_ms(now).is_some();
        if purpose == Purpose::Full && !paused {
            let interval = u64::from(self.settings().outlet.sync_interval_minutes) * 60_000;
            let backoff = Backoff {
                initial_ms: FIRST_RETRY_MS,
                multiplier: 2.0,
                max_ms: interval,
            };
            plan.interval_at = now
                + match self.inner.pull_failures.load(Ordering::Relaxed) {
                    0 => interval,
                    failures => backoff.ceiling_ms(failures),
                };
        } else if paused {
            // It goes on when the pause ends; a line in doubt is probed then.
            plan.rest_at = Some(now);
        }
        drop(link);
        if self.inner.rows.store().health().is_err() {
            plan.rest(now + STORE_REST_MS);
            return;
        }
        if self.holds_pushes(&self.settings(), None) {
            // Nothing is pushed before everything was pulled, which has its own backoff; what a deadline left goes on.
            let failed = self.inner.pull_failures.load(Ordering::Relaxed) > 0;
            plan.rest_at = plan.rest_at.or((!failed).then_some(now + REST_MS));
            return;
        }
        // What the deadline left goes on at once; what a run could not move waits a little.
        let moved = report.pushed + report.push_failed > 0;
        let rest = now + if moved { 0 } else { REST_MS };
        let ready = self.has_ready().then_some(rest);
        let retry = self.next_retry_ms().map(|left| rest.max(now + left));
        let fetch = self.resync_left_ms().map(|left| rest.max(now + left));
        plan.rest_at = [plan.rest_at, ready, retry, fetch].into_iter().flatten().min();
    }

    /// Why no run can be made now.
    async fn refusal(&self, shutdown: &CancellationToken) -> Option<RunReport> {
        let settings = self.settings();
        let error = if !settings.outlet.sync_enabled {
            "sync is switched off (sync_enabled)".to_owned()
        } else if settings.cloud.is_none() {
            "no cloud is configured: cloud_api_url, cloud_api_key and outlet_id are needed".to_owned()
        } else {
            let pause = {
                let link = self.inner.link.lock();
                link.quiet_ms(self.mono_ms())
            };
            // What the cloud asked for is kept, also when a person is impatient.
            match pause {
                Some(left) if left > 30_000 => {
                    format!("the cloud wants no request for another {} s", left / 1000)
                }
                Some(left) => {
                    tokio::select! {
                        biased;
                        () = tokio::time::sleep(Duration::from_millis(left)) => {}
                        () = shutdown.cancelled() => {}
                    }
                    return None;
                }
                None => return None,
            }
        };
        Some(RunReport {
            run_id: String::new(),
            status: RunStatus::Failed,
            pushed: 0,
            push_failed: 0,
            pulled: 0,
            conflicts_resolved: 0,
            conflicts_deferred: 0,
            started_at: self.now(),
            duration_ms: 0,
            error: Some(error),
        })
    }
}

async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

fn answer(waiters: &Mutex<Vec<oneshot::Sender<RunReport>>>, report: &RunReport) {
    for waiter in waiters.lock().drain(..) {
        // Who no longer waits needs no answer.
        let _ = waiter.send(report.clone());
    }
}

fn log(report: &RunReport) {
    let RunReport {
        pushed,
        push_failed,
        pulled,
        conflicts_resolved,
        conflicts_deferred,
        duration_ms,
        ..
    } = report;
    match &report.error {
        Some(error) => tracing::warn!(
            error,
            status = report.status.as_str(),
            pushed,
            push_failed,
            pulled,
            duration_ms,
            "a run ended with trouble"
        ),
        None if pushed + pulled + conflicts_resolved + conflicts_deferred > 0 => {
            tracing::info!(
                pushed,
                pulled,
                conflicts_resolved,
                conflicts_deferred,
                duration_ms,
                "a run is done"
            );
        }
        None => tracing::debug!(duration_ms, "a run had nothing to do"),
    }
}
