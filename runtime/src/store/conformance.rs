//! What every store must do, run over each of them.
//!
//! A case gets a [`Rig`]: it opens the store, drops it, and opens it again. Only what callers may rely on belongs here.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use super::*;

mod model;

/// Opens one and the same store, again and again. The one before must be dropped.
pub(super) trait Rig {
    fn open(&self) -> Arc<dyn Store>;
}

struct MemoryRig(MemoryDisk);

impl Rig for MemoryRig {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(MemoryStore::open(self.0.clone(), "epoch").expect("opens"))
    }
}

struct SledRig(tempfile::TempDir);

impl Rig for SledRig {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(SledStore::open(&self.0.path().join("store"), SledOptions::new("epoch")).expect("opens"))
    }
}

macro_rules! conformance {
    ($($case:ident),+ $(,)?) => {
        mod memory {
            $(#[test] fn $case() { super::$case(&super::MemoryRig(super::MemoryDisk::default())); })+
        }
        mod sled {
            $(#[test] fn $case() { super::$case(&super::SledRig(tempfile::tempdir().expect("a directory"))); })+
        }
    };
}

conformance!(
    a_batch_is_committed_whole_or_not_at_all,
    of_many_that_expect_a_free_key_one_gets_it,
    feed_numbers_follow_commit_order_without_a_gap,
    feed_entries_can_be_trimmed_and_their_numbers_do_not_come_back,
    counts_and_the_epoch_outlive_a_restart,
    a_scan_respects_bounds_direction_and_limit,
    numbers_are_never_given_out_twice_also_over_restarts,
    long_values_come_back_and_replace_each_other,
    concurrent_writers_lose_no_update,
    readers_see_each_commit_whole,
    the_stores_own_keys_are_neither_readable_nor_writable,
    an_export_is_everything_in_order,
    a_dropped_future_does_not_undo_its_commit,
    a_batch_that_changes_nothing_is_fine,
    statistics_count_commits,
);

/// Waits for a commit, on this thread.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

pub(super) fn batch(build: impl FnOnce(&mut Batch) -> &mut Batch) -> Batch {
    let mut batch = Batch::new();
    build(&mut batch);
    batch
}

pub(super) fn commit(store: &dyn Store, build: impl FnOnce(&mut Batch) -> &mut Batch) -> Committed {
    wait(store.commit(batch(build))).expect("commits")
}

pub(super) fn everything(store: &dyn Store) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut keep = |key: &[u8], value: &[u8]| {
        entries.push((key.to_vec(), value.to_vec()));
        Ok(())
    };
    store.export(&mut keep).expect("exports");
    entries
}

fn a_batch_is_committed_whole_or_not_at_all(rig: &dyn Rig) {
    let store = rig.open();
    commit(&*store, |b| b.put("a", "1").put("b", "2"));
    let refused = wait(store.commit(batch(|b| {
        b.expect_prefix("a", "1")
            .expect_absent("b")
            .put("a", "9")
            .delete("b")
            .append_feed("x")
            .count(Counter::Failed, 1)
    })));
    assert!(
        matches!(refused, Err(CommitError::Precondition { index: 1 })),
        "{refused:?}"
    );
    drop(store);
    let store = rig.open();
    assert_eq!(
        everything(&*store),
        [(b"a".to_vec(), b"1".to_vec()), (b"b".to_vec(), b"2".to_vec())]
    );
    assert_eq!((store.feed_head(), store.counter(Counter::Failed)), (0, 0));
    assert!(store.health().is_ok());
}

fn of_many_that_expect_a_free_key_one_gets_it(rig: &dyn Rig) {
    let store = rig.open();
    let racing: Vec<_> = (0..100_u8)
        .map(|at| {
            store.commit(batch(|b| {
                b.expect_absent("key").put("key", [at]).count(Counter::Records, 1)
            }))
        })
        .collect();
    let won: Vec<_> = racing
        .into_iter()
        .enumerate()
        .filter_map(|(at, one)| wait(one).is_ok().then_some(at as u8))
        .collect();
    assert_eq!(won.len(), 1);
    assert_eq!(store.get(b"key").expect("reads"), Some(won));
    assert_eq!(store.counter(Counter::Records), 1);
}

fn feed_numbers_follow_commit_order_without_a_gap(rig: &dyn Rig) {
    let store = rig.open();
    let waiting: Vec<_> = (0..50_u8)
        .map(|at| {
            store.commit(batch(|b| {
                let b = b.append_feed([at, 0]).append_feed([at, 1]);
                // Every tenth is refused and takes no number.
                if at % 10 == 9 {
                    b.expect_prefix("nothing", "")
                } else {
                    b
                }
            }))
        })
        .collect();
    let mut next = 1;
    for (at, one) in waiting.into_iter().enumerate() {
        match wait(one) {
            Ok(committed) => {
                assert_eq!(committed.first_feed_seq, Some(next));
                let stored = |seq| store.get(&feed_key(seq)).expect("reads").expect("is there");
                assert_eq!([stored(next), stored(next + 1)], [[at as u8, 0], [at as u8, 1]]);
                next += 2;
            }
            Err(refused) => assert!(at % 10 == 9, "{refused}"),
        }
    }
    assert_eq!(store.feed_head(), 90);
    drop(store);
    let store = rig.open();
    assert_eq!(store.feed_head(), 90);
    assert_eq!(commit(&*store, |b| b.append_feed("x")).first_feed_seq, Some(91));
    assert_eq!(commit(&*store, |b| b.put("a", "1")).first_feed_seq, None);
}

fn feed_entries_can_be_trimmed_and_their_numbers_do_not_come_back(rig: &dyn Rig) {
    let store = rig.open();
    commit(&*store, |b| b.append_feed("one").append_feed("two"));
    commit(&*store, |b| b.delete(feed_key(1)).delete(feed_key(2)));
    assert_eq!(everything(&*store), []);
    drop(store);
    let store = rig.open();
    assert_eq!(
        commit(&*store, |b| b.append_feed("three")).first_feed_seq,
        Some(3)
    );
    assert_eq!(everything(&*store), [(feed_key(3), b"three".to_vec())]);
}

fn counts_and_the_epoch_outlive_a_restart(rig: &dyn Rig) {
    let store = rig.open();
    commit(&*store, |b| {
        b.count(Counter::Pending, 5)
            .count(Counter::Pending, -2)
            .count(Counter::Synced, 1 << 40)
    });
    commit(&*store, |b| b.count(Counter::Pending, -1));
    let told = |store: &dyn Store| {
        let counts =
            [Counter::Pending, Counter::Synced, Counter::Parked].map(|counter| store.counter(counter));
        (counts, store.feed_epoch().to_owned())
    };
    assert_eq!(told(&*store), ([2, 1 << 40, 0], "epoch".to_owned()));
    drop(store);
    assert_eq!(told(&*rig.open()), ([2, 1 << 40, 0], "epoch".to_owned()));
}

fn a_scan_respects_bounds_direction_and_limit(rig: &dyn Rig) {
    let store = rig.open();
    commit(&*store, |b| {
        (10..60_u8)
            .fold(b, |b, at| b.put([1, at], [at]))
            .put([0], "below")
            .put([2], "above")
    });
    let scan = |from: &[u8], to: &[u8], direction, limit| -> Vec<u8> {
        let entries = store.scan(from, to, direction, limit).expect("scans");
        entries
            .iter()
            .for_each(|(key, value)| assert_eq!(key[1..], *value));
        entries.into_iter().map(|(key, _)| key[1]).collect()
    };
    use Direction::{Backward, Forward};
    assert_eq!(scan(&[1, 20], &[1, 23], Forward, 10), [20, 21, 22]);
    assert_eq!(scan(&[1, 20], &[1, 23], Backward, 10), [22, 21, 20]);
    assert_eq!(scan(&[1], &[2], Forward, 3), [10, 11, 12]);
    assert_eq!(scan(&[1], &[2], Backward, 3), [59, 58, 57]);
    assert_eq!(scan(&[1], &[2], Forward, usize::MAX).len(), 50);
    assert_eq!(scan(&[1, 20, 0], &[1, 22], Forward, 10), [21]);
    for (from, to, limit) in [
        ([1, 20], [1, 20], 5),
        ([1, 23], [1, 20], 5),
        ([1, 60], [1, 99], 5),
        ([1, 20], [1, 30], 0),
    ] {
        assert_eq!(scan(&from, &to, Forward, limit), []);
        assert_eq!(scan(&from, &to, Backward, limit), []);
    }
    assert_eq!(
        store
            .scan(&[], &[0xFF; 9], Forward, usize::MAX)
            .expect("scans")
            .len(),
        52
    );
    assert_eq!(
        store.scan(&[], &[0xFF; 9], Backward, 1).expect("scans"),
        [(vec![2], b"above".to_vec())]
    );
}

fn numbers_are_never_given_out_twice_also_over_restarts(rig: &dyn Rig) {
    let mut last = 0;
    for round in 0..4 {
        let store = rig.open();
        for _ in 0..5000 {
            let number = store.reserve();
            assert!(number > last, "{number} after {last}");
            last = number;
        }
        // With and without anything committed after them.
        if round % 2 == 0 {
            commit(&*store, |b| b.put("last", last.to_be_bytes()));
        }
    }
}

fn long_values_come_back_and_replace_each_other(rig: &dyn Rig) {
    let store = rig.open();
    let long = |seed: u8, len: usize| -> Vec<u8> { (0..len).map(|at| (at % 255) as u8 ^ seed).collect() };
    let steps = [
        long(1, 1 << 20),
        long(2, 20_000),
        b"short".to_vec(),
        long(3, (1 << 20) + 1),
        vec![],
        long(4, 70_000),
    ];
    for value in steps {
        commit(&*store, |b| {
            b.put("key", value.clone()).append_feed(value.clone())
        });
        assert!(store.get(b"key").expect("reads").as_ref() == Some(&value));
        assert!(store.get(&feed_key(store.feed_head())).expect("reads").as_ref() == Some(&value));
        commit(&*store, |b| b.expect_prefix("key", value.clone()));
        assert!(wait(store.commit(batch(|b| b.expect_absent("key")))).is_err());
        let mut other = value.clone();
        other.push(0);
        assert!(wait(store.commit(batch(|b| b.expect_prefix("key", other)))).is_err());
    }
    drop(store);
    let store = rig.open();
    assert!(
        store.scan(b"k", b"l", Direction::Backward, 9).expect("scans")
            == [(b"key".to_vec(), long(4, 70_000))]
    );
    commit(&*store, |b| b.delete("key"));
    assert_eq!(store.get(b"key").expect("reads"), None);
}

fn concurrent_writers_lose_no_update(rig: &dyn Rig) {
    let store = rig.open();
    commit(&*store, |b| b.put("sum", 0_u64.to_be_bytes()));
    let read = |store: &dyn Store| store.get(b"sum").expect("reads").expect("is there");
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..40 {
                    loop {
                        let old = read(&*store);
                        let sum = u64::from_be_bytes(old.as_slice().try_into().expect("8 bytes")) + 1;
                        let add = batch(|b| {
                            b.expect_prefix("sum", old)
                                .put("sum", sum.to_be_bytes())
                                .append_feed("x")
                        });
                        match wait(store.commit(add)) {
                            Ok(_) => break,
                            Err(CommitError::Precondition { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
            });
        }
    });
    assert_eq!(read(&*store), 240_u64.to_be_bytes());
    assert_eq!(store.feed_head(), 240);
}

fn readers_see_each_commit_whole(rig: &dyn Rig) {
    let store = rig.open();
    let write = |turn: u32| {
        // One value short, one long, one that comes and goes, and the turn in the feed: all of one commit.
        let long = turn.to_be_bytes().repeat(3000);
        commit(&*store, |b| {
            let b = b
                .put("a", turn.to_be_bytes())
                .put("b", long)
                .append_feed(turn.to_be_bytes());
            if turn.is_multiple_of(2) {
                b.put("c", turn.to_be_bytes())
            } else {
                b.delete("c")
            }
        });
    };
    let check = |entries: &[Entry]| {
        let turn = u32::from_be_bytes(entries[0].1.as_slice().try_into().expect("4 bytes"));
        assert!(entries[1].1 == turn.to_be_bytes().repeat(3000), "turn {turn}");
        match entries.get(2) {
            Some((_, even)) => assert_eq!(*even, turn.to_be_bytes()),
            None => assert_eq!(turn % 2, 1),
        }
        turn
    };
    write(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut seen = 0;
            while !done.load(Ordering::Acquire) {
                let head = store.feed_head();
                let last = store
                    .get(&feed_key(head))
                    .expect("reads")
                    .expect("the head is readable");
                assert_eq!(last, (head as u32 - 1).to_be_bytes());
                let forward = store.scan(b"a", b"d", Direction::Forward, 3).expect("scans");
                let mut backward = store.scan(b"a", b"d", Direction::Backward, 3).expect("scans");
                backward.reverse();
                let (first, second) = (check(&forward), check(&backward));
                assert!(seen <= first && first <= second && head as u32 <= first + 1);
                let exported: Vec<_> = everything(&*store)
                    .into_iter()
                    .filter(|(key, _)| key[0] < FEED_PREFIX)
                    .collect();
                seen = check(&exported);
                assert!(second <= seen);
            }
        });
        (1..200).for_each(write);
        done.store(true, Ordering::Release);
    });
}

fn the_stores_own_keys_are_neither_readable_nor_writable(rig: &dyn Rig) {
    let store = rig.open();
    commit(&*store, |b| b.put("long", vec![7; 100_000]));
    for first in RESERVED..=0xFF {
        assert_eq!(store.get(&[first]).expect("reads"), None);
        let refused = wait(store.commit(batch(|b| b.put([first, 1], "x").put("fine", "x"))));
        assert!(
            matches!(&refused, Err(CommitError::Failed(error)) if matches!(**error, StoreError::InvalidKey { .. }))
        );
    }
    let seen = store
        .scan(&[RESERVED], &[0xFF; 20], Direction::Forward, 99)
        .expect("scans");
    assert_eq!(seen, []);
    // A bad key is the caller's fault: the store goes on.
    assert!(store.health().is_ok());
    commit(&*store, |b| b.put("next", "x"));
    let keys: Vec<_> = everything(&*store).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [b"long".to_vec(), b"next".to_vec()]);
}

fn an_export_is_everything_in_order(rig: &dyn Rig) {
    let store = rig.open();
    let expected: BTreeMap<Key, Vec<u8>> = (0..700_u16)
        .map(|at| {
            let key = at.to_be_bytes().repeat(1 + usize::from(at % 3));
            (key, vec![at as u8; usize::from(at) * 10])
        })
        .collect();
    commit(&*store, |b| {
        expected
            .iter()
            .fold(b, |b, (key, value)| b.put(key.clone(), value.clone()))
    });
    assert!(everything(&*store).into_iter().eq(expected));
    let mut seen = 0;
    let stopped = store.export(&mut |key, _| {
        seen += 1;
        // Reading meanwhile is fine.
        assert!(store.get(key)?.is_some());
        if seen == 300 {
            Err(StoreError::Damaged {
                what: "enough".to_owned(),
            })
        } else {
            Ok(())
        }
    });
    assert!(matches!(stopped, Err(StoreError::Damaged { .. })));
    assert_eq!(seen, 300);
    // And commits go on afterwards.
    commit(&*store, |b| b.put("after", "1"));
}

fn a_dropped_future_does_not_undo_its_commit(rig: &dyn Rig) {
    let store = rig.open();
    drop(store.commit(batch(|b| b.put("dropped", "1"))));
    commit(&*store, |b| b.expect_prefix("dropped", "1").put("after", "1"));
    assert_eq!(everything(&*store).len(), 2);
}

fn a_batch_that_changes_nothing_is_fine(rig: &dyn Rig) {
    let store = rig.open();
    assert_eq!(commit(&*store, |b| b), Committed::default());
    commit(&*store, |b| b.delete("nothing"));
    commit(&*store, |b| b.expect_absent("nothing"));
    assert_eq!(everything(&*store), []);
}

fn statistics_count_commits(rig: &dyn Rig) {
    let store = rig.open();
    for at in 0..5_u8 {
        commit(&*store, |b| b.put([at], "x"));
    }
    assert!(wait(store.commit(batch(|b| b.expect_absent([0]).put([9], "x")))).is_err());
    let stats = store.stats();
    assert_eq!(stats.commits, 5);
    assert!(stats.groups >= 1 && stats.groups <= 5);
}
