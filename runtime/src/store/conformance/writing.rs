//! What a commit does: all or nothing, in order, counted, once.

use std::thread;

use super::*;

pub(super) fn a_batch_is_committed_whole_or_not_at_all(rig: &dyn Rig) {
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

pub(super) fn of_many_that_expect_a_free_key_one_gets_it(rig: &dyn Rig) {
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

pub(super) fn feed_numbers_follow_commit_order_without_a_gap(rig: &dyn Rig) {
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

pub(super) fn feed_entries_can_be_trimmed_and_their_numbers_do_not_come_back(rig: &dyn Rig) {
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

pub(super) fn counts_and_the_epoch_outlive_a_restart(rig: &dyn Rig) {
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
        (counts, store.feed_epoch())
    };
    assert_eq!(told(&*store), ([2, 1 << 40, 0], "epoch".to_owned()));
    drop(store);
    assert_eq!(told(&*rig.open()), ([2, 1 << 40, 0], "epoch".to_owned()));
}

pub(super) fn numbers_are_never_given_out_twice_also_over_restarts(rig: &dyn Rig) {
    let mut last = 0;
    for _ in 0..2 {
        let store = rig.open();
        // More than the ceiling is ahead, with commits among them, and some that no commit follows.
        for turn in 0..4_u8 {
            for _ in 0..30_000 {
                let number = store.reserve();
                assert!(number > last, "{number} after {last}");
                last = number;
            }
            if turn < 3 {
                commit(&*store, |b| b.put([turn], last.to_be_bytes()));
            }
        }
    }
}

pub(super) fn concurrent_writers_lose_no_update(rig: &dyn Rig) {
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

pub(super) fn a_dropped_future_does_not_undo_its_commit(rig: &dyn Rig) {
    let store = rig.open();
    drop(store.commit(batch(|b| b.put("dropped", "1"))));
    commit(&*store, |b| b.expect_prefix("dropped", "1").put("after", "1"));
    assert_eq!(everything(&*store).len(), 2);
}

pub(super) fn a_batch_that_changes_nothing_is_fine(rig: &dyn Rig) {
    let store = rig.open();
    assert_eq!(commit(&*store, |b| b), Committed::default());
    commit(&*store, |b| b.delete("nothing"));
    commit(&*store, |b| b.expect_absent("nothing"));
    assert_eq!(everything(&*store), []);
}

pub(super) fn statistics_count_commits(rig: &dyn Rig) {
    let store = rig.open();
    for at in 0..5_u8 {
        commit(&*store, |b| b.put([at], "x"));
    }
    assert!(wait(store.commit(batch(|b| b.expect_absent([0]).put([9], "x")))).is_err());
    let stats = store.stats();
    assert_eq!(stats.commits, 5);
    assert!(stats.groups >= 1 && stats.groups <= 5);
}
