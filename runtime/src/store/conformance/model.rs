//! Random histories against a plain map: whatever is done, the store holds what the model holds.

use std::collections::BTreeMap;

use proptest::{collection::vec, prelude::*};

use super::*;

/// Few keys and many lengths: histories that meet themselves.
type Keys = std::ops::Range<u8>;
const KEYS: Keys = 0..12;

#[derive(Debug, Clone)]
enum Step {
    Commit {
        expects: Vec<(u8, Option<Vec<u8>>)>,
        writes: Vec<(u8, Option<usize>)>,
        feed: usize,
        count: i64,
    },
    Scan {
        from: u8,
        to: u8,
        backward: bool,
        limit: usize,
    },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    // Around the bound of inline values, far above it, and none.
    let length = prop_oneof![
        Just(0_usize),
        1..40_usize,
        5110..5130_usize,
        10_230..10_250_usize,
        Just(200_000)
    ];
    let expect = (KEYS, proptest::option::of(vec(any::<u8>(), 0..2)));
    let write = (KEYS, proptest::option::weighted(0.7, length));
    prop_oneof![
        8 => (vec(expect, 0..2), vec(write, 0..5), 0..3_usize, -3..9_i64)
            .prop_map(|(expects, writes, feed, count)| Step::Commit { expects, writes, feed, count }),
        4 => (KEYS, KEYS, any::<bool>(), 0..8_usize)
            .prop_map(|(from, to, backward, limit)| Step::Scan { from, to, backward, limit }),
        1 => Just(Step::Reopen),
    ]
}

#[derive(Default)]
struct Model {
    rows: BTreeMap<Key, Vec<u8>>,
    feed_head: u64,
    count: i64,
}

impl Model {
    fn commit(&mut self, batch: &Batch) -> Option<usize> {
        let unmet = |expect: &Expect| {
            !expect
                .want
                .is_met_by(self.rows.get(&expect.key).map(Vec::as_slice))
        };
        if let Some(index) = batch.expects.iter().position(unmet) {
            return Some(index);
        }
        for (key, value) in batch.writes.clone() {
            match value {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
        for entry in batch.feed.clone() {
            self.feed_head += 1;
            self.rows.insert(feed_key(self.feed_head), entry);
        }
        self.count += batch.counts.iter().map(|(_, by)| by).sum::<i64>();
        None
    }
}

fn run(rig: &dyn Rig, steps: Vec<Step>) {
    let mut store = rig.open();
    let mut model = Model::default();
    for (turn, step) in steps.into_iter().enumerate() {
        match step {
            Step::Commit {
                expects,
                writes,
                feed,
                count,
            } => {
                let mut batch = Batch::new();
                for (key, want) in expects {
                    match want {
                        None => batch.expect_absent([key]),
                        Some(prefix) => batch.expect_prefix([key], prefix),
                    };
                }
                for (at, (key, length)) in writes.into_iter().enumerate() {
                    match length {
                        None => batch.delete([key]),
                        Some(length) => batch.put([key], vec![(turn + at) as u8 % 3; length]),
                    };
                }
                for at in 0..feed {
                    batch.append_feed([at as u8]);
                }
                batch.count(Counter::Pending, count);
                let unmet = model.commit(&batch);
                match wait(store.commit(batch)) {
                    Ok(_) => assert_eq!(unmet, None),
                    Err(CommitError::Precondition { index }) => assert_eq!(unmet, Some(index)),
                    Err(error) => panic!("{error}"),
                }
            }
            Step::Scan {
                from,
                to,
                backward,
                limit,
            } => {
                let rows = model
                    .rows
                    .iter()
                    .filter(|(key, _)| (&[from][..]..&[to][..]).contains(&key.as_slice()));
                let rows = rows.map(|(key, value)| (key.clone(), value.clone()));
                let (direction, expected): (_, Vec<Entry>) = if backward {
                    (Direction::Backward, rows.rev().take(limit).collect())
                } else {
                    (Direction::Forward, rows.take(limit).collect())
                };
                assert!(store.scan(&[from], &[to], direction, limit).expect("scans") == expected);
            }
            Step::Reopen => {
                drop(store);
                store = rig.open();
            }
        }
        assert_eq!(
            (store.feed_head(), store.counter(Counter::Pending)),
            (model.feed_head, model.count)
        );
    }
    assert!(everything(&*store).into_iter().eq(model.rows));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_memory_store_holds_what_the_model_holds(steps in vec(step(), 1..40)) {
        run(&MemoryRig(MemoryDisk::default()), steps);
    }
}

proptest! {
    // Fewer: each commit waits for the disk.
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_durable_store_holds_what_the_model_holds(steps in vec(step(), 1..40)) {
        run(&SledRig(tempfile::tempdir().expect("a directory")), steps);
    }
}
