//! The audit log's chain: each record holds the digest of the one before it, so that none can be changed, taken out or
//! put in another place without the next one showing it.
//!
//! Records are numbered and sealed while their batch is planned ([`Batch::append_audit`](super::Batch::append_audit)), so
//! a record and what it tells of are one commit, and no two continue the same one. It must not know what they say.
//!
//! A digest is no signature: who may write the database and knows this file can make another chain. What keeps such a one
//! from passing is a digest of the newest record that somebody noted elsewhere.

use super::{Key, keys};
use sha2::{Digest, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// Where the chain begins.
pub const BEGINNING: End = End { id: 0, hash: [0; 32] };

/// A place in the chain: the record that was last, or the last that was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Its number; they begin with 1.
    pub id: u64,
    /// Its digest.
    pub hash: Hash,
}

impl End {
    /// The row's bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [&self.id.to_be_bytes()[..], &self.hash].concat()
    }

    /// Reads such a row. None: it is none.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (id, hash) = bytes.split_at_checked(8)?;
        Some(Self {
            id: u64::from_be_bytes(id.try_into().ok()?),
            hash: hash.try_into().ok()?,
        })
    }
}

/// A record as it lies in its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed<'a> {
    /// The digest of the record before it.
    pub prev: Hash,
    /// Its own.
    pub hash: Hash,
    /// What it says.
    pub entry: &'a [u8],
}

impl<'a> Sealed<'a> {
    /// Continues the chain after `end`.
    pub(super) fn after(end: &End, entry: &'a [u8]) -> Self {
        Self {
            prev: end.hash,
            hash: seal(&end.hash, end.id + 1, entry),
            entry,
        }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        [&self.prev[..], &self.hash, self.entry].concat()
    }

    /// Reads a row. None: it is too short to be one.
    #[must_use]
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (prev, rest) = bytes.split_at_checked(32)?;
        let (hash, entry) = rest.split_at_checked(32)?;
        Some(Self {
            prev: prev.try_into().ok()?,
            hash: hash.try_into().ok()?,
            entry,
        })
    }
}

/// The digest of a record: over the one before it, its number (8 bytes, big-endian) and what it says.
fn seal(prev: &Hash, id: u64, entry: &[u8]) -> Hash {
    Sha256::new()
        .chain_update(prev)
        .chain_update(id.to_be_bytes())
        .chain_update(entry)
        .finalize()
        .into()
}

/// The key of the row that says where the chain ends.
#[must_use]
pub fn end_key() -> Key {
    keys::named(keys::AUDIT_END, b"end")
}

/// The key of the row that says which record was the last that was removed for its age.
#[must_use]
pub fn anchor_key() -> Key {
    keys::named(keys::AUDIT_END, b"anchor")
}

/// Goes along the chain from a place in it.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// How far it is right.
    pub at: End,
}

impl Walk {
    /// Looks at the next record there is.
    ///
    /// # Errors
    /// The number of the first record that is not as it was written, and what is wrong with it.
    pub fn step(&mut self, id: u64, row: &[u8]) -> Result<(), (u64, &'static str)> {
        let expected = self.at.id + 1;
        if id > expected {
            return Err((expected, "is missing"));
        }
        let sealed = Sealed::decode(row).filter(|_| id == expected);
        let Some(sealed) = sealed else {
            return Err((id, "is not a record of this chain"));
        };
        if sealed.prev != self.at.hash {
            return Err((id, "does not continue the record before it"));
        }
        if sealed.hash != seal(&sealed.prev, id, sealed.entry) {
            return Err((id, "is not what was written: its digest is another"));
        }
        self.at = End {
            id,
            hash: sealed.hash,
        };
        Ok(())
    }

    /// Says whether the chain may end here.
    ///
    /// # Errors
    /// As [`Walk::step`].
    pub fn finish(&self, end: &End) -> Result<(), (u64, &'static str)> {
        if self.at.id < end.id {
            return Err((self.at.id + 1, "is missing"));
        }
        if self.at != *end {
            return Err((self.at.id, "is not the one that the chain ended with"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Rows = Vec<(u64, Vec<u8>)>;

    fn chain(entries: &[Vec<u8>]) -> (Rows, End) {
        let mut end = BEGINNING;
        let mut rows = Rows::new();
        for entry in entries {
            let sealed = Sealed::after(&end, entry);
            end = End {
                id: end.id + 1,
                hash: sealed.hash,
            };
            rows.push((end.id, sealed.encode()));
        }
        (rows, end)
    }

    fn verify(rows: &[(u64, Vec<u8>)], from: End, end: &End) -> Result<(), (u64, &'static str)> {
        let mut walk = Walk { at: from };
        for (id, row) in rows {
            walk.step(*id, row)?;
        }
        walk.finish(end)
    }

    /// What somebody may do to a log.
    #[derive(Clone, Debug)]
    enum Attack {
        Flip { record: usize, byte: usize, bit: u8 },
        Remove(usize),
        RemoveAndCloseUp(usize),
        Swap(usize, usize),
        CutOff(usize),
        Repeat(usize),
        Forge { record: usize },
    }

    fn attack() -> impl Strategy<Value = Attack> {
        prop_oneof![
            (any::<usize>(), any::<usize>(), 0..8_u8).prop_map(|(record, byte, bit)| Attack::Flip {
                record,
                byte,
                bit
            }),
            any::<usize>().prop_map(Attack::Remove),
            any::<usize>().prop_map(Attack::RemoveAndCloseUp),
            (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Attack::Swap(a, b)),
            any::<usize>().prop_map(Attack::CutOff),
            any::<usize>().prop_map(Attack::Repeat),
            any::<usize>().prop_map(|record| Attack::Forge { record }),
        ]
    }

    /// Does it, and answers the first record that is not as it was; none: nothing was changed.
    fn strike(rows: &mut Rows, attack: &Attack) -> Option<u64> {
        let count = rows.len();
        match *attack {
            Attack::Flip { record, byte, bit } => {
                let (id, row) = &mut rows[record % count];
                let byte = byte % row.len();
                row[byte] ^= 1 << bit;
                Some(*id)
            }
            Attack::Remove(record) => Some(rows.remove(record % count).0),
            Attack::RemoveAndCloseUp(record) => {
                let (id, _) = rows.remove(record % count);
                for (later, _) in rows.iter_mut().filter(|(later, _)| *later > id) {
                    *later -= 1;
                }
                Some(id)
            }
            Attack::Swap(a, b) => {
                let (a, b) = (a % count, b % count);
                let (row_a, row_b) = (rows[a].1.clone(), rows[b].1.clone());
                (rows[a].1, rows[b].1) = (row_b, row_a);
                (a != b).then_some(rows[a.min(b)].0)
            }
            Attack::CutOff(left) => {
                rows.truncate(left % count);
                Some(rows.len() as u64 + 1)
            }
            Attack::Repeat(record) => {
                let record = record % count;
                let row = rows[record].1.clone();
                for (later, _) in &mut rows[record + 1..] {
                    *later += 1;
                }
                let id = rows[record].0 + 1;
                rows.insert(record + 1, (id, row));
                Some(id)
            }
            // With a digest that is right for itself: then the next one does not continue it.
            Attack::Forge { record } => {
                let record = record % count;
                let before = match record {
                    0 => BEGINNING,
                    _ => End {
                        id: rows[record].0 - 1,
                        hash: Sealed::decode(&rows[record - 1].1).unwrap().hash,
                    },
                };
                rows[record].1 = Sealed::after(&before, b"nothing happened").encode();
                Some((rows[record].0 + 1).min(count as u64))
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_done_to_a_chain_is_found_at_its_place(
            entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..12),
            attack in attack(),
        ) {
            let (mut rows, end) = chain(&entries);
            prop_assert_eq!(verify(&rows, BEGINNING, &end), Ok(()));
            let expected = strike(&mut rows, &attack);
            let found = verify(&rows, BEGINNING, &end).err().map(|(id, _)| id);
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn what_is_left_after_the_oldest_went_is_still_a_chain(
            entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 2..12),
            gone in any::<prop::sample::Index>(),
        ) {
            let (rows, end) = chain(&entries);
            let gone = gone.index(rows.len() - 1);
            let mut walk = Walk { at: BEGINNING };
            for (id, row) in &rows[..gone] {
                walk.step(*id, row).unwrap();
            }
            let anchor = End::decode(&walk.at.encode()).unwrap();
            prop_assert_eq!(verify(&rows[gone..], anchor, &end), Ok(()));
            prop_assert!(verify(&rows[gone + 1..], anchor, &end).is_err());
        }
    }

    #[test]
    fn a_digest_is_what_the_documents_say_it_is() {
        let sealed = Sealed::after(&BEGINNING, b"{}");
        let by_hand = Sha256::digest([&[0; 32][..], &[0, 0, 0, 0, 0, 0, 0, 1], b"{}"].concat());
        assert_eq!(sealed.hash, Hash::from(by_hand));
        assert_eq!(End::decode(b"short"), None);
        assert_eq!(Sealed::decode(&[0; 63]), None);
    }
}
