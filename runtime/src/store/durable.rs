//! The store as the outlet uses it: one that keeps itself. It opens over broken files as well as can be, opens again after
//! an error, keeps the mark and an eye on the disk's room, and rewrites its database when that has grown.
//!
//! Owns the keeper, the one thread that does so. It must not know what the rows mean, nor decide what is refused.

mod keeper;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::{Condvar, Mutex, RwLock};
use tokio::sync::{oneshot, watch};

use super::{
    Batch, BoxFuture, CommitError, Committed, Compacted, Condition, Counter, Direction, Entry, OpenError,
    Report, Room, Sink, SledStore, Stats, Store, StoreError,
    ledger::Ledger,
    opening::{Opened, Opening, Step},
    space::Space,
};

/// How often an export looks whether the store is rewritten by now.
const SWAP_PAUSE: Duration = Duration::from_millis(10);

/// A store that keeps itself. Dropping it closes it.
pub struct DurableStore {
    shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// What the keeper and the callers share.
struct Shared {
    opening: Opening,
    space: Arc<Space>,
    state: RwLock<State>,
    /// Whether commits flow; those that came while they did not wait for it.
    flowing: watch::Sender<bool>,
    wants: Mutex<Wants>,
    wake: Condvar,
    /// What opening had to do, of this process.
    steps: Mutex<Vec<Step>>,
    /// Groups of the stores that were open before, in this process.
    earlier: Earlier,
    /// Called when what was opened again is not what was open before: all that remembers it must begin anew.
    on_rewound: Box<dyn Fn() + Send + Sync>,
}

/// Statistics of the stores that were open before this one.
#[derive(Default)]
struct Earlier {
    commits: AtomicU64,
    groups: AtomicU64,
}

/// What is asked of the keeper.
#[derive(Default)]
struct Wants {
    failed: bool,
    closing: bool,
    compact: Vec<oneshot::Sender<Result<Compacted, String>>>,
}

enum State {
    /// It serves.
    Open(Arc<SledStore>),
    /// It serves reads; commits wait until it is rewritten.
    Compacting(Arc<SledStore>),
    /// It stopped, and is opened again.
    Down {
        error: Arc<StoreError>,
        ledger: Arc<Ledger>,
    },
}

impl State {
    fn ledger(&self) -> &Arc<Ledger> {
        match self {
            Self::Open(store) | Self::Compacting(store) => store.ledger(),
            Self::Down { ledger, .. } => ledger,
        }
    }

    fn readable(&self) -> Result<&SledStore, StoreError> {
        match self {
            Self::Open(store) | Self::Compacting(store) => Ok(store),
            Self::Down { error, .. } => Err(StoreError::Stopped(error.clone())),
        }
    }
}

impl DurableStore {
    /// Opens it, by whatever rung of the ladder holds (see [`Opening`]). Blocks. `on_rewound` is called later, on the
    /// keeper's thread, when it had to be opened again and then was not what it had been.
    ///
    /// # Errors
    /// Why it cannot be opened, with what to do.
    pub fn open(opening: Opening, on_rewound: impl Fn() + Send + Sync + 'static) -> Result<Self, OpenError> {
        let space = opening.space()?;
        let shared = Arc::new_cyclic(|shared: &std::sync::Weak<Shared>| {
            let shared = shared.clone();
            let opening = opening.told_of_failure(Arc::new(move || {
                if let Some(shared) = shared.upgrade() {
                    shared.want(|wants| wants.failed = true);
                }
            }));
            Shared {
                opening,
                space,
                state: RwLock::new(State::unopened()),
                flowing: watch::channel(true).0,
                wants: Mutex::default(),
                wake: Condvar::new(),
                steps: Mutex::default(),
                earlier: Earlier::default(),
                on_rewound: Box::new(on_rewound),
            }
        });
        let Opened { store, steps, .. } = shared.opening.open(&shared.space, false)?;
        *shared.steps.lock() = steps;
        *shared.state.write() = State::Open(Arc::new(store));
        let keeping = shared.clone();
        let keeper = thread::Builder::new()
            .name("store-keeper".to_owned())
            .spawn(move || keeping.keep())
            .map_err(StoreError::from)?;
        Ok(Self {
            shared,
            keeper: Mutex::new(Some(keeper)),
        })
    }

    /// Commits what waits, takes nothing new, and ends the keeper. Blocks until that is done; twice is fine. The directory
    /// stays locked until it is dropped.
    ///
    /// # Errors
    /// What had stopped the store, if something had.
    pub fn close(&self) -> Result<(), Arc<StoreError>> {
        self.shared.want(|wants| wants.closing = true);
        let keeper = self.keeper.lock().take();
        if let Some(keeper) = keeper
            && keeper.join().is_err()
        {
            tracing::error!("the store's keeper panicked");
        }
        match &*self.shared.state.read() {
            State::Open(store) | State::Compacting(store) => store.close(),
            State::Down { error, .. } => Err(error.clone()),
        }
    }
}

impl Drop for DurableStore {
    fn drop(&mut self) {
        if self.keeper.lock().is_some()
            && let Err(error) = self.close()
        {
            tracing::warn!(
                error = &*error as &dyn std::error::Error,
                "the store was not closed cleanly"
            );
        }
    }
}

impl State {
    /// Before the first opening.
    fn unopened() -> Self {
        let error = StoreError::Damaged {
            what: "it is not open yet".to_owned(),
        };
        Self::Down {
            error: Arc::new(error),
            ledger: Arc::new(Ledger::empty()),
        }
    }
}

impl Shared {
    fn want(&self, say: impl FnOnce(&mut Wants)) {
        say(&mut self.wants.lock());
        self.wake.notify_all();
    }

    /// Waits until something is wanted, or for a while, and takes what is.
    fn next_wants(&self, longest: Duration) -> Wants {
        let mut wants = self.wants.lock();
        let nothing = |wants: &mut Wants| !wants.failed && !wants.closing && wants.compact.is_empty();
        self.wake.wait_while_for(&mut wants, nothing, longest);
        Wants {
            failed: std::mem::take(&mut wants.failed),
            closing: wants.closing,
            compact: std::mem::take(&mut wants.compact),
        }
    }

    fn commit(self: &Arc<Self>, batch: Batch) -> BoxFuture<'static, Result<Committed, CommitError>> {
        match &*self.state.read() {
            State::Open(store) => store.commit(batch),
            State::Down { error, .. } => {
                let error = CommitError::Failed(error.clone());
                Box::pin(async move { Err(error) })
            }
            State::Compacting(_) => {
                let (shared, mut flowing) = (self.clone(), self.flowing.subscribe());
                Box::pin(async move {
                    // An error: the store is gone.
                    flowing
                        .wait_for(|flows| *flows)
                        .await
                        .map_err(|_| CommitError::Closed)?;
                    shared.commit(batch).await
                })
            }
        }
    }
}

impl Store for DurableStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.shared.state.read().readable()?.get(key)
    }

    fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.shared
            .state
            .read()
            .readable()?
            .scan(from, to, direction, limit)
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Committed, CommitError>> {
        self.shared.commit(batch)
    }

    fn reserve(&self) -> u64 {
        self.shared.state.read().ledger().reserve()
    }

    fn counter(&self, counter: Counter) -> i64 {
        self.shared.state.read().ledger().counter(counter)
    }

    fn feed_head(&self) -> u64 {
        self.shared.state.read().ledger().feed_head()
    }

    fn feed_epoch(&self) -> String {
        self.shared.state.read().ledger().epoch().to_owned()
    }

    fn version_floor(&self) -> u64 {
        self.shared.state.read().ledger().version_floor()
    }

    fn health(&self) -> Result<(), Arc<StoreError>> {
        match &*self.shared.state.read() {
            State::Open(store) | State::Compacting(store) => store.health(),
            State::Down { error, .. } => Err(error.clone()),
        }
    }

    fn export(&self, sink: &mut dyn Sink) -> Result<(), StoreError> {
        // Not under the lock: it may take long. One that is about to be replaced is not held.
        let store = loop {
            match &*self.shared.state.read() {
                State::Open(store) => break store.clone(),
                State::Compacting(_) => {}
                State::Down { error, .. } => return Err(StoreError::Stopped(error.clone())),
            }
            thread::sleep(SWAP_PAUSE);
        };
        store.export(sink)
    }

    fn stats(&self) -> Stats {
        let state = self.shared.state.read();
        let mut stats = match &*state {
            State::Open(store) | State::Compacting(store) => store.stats(),
            State::Down { ledger, .. } => ledger.stats(0),
        };
        stats.commits += self.shared.earlier.commits.load(Ordering::Relaxed);
        stats.groups += self.shared.earlier.groups.load(Ordering::Relaxed);
        stats
    }

    fn room(&self) -> Room {
        self.shared.space.room_now()
    }

    fn report(&self) -> Report {
        let (condition, error) = match &*self.shared.state.read() {
            State::Open(store) => match store.health() {
                Ok(()) => (Condition::Open, None),
                Err(error) => (Condition::Reopening, Some(error)),
            },
            State::Compacting(_) => (Condition::Compacting, None),
            State::Down { error, .. } => (Condition::Reopening, Some(error.clone())),
        };
        Report {
            condition,
            error,
            steps: self.shared.steps.lock().clone(),
        }
    }

    fn compact(&self) -> BoxFuture<'static, Result<Compacted, String>> {
        let (answer, answered) = oneshot::channel();
        self.shared.want(|wants| wants.compact.push(answer));
        Box::pin(async move {
            answered
                .await
                .unwrap_or_else(|_| Err("the store is being closed".to_owned()))
        })
    }
}

#[cfg(test)]
mod tests;
