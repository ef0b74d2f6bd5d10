//! Durable state: an ordered key-value store with atomic batches, preconditions, a feed log and kept counts.
//!
//! Owns what a commit means: all of a batch or nothing, durable before it is answered, and visible to readers only
//! once it is durable. Knows bytes, not records: rows are typed by those above it. It must not know the network, the
//! plugins or the rules, and no type of the storage engine leaves [`sled`](crate::store::SledStore)'s own file.

pub mod archive;
mod batch;
pub mod chain;
pub mod documents;
mod durable;
mod entities;
pub mod entity_rows;
mod error;
mod group;
pub mod keys;
mod ledger;
mod mark;
mod memory;
mod mend;
mod meta;
mod opening;
pub mod probe;
pub mod rewound;
pub mod rows;
pub mod salvage;
pub mod seen;
mod sled;
mod space;
mod writer;

#[cfg(test)]
mod conformance;

use std::{future::Future, pin::Pin, sync::Arc};

pub use batch::{Batch, COUNTERS, Counter, Expect, Expected};
pub use durable::DurableStore;
pub use error::{CommitError, OpenError, StoreError};
pub use memory::{MemoryDisk, MemoryStore};
pub use meta::Meta;
pub use opening::{Opening, OpeningParts, Step};
pub use sled::{Importer, SledOptions, SledStore};
pub use space::{Room, SpaceSettings, room_of};

/// A key: 1 to [`MAX_KEY_BYTES`] bytes, the first of them below [`RESERVED`]. Ordered as bytes.
pub type Key = Vec<u8>;

/// One entry of the store.
pub type Entry = (Key, Vec<u8>);

/// Where an export goes; an error ends it. A closure over keys and values is one.
pub trait Sink {
    /// Called first, with the store's own row of the export's moment.
    ///
    /// # Errors
    /// Its own.
    fn begin(&mut self, meta: &Meta) -> Result<(), StoreError> {
        let _ = meta;
        Ok(())
    }

    /// Called with each entry.
    ///
    /// # Errors
    /// Its own.
    fn entry(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError>;
}

impl<F: FnMut(&[u8], &[u8]) -> Result<(), StoreError>> Sink for F {
    fn entry(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self(key, value)
    }
}

/// A future that owns what it needs.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Microseconds of a clock that never goes back; any zero point.
pub type MonotonicMicros = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Told of each group that became durable: how many batches, and how long it took in microseconds (0 without a timer). Called by
/// the thread that commits, so it must be quick.
pub type OnCommit = Arc<dyn Fn(u64, u64) + Send + Sync>;

/// First byte of the keys that belong to the store itself; a user's key starts below it.
pub const RESERVED: u8 = 0xF0;

/// First byte of the feed log's keys; the rest is the entry's sequence number, 8 bytes, big-endian.
///
/// Entries are appended by [`Batch::append_feed`] and may be deleted like any other key, never written directly.
pub const FEED_PREFIX: u8 = 0xEF;

/// Longest key. The bound keeps an inner page of the engine (up to 257 keys) under the 128 KiB over which it would
/// write a blob file, which it never syncs.
pub const MAX_KEY_BYTES: usize = 480;

/// The key of the feed entry with this sequence number.
#[must_use]
pub fn feed_key(seq: u64) -> Key {
    let mut key = Vec::with_capacity(9);
    key.push(FEED_PREFIX);
    key.extend_from_slice(&seq.to_be_bytes());
    key
}

/// What a committed batch got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Committed {
    /// The sequence number of the batch's first feed entry; the others follow without a gap. None: it had none.
    pub first_feed_seq: Option<u64>,
}

/// The order a scan answers in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest key first.
    Forward,
    /// Largest key first.
    Backward,
}

/// What the store says of itself, for status and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Bytes its files take; 0 when it has none.
    pub bytes_on_disk: u64,
    /// Bytes of the keys and values in it.
    pub live_bytes: u64,
    /// Batches committed since it was opened.
    pub commits: u64,
    /// Groups they were committed in: each is one sync of the disk.
    pub groups: u64,
    /// How long the last group took, in microseconds; 0 without a timer.
    pub last_commit_us: u64,
    /// How long a group takes on average since the store was opened, in microseconds; 0 without a timer.
    pub mean_commit_us: u64,
}

/// Whether a store serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It does.
    Open,
    /// It reads; commits wait until its database is rewritten.
    Compacting,
    /// It stopped, and is opened again.
    Reopening,
}

impl Condition {
    /// As status shows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Compacting => "compacting",
            Self::Reopening => "reopening",
        }
    }
}

/// How a store is.
#[derive(Debug, Clone)]
pub struct Report {
    /// Whether it serves.
    pub condition: Condition,
    /// What stopped it.
    pub error: Option<Arc<StoreError>>,
    /// What had to be done to open it, in this process.
    pub steps: Vec<Step>,
}

/// What rewriting the database came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes of its files before.
    pub bytes_before: u64,
    /// And after.
    pub bytes_after: u64,
}

/// Durable state, shared by everything in the process.
///
/// Readers see exactly what the last durable commit left: never a part of a batch, never what a power cut could take
/// back. Reads may block for as long as a page comes from the disk, and never wait for a commit's sync.
pub trait Store: Send + Sync + 'static {
    /// The value under `key`, if there is one.
    ///
    /// # Errors
    /// When the engine cannot read, or what it read is damaged.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// At most `limit` entries with `from <= key < to`, as of one moment.
    ///
    /// # Errors
    /// As [`Store::get`].
    fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// Commits a batch; resolves when it is durable.
    ///
    /// Batches are handed over in the order of the calls, unless the queue is full; then they wait for room in turn.
    ///
    /// Cancel safety: dropping the future does not undo the commit. A batch that still waited for room may or may not
    /// be committed.
    ///
    /// # Errors
    /// See [`CommitError`]. After [`CommitError::Failed`] the outcome is unknown until the store is opened again.
    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Committed, CommitError>>;

    /// A number that was never given out before, larger than all earlier ones, also over restarts.
    ///
    /// Not dense: a crash skips some. (The store persists a ceiling well ahead with every commit; only numbers that
    /// reached nothing durable could come again, and only when 65,536 were taken without a single commit.)
    fn reserve(&self) -> u64;

    /// A kept count, as of the last commit.
    fn counter(&self, counter: Counter) -> i64;

    /// The last durable feed sequence number; 0 before the first.
    fn feed_head(&self) -> u64;

    /// Names this feed: made with the store, another one for another store, and for one that went back in time.
    fn feed_epoch(&self) -> String;

    /// New versions of entities are above it: what was given out before the store went back in time does not come again.
    fn version_floor(&self) -> u64;

    /// Whether the store still accepts commits.
    ///
    /// # Errors
    /// What stopped it; that is final until it is opened again.
    fn health(&self) -> Result<(), Arc<StoreError>>;

    /// Hands every entry of the user's to `sink`, in key order, as of one moment. Commits go on meanwhile.
    ///
    /// # Errors
    /// As [`Store::get`], and whatever `sink` answers.
    fn export(&self, sink: &mut dyn Sink) -> Result<(), StoreError>;

    /// Sizes and times.
    fn stats(&self) -> Stats;

    /// Room on the disk. What makes the store grow is refused by those above it, before they begin: see [`Room`].
    fn room(&self) -> Room {
        Room::ENDLESS
    }

    /// How it is.
    fn report(&self) -> Report {
        let error = self.health().err();
        Report {
            condition: if error.is_none() {
                Condition::Open
            } else {
                Condition::Reopening
            },
            error,
            steps: Vec::new(),
        }
    }

    /// Rewrites what it keeps on disk, so that it takes no more room than it needs. Commits wait meanwhile.
    ///
    /// # Errors
    /// Why it could not be done; nothing is lost then.
    fn compact(&self) -> BoxFuture<'static, Result<Compacted, String>> {
        Box::pin(async { Err("this store has nothing to rewrite".to_owned()) })
    }
}
