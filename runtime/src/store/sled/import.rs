//! A new store made of entries that are known already: for compaction, restoring and repair.
//!
//! It is made beside the place it is for; nothing of it counts until [`Importer::finish`] has put it there.

use std::path::{Path, PathBuf};

use ::sled::Db;

use super::{
    super::{
        Batch as Writes, OpenError, StoreError,
        meta::{META_KEY, Meta},
    },
    chunks::{self, INLINE_BYTES, Marker},
    engine_error,
    files::{self, Files},
    fill::Fill,
    open_engine,
};

/// A store in the making.
pub struct Importer {
    // Dropped in this order: the lock goes last.
    db: Db,
    /// The engine's directory until it is finished.
    engine: PathBuf,
    files: Files,
    fill: Fill,
    cache_bytes: u64,
    live_bytes: u64,
    next_generation: u64,
}

impl Importer {
    /// Begins a store in `dir`, and locks that.
    ///
    /// # Errors
    /// [`OpenError::Exists`] when `dir` holds a store; and what making files can meet.
    pub fn create(dir: &Path, cache_bytes: u64) -> Result<Self, OpenError> {
        let files = Files::lock(dir)?;
        if files.has_engine() {
            return Err(OpenError::Exists { dir: dir.to_owned() });
        }
        Self::beside(files, cache_bytes)
    }

    /// Begins a store that will take the place of the one whose directory is locked.
    ///
    /// # Errors
    /// What making files can meet.
    pub(in crate::store) fn beside(files: Files, cache_bytes: u64) -> Result<Self, OpenError> {
        let engine = files.new_engine_dir()?;
        Ok(Self {
            db: open_engine(&engine, cache_bytes)?,
            engine,
            files,
            fill: Fill::default(),
            cache_bytes,
            live_bytes: 0,
            next_generation: 1,
        })
    }

    /// Adds an entry of the user's. Each key once; in order of keys is fastest.
    ///
    /// # Errors
    /// When the key is none of the user's, or the files cannot be written.
    pub fn entry(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let mut check = Writes::new();
        check.delete(key);
        check.check_keys()?;
        self.live_bytes += (key.len() + value.len()) as u64;
        if value.len() <= INLINE_BYTES {
            return self.fill.add(&self.db, key, chunks::inline(value.to_vec()));
        }
        let marker = Marker::of(value, self.next_generation);
        self.next_generation += 1;
        for (key, chunk) in marker.keys().zip(chunks::split(value)) {
            self.fill.add(&self.db, &key, chunk.to_vec())?;
        }
        self.fill.add(&self.db, key, marker.encode())
    }

    /// Makes it a store with these numbers and counts; durable and in its place when it answers.
    ///
    /// # Errors
    /// When the files cannot be written; then what was in its place before is there still.
    pub fn finish(self, meta: Meta) -> Result<(), OpenError> {
        self.complete(meta)?.install().map(drop)
    }

    /// Makes it complete and durable, beside its place.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub(in crate::store) fn complete(mut self, mut meta: Meta) -> Result<Complete, OpenError> {
        meta.live_bytes = self.live_bytes;
        meta.next_generation = self.next_generation;
        self.fill.add(&self.db, &META_KEY, meta.encode())?;
        self.fill.hand_over(&self.db)?;
        self.db.flush().map_err(engine_error)?;
        let data = files::open_data(&self.engine)?;
        data.sync_data().map_err(StoreError::from)?;
        let mut blobs = files::Blobs::of(&self.engine);
        blobs.sync_new(&data).map_err(StoreError::from)?;
        files::sync_engine(&self.engine)?;
        let Self {
            db,
            engine,
            cache_bytes,
            files,
            ..
        } = self;
        drop(db);
        // The engine notes only when it is opened what it would else read all that was written for.
        files.wait_for_engine(&engine)?;
        drop(open_engine(&engine, cache_bytes)?);
        files::sync_engine(&engine)?;
        Ok(Complete { files })
    }
}

/// A store that only has to be put in its place.
pub(in crate::store) struct Complete {
    files: Files,
}

impl Complete {
    /// Puts it there; what it replaces must not be open. The directory stays locked.
    ///
    /// # Errors
    /// When the directories cannot be renamed.
    pub(in crate::store) fn install(self) -> Result<Files, OpenError> {
        self.files.install_new()?;
        Ok(self.files)
    }
}
