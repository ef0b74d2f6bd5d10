//! Reading a database's file without the engine, which does not open over some damage and silently forgets what follows
//! it over other: every message whose checksum holds counts, whatever lies beside it.
//!
//! Read-only, and whatever the bytes are, it ends in an answer. What can be had of a page whose newest state is lost is an
//! older one. It must not know what the rows mean.

mod bytes;
mod pages;
mod segments;

use std::{fs, io, ops::Range, path::Path};

use self::{
    pages::{Leaves, Pages},
    segments::{Log, SEGMENT, Walk},
};
use super::{
    super::{
        FEED_PREFIX, OpenError, RESERVED, StoreError,
        mark::Marked,
        meta::{FORMAT, META_KEY, Meta, MetaError},
    },
    chunks::{self, Stored},
    damaged::Found,
    files::{Files, io_error},
};

/// How much of the log is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Scope {
    /// All of it.
    All,
    /// What the engine reads when it opens: what came after its newest snapshot, and the segment that one ends in.
    SinceSnapshot,
}

/// The pages of a database file, as far as they were acknowledged or are whole.
struct Image {
    log: Log,
    pages: Pages,
    /// Parts of the log that should be readable and are not.
    damage: Vec<Range<u64>>,
}

impl Image {
    fn read(files: &Files, marked: Option<&Marked>, scope: Scope) -> Result<Self, OpenError> {
        files.prepare_engine()?;
        let engine = files.engine_dir();
        let mut log = Log::open(&engine).map_err(io_error("open", &engine))?;
        if scope == Scope::SinceSnapshot {
            log.skip_to(newest_snapshot(&engine).map_err(io_error("list", &engine))?);
        }
        let mut pages = Pages::read(&log, None);
        let walk = &pages.walk;
        if scope == Scope::SinceSnapshot && walk.durable.is_none() && !walk.holes.is_empty() {
            // Only the whole log tells how far it was durable.
            return Self::read(files, marked, Scope::All);
        }
        if let Some(cut) = torn_from(walk) {
            let known = meta_up_to(&log, Some(cut));
            if known.is_none() && scope == Scope::SinceSnapshot {
                // Only the whole log tells whether it was acknowledged.
                return Self::read(files, marked, Scope::All);
            }
            if !was_acknowledged(marked, known.as_ref())
                && !was_followed(known.as_ref(), meta_up_to(&log, None).as_ref())
            {
                pages = Pages::read(&log, Some(cut));
                pages.walk.holes.retain(|hole| hole.lsns.start < cut);
            }
        }
        let live = pages.live_segments(scope);
        let first = live.iter().min().copied();
        let damage = pages
            .walk
            .holes
            .iter()
            .map(|hole| hole.lsns.clone())
            .filter(|lsns| {
                let segments = lsns.start / SEGMENT..=(lsns.end - 1) / SEGMENT;
                // Of a segment that cannot be read at all nobody knows whether it was in use.
                let whole = lsns.start % SEGMENT == 0 && lsns.end % SEGMENT == 0;
                let in_use = whole && first.is_some_and(|first| *segments.start() > first);
                in_use || segments.into_iter().any(|number| live.contains(&number))
            });
        Ok(Self {
            damage: damage.collect(),
            log,
            pages,
        })
    }
}

/// Where what a power cut tore begins, if it tore something: the last batch before it was acknowledged, or what the engine
/// wrote by itself since the batch before (it merges pages while they are read).
fn torn_from(walk: &Walk) -> Option<u64> {
    let (from, last) = walk.last_batch?;
    let durable = walk.durable.unwrap_or(from.saturating_sub(1));
    let torn = |lsns: &Range<u64>| match lsns.start {
        start if start > last => Some(start),
        start if start >= from => Some(from),
        start if start > durable => Some(start),
        _ => (lsns.end > from).then_some(from),
    };
    let hole = walk.holes.iter().find_map(|hole| torn(&hole.lsns));
    let incomplete = (last >= walk.end).then_some(from);
    hole.into_iter().chain(incomplete).min()
}

/// Whether the mark tells of a group after those that this row counts.
fn was_acknowledged(marked: Option<&Marked>, known: Option<&Meta>) -> bool {
    let Some(marked) = marked else { return false };
    known.is_none_or(|meta| meta.epoch == marked.epoch && meta.commits < marked.commits)
}

/// Whether groups were begun after the one that follows those that the row `known` counts: then that one was durable.
fn was_followed(known: Option<&Meta>, newest: Option<&Meta>) -> bool {
    let commits = |meta: Option<&Meta>| meta.map_or(0, |meta| meta.commits);
    commits(newest) > commits(known) + 1
}

/// The store's own row as the log leaves it up to the place `cut`, if it is there.
fn meta_up_to(log: &Log, cut: Option<u64>) -> Option<Meta> {
    meta_of(&mut Pages::read(log, cut).into_leaves(log))
        .ok()
        .flatten()
}

/// The store's own row.
fn meta_of(leaves: &mut Leaves<'_>) -> Result<Option<Meta>, OpenError> {
    match leaves.get(&META_KEY).map(|row| Meta::decode(&row)) {
        Some(Err(MetaError::Newer { found })) => Err(OpenError::NewerFormat {
            found,
            supported: FORMAT,
        }),
        Some(Ok(meta)) => Ok(Some(meta)),
        Some(Err(MetaError::Damaged(_))) | None => Ok(None),
    }
}

/// The place in the log up to which the engine's newest snapshot reaches; 0: it has none.
fn newest_snapshot(engine: &Path) -> io::Result<u64> {
    let mut newest = 0;
    for entry in fs::read_dir(engine)? {
        let name = entry?.file_name();
        let place = name.to_str().and_then(|name| name.strip_prefix("snap."));
        if let Some(place) = place.and_then(|hex| u64::from_str_radix(hex, 16).ok()) {
            newest = newest.max(place);
        }
    }
    Ok(newest)
}

/// Whether the engine would lose something that is in the file. Answers what is wrong with it.
///
/// # Errors
/// When the file cannot be read.
pub(in crate::store) fn find_damage(
    files: &Files,
    marked: Option<&Marked>,
    scope: Scope,
) -> Result<Option<String>, OpenError> {
    if !files.has_engine() {
        return Ok(None);
    }
    let image = Image::read(files, marked, scope)?;
    let bytes: u64 = image.damage.iter().map(|lsns| lsns.end - lsns.start).sum();
    Ok(image.damage.first().map(|first| {
        format!(
            "{} parts of its log, {bytes} bytes, cannot be read; the first is at {} of segment {}",
            image.damage.len(),
            first.start % SEGMENT,
            first.start / SEGMENT
        )
    }))
}

/// Hands each user's entry that is in the file to `each`, in order; `Err` for one whose value has parts missing. None:
/// there is nothing to read.
///
/// # Errors
/// When the file cannot be opened, or what `each` answers.
pub(in crate::store) fn read_raw(
    files: &Files,
    marked: Option<&Marked>,
    mut each: impl FnMut(&[u8], Result<Vec<u8>, StoreError>) -> Result<(), StoreError>,
) -> Result<Option<Found>, OpenError> {
    let Image { log, pages, damage } = Image::read(files, marked, Scope::All)?;
    let mut leaves = pages.into_leaves(&log);
    if leaves.is_empty() {
        return Ok(None);
    }
    let meta = meta_of(&mut leaves)?;
    let mut found = Found {
        known: meta.is_some(),
        meta,
        gaps: 0,
        last_feed: 0,
    };
    leaves.each(&[RESERVED], |leaves, key, raw| {
        if key.first() == Some(&FEED_PREFIX)
            && let Some(seq) = key.get(1..).and_then(|rest| rest.first_chunk())
        {
            found.last_feed = u64::from_be_bytes(*seq);
        }
        each(&key, whole(leaves, raw))
    })?;
    found.gaps = damage.len() as u64 + leaves.unreadable;
    Ok(Some(found))
}

fn whole(leaves: &mut Leaves<'_>, mut raw: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    match chunks::read(&raw)? {
        Stored::Inline(value) => {
            let len = value.len();
            raw.truncate(len);
            Ok(raw)
        }
        Stored::Chunked(marker) => marker.join(|key| Ok(leaves.get(key))),
    }
}

#[cfg(test)]
mod tests;
