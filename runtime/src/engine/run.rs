//! One run: pull, decide, push, and again while something came of it, within a deadline.

use crate::cloud::{Client, Timing};
use crate::engine::Engine;
use crate::engine::api::{RunReport, RunStatus, Unavailable};
use crate::engine::progress::Progress;
use crate::engine::push::Trouble;
use crate::engine::time::BOOTS;
use crate::store::Batch;
use crate::store::keys;
use crate::store::rows::{put, put_meta};
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a request under way may go on after the run must stop; then it is abandoned (its attempt is durable).
const GRACE: Duration = Duration::from_secs(5);
/// Pushing only is enough when the last pull is younger than this.
const PULL_AT_LEAST_MS: u64 = 30_000;
/// Rounds of one run; what is left then is the next run's.
const MOST_ROUNDS: usize = 100;

/// When a run must stop: its deadline, or the process's end.
pub struct Stop {
    token: CancellationToken,
}

impl Stop {
    /// Stops with `shutdown`; the caller cancels `token` at the deadline.
    pub fn new(token: CancellationToken) -> Self {
        Self { token }
    }

    /// Whether nothing new may begin.
    pub fn is_set(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Cancelled with it, or by who holds the child for reasons of their own.
    pub fn child(&self) -> CancellationToken {
        self.token.child_token()
    }

    /// Waits for `work`; after the stop it gets a last grace, then it is dropped and the answer is none.
    pub async fn or_abandoned<F: Future>(&self, work: F) -> Option<F::Output> {
        tokio::pin!(work);
        tokio::select! {
            biased;
            output = &mut work => Some(output),
            () = async { self.token.cancelled().await; tokio::time::sleep(GRACE).await } => None,
        }
    }
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The interval, or somebody asked: pull and push.
    Full,
    /// A change was made: push; pull only when that was long ago.
    Changes,
}

impl Engine {
    /// A name for a run: it is on each of its lines in the log, and begins the ids of its requests to the cloud.
    pub(super) fn new_run_id(&self) -> String {
        format!("run-{:016x}", self.random())
    }

    /// Makes one run. Only the scheduler calls it: one at a time.
    pub(crate) async fn run(
        &self,
        run_id: &str,
        purpose: Purpose,
        again: &AtomicBool,
        shutdown: &CancellationToken,
    ) -> RunReport {
        let started_at = self.now();
        let clock = self.inner.time.clock().clone();
        let started = clock.mono_ms();
        let settings = self.settings();
        let mut progress = Progress::of(run_id);
        let deadline = Duration::from_secs(u64::from(settings.sync.run_timeout_seconds));
        let token = shutdown.child_token();
        let stop = Stop::new(token.clone());
        let before = settings.cloud.as_ref().map(|cloud| cloud.traffic());
        let outcome = {
            let cloud = settings.cloud.as_ref().map(|cloud| cloud.under(run_id));
            let work = self.rounds(cloud, purpose, again, &stop, &mut progress);
            tokio::pin!(work);
            tokio::select! {
                biased;
                outcome = &mut work => outcome,
                () = tokio::time::sleep(deadline) => {
                    token.cancel();
                    work.await
                }
            }
        };
        if let (Some(cloud), Some(before)) = (&settings.cloud, before) {
            progress.traffic = cloud.traffic().since(before);
        }
        let stopped = match outcome {
            Ok(()) if stop.is_set() => {
                progress.error.get_or_insert_with(|| {
                    "the run was stopped, by its deadline or a shutdown; what is left goes on in the next"
                        .to_owned()
                });
                true
            }
            Ok(()) => false,
            Err(trouble) => {
                progress.error = Some(trouble.to_string());
                true
            }
        };
        if progress.pull_ok + progress.push_ok > 0 {
            // A parked document may have waited for what is here, or at the cloud, only now.
            self.inner.reconsider.notify_one();
        }
        let duration_ms = clock.mono_ms().saturating_sub(started);
        let report = progress.report(started_at, duration_ms, stopped);
        progress.count_in(self.metrics());
        if let Err(error) = self.record_run(&progress, &report, stopped).await {
            tracing::error!(%error, "the run could not be written to the log");
        }
        report
    }

    async fn rounds(
        &self,
        cloud: Option<Client>,
        purpose: Purpose,
        again: &AtomicBool,
        stop: &Stop,
        progress: &mut Progress,
    ) -> Result<(), Trouble> {
        let settings = self.settings();
        let Some(cloud) = cloud else {
            return Err(Trouble::Store(Unavailable::Store(
                "no cloud is configured".to_owned(),
            )));
        };
        if self.inner.link.lock().is_doubtful() && purpose == Purpose::Changes {
            self.probe(&cloud, stop).await?;
        }
        let clock = self.inner.time.clock();
        // A pull that fails is not tried again for each change.
        let awaits_pull = self.awaits_pull() && self.inner.pull_failures.load(Ordering::Relaxed) == 0;
        let mut pulls = settings.sync.pull_enabled
            && (purpose == Purpose::Full
                || awaits_pull
                || clock
                    .mono_ms()
                    .saturating_sub(self.inner.pulled_at.load(Ordering::Relaxed))
                    > PULL_AT_LEAST_MS
                || self.inner.pulled_at.load(Ordering::Relaxed) == 0);
        pulls |= settings.sync.pull_enabled
            && self.lists_instead_of_pulling()
            && self.inner.pull_failures.load(Ordering::Relaxed) == 0;
        let mut pull_trouble = None;
        for _ in 0..MOST_ROUNDS {
            if stop.is_set() {
                break;
            }
            // What is asked for from here on is covered by this round.
            again.store(false, Ordering::Relaxed);
            if pulls && self.room_for_updates() {
                match self.pull(&cloud, stop, progress).await {
                    Ok(()) => {
                        pull_trouble = None;
                        self.inner
                            .pulled_at
                            .store(clock.mono_ms().max(1), Ordering::Relaxed);
                        self.inner.pull_failures.store(0, Ordering::Relaxed);
                    }
                    // A cloud whose updates are in trouble may take ours.
                    Err(Trouble::Link(error)) if error.stops_only_this_call() => {
                        tracing::warn!(%error, "the cloud's updates cannot be pulled");
                        self.inner.pull_failures.fetch_add(1, Ordering::Relaxed);
                        pull_trouble = Some(error);
                    }
                    Err(trouble) => return Err(trouble),
                }
            }
            let tally = self.decide_all(|| stop.is_set()).await?;
            progress.decided(tally);
            if self.holds_pushes(&settings, pull_trouble.as_ref()) {
                break;
            }
            let goes_on = match self.fetch_on(&cloud, again, stop, progress).await {
                Ok(goes_on) => goes_on,
                Err(Trouble::Link(error)) if error.stops_only_this_call() => {
                    tracing::warn!(%error, "what is fetched again cannot be fetched now");
                    pull_trouble.get_or_insert(error);
                    false
                }
                Err(trouble) => return Err(trouble),
            };
            self.push(&cloud, stop, progress).await?;
            let tally = self.decide_all(|| stop.is_set()).await?;
            progress.decided(tally);
            self.tell(&cloud, stop).await?;
            let wants_pull = std::mem::take(&mut progress.wants_pull);
            let more = again.load(Ordering::Relaxed) || wants_pull || tally.settled > 0 || goes_on;
            if !more {
                break;
            }
            pulls = settings.sync.pull_enabled && (wants_pull || again.load(Ordering::Relaxed));
        }
        pull_trouble.map_or(Ok(()), |error| Err(Trouble::Link(error)))
    }

    /// Goes on with what is fetched again, until it is done (false) or others go first: each page gives way to what is to be
    /// pushed and to who asks for a run.
    async fn fetch_on(
        &self,
        cloud: &Client,
        again: &AtomicBool,
        stop: &Stop,
        progress: &mut Progress,
    ) -> Result<bool, Trouble> {
        if self.resync_left_ms() != Some(0) || self.lists_instead_of_pulling() {
            return Ok(false);
        }
        let gives_way = || again.load(Ordering::Relaxed) || self.has_ready();
        match self.fetch_again(cloud, stop, progress, gives_way).await {
            Ok(over) => {
                self.resync_went_on();
                Ok(!over)
            }
            Err(Trouble::Link(error)) => {
                self.resync_failed(&error).await?;
                if !error.stops_only_this_call() {
                    self.link_failed(&error, 0);
                }
                Err(Trouble::Link(error))
            }
            Err(trouble) => Err(trouble),
        }
    }

    /// Asks a line in doubt with a call that costs little.
    async fn probe(&self, cloud: &Client, stop: &Stop) -> Result<(), Trouble> {
        let Some(answer) = self.ask(&stop.child(), cloud.ping()).await else {
            return Ok(());
        };
        match answer {
            Ok(answer) => {
                self.heard(answer.timing);
                Ok(())
            }
            // A cloud may have no such call; it is there.
            Err(crate::cloud::LinkError::NotFound(_)) => Ok(()),
            Err(error) => {
                self.link_failed(&error, 0);
                Err(Trouble::Link(error))
            }
        }
    }

    /// The cloud answered: the link works, and its `Date` tells the time.
    pub(crate) fn heard(&self, timing: Option<Timing>) {
        self.inner.link.lock().succeeded();
        if let Some(timing) = timing {
            self.inner.time.measure(timing.sent, timing.received, timing.date);
        }
    }

    /// A call that carried `sent` items failed: the link pauses.
    pub(crate) fn link_failed(&self, error: &crate::cloud::LinkError, sent: usize) {
        let settings = self.settings();
        let (now, random) = (self.mono_ms(), self.random());
        self.inner
            .link
            .lock()
            .failed(error, sent, &settings.sync, now, random);
    }

    async fn record_run(
        &self,
        progress: &Progress,
        report: &RunReport,
        stopped: bool,
    ) -> Result<(), crate::store::CommitError> {
        let mut batch = Batch::new();
        for row in progress.log_rows(report.started_at, report.duration_ms, stopped) {
            put(
                &mut batch,
                keys::numbered(keys::LOG, self.inner.rows.store().reserve()),
                &row,
            );
        }
        self.keep_the_time().await?;
        let idle = progress.push_ok + progress.pull_ok == 0;
        let repeats = self.remember(report, &mut batch) && stopped && idle;
        // The same failure once more is one line in the log, not one a minute.
        if batch.changes_nothing() || repeats {
            return Ok(());
        }
        self.inner.rows.store().commit(batch).await.map(|_| ())
    }

    /// Keeps what was learned of the time, whatever else came of the run.
    async fn keep_the_time(&self) -> Result<(), crate::store::CommitError> {
        let time = &self.inner.time;
        let mut batch = Batch::new();
        let boots = time.unkept_boots();
        if let Some(boots) = &boots {
            put_meta(&mut batch, BOOTS, boots);
        }
        let known = self.inner.last_run.lock().offset;
        let is_new = |offset: &i64| known.is_none_or(|known| (known - offset).abs() > 2_000);
        let offset = time.offset_ms().filter(is_new);
        if let Some(offset) = offset {
            put_meta(&mut batch, "clock_offset_ms", &offset);
        }
        if batch.changes_nothing() {
            return Ok(());
        }
        self.inner.rows.store().commit(batch).await?;
        if boots.is_some() {
            time.kept_boots();
        }
        let mut last = self.inner.last_run.lock();
        last.offset = offset.or(last.offset);
        Ok(())
    }

    /// Notes what status shows of the last run. True: it ended with the same error as the one before.
    fn remember(&self, report: &RunReport, batch: &mut Batch) -> bool {
        let mut last = self.inner.last_run.lock();
        let repeats = report.error.is_some() && last.error == report.error;
        last.error.clone_from(&report.error);
        if report.status == RunStatus::Success {
            let now = self.now();
            last.success_at = Some(now);
            // A quiet interval is not worth a write of its own on an SD card more than every few minutes.
            if !batch.changes_nothing() || last.stored_at.is_none_or(|at| now.minus(at) > 240_000) {
                last.stored_at = Some(now);
                put_meta(batch, "last_sync_at", &now);
            }
        }
        repeats
    }
}
