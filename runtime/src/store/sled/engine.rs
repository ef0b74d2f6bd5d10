//! The engine itself: opened with its settings, its panics and errors as ours, and the store's own row found in it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use ::sled::{Db, Mode};

use super::{
    super::{
        OpenError, RESERVED, StoreError,
        meta::{FORMAT, META_KEY, Meta, MetaError},
        probe::Probed,
        writer::panic_text,
    },
    backend::bytes_of,
    files::Files,
    view::View,
};

/// Memory for pages of a store that is only looked at.
const PROBE_CACHE_BYTES: u64 = 16 << 20;

/// What is in a store, without changing it; with `deep` all of it is read.
///
/// # Errors
/// See [`OpenError`].
pub(in crate::store) fn inspect(files: &Files, deep: bool) -> Result<Probed, OpenError> {
    files.prepare_engine()?;
    let db = open_engine(&files.engine_dir(), PROBE_CACHE_BYTES)?;
    let found = guarded(|| find_meta(&db))?;
    let entries = if deep {
        Some(guarded(|| Ok(View::new(&db).read().read_all()?))?)
    } else {
        None
    };
    let file_bytes = db.size_on_disk().map_err(engine_error)?;
    Ok(match found {
        Some((_, meta)) => Probed {
            epoch: Some(meta.epoch),
            commits: meta.commits,
            live_bytes: meta.live_bytes,
            file_bytes,
            entries,
        },
        None => Probed {
            epoch: None,
            commits: 0,
            live_bytes: 0,
            file_bytes,
            entries,
        },
    })
}

/// Reads something of the engine's that may make it panic.
fn guarded<T>(read: impl FnOnce() -> Result<T, OpenError>) -> Result<T, OpenError> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|panic| Err(OpenError::Panicked(panic_text(panic.as_ref()).to_owned())))
}

pub(super) fn open_engine(dir: &Path, cache_bytes: u64) -> Result<Db, OpenError> {
    let config = ::sled::Config::new()
        .path(dir)
        .cache_capacity(cache_bytes)
        .mode(Mode::LowSpace)
        .use_compression(false)
        // The writer flushes; a second flusher would only add writes.
        .flush_every_ms(None);
    catch_unwind(AssertUnwindSafe(|| config.open()))
        .map_err(|panic| OpenError::Panicked(panic_text(panic.as_ref()).to_owned()))?
        .map_err(|error| OpenError::Store(engine_error(error)))
}

/// The store's own row, and the format it is written in.
pub(super) fn find_meta(db: &Db) -> Result<Option<(u32, Meta)>, OpenError> {
    match db.get(META_KEY).map_err(engine_error)? {
        Some(row) => match Meta::decode(&row) {
            Ok(meta) => Ok(Some((Meta::format_of(&row).unwrap_or(FORMAT), meta))),
            Err(error) => Err(match error {
                MetaError::Newer { found } => OpenError::NewerFormat {
                    found,
                    supported: FORMAT,
                },
                MetaError::Damaged(error) => OpenError::Store(error),
            }),
        },
        None if db.is_empty() => Ok(None),
        None => Err(OpenError::Store(StoreError::Damaged {
            what: "it has rows but not its first one".to_owned(),
        })),
    }
}

/// The row of an older format in this one's. Format 1 did not count its bytes.
pub(super) fn migrate(db: &Db, mut meta: Meta) -> Result<Meta, OpenError> {
    let mut bytes = 0;
    for entry in db.range(..[RESERVED]) {
        let (key, raw) = entry.map_err(engine_error)?;
        bytes += bytes_of(&key, Some(&raw))?;
    }
    meta.live_bytes = bytes;
    tracing::info!(to = FORMAT, "the store's format was raised");
    Ok(meta)
}

pub(super) fn engine_error(error: ::sled::Error) -> StoreError {
    match error {
        ::sled::Error::Io(error) => StoreError::from(error),
        error @ ::sled::Error::Corruption { .. } => StoreError::Damaged {
            what: error.to_string(),
        },
        error => StoreError::Engine(Box::new(error)),
    }
}
