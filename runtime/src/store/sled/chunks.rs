//! How a value lies in the engine: whole, or in chunks under keys of their own.
//!
//! Pure bytes. The last byte of what lies under a user's key says which, so a value is stored without a copy.
//!
//! Why chunks are small: sled's leaf page holds up to 16 entries before it splits, some more while it merges, and is
//! rewritten whole now and then. A page message over 128 KiB goes to a blob file, which sled never syncs, so a power
//! cut can take acknowledged rows, whatever the size of a single value. 20 entries of the longest key and value stay
//! below that.

use super::super::{RESERVED, StoreError};

/// Longest value that is stored whole, and the length of a chunk, in bytes.
pub(super) const INLINE_BYTES: usize = 5 << 10;

/// First byte of the chunks' keys; then the generation and the chunk's place, both big-endian.
pub(super) const CHUNK_PREFIX: u8 = RESERVED + 1;

const TAG_INLINE: u8 = 0;
const TAG_CHUNKED: u8 = 1;
const MARKER_BYTES: usize = 8 + 8 + 4 + 1;

/// A chunk's key.
pub(super) type ChunkKey = [u8; 13];

/// What lies under a user's key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stored<'a> {
    /// The value itself.
    Inline(&'a [u8]),
    /// Where the value is.
    Chunked(Marker),
}

/// Names the chunks of one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marker {
    len: u64,
    generation: u64,
    checksum: u32,
}

/// The stored form of a short value.
pub(super) fn inline(mut value: Vec<u8>) -> Vec<u8> {
    value.push(TAG_INLINE);
    value
}

/// The chunks of a long value, in order.
pub(super) fn split(value: &[u8]) -> std::slice::Chunks<'_, u8> {
    value.chunks(INLINE_BYTES)
}

/// Reads what lies under a user's key.
pub(super) fn read(raw: &[u8]) -> Result<Stored<'_>, StoreError> {
    match raw.split_last() {
        Some((&TAG_INLINE, value)) => Ok(Stored::Inline(value)),
        Some((&TAG_CHUNKED, marker)) => Marker::decode(marker)
            .map(Stored::Chunked)
            .ok_or_else(|| damaged("a marker has the wrong length")),
        _ => Err(damaged("a value is stored in no known way")),
    }
}

impl Marker {
    pub(super) fn of(value: &[u8], generation: u64) -> Self {
        Self {
            len: value.len() as u64,
            generation,
            checksum: crc32fast::hash(value),
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MARKER_BYTES);
        bytes.extend_from_slice(&self.len.to_be_bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.checksum.to_be_bytes());
        bytes.push(TAG_CHUNKED);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (len, rest) = bytes.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let checksum = rest.try_into().ok()?;
        Some(Self {
            len: u64::from_be_bytes(*len),
            generation: u64::from_be_bytes(*generation),
            checksum: u32::from_be_bytes(checksum),
        })
    }

    /// The value's length in bytes.
    pub(super) fn len(self) -> u64 {
        self.len
    }

    /// The keys of all chunks, in order.
    pub(super) fn keys(self) -> impl Iterator<Item = ChunkKey> {
        let count = self.len.div_ceil(INLINE_BYTES as u64);
        (0..count).map(move |place| {
            let mut key = [CHUNK_PREFIX; 13];
            key[1..9].copy_from_slice(&self.generation.to_be_bytes());
            let place = u32::try_from(place).expect("invariant: a value has fewer than 2^32 chunks");
            key[9..].copy_from_slice(&place.to_be_bytes());
            key
        })
    }

    /// Puts the value together from its chunks.
    ///
    /// # Errors
    /// When `chunk` fails, or what it gives is not the value that was stored.
    pub(super) fn join<T: AsRef<[u8]>>(
        self,
        mut chunk: impl FnMut(&ChunkKey) -> Result<Option<T>, StoreError>,
    ) -> Result<Vec<u8>, StoreError> {
        let mut value = Vec::new();
        for key in self.keys() {
            let part = chunk(&key)?.ok_or_else(|| damaged("a part of a long value is missing"))?;
            value.extend_from_slice(part.as_ref());
        }
        if value.len() as u64 == self.len && crc32fast::hash(&value) == self.checksum {
            Ok(value)
        } else {
            Err(damaged("the parts of a long value do not fit together"))
        }
    }
}

fn damaged(what: &str) -> StoreError {
    StoreError::Damaged {
        what: what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::super::MAX_KEY_BYTES;
    use super::*;

    /// sled 0.34.7: a quarter of a 512 KiB segment, less its header. Messages above go to blob files.
    const BLOB_OVER: usize = (512 << 10) / 4 - 20;
    /// 17 entries make a leaf split at the next visit; one with 3 may merge into it before that.
    const LEAF_ENTRIES: usize = 17 + 3;
    const INDEX_ENTRIES: usize = 257;
    const ENTRY_OVERHEAD: usize = 10;

    #[test]
    fn a_full_page_of_the_engine_stays_below_its_blob_size() {
        const { assert!(LEAF_ENTRIES * (MAX_KEY_BYTES + INLINE_BYTES + 1 + ENTRY_OVERHEAD) < BLOB_OVER) };
        const { assert!(INDEX_ENTRIES * (MAX_KEY_BYTES + ENTRY_OVERHEAD) < BLOB_OVER) };
    }

    fn store(value: &[u8], generation: u64) -> (Vec<u8>, BTreeMap<ChunkKey, Vec<u8>>) {
        let marker = Marker::of(value, generation);
        let chunks: BTreeMap<_, _> = marker.keys().zip(split(value).map(<[u8]>::to_vec)).collect();
        assert!(chunks.values().all(|chunk| chunk.len() <= INLINE_BYTES));
        (marker.encode(), chunks)
    }

    fn load(raw: &[u8], chunks: &BTreeMap<ChunkKey, Vec<u8>>) -> Result<Vec<u8>, StoreError> {
        match read(raw)? {
            Stored::Inline(value) => Ok(value.to_vec()),
            Stored::Chunked(marker) => marker.join(|key| Ok(chunks.get(key))),
        }
    }

    #[test]
    fn a_long_value_comes_back_from_its_chunks_whatever_its_length() {
        for len in [INLINE_BYTES + 1, 2 * INLINE_BYTES, 2 * INLINE_BYTES + 1, 1 << 20] {
            let value: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
            let (raw, chunks) = store(&value, 9);
            assert_eq!(chunks.len(), len.div_ceil(INLINE_BYTES));
            assert_eq!(load(&raw, &chunks).expect("joins"), value);
        }
        assert_eq!(load(&inline(Vec::new()), &BTreeMap::new()).expect("reads"), b"");
    }

    #[test]
    fn a_missing_swapped_or_foreign_chunk_is_noticed() {
        let value: Vec<u8> = (0..3 * INLINE_BYTES)
            .map(|at| (at / INLINE_BYTES) as u8)
            .collect();
        let (raw, good) = store(&value, 1);
        let keys: Vec<_> = good.keys().copied().collect();

        let mut missing = good.clone();
        missing.remove(&keys[1]);
        let mut swapped = good.clone();
        swapped.insert(keys[0], good[&keys[1]].clone());
        swapped.insert(keys[1], good[&keys[0]].clone());
        let (_, foreign) = store(&value, 2);
        for bad in [missing, swapped, foreign] {
            assert!(matches!(load(&raw, &bad), Err(StoreError::Damaged { .. })));
        }
    }

    #[test]
    fn bytes_that_nobody_stored_are_damage_not_a_value() {
        for raw in [b"".as_slice(), b"x\x07", b"short\x01"] {
            assert!(matches!(read(raw), Err(StoreError::Damaged { .. })), "{raw:?}");
        }
    }
}
