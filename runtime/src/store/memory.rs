//! The store in memory: for tests and simulations, with the same meaning as the one on disk.
//!
//! A commit is done when the call returns, on the caller's thread, so a simulation that drives it stays
//! deterministic. It must not promise anything that the durable store does not.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::{Mutex, RwLock};

use super::{
    Batch, BoxFuture, CommitError, Committed, Counter, Direction, Entry, Expected, Key, OpenError, RESERVED,
    Sink, Stats, Store, StoreError,
    group::{self, Base, Refused},
    ledger::Ledger,
    meta::{FORMAT, META_KEY, Meta, MetaError},
    rewound::Rewound,
};

type Rows = BTreeMap<Key, Vec<u8>>;

/// What outlives a [`MemoryStore`]: clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct MemoryDisk {
    rows: Arc<RwLock<Rows>>,
    /// Counts the stores that were opened on it; only the newest may commit.
    opened: Arc<AtomicU64>,
}

impl MemoryDisk {
    /// Another disk with the same on it.
    #[must_use]
    pub fn copy(&self) -> Self {
        Self {
            rows: Arc::new(RwLock::new(self.rows.read().clone())),
            opened: Arc::default(),
        }
    }

    /// Makes it the disk of a store that went back in time (see [`Meta::rewind`]), as whoever puts a copy in a store's
    /// place does. Nothing on it, nothing done.
    pub fn rewind(&self, now_ms: u64, epoch: impl Into<String>, rewound: &Rewound) {
        let mut rows = self.rows.write();
        let meta = rows.get(META_KEY.as_slice()).map(|row| Meta::decode(row));
        if let Some(Ok(mut meta)) = meta {
            meta.rewind(now_ms, epoch.into());
            rows.insert(META_KEY.to_vec(), meta.encode());
            let (key, row) = rewound.row();
            rows.insert(key, row);
        }
    }
}

/// A store in memory.
pub struct MemoryStore {
    disk: MemoryDisk,
    lease: u64,
    meta: Mutex<Meta>,
    ledger: Ledger,
}

impl MemoryStore {
    /// A new store on a disk of its own.
    #[must_use]
    pub fn new(epoch: impl Into<String>) -> Self {
        Self::with_meta(MemoryDisk::default(), Meta::new(epoch.into()))
    }

    /// Opens the store on `disk`, or makes one there. A store that was open on it before finds itself closed, as
    /// after a crash of its process.
    ///
    /// # Errors
    /// When the disk holds no store of this format.
    pub fn open(disk: MemoryDisk, epoch: impl Into<String>) -> Result<Self, OpenError> {
        let found = disk
            .rows
            .read()
            .get(META_KEY.as_slice())
            .map(|row| Meta::decode(row))
            .transpose();
        let meta = found.map_err(|error| match error {
            MetaError::Newer { found } => OpenError::NewerFormat {
                found,
                supported: FORMAT,
            },
            MetaError::Damaged(error) => OpenError::Store(error),
        })?;
        Ok(Self::with_meta(
            disk,
            meta.unwrap_or_else(|| Meta::new(epoch.into())),
        ))
    }

    /// The disk, for opening the store again.
    #[must_use]
    pub fn disk(&self) -> MemoryDisk {
        self.disk.clone()
    }

    fn with_meta(disk: MemoryDisk, mut meta: Meta) -> Self {
        let ledger = Ledger::new(&meta, None);
        meta.raise_ceiling(ledger.next());
        let mut rows = disk.rows.write();
        rows.insert(META_KEY.to_vec(), meta.encode());
        let lease = disk.opened.fetch_add(1, Ordering::Relaxed) + 1;
        drop(rows);
        Self {
            disk,
            lease,
            meta: Mutex::new(meta),
            ledger,
        }
    }

    fn commit_now(&self, batch: Batch) -> Result<Committed, CommitError> {
        let mut meta = self.meta.lock();
        let mut rows = self.disk.rows.write();
        if self.disk.opened.load(Ordering::Relaxed) != self.lease {
            return Err(CommitError::Closed);
        }
        meta.raise_ceiling(self.ledger.next());
        let mut plan = group::plan([batch], &meta, &*rows)
            .map_err(|error| CommitError::Failed(self.ledger.fail(error)))?;
        if plan.changes {
            plan.meta.commits += 1;
            for (key, write) in plan.writes {
                let len = key.len() as u64;
                plan.meta.live_bytes += write.value.as_ref().map_or(0, |value| len + value.len() as u64);
                let before = match write.value {
                    Some(value) => rows.insert(key, value),
                    None => rows.remove(&key),
                };
                plan.meta.live_bytes -= before.map_or(0, |value| len + value.len() as u64);
            }
            rows.insert(META_KEY.to_vec(), plan.meta.encode());
            self.ledger.publish(&plan.meta, 1, 0);
            *meta = plan.meta;
        }
        let outcome = plan
            .outcomes
            .pop()
            .expect("invariant: a plan has one outcome a batch");
        outcome.map_err(|refused| match refused {
            Refused::Precondition { index } => CommitError::Precondition { index },
            Refused::Invalid(error) => CommitError::Failed(Arc::new(error)),
        })
    }
}

// The tests of the planner use it, too.
impl Base for Rows {
    fn meets(&self, key: &[u8], want: &Expected) -> Result<bool, StoreError> {
        Ok(want.is_met_by(self.get(key).map(Vec::as_slice)))
    }

    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.get(key).cloned())
    }
}

impl Store for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if key.first().is_some_and(|first| *first >= RESERVED) {
            return Ok(None);
        }
        Ok(self.disk.rows.read().get(key).cloned())
    }

    fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let to = to.min([RESERVED].as_slice());
        if from >= to {
            return Ok(Vec::new());
        }
        let rows = self.disk.rows.read();
        let range = rows.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
        let owned = |(key, value): (&Key, &Vec<u8>)| (key.clone(), value.clone());
        Ok(match direction {
            Direction::Forward => range.take(limit).map(owned).collect(),
            Direction::Backward => range.rev().take(limit).map(owned).collect(),
        })
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Committed, CommitError>> {
        let outcome = self.commit_now(batch);
        Box::pin(async move { outcome })
    }

    fn reserve(&self) -> u64 {
        self.ledger.reserve()
    }

    fn counter(&self, counter: Counter) -> i64 {
        self.ledger.counter(counter)
    }

    fn feed_head(&self) -> u64 {
        self.ledger.feed_head()
    }

    fn feed_epoch(&self) -> String {
        self.ledger.epoch().to_owned()
    }

    fn version_floor(&self) -> u64 {
        self.ledger.version_floor()
    }

    fn health(&self) -> Result<(), Arc<StoreError>> {
        self.ledger.health()
    }

    fn export(&self, sink: &mut dyn Sink) -> Result<(), StoreError> {
        sink.begin(&self.meta.lock())?;
        let rows = self.disk.rows.read();
        let users = rows.range::<[u8], _>((Bound::Unbounded, Bound::Excluded([RESERVED].as_slice())));
        for (key, value) in users {
            sink.entry(key, value)?;
        }
        Ok(())
    }

    fn stats(&self) -> Stats {
        self.ledger.stats(0)
    }
}
