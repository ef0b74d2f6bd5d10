//! The one thread that commits: takes what waits, plans it as a group, makes it durable, answers all.
//!
//! Knows the engine only as a [`Backend`]. The first error is final: from then on it acknowledges nothing.

use std::{
    any::Any,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::{
    Batch, BoxFuture, CommitError, Committed, MonotonicMicros, OnCommit, StoreError,
    group::{self, Base, Plan, Refused},
    ledger::Ledger,
    meta::Meta,
};

/// Batches that may wait; beyond it callers wait for room.
const QUEUE: usize = 512;

/// Batches in one group: enough to share a sync among all that wait, few enough to answer the first one soon.
const GROUP_BATCHES: usize = 256;

/// Bytes after which a group takes no further batch; bounds what is held in memory twice.
const GROUP_BYTES: usize = 4 << 20;

/// What makes a group durable.
pub(super) trait Backend: Base + Send + 'static {
    /// Writes the plan's rows and its meta row at once; returns when they are durable and readable.
    ///
    /// # Errors
    /// Any error is final: it is not called again.
    fn persist(&mut self, plan: &mut Plan) -> Result<(), StoreError>;
}

type Answer = Result<Committed, CommitError>;

enum Job {
    Commit {
        batch: Batch,
        answer: oneshot::Sender<Answer>,
    },
    /// Says only: look at `closing`.
    Wake,
}

/// The handle to the thread. Dropping it closes the writer.
pub(super) struct Writer {
    jobs: mpsc::Sender<Job>,
    closing: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start<B: Backend>(
        backend: B,
        meta: Meta,
        ledger: Arc<Ledger>,
        timer: Option<MonotonicMicros>,
        on_commit: Option<OnCommit>,
    ) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(QUEUE);
        let closing = Arc::new(AtomicBool::new(false));
        let committer = Committer {
            backend,
            meta,
            ledger,
            timer,
            on_commit,
        };
        let seen = closing.clone();
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || run(waiting, &seen, committer))?;
        Ok(Self {
            jobs,
            closing,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Hands a batch over at once if there is room, else when the future is polled.
    pub(super) fn commit(&self, batch: Batch) -> BoxFuture<'static, Answer> {
        let (answer, answered) = oneshot::channel();
        let overflow = match self.jobs.try_send(Job::Commit { batch, answer }) {
            Ok(()) => None,
            Err(mpsc::error::TrySendError::Closed(_)) => return Box::pin(async { Err(CommitError::Closed) }),
            Err(mpsc::error::TrySendError::Full(job)) => Some((self.jobs.clone(), job)),
        };
        Box::pin(async move {
            if let Some((jobs, job)) = overflow {
                jobs.send(job).await.map_err(|_| CommitError::Closed)?;
            }
            answered.await.unwrap_or(Err(CommitError::Closed))
        })
    }

    /// Takes nothing new, commits what waits, ends the thread. Blocks until that is done; doing it twice is fine.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
        // A full queue wakes the thread as well as this would; a closed one has no thread left to wake.
        let _ = self.jobs.try_send(Job::Wake);
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && let Err(panic) = thread.join()
        {
            tracing::error!(
                panic = panic_text(panic.as_ref()),
                "the store's writer thread panicked"
            );
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

/// What a caught panic said.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

fn run<B: Backend>(mut waiting: mpsc::Receiver<Job>, closing: &AtomicBool, mut committer: Committer<B>) {
    let mut taken = Vec::with_capacity(GROUP_BATCHES);
    while waiting.blocking_recv_many(&mut taken, GROUP_BATCHES) > 0 {
        let mut jobs = taken.drain(..).peekable();
        while jobs.peek().is_some() {
            let (mut batches, mut answers, mut bytes) = (Vec::with_capacity(jobs.len()), Vec::new(), 0);
            while bytes < GROUP_BYTES
                && let Some(job) = jobs.next()
            {
                if let Job::Commit { batch, answer } = job {
                    bytes += batch.bytes();
                    batches.push(batch);
                    answers.push(answer);
                }
            }
            committer.commit(batches, answers);
        }
        drop(jobs);
        if closing.load(Ordering::Acquire) {
            waiting.close();
        }
    }
    committer.finish();
}

/// The thread's state.
struct Committer<B> {
    backend: B,
    meta: Meta,
    ledger: Arc<Ledger>,
    timer: Option<MonotonicMicros>,
    on_commit: Option<OnCommit>,
}

impl<B: Backend> Committer<B> {
    /// Commits one group and answers each of its batches.
    fn commit(&mut self, batches: Vec<Batch>, answers: Vec<oneshot::Sender<Answer>>) {
        let outcomes = match self.try_commit(batches) {
            Ok(outcomes) => outcomes,
            Err(error) => {
                for answer in answers {
                    // Whoever does not wait any more does not want to know.
                    let _ = answer.send(Err(CommitError::Failed(error.clone())));
                }
                return;
            }
        };
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            let _ = answer.send(outcome.map_err(|refused| match refused {
                Refused::Precondition { index } => CommitError::Precondition { index },
                Refused::Invalid(error) => CommitError::Failed(Arc::new(error)),
            }));
        }
    }

    fn try_commit(
        &mut self,
        batches: Vec<Batch>,
    ) -> Result<Vec<Result<Committed, Refused>>, Arc<StoreError>> {
        self.ledger.health()?;
        let started_us = self.now_us();
        self.meta.raise_ceiling(self.ledger.next());
        let mut plan = self.guarded(|this| group::plan(batches, &this.meta, &this.backend))?;
        if plan.changes {
            plan.meta.commits += 1;
            self.guarded(|this| this.backend.persist(&mut plan))?;
            let commits = plan.outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64;
            let took_us = self.now_us().saturating_sub(started_us);
            self.ledger.publish(&plan.meta, commits, took_us);
            if let Some(tell) = &self.on_commit {
                tell(commits, took_us);
            }
            self.meta = plan.meta;
        }
        Ok(plan.outcomes)
    }

    /// Lowers the ceiling to what was really given out, so that a clean restart skips no numbers.
    fn finish(&mut self) {
        if self.ledger.health().is_err() {
            return;
        }
        self.meta.ceiling = self.ledger.next();
        let mut plan = Plan::of(self.meta.clone());
        if let Err(error) = self.guarded(|this| this.backend.persist(&mut plan)) {
            tracing::error!(
                error = &*error as &dyn std::error::Error,
                "the store could not be closed in order"
            );
        }
    }

    /// Runs a step of the engine; an error or panic stops the store for good.
    fn guarded<T>(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, Arc<StoreError>> {
        let ledger = self.ledger.clone();
        catch_unwind(AssertUnwindSafe(|| step(self)))
            .unwrap_or_else(|panic| Err(StoreError::Panicked(panic_text(panic.as_ref()).to_owned())))
            .map_err(|error| ledger.fail(error))
    }

    fn now_us(&self) -> u64 {
        self.timer.as_ref().map_or(0, |timer| timer())
    }
}

#[cfg(test)]
mod tests;
