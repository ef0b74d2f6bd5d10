//! What readers see of what was committed.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::*;

pub(super) fn a_scan_respects_bounds_direction_and_limit(rig: &dyn Rig) {
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
        assert!(scan(&from, &to, Forward, limit).is_empty());
        assert!(scan(&from, &to, Backward, limit).is_empty());
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

pub(super) fn long_values_come_back_and_replace_each_other(rig: &dyn Rig) {
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

struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

pub(super) fn readers_see_each_commit_whole(rig: &dyn Rig) {
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
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut seen = 0;
            while !ended.load(Ordering::Acquire) {
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
        // Also when a write panics, so that the reader ends.
        let _end = EndOnDrop(&ended);
        (1..200).for_each(write);
    });
}

pub(super) fn the_stores_own_keys_are_neither_readable_nor_writable(rig: &dyn Rig) {
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

pub(super) fn an_export_is_everything_in_order(rig: &dyn Rig) {
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
    let stopped = store.export(&mut |key: &[u8], _: &[u8]| {
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
