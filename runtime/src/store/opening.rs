//! Opening a store whatever state its files are in: by the rungs of a ladder, each losing as little as can be.
//!
//! 1. A child process looks at it, first at the sums in its log, then by opening it; only a store that passes, and lacks no
//!    acknowledged commit, is opened here.
//! 2. A copy without the engine's snapshots and settings file, which it can do without.
//! 3. What can be read of the copy, in a new store.
//! 4. The newest backup.
//! 5. An empty store: the cloud has what it was sent.
//!
//! Rungs 2 to 5 leave the original in `quarantine/`. A store that holds less than was acknowledged says so (see
//! [`rewound`](super::rewound)). It must not know what the rows mean; that is `mend`'s.

mod journal;
mod repair;

pub use journal::Step;

use repair::lost_of;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use selaras_core::stamp::Millis;

use super::{
    MonotonicMicros, OnCommit, OpenError, SledOptions, SledStore, SpaceSettings, Stats, Store, StoreError,
    archive,
    error::chain,
    mark::{self, Mark, Marked},
    probe::{Probed, Prober, Unusable},
    rewound::{Cause, Rewound},
    salvage::Salvager,
    sled::{
        OnFailure, Rewind,
        files::{Files, engine_dir},
    },
    space::Space,
};

/// Up to this size a look is at every entry, unless damage is known; then it always is.
const DEEP_BYTES: u64 = 128 << 20;
/// The time a look may take, and what more a large store is given.
const LOOK: Duration = Duration::from_secs(20);
const LOOK_BYTES_A_SECOND: u64 = 4 << 20;
/// What opening is given.
#[derive(Clone)]
pub struct OpeningParts {
    /// The data directory; the store is its `store/`.
    pub data_dir: PathBuf,
    /// Where backups are.
    pub backups: PathBuf,
    /// Memory for pages.
    pub cache_bytes: u64,
    /// Times commits.
    pub timer: Option<MonotonicMicros>,
    /// Told of commits.
    pub on_commit: Option<OnCommit>,
    /// Makes a random name for a store.
    pub epoch: Arc<dyn Fn() -> String + Send + Sync>,
    /// This machine's clock, milliseconds since 1970.
    pub now_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// Looks at stores that may be broken.
    pub prober: Prober,
    /// Takes what can be read of a broken one.
    pub salvager: Salvager,
    /// Room on the disk.
    pub space: SpaceSettings,
    /// A database smaller than this is not rewritten at the start.
    pub compact_min_bytes: u64,
}

/// How a store is opened, the first time and again.
pub struct Opening {
    parts: OpeningParts,
    on_failure: Option<OnFailure>,
    mark: Mutex<Option<Arc<Mark>>>,
    pub(super) cache_bytes: u64,
}

/// A store that was opened.
pub(super) struct Opened {
    pub store: SledStore,
    /// What had to be done.
    pub steps: Vec<Step>,
    /// It holds less than was acknowledged.
    pub rewound: bool,
}

/// Whether so much of a database is free inside that it is worth rewriting, where it is larger than `least_bytes`.
pub(super) fn needs_rewriting(stats: &Stats, least_bytes: u64) -> bool {
    stats.bytes_on_disk > least_bytes.max(4 * stats.live_bytes + (4 << 20))
}

impl Opening {
    /// How to open the store of these parts.
    #[must_use]
    pub fn new(parts: OpeningParts) -> Self {
        Self {
            cache_bytes: parts.cache_bytes,
            parts,
            on_failure: None,
            mark: Mutex::new(None),
        }
    }

    pub(super) fn told_of_failure(mut self, tell: OnFailure) -> Self {
        self.on_failure = Some(tell);
        self
    }

    /// Looks at the disk that the data directory is on; makes the directory.
    pub(super) fn space(&self) -> Result<Arc<Space>, OpenError> {
        super::sled::files::make_dir(&self.parts.data_dir)?;
        let dir = &self.parts.data_dir;
        let space = Space::of(dir, self.parts.space).map_err(super::sled::files::io_error("ask", dir))?;
        Ok(Arc::new(space))
    }

    /// Makes what the mark says durable.
    pub(super) fn sync_mark(&self) {
        let mark = self.mark.lock().clone();
        if let Some(mark) = mark
            && let Err(error) = mark.sync()
        {
            tracing::warn!(%error, "the high-water mark cannot be synced");
        }
    }

    /// Opens the store. `damaged`: it is known to be, so all of it is looked at.
    ///
    /// # Errors
    /// Why it cannot be opened: only what is not the files' fault.
    pub(super) fn open(&self, space: &Space, damaged: bool) -> Result<Opened, OpenError> {
        match self.climb(damaged) {
            Err(error) if is_full(&error) && space.drop_ballast() => {
                let mut opened = self.climb(damaged)?;
                let what = "the disk was full: the ballast was let go to open the store".to_owned();
                opened.steps.insert(0, self.step(what));
                Ok(opened)
            }
            outcome => outcome,
        }
    }

    /// Whether there is anything of a store.
    pub(super) fn is_there(&self) -> bool {
        let dir = self.dir();
        mark::read(&dir).is_some() || engine_dir(&dir).join("db").exists()
    }

    /// What is said where there is nothing of it.
    pub(super) fn gone(&self) -> OpenError {
        OpenError::Unusable {
            dir: self.dir(),
            why: "it is gone while the outlet runs: mount its disk again".to_owned(),
        }
    }

    /// Opens a store that is known to be whole.
    pub(super) fn open_plainly(&self) -> Result<SledStore, OpenError> {
        self.plain(None)
    }

    fn climb(&self, damaged: bool) -> Result<Opened, OpenError> {
        let dir = self.dir();
        // Also ends a replacement that was interrupted.
        drop(Files::lock(&dir)?);
        let marked = mark::read(&dir).filter(|marked| marked.commits > 0);
        if !engine_dir(&dir).join("db").exists() {
            return match marked {
                None => self.opened(Vec::new(), None),
                Some(marked) => self.without_files("the database file is gone", &marked, Vec::new()),
            };
        }
        match self.look(&dir, damaged) {
            Ok(probed) => match self.sound(&probed, marked.clone()) {
                // The engine may pass a look and break over what that look made of the files.
                Err(error) if is_damage(&error) => self.repair(&chain(&error), marked.as_ref()),
                outcome => outcome,
            },
            Err(Unusable::Damaged(why)) => self.repair(&why, marked.as_ref()),
            Err(other) => Err(self.refusal(other)),
        }
    }

    /// The look found it whole in itself.
    fn sound(&self, probed: &Probed, marked: Option<Marked>) -> Result<Opened, OpenError> {
        let Some(epoch) = &probed.epoch else {
            return match marked {
                None => self.opened(Vec::new(), None),
                // Where its beginning is broken the engine takes it for empty, whatever comes after.
                Some(marked) => self.repair("it is not empty, but reads so", Some(&marked)),
            };
        };
        let mut steps = Vec::new();
        let lost = lost_of(marked.as_ref(), epoch, probed.commits);
        if let Some(marked) = marked.filter(|_| lost > 0) {
            return self.truncated(&marked, lost);
        }
        let stats = Stats {
            bytes_on_disk: probed.file_bytes,
            live_bytes: probed.live_bytes,
            ..Stats::default()
        };
        if needs_rewriting(&stats, self.parts.compact_min_bytes) {
            match self.rewrite() {
                Ok(after) => tracing::info!(
                    before = probed.file_bytes,
                    after,
                    "the database was rewritten at the start: most of it was free"
                ),
                Err(error) => {
                    let what = format!("the database could not be rewritten: {}", chain(&error));
                    steps.push(self.step(what));
                }
            }
        }
        self.opened(steps, None)
    }

    /// Opens it as it is: it passed the look, or nothing is there.
    fn opened(&self, steps: Vec<Step>, rewind: Option<Rewound>) -> Result<Opened, OpenError> {
        let rewound = rewind.is_some();
        let store = self.plain(rewind)?;
        Ok(Opened {
            store,
            steps,
            rewound,
        })
    }

    fn plain(&self, rewound: Option<Rewound>) -> Result<SledStore, OpenError> {
        let dir = self.dir();
        let noted = Arc::new(std::sync::OnceLock::<Arc<Mark>>::new());
        let note = noted.clone();
        let options = SledOptions {
            cache_bytes: self.cache_bytes,
            epoch: (self.parts.epoch)(),
            timer: self.parts.timer.clone(),
            on_commit: self.parts.on_commit.clone(),
            on_failure: self.on_failure.clone(),
            on_durable: Some(Arc::new(move |commits| {
                if let Some(mark) = note.get() {
                    mark.note(commits);
                }
            })),
            rewind: rewound.map(|rewound| Rewind {
                rewound,
                epoch: (self.parts.epoch)(),
                now_ms: self.now_ms(),
            }),
        };
        let store = SledStore::open(&dir, options)?;
        let mark = Arc::new(Mark::begin(
            &dir,
            &store.feed_epoch(),
            store.ledger().committed(),
        )?);
        noted.get_or_init(|| mark.clone());
        *self.mark.lock() = Some(mark);
        Ok(store)
    }

    /// Rewrites a database that nobody has open. Answers its bytes.
    fn rewrite(&self) -> Result<u64, OpenError> {
        let store = SledStore::open(&self.dir(), SledOptions::new(String::new()))?;
        let complete = store.rewrite(self.cache_bytes)?;
        drop(store);
        let files = complete.install()?;
        drop(files);
        let probed = self.look(&self.dir(), false).map_err(|why| self.refusal(why))?;
        Ok(probed.file_bytes)
    }

    fn look(&self, dir: &Path, damaged: bool) -> Result<Probed, Unusable> {
        let bytes = engine_dir(dir).join("db").metadata().map_or(0, |file| file.len());
        let limit = LOOK + Duration::from_secs(bytes / LOOK_BYTES_A_SECOND);
        (self.parts.prober)(dir, damaged || bytes <= DEEP_BYTES, limit)
    }

    fn refusal(&self, why: Unusable) -> OpenError {
        let dir = self.dir();
        match why {
            Unusable::Locked => OpenError::Locked { dir },
            Unusable::Newer { found, supported } => OpenError::NewerFormat { found, supported },
            Unusable::Full(why) => {
                let error = std::io::Error::new(std::io::ErrorKind::StorageFull, why);
                OpenError::Store(StoreError::Full(error))
            }
            Unusable::Denied(why) | Unusable::Damaged(why) => OpenError::Unusable { dir, why },
        }
    }

    fn dir(&self) -> PathBuf {
        self.parts.data_dir.join("store")
    }

    fn now(&self) -> Millis {
        Millis((self.parts.now_ms)())
    }

    fn now_ms(&self) -> u64 {
        u64::try_from((self.parts.now_ms)()).unwrap_or(0)
    }
}

fn is_full(error: &OpenError) -> bool {
    match error {
        OpenError::Store(error) => error.is_full(),
        OpenError::Io { source, .. } => StoreError::is_room(source),
        _ => false,
    }
}

/// Whether it is the files' fault.
fn is_damage(error: &OpenError) -> bool {
    match error {
        OpenError::Panicked(_) => true,
        OpenError::Store(error) => error.is_damage(),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
