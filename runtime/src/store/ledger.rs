//! What every store tells without reading a row: numbers to give out, kept counts, the feed's head, health.
//!
//! Written by whoever commits, after the commit is durable; read by anyone, without a lock. It must not decide
//! anything.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use super::{COUNTERS, Counter, Stats, StoreError, meta::Meta};

/// The published side of a store.
pub(super) struct Ledger {
    next: AtomicU64,
    feed_head: AtomicU64,
    counters: [AtomicI64; COUNTERS],
    epoch: String,
    version_floor: u64,
    live_bytes: AtomicU64,
    /// Groups since the store was made.
    committed: AtomicU64,
    failure: OnceLock<Arc<StoreError>>,
    on_failure: Option<Arc<dyn Fn() + Send + Sync>>,
    commits: AtomicU64,
    groups: AtomicU64,
    last_us: AtomicU64,
    total_us: AtomicU64,
}

impl Ledger {
    /// The ledger of a store that was found with `meta`: numbers go on from its ceiling.
    /// `on_failure` is called once, by whoever finds that the store has failed.
    pub(super) fn new(meta: &Meta, on_failure: Option<Arc<dyn Fn() + Send + Sync>>) -> Self {
        Self {
            next: AtomicU64::new(meta.ceiling),
            feed_head: AtomicU64::new(meta.feed_head),
            counters: meta.counters.map(AtomicI64::new),
            epoch: meta.epoch.clone(),
            version_floor: meta.version_floor,
            live_bytes: AtomicU64::new(meta.live_bytes),
            committed: AtomicU64::new(meta.commits),
            failure: OnceLock::new(),
            on_failure,
            commits: AtomicU64::new(0),
            groups: AtomicU64::new(0),
            last_us: AtomicU64::new(0),
            total_us: AtomicU64::new(0),
        }
    }

    /// The ledger of a store that was never open.
    pub(super) fn empty() -> Self {
        Self::new(&Meta::new(String::new()), None)
    }

    /// Gives out a number.
    pub(super) fn reserve(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// The number that is given out next. Asked after a batch arrived, it is above every number in that batch: the
    /// hand-over orders the two.
    pub(super) fn next(&self) -> u64 {
        self.next.load(Ordering::Relaxed)
    }

    pub(super) fn counter(&self, counter: Counter) -> i64 {
        self.counters[counter as usize].load(Ordering::Acquire)
    }

    pub(super) fn feed_head(&self) -> u64 {
        self.feed_head.load(Ordering::Acquire)
    }

    pub(super) fn epoch(&self) -> &str {
        &self.epoch
    }

    pub(super) fn version_floor(&self) -> u64 {
        self.version_floor
    }

    /// Groups made durable since the store was made.
    pub(super) fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Shows what is durable now. The rows must be readable before this, so that nobody looks for one in vain.
    pub(super) fn publish(&self, meta: &Meta, commits: u64, took_us: u64) {
        for (published, count) in self.counters.iter().zip(meta.counters) {
            published.store(count, Ordering::Release);
        }
        self.feed_head.store(meta.feed_head, Ordering::Release);
        self.committed.store(meta.commits, Ordering::Release);
        self.live_bytes.store(meta.live_bytes, Ordering::Relaxed);
        self.commits.fetch_add(commits, Ordering::Relaxed);
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.last_us.store(took_us, Ordering::Relaxed);
        self.total_us.fetch_add(took_us, Ordering::Relaxed);
    }

    /// Records what stopped the store; the first failure stays.
    pub(super) fn fail(&self, error: StoreError) -> Arc<StoreError> {
        let error = Arc::new(error);
        let first = self.failure.get_or_init(|| error.clone()).clone();
        if Arc::ptr_eq(&first, &error)
            && let Some(tell) = &self.on_failure
        {
            tell();
        }
        first
    }

    pub(super) fn health(&self) -> Result<(), Arc<StoreError>> {
        self.failure.get().map_or(Ok(()), |error| Err(error.clone()))
    }

    pub(super) fn stats(&self, bytes_on_disk: u64) -> Stats {
        let groups = self.groups.load(Ordering::Relaxed);
        Stats {
            bytes_on_disk,
            live_bytes: self.live_bytes.load(Ordering::Relaxed),
            commits: self.commits.load(Ordering::Relaxed),
            groups,
            last_commit_us: self.last_us.load(Ordering::Relaxed),
            mean_commit_us: self
                .total_us
                .load(Ordering::Relaxed)
                .checked_div(groups)
                .unwrap_or(0),
        }
    }
}
