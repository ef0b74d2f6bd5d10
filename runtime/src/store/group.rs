//! Plans a group of batches: which are refused, and what the others together write.
//!
//! Pure: reads through [`Base`], writes nothing. Every store commits through this, so a precondition, a feed number
//! or a count means the same in all of them.

use std::collections::{BTreeMap, HashSet};

use super::chain::{self, End, Sealed};
use super::{Batch, Committed, Expected, Key, StoreError, feed_key, keys, meta::Meta};

/// The state a group is planned on: everything committed before it.
pub(super) trait Base {
    /// Whether `key` is as expected.
    fn meets(&self, key: &[u8], want: &Expected) -> Result<bool, StoreError>;

    /// What `key` holds.
    fn read(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
}

/// What one key holds after the group.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Write {
    /// None: deleted.
    pub value: Option<Vec<u8>>,
    /// Nothing can be under this key before the group, so nobody has to look.
    pub fresh: bool,
}

/// Why one batch of a group is left out.
#[derive(Debug)]
pub(super) enum Refused {
    /// The precondition with this index did not hold.
    Precondition { index: usize },
    /// It names a key the store does not hold.
    Invalid(StoreError),
}

/// What committing a group comes to.
#[derive(Debug)]
pub(super) struct Plan {
    /// At most one write a key, in key order.
    pub writes: BTreeMap<Key, Write>,
    /// The store's own row after the group.
    pub meta: Meta,
    /// One a batch, in their order.
    pub outcomes: Vec<Result<Committed, Refused>>,
    /// Whether there is anything to make durable.
    pub changes: bool,
}

/// Plans `batches`, in order, on top of `base` and `meta`. A refused batch leaves no trace for those after it.
///
/// # Errors
/// When `base` cannot be read; then nothing of the group may be committed.
pub(super) fn plan(
    batches: impl IntoIterator<Item = Batch>,
    meta: &Meta,
    base: &impl Base,
) -> Result<Plan, StoreError> {
    let mut plan = Plan::of(meta.clone());
    for batch in batches {
        let outcome = match batch.check_keys() {
            Err(error) => Err(Refused::Invalid(error)),
            Ok(()) => match plan.first_unmet(&batch, base)? {
                Some(index) => Err(Refused::Precondition { index }),
                None => Ok(plan.take(batch, base)?),
            },
        };
        plan.outcomes.push(outcome);
    }
    Ok(plan)
}

impl Plan {
    /// The plan that writes only the store's own row.
    pub(super) fn of(meta: Meta) -> Self {
        Self {
            writes: BTreeMap::new(),
            meta,
            outcomes: Vec::new(),
            changes: false,
        }
    }

    /// The index of the first precondition that does not hold on `base` with the group so far.
    fn first_unmet(&self, batch: &Batch, base: &impl Base) -> Result<Option<usize>, StoreError> {
        for (index, expect) in batch.expects.iter().enumerate() {
            let met = match self.writes.get(&expect.key) {
                Some(write) => expect.want.is_met_by(write.value.as_deref()),
                None => base.meets(&expect.key, &expect.want)?,
            };
            if !met {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Adds a batch whose preconditions hold.
    fn take(&mut self, batch: Batch, base: &impl Base) -> Result<Committed, StoreError> {
        self.changes |= !batch.changes_nothing();
        // Known to hold nothing, unless the group itself has written there.
        let absent: HashSet<Key> = batch
            .expects
            .into_iter()
            .filter(|expect| expect.want == Expected::Absent)
            .map(|expect| expect.key)
            .collect();
        for (key, value) in batch.writes {
            let fresh = absent.contains(&key);
            let write = self.writes.entry(key).or_insert(Write { value: None, fresh });
            write.value = value;
        }
        let first_feed_seq = (!batch.feed.is_empty()).then_some(self.meta.feed_head + 1);
        for entry in batch.feed {
            self.meta.feed_head += 1;
            self.writes.insert(
                feed_key(self.meta.feed_head),
                Write {
                    value: Some(entry),
                    fresh: true,
                },
            );
        }
        for (counter, by) in batch.counts {
            let count = &mut self.meta.counters[counter as usize];
            *count = count.saturating_add(by);
        }
        if !batch.audit.is_empty() {
            self.chain(&batch.audit, base)?;
        }
        Ok(Committed { first_feed_seq })
    }

    /// Appends to the audit log, after what the group has appended already.
    fn chain(&mut self, entries: &[Vec<u8>], base: &impl Base) -> Result<(), StoreError> {
        let kept = match self.writes.get(&chain::end_key()) {
            Some(write) => write.value.clone(),
            None => base.read(&chain::end_key())?,
        };
        let mut end = match kept {
            None => chain::BEGINNING,
            Some(bytes) => End::decode(&bytes).ok_or_else(|| StoreError::Damaged {
                what: "the row with the end of the audit log".to_owned(),
            })?,
        };
        for entry in entries {
            let sealed = Sealed::after(&end, entry);
            end = End {
                id: end.id + 1,
                hash: sealed.hash,
            };
            let value = Some(sealed.encode());
            let key = keys::numbered(keys::AUDIT, end.id);
            self.writes.insert(key, Write { value, fresh: false });
        }
        let value = Some(end.encode());
        self.writes
            .insert(chain::end_key(), Write { value, fresh: false });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Counter, RESERVED, conformance::batch};
    use super::*;

    struct Unreadable;

    impl Base for Unreadable {
        fn meets(&self, _: &[u8], _: &Expected) -> Result<bool, StoreError> {
            Err(StoreError::Damaged {
                what: "test".to_owned(),
            })
        }

        fn read(&self, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
            Err(StoreError::Damaged {
                what: "test".to_owned(),
            })
        }
    }

    fn meta() -> Meta {
        Meta::new("epoch".to_owned())
    }

    #[test]
    fn a_batch_sees_the_batches_of_its_group_that_went_before_it() {
        let base = BTreeMap::from([(b"old".to_vec(), b"1".to_vec())]);
        let group = [
            batch(|b| b.expect_absent("new").put("new", "1").delete("old")),
            batch(|b| b.expect_prefix("new", "1").expect_absent("old").put("third", "x")),
            batch(|b| b.expect_prefix("old", "1").put("never", "x")),
        ];
        let plan = plan(group, &meta(), &base).expect("plans");
        assert!(plan.outcomes[0].is_ok() && plan.outcomes[1].is_ok());
        assert!(matches!(
            plan.outcomes[2],
            Err(Refused::Precondition { index: 0 })
        ));
        let keys: Vec<_> = plan.writes.keys().cloned().collect();
        assert_eq!(keys, [b"new".to_vec(), b"old".to_vec(), b"third".to_vec()]);
    }

    #[test]
    fn a_refused_batch_takes_no_feed_number_and_counts_nothing() {
        let base = BTreeMap::<Key, Vec<u8>>::new();
        let group = [
            batch(|b| b.append_feed("one").count(Counter::Pending, 1)),
            batch(|b| {
                b.expect_prefix("x", "")
                    .append_feed("no")
                    .count(Counter::Pending, 50)
            }),
            batch(|b| b.put(vec![RESERVED], "no").append_feed("no")),
            batch(|b| {
                b.append_feed("two")
                    .append_feed("three")
                    .count(Counter::Pending, -3)
            }),
        ];
        let plan = plan(group, &meta(), &base).expect("plans");
        assert_eq!(plan.outcomes[0].as_ref().expect("taken").first_feed_seq, Some(1));
        assert!(matches!(
            plan.outcomes[1],
            Err(Refused::Precondition { index: 0 })
        ));
        assert!(matches!(
            plan.outcomes[2],
            Err(Refused::Invalid(StoreError::InvalidKey { .. }))
        ));
        assert_eq!(plan.outcomes[3].as_ref().expect("taken").first_feed_seq, Some(2));
        assert_eq!(plan.meta.feed_head, 3);
        assert_eq!(plan.meta.counters[Counter::Pending as usize], -2);
        assert_eq!(
            plan.writes[&feed_key(3)],
            Write {
                value: Some(b"three".to_vec()),
                fresh: true
            }
        );
    }

    #[test]
    fn audit_records_of_a_group_are_one_chain_and_a_refused_batch_leaves_none() {
        let before = End { id: 7, hash: [9; 32] };
        let base = BTreeMap::from([(chain::end_key(), before.encode())]);
        let group = [
            batch(|b| b.append_audit("one").append_audit("two")),
            batch(|b| b.expect_prefix("x", "").append_audit("no")),
            batch(|b| b.put("k", "v").append_audit("three")),
        ];
        let plan = plan(group, &meta(), &base).expect("plans");
        let value = |key: &[u8]| plan.writes[key].value.clone().expect("put");
        let mut walk = chain::Walk { at: before };
        for id in 8..=10 {
            walk.step(id, &value(&keys::numbered(keys::AUDIT, id)))
                .expect("a chain");
        }
        let end = End::decode(&value(&chain::end_key())).expect("an end");
        assert_eq!((end.id, walk.finish(&end)), (10, Ok(())));
    }

    #[test]
    fn of_several_writes_of_one_key_the_last_counts() {
        let group = [batch(|b| b.put("k", "1").delete("k").put("k", "2"))];
        let plan = plan(group, &meta(), &BTreeMap::<Key, Vec<u8>>::new()).expect("plans");
        assert_eq!(
            plan.writes[b"k".as_slice()],
            Write {
                value: Some(b"2".to_vec()),
                fresh: false
            }
        );
    }

    #[test]
    fn a_group_of_mere_questions_changes_nothing() {
        let group = [
            batch(|b| b.expect_absent("k")),
            batch(|b| b.expect_prefix("k", "").put("k", "1")),
        ];
        let plan = plan(group, &meta(), &BTreeMap::<Key, Vec<u8>>::new()).expect("plans");
        assert!(!plan.changes && plan.writes.is_empty());
    }

    #[test]
    fn an_unreadable_base_fails_the_whole_group() {
        let group = [batch(|b| b.put("a", "1")), batch(|b| b.expect_absent("k"))];
        assert!(matches!(
            plan(group, &meta(), &Unreadable),
            Err(StoreError::Damaged { .. })
        ));
    }
}
