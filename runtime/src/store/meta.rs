//! The store's own row: what must never run behind the data it is committed with.
//!
//! A fixed layout in one key, written with every group. It must not hold anything a user of the store wrote.

use super::{COUNTERS, Counter, RESERVED, StoreError};

/// The row's key.
pub(super) const META_KEY: [u8; 1] = [RESERVED];

/// The format this program writes, and the newest it reads. Raise it when the meaning of any byte on disk changes.
pub(super) const FORMAT: u32 = 2;

/// How far ahead of the numbers given out the persisted ceiling is kept: far more than anybody takes between two
/// commits, and few enough that ids stay readable after a crash skips them.
const RESERVE_AHEAD: u64 = 1 << 16;

/// How far a store that went back in time goes ahead of every number it may have given out since.
const REWIND_NUMBERS: u64 = 1 << 32;
/// The same of the versions of one entity.
const REWIND_VERSIONS: u64 = 1_000_000;

const MAGIC: &[u8; 4] = b"SLRS";
const EPOCH_AT: usize = 4 + 4 + 6 * 8 + COUNTERS * 8;

/// The row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The last feed sequence number given out; 0: none yet.
    pub(super) feed_head: u64,
    /// No number at or above it was given out by a run that ended.
    pub(super) ceiling: u64,
    /// Names the next value that is stored in chunks.
    pub(super) next_generation: u64,
    /// Groups committed since the store was made: what is compared with the mark beside the store, and with backups.
    pub(super) commits: u64,
    /// Bytes of the users' keys and values.
    pub(super) live_bytes: u64,
    /// Versions of entities go on above it (see [`Meta::rewind`]).
    pub(super) version_floor: u64,
    /// The kept counts.
    pub(super) counters: [i64; COUNTERS],
    /// The feed's name.
    pub(super) epoch: String,
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
            commits: 0,
            live_bytes: 0,
            version_floor: 0,
            counters: [0; COUNTERS],
            epoch,
        }
    }

    /// Groups committed since the store was made.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits
    }

    /// Bytes of the users' keys and values.
    #[must_use]
    pub fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// The feed's name, and the store's.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.epoch
    }

    /// For a store whose rows are counted anew: what is there is counted as it is written, what ever was stays. The feed goes
    /// on after what is known of it.
    pub(super) fn begin_counting(&mut self, parked: i64, last_feed: u64) {
        for counter in [
            Counter::Pending,
            Counter::Failed,
            Counter::OpenConflicts,
            Counter::Records,
            Counter::Inbox,
        ] {
            self.counters[counter as usize] = 0;
        }
        self.counters[Counter::Parked as usize] = parked;
        self.feed_head = self.feed_head.max(last_feed);
    }

    /// Moves the ceiling so that it covers all numbers below `next`, and some more.
    pub(super) fn raise_ceiling(&mut self, next: u64) {
        self.ceiling = self.ceiling.max(next.saturating_add(RESERVE_AHEAD));
    }

    /// The row of a store that holds an earlier state than it once acknowledged, under another epoch. Numbers and
    /// versions that it may have given out in the lost time do not come again, also when the same state is gone back to
    /// twice: all follow the clock (`now_ms`, since 1970) where that is ahead. So does the feed: a place in it that an app
    /// has from before is told apart from every place to come.
    pub fn rewind(&mut self, now_ms: u64, epoch: String) {
        self.epoch = epoch;
        self.ceiling = self.ceiling.saturating_add(REWIND_NUMBERS).max(now_ms);
        self.feed_head = self.feed_head.saturating_add(REWIND_NUMBERS).max(now_ms);
        // Less than one version a second and entity is given out, so seconds are ahead of them.
        self.version_floor = self
            .version_floor
            .saturating_add(REWIND_VERSIONS)
            .max(now_ms / 1000);
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(EPOCH_AT + self.epoch.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&FORMAT.to_be_bytes());
        let numbers = [
            self.feed_head,
            self.ceiling,
            self.next_generation,
            self.commits,
            self.live_bytes,
            self.version_floor,
        ];
        for number in numbers {
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
        let meta = match found {
            0 => None,
            1 => Self::decode_fields(fields, 3),
            _ => Self::decode_fields(fields, 6),
        };
        meta.ok_or_else(|| damaged("its first row is cut off"))
    }

    /// The format that a row says it has; none: it is not such a row.
    pub(super) fn format_of(bytes: &[u8]) -> Option<u32> {
        let mut fields = Fields {
            rest: bytes.strip_prefix(MAGIC)?,
        };
        fields.take().map(u32::from_be_bytes)
    }

    /// Format 1 knew the first three of the numbers only, neither commits, bytes nor a floor.
    fn decode_fields(mut fields: Fields<'_>, known_numbers: usize) -> Option<Self> {
        let mut numbers = [0; 6];
        for number in &mut numbers[..known_numbers] {
            *number = u64::from_be_bytes(fields.take()?);
        }
        let [
            feed_head,
            ceiling,
            next_generation,
            commits,
            live_bytes,
            version_floor,
        ] = numbers;
        let mut counters = [0; COUNTERS];
        for count in &mut counters {
            *count = i64::from_be_bytes(fields.take()?);
        }
        let epoch = std::str::from_utf8(fields.rest).ok()?.to_owned();
        Some(Self {
            feed_head,
            ceiling,
            next_generation,
            commits,
            live_bytes,
            version_floor,
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
        meta.commits = 11;
        meta.live_bytes = 12;
        meta.version_floor = 13;
        meta.raise_ceiling(1000);
        meta
    }

    #[test]
    fn a_row_reads_back_as_it_was_written() {
        let meta = some_row();
        assert_eq!(Meta::decode(&meta.encode()).expect("reads"), meta);
    }

    #[test]
    fn a_row_of_format_1_reads_with_what_it_did_not_know_at_zero() {
        let mut meta = some_row();
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&1_u32.to_be_bytes());
        for number in [meta.feed_head, meta.ceiling, meta.next_generation] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        for count in meta.counters {
            bytes.extend_from_slice(&count.to_be_bytes());
        }
        bytes.extend_from_slice(meta.epoch.as_bytes());
        (meta.commits, meta.live_bytes, meta.version_floor) = (0, 0, 0);
        assert_eq!(Meta::decode(&bytes).expect("reads"), meta);
        assert_eq!(Meta::format_of(&bytes), Some(1));
    }

    #[test]
    fn going_back_to_the_same_state_twice_gives_other_numbers_each_time() {
        let (mut first, mut second) = (some_row(), some_row());
        first.rewind(1_800_000_000_000, "a".to_owned());
        second.rewind(1_800_000_010_000, "b".to_owned());
        assert!(first.ceiling >= 1_800_000_000_000 && second.ceiling > first.ceiling);
        assert!(first.version_floor == 1_800_000_000 && second.version_floor > first.version_floor);
        assert!(first.feed_head > some_row().feed_head && second.feed_head > first.feed_head);
        // A clock that stands at its beginning.
        let mut third = some_row();
        third.rewind(0, "c".to_owned());
        assert!(third.ceiling > some_row().ceiling + (1 << 31));
        assert!(third.version_floor > 999_999);
        assert!(third.feed_head > some_row().feed_head + (1 << 31));
        // As a number in any app's JSON, many times over.
        assert!(second.feed_head < 1 << 53);
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
