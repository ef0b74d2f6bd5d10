//! Taking what can be read of a broken store into a new one: entry by entry, past what cannot be read. Rows that follow from
//! others are made anew (see `mend`).
//!
//! The files are read without the engine; only where that gives nothing, with it. Done by a child process, as the engine
//! may hang or abort over damaged pages. It must not touch the broken store's
//! original, nor put the new one in anybody's place.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Importer, OpenError, SledOptions, SledStore, StoreError,
    error::chain,
    keys, mark, mend,
    meta::Meta,
    probe::run_child,
    sled::{files::Files, read_past_damage, read_raw},
};

/// Memory for pages of each of the two stores.
const CACHE_BYTES: u64 = 32 << 20;
/// The time it may take, and what more a large store is given.
const LEAST: Duration = Duration::from_secs(60);
const BYTES_A_SECOND: u64 = 1 << 20;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salvaged {
    /// The broken store's name, where its first row could be read.
    pub epoch: Option<String>,
    /// Groups committed since it was made; 0: not known.
    pub commits: u64,
    /// Entries that were read.
    pub entries: u64,
    /// Places where entries could not be read: each may hide up to some twenty.
    pub gaps: u64,
    /// Entries whose value had parts missing.
    pub broken: u64,
    /// Entities that were left out, since a part of them was missing: the first of them by name.
    pub lost_entities: Vec<String>,
    /// How many.
    pub lost_entity_count: u64,
    /// Queue items that were left out.
    pub lost_items: u64,
}

impl fmt::Display for Salvaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            entries,
            gaps,
            broken,
            lost_entity_count,
            lost_items,
            ..
        } = self;
        write!(
            f,
            "{entries} entries read, {gaps} places unreadable, {broken} entries broken, {lost_entity_count} entities and \
             {lost_items} queue items left out"
        )?;
        if !self.lost_entities.is_empty() {
            write!(f, " ({}", self.lost_entities.join(", "))?;
            let shown = self.lost_entities.len() as u64;
            if *lost_entity_count > shown {
                write!(f, " and {} more", lost_entity_count - shown)?;
            }
            f.write_str(")")?;
        }
        Ok(())
    }
}

/// How a broken store's directory is read into a new one's. `Err`: why nothing could be had.
pub type Salvager = Arc<dyn Fn(&Path, &Path) -> Result<Salvaged, String> + Send + Sync>;

/// Does it in this process.
///
/// # Errors
/// When nothing of the broken store can be read, or the new one cannot be made.
pub fn salvage(from: &Path, to: &Path) -> Result<Salvaged, OpenError> {
    let broken = Files::lock(from)?;
    let mut importer = Importer::create(to, CACHE_BYTES)?;
    let mut report = Salvaged::default();
    let mut parked = 0;
    let mut take = |key: &[u8], value: Result<Vec<u8>, StoreError>| match value {
        _ if mend::is_derived(key) => Ok(()),
        Ok(value) => {
            report.entries += 1;
            parked += i64::from(key[0] == keys::PARKED);
            importer.entry(key, &value)
        }
        Err(_) => {
            report.broken += 1;
            Ok(())
        }
    };
    let found = match read_raw(&broken, mark::read(from).as_ref(), &mut take)? {
        Some(found) => found,
        None => read_past_damage(&broken, CACHE_BYTES, &mut take)?,
    };
    report.gaps = found.gaps;
    let mut meta = found.meta.unwrap_or_else(|| Meta::new(String::new()));
    if found.known {
        report.epoch = Some(meta.epoch().to_owned());
        report.commits = meta.commits();
    }
    meta.begin_counting(parked, found.last_feed);
    importer.finish(meta)?;
    let store = Arc::new(SledStore::open(to, SledOptions::new(String::new()))?);
    mend::mend(store.clone(), &mut report).map_err(OpenError::Store)?;
    store
        .close()
        .map_err(|error| OpenError::Store(StoreError::Stopped(error)))?;
    Ok(report)
}

/// The other side of [`in_child`]: does it and prints the report as a line of JSON.
pub fn answer(from: &Path, to: &Path) {
    let outcome = salvage(from, to).map_err(|error| chain(&error));
    println!(
        "{}",
        serde_json::to_string(&outcome).expect("invariant: the report is plain data")
    );
}

/// Does it by a child process of this program.
#[must_use]
pub fn in_child() -> Salvager {
    Arc::new(|from, to| {
        let bytes = super::sled::files::engine_dir(from)
            .join("db")
            .metadata()
            .map_or(0, |file| file.len());
        let arguments = [
            "store-salvage".into(),
            from.as_os_str().to_owned(),
            to.as_os_str().to_owned(),
        ];
        let limit = LEAST + Duration::from_secs(bytes / BYTES_A_SECOND);
        let answer = run_child(&arguments, limit).map_err(|why| why.to_string())?;
        serde_json::from_slice(&answer).map_err(|_| "reading it ended without an answer".to_owned())?
    })
}
