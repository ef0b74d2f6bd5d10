//! Reading a database of which pages are broken: an entry that cannot be read is passed over, and with it the page it is in.
//!
//! It must not write to it more than opening it does.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::sled::{Db, IVec};

use super::{
    super::{FEED_PREFIX, OpenError, RESERVED, StoreError, meta::Meta},
    chunks::{self, Stored},
    engine_error,
    files::Files,
    find_meta, open_engine,
};

/// Bytes of a key that tell where the next page begins.
const PRECISION: usize = 96;
/// Gaps after which the rest is given up: the database is noise.
const MOST_GAPS: u64 = 100_000;

/// What was found besides the entries.
pub(in crate::store) struct Found {
    /// The store's own row; one is made up where it cannot be read but entries can.
    pub meta: Option<Meta>,
    /// Whether it was read.
    pub known: bool,
    /// Pages passed over.
    pub gaps: u64,
    /// The last feed number that was read.
    pub last_feed: u64,
}

/// Hands each user's entry that can be read to `each`, in order; `Err` for one whose value has parts missing.
///
/// # Errors
/// When the engine does not open at all, or what `each` answers.
pub(in crate::store) fn read_past_damage(
    files: &Files,
    cache_bytes: u64,
    mut each: impl FnMut(&[u8], Result<Vec<u8>, StoreError>) -> Result<(), StoreError>,
) -> Result<Found, OpenError> {
    files.prepare_engine()?;
    let db = open_engine(&files.engine_dir(), cache_bytes)?;
    let meta = catch_unwind(AssertUnwindSafe(|| find_meta(&db)));
    let meta = match meta {
        Ok(Err(error @ OpenError::NewerFormat { .. })) => return Err(error),
        Ok(Ok(Some((_, meta)))) => Some(meta),
        _ => None,
    };
    let mut found = Found {
        known: meta.is_some(),
        meta,
        gaps: 0,
        last_feed: 0,
    };
    let mut from = Vec::new();
    loop {
        match next(&db, &from) {
            Ok(None) => return Ok(found),
            Ok(Some((key, raw))) => {
                if key.first() == Some(&FEED_PREFIX)
                    && let Some(seq) = key.get(1..9)
                {
                    found.last_feed = u64::from_be_bytes(seq.try_into().expect("invariant: eight bytes"));
                }
                each(&key, whole(&db, &raw))?;
                from = key.to_vec();
                from.push(0);
            }
            Err(_) => {
                found.gaps += 1;
                match after_gap(&db, &from) {
                    Some(next) if found.gaps < MOST_GAPS => from = next,
                    _ => return Ok(found),
                }
            }
        }
    }
}

/// The first entry from a key on. The engine panics over some damage.
fn next(db: &Db, from: &[u8]) -> Result<Option<(IVec, IVec)>, StoreError> {
    let read = || {
        db.range(from..&[RESERVED])
            .next()
            .transpose()
            .map_err(engine_error)
    };
    guarded(read)
}

fn whole(db: &Db, raw: &IVec) -> Result<Vec<u8>, StoreError> {
    guarded(|| match chunks::read(raw)? {
        Stored::Inline(value) => Ok(value.to_vec()),
        Stored::Chunked(marker) => marker.join(|key| db.get(key).map_err(engine_error)),
    })
}

fn guarded<T>(read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|panic| Err(StoreError::Panicked(super::panic_text(panic.as_ref()).to_owned())))
}

/// The smallest key from which on there is something to read: keys in between lie in the page that cannot be. Found by
/// halving, to so many bytes of a key. None: nothing more can be read.
fn after_gap(db: &Db, from: &[u8]) -> Option<Vec<u8>> {
    let mut low = [0_u8; PRECISION];
    let len = from.len().min(PRECISION);
    low[..len].copy_from_slice(&from[..len]);
    let mut high = [0_u8; PRECISION];
    high[0] = RESERVED;
    while let Some(middle) = between(&low, &high) {
        if next(db, &middle).is_ok() {
            high = middle;
        } else {
            low = middle;
        }
    }
    (high[0] < RESERVED).then(|| high.to_vec())
}

/// The number half way between two, as big-endian bytes. None: they are neighbours.
fn between(low: &[u8; PRECISION], high: &[u8; PRECISION]) -> Option<[u8; PRECISION]> {
    let mut sum = [0_u16; PRECISION];
    let mut carry = 0;
    for at in (0..PRECISION).rev() {
        let digit = u16::from(low[at]) + u16::from(high[at]) + carry;
        sum[at] = digit & 0xFF;
        carry = digit >> 8;
    }
    let mut middle = [0_u8; PRECISION];
    let mut rest = carry;
    for (at, digit) in sum.iter().enumerate() {
        let value = (rest << 8) | digit;
        middle[at] = u8::try_from(value >> 1).expect("invariant: half of at most 511");
        rest = value & 1;
    }
    (middle != *low).then_some(middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bytes: &[u8]) -> [u8; PRECISION] {
        let mut number = [0; PRECISION];
        number[..bytes.len()].copy_from_slice(bytes);
        number
    }

    #[test]
    fn halving_comes_to_every_place_between_two_keys() {
        assert_eq!(between(&number(&[2]), &number(&[4])), Some(number(&[3])));
        assert_eq!(between(&number(&[2]), &number(&[3])), Some(number(&[2, 128])));
        assert_eq!(
            between(&number(&[255]), &number(&[255, 255])),
            Some(number(&[255, 127, 128]))
        );
        assert_eq!(between(&number(&[7]), &number(&[7])), None);
        let mut last = number(&[7]);
        last[PRECISION - 1] = 1;
        assert_eq!(between(&number(&[7]), &last), None);
    }
}
