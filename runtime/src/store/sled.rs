//! The store on disk: sled 0.34.7. This file and its folder are the only ones that name it.
//!
//! One tree. A group is one batch of it, then `flush`, then `sync_data` on a handle of our own, because sled's flush
//! does not sync on Linux. It must not know what the rows mean; what a commit means is in `group.rs`.

mod backend;
mod chunks;
mod damaged;
mod engine;
pub(super) mod files;
mod fill;
mod import;
mod rawlog;
mod view;

pub(super) use damaged::read_past_damage;
pub(super) use engine::inspect;
pub(super) use import::Complete;
pub use import::Importer;
pub(super) use rawlog::{Scope, find_damage, read_raw};

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use ::sled::Db;

use self::{
    backend::SledBackend,
    engine::{engine_error, find_meta, migrate, open_engine},
    files::Files,
    view::View,
};
use super::{
    Batch, BoxFuture, CommitError, Committed, Counter, Direction, Entry, MonotonicMicros, OnCommit,
    OpenError, RESERVED, Sink, Stats, Store, StoreError,
    group::{Plan, Write},
    ledger::Ledger,
    meta::{FORMAT, META_KEY, Meta, MetaError},
    rewound::Rewound,
    writer::{Backend, Writer, panic_text},
};

/// Entries that an export holds at a time.
const EXPORT_PAGE: usize = 256;

/// How to open a [`SledStore`].
#[derive(Clone)]
pub struct SledOptions {
    /// Memory for pages. sled's own default, 1 GiB, is more than an outlet's box has.
    pub cache_bytes: u64,
    /// The feed's name if the store is new: random, so that it differs from every store before it.
    pub epoch: String,
    /// Times the commits for [`Store::stats`].
    pub timer: Option<MonotonicMicros>,
    /// Told of commits.
    pub on_commit: Option<OnCommit>,
    /// Called when the store stops for good, on the thread that found out. Must not block.
    pub on_failure: Option<OnFailure>,
    /// Told of each group that became durable, on the writer's thread, before it is answered.
    pub on_durable: Option<OnDurable>,
    /// What is in the files is known to be less than there was: the store goes on under another name.
    pub rewind: Option<Rewind>,
}

/// How a store goes on that lost something.
#[derive(Clone)]
pub struct Rewind {
    /// What is said of it.
    pub rewound: Rewound,
    /// Its new name: random.
    pub epoch: String,
    /// Milliseconds since 1970.
    pub now_ms: u64,
}

/// See [`SledOptions::on_failure`].
pub type OnFailure = Arc<dyn Fn() + Send + Sync>;
/// See [`SledOptions::on_durable`]. Given the number of groups committed since the store was made.
pub type OnDurable = Arc<dyn Fn(u64) + Send + Sync>;

impl SledOptions {
    /// 32 MiB of cache and no timer.
    #[must_use]
    pub fn new(epoch: impl Into<String>) -> Self {
        Self {
            cache_bytes: 32 << 20,
            epoch: epoch.into(),
            timer: None,
            on_commit: None,
            on_failure: None,
            on_durable: None,
            rewind: None,
        }
    }
}

/// A durable store in a directory of its own.
pub struct SledStore {
    // Dropped in this order: the writer ends before the engine, and the lock goes last.
    writer: Writer,
    view: Arc<View>,
    db: Db,
    ledger: Arc<Ledger>,
    files: Files,
}

impl SledStore {
    /// Opens the store in `dir`, or makes one; makes the directory too, readable by its owner alone.
    ///
    /// Blocks: recovery reads what was written since the last clean end.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(dir: &Path, options: SledOptions) -> Result<Self, OpenError> {
        Self::open_locked(Files::lock(dir)?, options)
    }

    /// The same in a directory that is locked already.
    pub(in crate::store) fn open_locked(files: Files, options: SledOptions) -> Result<Self, OpenError> {
        files.prepare_engine()?;
        let db = open_engine(&files.engine_dir(), options.cache_bytes)?;
        files.sync_created()?;
        let mut meta = match find_meta(&db)? {
            Some((FORMAT, meta)) => meta,
            Some((_, meta)) => migrate(&db, meta)?,
            None => Meta::new(options.epoch),
        };
        if let Some(Rewind { epoch, now_ms, .. }) = &options.rewind {
            meta.rewind(*now_ms, epoch.clone());
        }
        let ledger = Arc::new(Ledger::new(&meta, options.on_failure));
        meta.raise_ceiling(ledger.next());
        let view = Arc::new(View::new(&db));
        let mut backend = SledBackend::new(&db, &view, &files, options.on_durable)?;
        // Also shows at once whether the disk takes writes.
        let mut plan = Plan::of(meta);
        if let Some(Rewind { rewound, .. }) = options.rewind {
            let (key, value) = rewound.row();
            let value = Some(value);
            plan.writes.insert(key, Write { value, fresh: false });
        }
        backend.persist(&mut plan)?;
        let meta = plan.meta;
        let writer = Writer::start(backend, meta, ledger.clone(), options.timer, options.on_commit)
            .map_err(StoreError::from)?;
        Ok(Self {
            writer,
            view,
            db,
            ledger,
            files,
        })
    }

    /// Commits what waits and takes nothing new; blocks until that is durable. Reads go on to work, and the directory
    /// stays locked until the store is dropped.
    ///
    /// # Errors
    /// What had stopped the store, if something had.
    pub fn close(&self) -> Result<(), Arc<StoreError>> {
        self.writer.close();
        self.ledger.health()
    }

    /// What it tells without reading; lives on after the store.
    pub(in crate::store) fn ledger(&self) -> &Arc<Ledger> {
        &self.ledger
    }

    /// Begins a rewritten copy of it beside it, with all it holds; nothing may be committed meanwhile.
    ///
    /// # Errors
    /// When it cannot be read or the copy not be written.
    pub(in crate::store) fn rewrite(&self, cache_bytes: u64) -> Result<Complete, OpenError> {
        struct Copy(Importer, Option<Meta>);
        impl Sink for Copy {
            fn begin(&mut self, meta: &Meta) -> Result<(), StoreError> {
                self.1 = Some(meta.clone());
                Ok(())
            }
            fn entry(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
                self.0.entry(key, value)
            }
        }
        let mut copy = Copy(Importer::beside(self.files.clone(), cache_bytes)?, None);
        self.export(&mut copy)?;
        let Copy(importer, meta) = copy;
        importer.complete(meta.expect("invariant: an export begins with the store's row"))
    }

    /// Reads. The engine panics over some damage; whatever goes wrong, what the files hold is no longer to be trusted.
    fn reading<T>(&self, read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let outcome = catch_unwind(AssertUnwindSafe(read))
            .unwrap_or_else(|panic| Err(StoreError::Panicked(panic_text(panic.as_ref()).to_owned())));
        outcome.map_err(|error| StoreError::Stopped(self.ledger.fail(error)))
    }
}

impl Store for SledStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        if key.first().is_some_and(|first| *first >= RESERVED) {
            return Ok(None);
        }
        self.reading(|| self.view.read().value(key))
    }

    fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        self.reading(|| self.view.read().scan(from, to, direction, limit))
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Committed, CommitError>> {
        self.writer.commit(batch)
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
        let export = self.view.export();
        let row = export.read().raw(&META_KEY)?;
        let meta = row.as_deref().map(Meta::decode);
        match meta {
            Some(Ok(meta)) => sink.begin(&meta)?,
            Some(Err(MetaError::Damaged(error))) => return Err(error),
            Some(Err(MetaError::Newer { .. })) | None => {
                return Err(StoreError::Damaged {
                    what: "its first row is gone".to_owned(),
                });
            }
        }
        let mut from = Vec::new();
        loop {
            let page = export
                .read()
                .scan(&from, &[RESERVED], Direction::Forward, EXPORT_PAGE)?;
            for (key, value) in &page {
                sink.entry(key, value)?;
            }
            match page.into_iter().next_back() {
                Some((mut last, _)) => {
                    last.push(0);
                    from = last;
                }
                None => return Ok(()),
            }
        }
    }

    fn stats(&self) -> Stats {
        // A size that cannot be asked is no reason to hide the rest.
        self.ledger.stats(self.db.size_on_disk().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests;
