//! A store in memory whose commits take a while, and whose power can fail before or after any of them: what was not
//! durable is lost, and who waited never hears an answer.

use crate::dice::{Dice, of};
use crate::time::WorldTime;
use crate::trace::Trace;
use selaras::store::{
    Batch, BoxFuture, CommitError, Committed, Counter, Direction, Entry, MemoryStore, Sink, Stats, Store,
    StoreError,
};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};

/// When the power fails, counted in commits from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before the n-th is durable.
    Before(u64),
    /// After it is durable, before it is answered.
    After(u64),
}

/// Who is told of a commit's outcome.
type Waiter = oneshot::Sender<Result<Committed, CommitError>>;

/// The disk of one boot of an outlet.
pub struct Disk {
    memory: Arc<MemoryStore>,
    state: Mutex<State>,
    /// Told when the power fails.
    pub dark: Notify,
    time: WorldTime,
    trace: Arc<Trace>,
    outlet: usize,
    /// The longest that a commit takes; 0: none takes any time.
    slowness_ms: u64,
}

struct State {
    queue: VecDeque<(Batch, Waiter)>,
    writing: bool,
    dead: bool,
    cut: Option<Cut>,
    commits: u64,
    dice: Dice,
}

impl Disk {
    /// A disk over `memory`.
    pub fn new(
        memory: MemoryStore,
        (seed, outlet, boot): (u64, usize, u64),
        slowness_ms: u64,
        time: WorldTime,
        trace: Arc<Trace>,
    ) -> Arc<Self> {
        Arc::new(Self {
            memory: Arc::new(memory),
            state: Mutex::new(State {
                queue: VecDeque::new(),
                writing: false,
                dead: false,
                cut: None,
                commits: 0,
                dice: Dice::of(seed, &[of::DISK, outlet as u64, boot]),
            }),
            dark: Notify::new(),
            time,
            trace,
            outlet,
            slowness_ms,
        })
    }

    /// Lets the power fail at a commit to come.
    pub fn cut_at(&self, cut: Cut) {
        let mut state = self.state.lock().expect("no panic holds it");
        let now = state.commits;
        state.cut = Some(match cut {
            Cut::Before(n) => Cut::Before(now + n),
            Cut::After(n) => Cut::After(now + n),
        });
    }

    /// Whether the power has failed.
    pub fn is_dark(&self) -> bool {
        self.state.lock().expect("no panic holds it").dead
    }

    /// The power fails now.
    pub fn cut(&self) {
        let mut state = self.state.lock().expect("no panic holds it");
        state.dead = true;
        state.queue.clear();
        drop(state);
        self.dark.notify_one();
    }

    /// Writes what waits, in order. False: the power failed.
    fn write(&self) -> bool {
        loop {
            let mut state = self.state.lock().expect("no panic holds it");
            if state.dead {
                return false;
            }
            let Some((batch, waiter)) = state.queue.pop_front() else {
                state.writing = false;
                return true;
            };
            state.commits += 1;
            let (number, cut) = (state.commits, state.cut);
            drop(state);
            if cut == Some(Cut::Before(number)) {
                self.cut();
                return false;
            }
            let outcome = self.commit_now(batch);
            if cut == Some(Cut::After(number)) {
                self.cut();
                return false;
            }
            // Who hung up needs no answer.
            let _ = waiter.send(outcome);
        }
    }

    fn commit_now(&self, batch: Batch) -> Result<Committed, CommitError> {
        // The store in memory is done when the call returns.
        let outcome = poll_once(self.memory.commit(batch));
        self.trace.count("commits");
        let line = match &outcome {
            Ok(committed) => format!(
                "outlet {} commits, feed {:?}",
                self.outlet, committed.first_feed_seq
            ),
            Err(error) => format!("outlet {} refuses a commit: {error}", self.outlet),
        };
        self.trace.note(self.time.ms(), &line);
        outcome
    }
}

/// The store as the engine holds it.
pub struct Held(pub Arc<Disk>);

impl Store for Held {
    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Committed, CommitError>> {
        let disk = self.0.clone();
        let mut state = disk.state.lock().expect("no panic holds it");
        if state.dead {
            return Box::pin(std::future::pending());
        }
        let (waiter, outcome) = oneshot::channel();
        state.queue.push_back((batch, waiter));
        if !std::mem::replace(&mut state.writing, true) {
            let wait = state.dice.below(disk.slowness_ms + 1);
            drop(state);
            if wait == 0 {
                disk.write();
            } else {
                let disk = disk.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                    disk.write();
                });
            }
        }
        Box::pin(async move {
            match outcome.await {
                Ok(outcome) => outcome,
                // The machine is off: nobody hears anything any more.
                Err(_) => std::future::pending().await,
            }
        })
    }

    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.0.memory.get(key)
    }

    fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.0.memory.scan(from, to, direction, limit)
    }

    fn reserve(&self) -> u64 {
        self.0.memory.reserve()
    }

    fn counter(&self, counter: Counter) -> i64 {
        self.0.memory.counter(counter)
    }

    fn feed_head(&self) -> u64 {
        self.0.memory.feed_head()
    }

    fn feed_epoch(&self) -> String {
        self.0.memory.feed_epoch()
    }

    fn version_floor(&self) -> u64 {
        self.0.memory.version_floor()
    }

    fn health(&self) -> Result<(), Arc<StoreError>> {
        self.0.memory.health()
    }

    fn export(&self, sink: &mut dyn Sink) -> Result<(), StoreError> {
        self.0.memory.export(sink)
    }

    fn stats(&self) -> Stats {
        self.0.memory.stats()
    }
}

fn poll_once<T>(mut future: BoxFuture<'static, T>) -> T {
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    match future.as_mut().poll(&mut cx) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => unreachable!("the store in memory commits in place"),
    }
}
