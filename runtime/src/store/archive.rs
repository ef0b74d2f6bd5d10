//! The backup file: everything users put into a store and the store's own row, as of one moment, in one file that
//! says of itself whether it is whole.
//!
//! Owns the format (`format.rs`), the names of kept backups (`names.rs`) and how such a file comes into being or not at
//! all (`file.rs`). It must not decide when a backup is made, nor what follows from going back to one.

mod error;
mod file;
mod format;
mod names;

use std::{
    fs::File,
    io::{BufReader, Read, Write},
    path::Path,
};

use selaras_core::stamp::Millis;

use self::format::{Packer, Unpacker};
use super::{
    Importer, Sink, Store, StoreError,
    meta::{FORMAT as STORE_FORMAT, Meta, MetaError},
    rewound::Rewound,
};

pub use error::ArchiveError;
pub use file::{NewFile, remove_unfinished};
pub use names::{list, made_at, name};

/// Memory for pages while a store is made from an archive.
const RESTORE_CACHE_BYTES: u64 = 32 << 20;
/// What is read from the file at a time.
const READ_BYTES: usize = 256 << 10;

/// What an archive says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveInfo {
    /// When it was made, by the clock of who made it.
    pub made_at: Millis,
    /// The format of the store it was made of.
    pub store_format: u32,
    /// Groups committed in that store's life until then.
    pub commits: u64,
    /// That store's name.
    pub epoch: String,
    /// Entries in it.
    pub entries: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

impl ArchiveInfo {
    fn new(made_at: Millis, meta: &Meta, store_format: u32, entries: u64, bytes: u64) -> Self {
        Self {
            made_at,
            store_format,
            commits: meta.commits,
            epoch: meta.epoch.clone(),
            entries,
            bytes,
        }
    }
}

/// Writes what `store` holds at this moment; commits go on meanwhile. `out` gets large pieces, needs no buffer, and is
/// not synced.
///
/// # Errors
/// When the store cannot be read or `out` not be written. What was written is no archive then.
pub fn write(store: &dyn Store, out: impl Write, made_at: Millis) -> Result<ArchiveInfo, ArchiveError> {
    let mut writing = Writing {
        packer: Packer::new(out),
        made_at,
        meta: None,
        failed: None,
    };
    let outcome = store.export(&mut writing);
    if let Some(error) = writing.failed.take() {
        return Err(error);
    }
    outcome?;
    let meta = writing.meta.ok_or_else(|| StoreError::Damaged {
        what: "its first row is gone".to_owned(),
    })?;
    let (entries, bytes) = writing.packer.finish()?;
    Ok(ArchiveInfo::new(made_at, &meta, STORE_FORMAT, entries, bytes))
}

/// Reads all of an archive and answers what it is.
///
/// # Errors
/// When it is not whole, not an archive, or of a newer program. See [`ArchiveError`].
pub fn verify(path: &Path) -> Result<ArchiveInfo, ArchiveError> {
    verify_all_of(File::open(path).map_err(ArchiveError::Read)?)
}

/// The same of what is read from elsewhere, to its end.
///
/// # Errors
/// As [`verify`].
pub fn verify_all_of(input: impl Read) -> Result<ArchiveInfo, ArchiveError> {
    read(input, |_, _| Ok(())).map(|(info, _)| info)
}

/// Makes a store of an archive: verifies all of it, then writes it into `store_dir`, under the name `epoch` and with
/// numbers above all that the store may have given out since (see `Meta::rewind`), together with the row that says so
/// (`rewound`, in place of one that is in the archive). `now_ms` is the time since 1970.
///
/// # Errors
/// When the archive is not whole, or `store_dir` holds a store or cannot be written. There is no store then.
pub fn restore(
    path: &Path,
    store_dir: &Path,
    rewound: &Rewound,
    epoch: String,
    now_ms: u64,
) -> Result<ArchiveInfo, ArchiveError> {
    verify(path)?;
    let mut importer = Importer::create(store_dir, RESTORE_CACHE_BYTES)?;
    let file = File::open(path).map_err(ArchiveError::Read)?;
    let (row, value) = rewound.row();
    let (info, mut meta) = read(file, |key, value| {
        if key != row {
            importer.entry(key, value)?;
        }
        Ok(())
    })?;
    importer.entry(&row, &value).map_err(ArchiveError::Store)?;
    meta.rewind(now_ms, epoch);
    importer.finish(meta)?;
    Ok(info)
}

/// Reads all of an archive. `entry` gets each entry before it is known whether the rest is whole.
fn read(
    input: impl Read,
    mut entry: impl FnMut(&[u8], &[u8]) -> Result<(), ArchiveError>,
) -> Result<(ArchiveInfo, Meta), ArchiveError> {
    let mut unpacker = Unpacker::new(BufReader::with_capacity(READ_BYTES, input));
    let (made_at, row) = unpacker.header()?;
    let store_format = Meta::format_of(&row).unwrap_or_default();
    let meta = Meta::decode(&row).map_err(|error| match error {
        MetaError::Newer { found } => ArchiveError::Newer {
            found,
            supported: STORE_FORMAT,
        },
        MetaError::Damaged(error) => ArchiveError::damaged(error.to_string()),
    })?;
    let (mut key, mut value) = (Vec::new(), Vec::new());
    while unpacker.entry(&mut key, &mut value)? {
        entry(&key, &value)?;
    }
    let (entries, bytes) = unpacker.finish()?;
    Ok((
        ArchiveInfo::new(made_at, &meta, store_format, entries, bytes),
        meta,
    ))
}

/// An export on its way into an archive.
struct Writing<W: Write> {
    packer: Packer<W>,
    made_at: Millis,
    meta: Option<Meta>,
    /// Why the archive, not the store, ended the export.
    failed: Option<ArchiveError>,
}

impl<W: Write> Writing<W> {
    fn keep(&mut self, written: Result<(), ArchiveError>) -> Result<(), StoreError> {
        written.map_err(|error| {
            self.failed = Some(error);
            StoreError::Io(std::io::Error::other("the archive cannot be written"))
        })
    }
}

impl<W: Write> Sink for Writing<W> {
    fn begin(&mut self, meta: &Meta) -> Result<(), StoreError> {
        self.meta = Some(meta.clone());
        let written = self.packer.header(self.made_at, &meta.encode());
        self.keep(written)
    }

    fn entry(&mut self, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let written = self.packer.entry(key, value);
        self.keep(written)
    }
}

#[cfg(test)]
mod tests;
