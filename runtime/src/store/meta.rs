//! The store's own row: what must never run behind the data it is committed with.
//!
//! A fixed layout in one key, written with every group. It must not hold anything a user of the store wrote.

use super::{COUNTERS, RESERVED, StoreError};

/// The row's key.
pub(super) const META_KEY: [u8; 1] = [RESERVED];

/// The format this program writes, and the newest it reads. Raise it when the meaning of any byte on disk changes.
pub(super) const FORMAT: u32 = 1;

/// How far ahead of the numbers given out the persisted ceiling is kept: far more than anybody takes between two
/// commits, and few enough that ids stay readable after a crash skips them.
const RESERVE_AHEAD: u64 = 1 << 16;

const MAGIC: &[u8; 4] = b"SLRS";
const EPOCH_AT: usize = 4 + 4 + 3 * 8 + COUNTERS * 8;

/// The row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meta {
    /// The last feed sequence number given out; 0: none yet.
    pub feed_head: u64,
    /// No number at or above it was given out by a run that ended.
    pub ceiling: u64,
    /// Names the next value that is stored in chunks.
    pub next_generation: u64,
    /// The kept counts.
    pub counters: [i64; COUNTERS],
    /// The feed's name.
    pub epoch: String,
}

/// Why the row could not be read.
#[derive(Debug)]
pub(super) enum MetaError {
    /// Written by a newer program.
    Newer { found: u32 },
    /// Not a meta row.
    Damaged(StoreError),
}

impl Meta {
    /// The row of a new store.
    pub(super) fn new(epoch: String) -> Self {
        Self {
            feed_head: 0,
            ceiling: 1,
            next_generation: 1,
            counters: [0; COUNTERS],
            epoch,
        }
    }

    /// Moves the ceiling so that it covers all numbers below `next`, and some more.
    pub(super) fn raise_ceiling(&mut self, next: u64) {
        self.ceiling = self.ceiling.max(next.saturating_add(RESERVE_AHEAD));
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(EPOCH_AT + self.epoch.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT.to_be_bytes());
        for number in [self.feed_head, self.ceiling, self.next_generation] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        for count in self.counters {
            bytes.extend_from_slice(&count.to_be_bytes());
        }
        bytes.extend_from_slice(self.epoch.as_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, MetaError> {
        let damaged = |what: &str| {
            MetaError::Damaged(StoreError::Damaged {
                what: what.to_owned(),
            })
        };
        let rest = bytes
            .strip_prefix(MAGIC)
            .ok_or_else(|| damaged("its first row is not ours"))?;
        let mut fields = Fields { rest };
        // The format comes first, so that an older program can refuse a newer row it cannot read.
        let found = u32::from_be_bytes(fields.take().ok_or_else(|| damaged("its first row is cut off"))?);
        if found > FORMAT {
            return Err(MetaError::Newer { found });
        }
        Self::decode_fields(fields).ok_or_else(|| damaged("its first row is cut off"))
    }

    fn decode_fields(mut fields: Fields<'_>) -> Option<Self> {
        let feed_head = u64::from_be_bytes(fields.take()?);
        let ceiling = u64::from_be_bytes(fields.take()?);
        let next_generation = u64::from_be_bytes(fields.take()?);
        let mut counters = [0; COUNTERS];
        for count in &mut counters {
            *count = i64::from_be_bytes(fields.take()?);
        }
        let epoch = std::str::from_utf8(fields.rest).ok()?.to_owned();
        Some(Self {
            feed_head,
            ceiling,
            next_generation,
            counters,
            epoch,
        })
    }
}

/// Reads fixed-size fields off the front.
struct Fields<'a> {
    rest: &'a [u8],
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_row() -> Meta {
        let mut meta = Meta::new("01J-epoch".to_owned());
        meta.feed_head = 77;
        meta.next_generation = 5;
        meta.counters[3] = -9;
        meta.raise_ceiling(1000);
        meta
    }

    #[test]
    fn a_row_reads_back_as_it_was_written() {
        let meta = some_row();
        assert_eq!(Meta::decode(&meta.encode()).expect("reads"), meta);
    }

    #[test]
    fn a_newer_row_is_refused_by_its_number_even_when_its_layout_is_unknown() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&(FORMAT + 1).to_be_bytes());
        bytes.push(1);
        assert!(matches!(Meta::decode(&bytes), Err(MetaError::Newer { found }) if found == FORMAT + 1));
    }

    #[test]
    fn a_row_that_is_cut_off_anywhere_before_its_epoch_is_damaged() {
        let bytes = some_row().encode();
        for len in 0..EPOCH_AT {
            assert!(
                matches!(Meta::decode(&bytes[..len]), Err(MetaError::Damaged(_))),
                "at {len}"
            );
        }
    }

    #[test]
    fn the_ceiling_never_falls() {
        let mut meta = some_row();
        let before = meta.ceiling;
        meta.raise_ceiling(1);
        assert_eq!(meta.ceiling, before);
    }
}
