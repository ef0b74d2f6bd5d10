//! What callers hand to a commit: preconditions, writes, feed entries and changes of counts.
//!
//! Plain data with builders. It must not know how, or in what order with others, it is committed.

use super::{Key, MAX_KEY_BYTES, RESERVED, StoreError};

/// How many counts a store keeps; the meta row has room for exactly these.
pub const COUNTERS: usize = 16;

/// A count that is kept with every commit and never recounted.
///
/// The discriminants are on disk: never change or reuse one, and stay below [`COUNTERS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum Counter {
    /// Queue items not at the cloud yet and not failed.
    Pending = 0,
    /// Queue items that used up their retries.
    Failed = 1,
    /// Conflicts that wait for a person.
    OpenConflicts = 2,
    /// Queue items the cloud has taken, ever.
    Synced = 3,
    /// Records that are not tombstones.
    Records = 4,
    /// Documents that a plugin could not handle: updates, and queue items (which are failed, too).
    Parked = 5,
    /// Entities with an update that is not decided yet.
    Inbox = 6,
    /// Conflicts ever decided.
    ResolvedConflicts = 7,
}

/// What a key must hold for a batch to be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// The key holds nothing.
    Absent,
    /// The key holds a value that begins with these bytes.
    StartsWith(Vec<u8>),
}

impl Expected {
    /// Whether a key that holds `value` is as expected.
    #[must_use]
    pub fn is_met_by(&self, value: Option<&[u8]>) -> bool {
        match (self, value) {
            (Self::Absent, value) => value.is_none(),
            (Self::StartsWith(prefix), Some(value)) => value.starts_with(prefix),
            (Self::StartsWith(_), None) => false,
        }
    }
}

/// A precondition of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expect {
    /// The key that is looked at.
    pub key: Key,
    /// What it must hold.
    pub want: Expected,
}

/// A set of writes that is committed whole or not at all.
///
/// Preconditions are checked against the state just before this batch, including the batches of its own group that
/// went ahead of it. Of several writes of one key the last counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// All must hold, or nothing is written.
    pub expects: Vec<Expect>,
    /// What to put (`Some`) or delete (`None`).
    pub writes: Vec<(Key, Option<Vec<u8>>)>,
    /// Appended to the feed log; each gets the next sequence number, in commit order.
    pub feed: Vec<Vec<u8>>,
    /// Added to the kept counts.
    pub counts: Vec<(Counter, i64)>,
    /// Appended to the audit log, each chained to the one before it in commit order.
    pub audit: Vec<Vec<u8>>,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts `value` under `key`, whatever was there.
    pub fn put(&mut self, key: impl Into<Key>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.writes.push((key.into(), Some(value.into())));
        self
    }

    /// Deletes what is under `key`; nothing there is fine.
    pub fn delete(&mut self, key: impl Into<Key>) -> &mut Self {
        self.writes.push((key.into(), None));
        self
    }

    /// Commits only if `key` holds nothing.
    pub fn expect_absent(&mut self, key: impl Into<Key>) -> &mut Self {
        self.expects.push(Expect {
            key: key.into(),
            want: Expected::Absent,
        });
        self
    }

    /// Commits only if `key` holds a value that begins with `prefix`.
    pub fn expect_prefix(&mut self, key: impl Into<Key>, prefix: impl Into<Vec<u8>>) -> &mut Self {
        self.expects.push(Expect {
            key: key.into(),
            want: Expected::StartsWith(prefix.into()),
        });
        self
    }

    /// Appends an entry to the feed log.
    pub fn append_feed(&mut self, entry: impl Into<Vec<u8>>) -> &mut Self {
        self.feed.push(entry.into());
        self
    }

    /// Adds `by` to a kept count.
    pub fn count(&mut self, counter: Counter, by: i64) -> &mut Self {
        self.counts.push((counter, by));
        self
    }

    /// Appends a record to the audit log.
    pub fn append_audit(&mut self, entry: impl Into<Vec<u8>>) -> &mut Self {
        self.audit.push(entry.into());
        self
    }

    /// Whether committing it would change anything.
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        self.writes.is_empty() && self.feed.is_empty() && self.counts.is_empty() && self.audit.is_empty()
    }

    /// Roughly the bytes it will write.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let writes: usize = self
            .writes
            .iter()
            .map(|(key, value)| key.len() + value.as_ref().map_or(0, Vec::len))
            .sum();
        let feed: usize = self.feed.iter().map(|entry| entry.len() + 9).sum();
        let audit: usize = self.audit.iter().map(|entry| entry.len() + 73).sum();
        writes + feed + audit
    }

    /// Refuses keys that the store cannot or must not hold.
    pub(super) fn check_keys(&self) -> Result<(), StoreError> {
        let written = self.writes.iter().map(|(key, _)| key);
        let expected = self.expects.iter().map(|expect| &expect.key);
        for key in written.chain(expected) {
            let allowed = key.first().is_some_and(|first| *first < RESERVED) && key.len() <= MAX_KEY_BYTES;
            if !allowed {
                return Err(StoreError::InvalidKey {
                    len: key.len(),
                    first: key.first().copied(),
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_empty_reserved_or_too_long_are_refused() {
        for bad in [vec![], vec![RESERVED], vec![0xFF, 1], vec![1; MAX_KEY_BYTES + 1]] {
            let mut write = Batch::new();
            write.put(bad.clone(), "x");
            assert!(
                matches!(write.check_keys(), Err(StoreError::InvalidKey { .. })),
                "{bad:?}"
            );
            let mut expect = Batch::new();
            expect.expect_absent(bad.clone());
            assert!(
                matches!(expect.check_keys(), Err(StoreError::InvalidKey { .. })),
                "{bad:?}"
            );
        }
        let mut good = Batch::new();
        good.put(vec![0], "x").delete(vec![RESERVED - 1; MAX_KEY_BYTES]);
        assert!(good.check_keys().is_ok());
    }

    #[test]
    fn a_prefix_is_not_met_by_a_shorter_value_or_by_none() {
        let want = Expected::StartsWith(b"ab".to_vec());
        assert!(want.is_met_by(Some(b"ab")));
        assert!(want.is_met_by(Some(b"abc")));
        assert!(!want.is_met_by(Some(b"a")));
        assert!(!want.is_met_by(None));
        assert!(Expected::StartsWith(Vec::new()).is_met_by(Some(b"")));
        assert!(!Expected::StartsWith(Vec::new()).is_met_by(None));
    }
}
