//! What only the store on disk must do; the rest is in the conformance suite.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::PathBuf};

use tempfile::TempDir;

use ::sled::IVec;

use super::super::conformance::{batch, commit, everything, wait};
use super::super::meta::FORMAT;
use super::chunks::INLINE_BYTES;
use super::*;

fn home() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().expect("a directory");
    let dir = home.path().join("data");
    (home, dir)
}

fn open(dir: &Path) -> SledStore {
    SledStore::open(dir, SledOptions::new("epoch")).expect("opens")
}

fn raw_entries(store: &SledStore) -> Vec<(IVec, IVec)> {
    store.db.iter().collect::<Result<_, _>>().expect("reads")
}

fn blob_files(dir: &Path) -> usize {
    fs::read_dir(dir.join("sled/blobs")).expect("lists").count()
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("makes");
    for entry in fs::read_dir(from).expect("lists") {
        let entry = entry.expect("lists");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("is something").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copies");
        }
    }
}

#[test]
fn the_directory_is_for_its_owner_alone() {
    let (_home, dir) = home();
    let _store = open(&dir);
    assert_eq!(
        fs::metadata(&dir).expect("is there").permissions().mode() & 0o777,
        0o700
    );
}

#[test]
fn what_was_acknowledged_is_in_the_files_though_nobody_closed_the_store() {
    let (_home, dir) = home();
    let store = open(&dir);
    let mut last = 0;
    for at in 0..60_u32 {
        last = store.reserve();
        commit(&store, |b| {
            b.put(at.to_be_bytes(), vec![at as u8; at as usize * 400])
                .append_feed("x")
                .count(Counter::Synced, 2)
        });
    }
    // What a killed process leaves: the files as they are, and no lock.
    let killed = dir.with_file_name("killed");
    copy_tree(&dir, &killed);
    let found = open(&killed);
    assert!(everything(&found) == everything(&store));
    assert_eq!((found.feed_head(), found.counter(Counter::Synced)), (60, 120));
    assert!(found.reserve() > last);
}

#[test]
fn an_interrupted_snapshot_does_not_keep_the_store_from_opening() {
    let (_home, dir) = home();
    let store = open(&dir);
    commit(&store, |b| b.put("a", "1"));
    drop(store);
    let torn = dir.join("sled/snap.00000000000FFFFF.generating");
    fs::write(&torn, b"half a snap").expect("writes");
    let store = open(&dir);
    assert!(!torn.exists());
    assert_eq!(store.get(b"a").expect("reads"), Some(b"1".to_vec()));
}

#[test]
fn a_store_in_use_is_refused_and_free_after_it_was_dropped() {
    let (_home, dir) = home();
    let store = open(&dir);
    let second = SledStore::open(&dir, SledOptions::new("other"));
    assert!(matches!(second, Err(OpenError::Locked { dir: named }) if named == dir));
    commit(&store, |b| b.put("a", "1"));
    drop(store);
    assert_eq!(open(&dir).feed_epoch(), "epoch");
}

#[test]
fn a_store_of_a_newer_program_is_refused_and_left_alone() {
    let (_home, dir) = home();
    let store = open(&dir);
    let mut row = store.db.get(META_KEY).expect("reads").expect("is there").to_vec();
    row[4..8].copy_from_slice(&(FORMAT + 1).to_be_bytes());
    drop(store);
    let db = open_engine(&dir.join("sled"), 1 << 20).expect("opens");
    db.insert(META_KEY, row.as_slice()).expect("writes");
    drop(db);
    let refused = SledStore::open(&dir, SledOptions::new("epoch"));
    assert!(
        matches!(refused, Err(OpenError::NewerFormat { found, supported: FORMAT }) if found == FORMAT + 1)
    );
    let db = open_engine(&dir.join("sled"), 1 << 20).expect("opens");
    assert_eq!(db.get(META_KEY).expect("reads").as_deref(), Some(row.as_slice()));
}

#[test]
fn rows_without_the_stores_own_row_are_damage_and_not_a_new_store() {
    let (_home, dir) = home();
    let store = open(&dir);
    commit(&store, |b| b.put("a", "1"));
    drop(store);
    let db = open_engine(&dir.join("sled"), 1 << 20).expect("opens");
    db.remove(META_KEY).expect("removes");
    drop(db);
    let refused = SledStore::open(&dir, SledOptions::new("epoch"));
    assert!(matches!(
        refused,
        Err(OpenError::Store(StoreError::Damaged { .. }))
    ));
}

#[test]
fn a_damaged_snapshot_is_an_error_and_not_a_panic() {
    let (_home, dir) = home();
    drop(open(&dir));
    fs::write(dir.join("sled/snap.7FFFFFFFFFFFFFFF"), b"not a snapshot at all").expect("writes");
    let refused = SledStore::open(&dir, SledOptions::new("epoch"));
    assert!(matches!(
        refused,
        Err(OpenError::Store(StoreError::Damaged { .. }))
    ));
}

#[test]
fn a_replaced_or_deleted_long_value_leaves_no_chunk_behind() {
    let (_home, dir) = home();
    let store = open(&dir);
    let chunks = || {
        raw_entries(&store)
            .iter()
            .filter(|(key, _)| key[0] == chunks::CHUNK_PREFIX)
            .count()
    };
    let expected = |len: usize| len.div_ceil(INLINE_BYTES);
    commit(&store, |b| b.put("a", vec![1; 100_000]).put("b", vec![2; 50_000]));
    assert_eq!(chunks(), expected(100_000) + expected(50_000));
    commit(&store, |b| b.put("a", vec![3; 70_000]).put("b", "short"));
    assert_eq!(chunks(), expected(70_000));
    commit(&store, |b| {
        b.put("b", vec![4; 6_000])
            .put("a", vec![5; 70_000])
            .put("a", vec![6; 20_000])
    });
    assert_eq!(chunks(), expected(6_000) + expected(20_000));
    commit(&store, |b| b.delete("a").delete("b"));
    assert_eq!(raw_entries(&store).len(), 1);
}

#[test]
fn nothing_in_the_engine_is_large_enough_for_a_blob_file() {
    let (_home, dir) = home();
    let store = open(&dir);
    let clock = crate::clock::ManualClock::new(0, 7);
    let random = |below: usize| (crate::clock::Clock::random(&clock) % below as u64) as usize;
    // Long keys, the longest inline values side by side, long values that come and go: pages as large as they get.
    for _ in 0..150 {
        commit(&store, |b| {
            for _ in 0..8 {
                let mut key = vec![b'k'; super::super::MAX_KEY_BYTES - 1];
                key.push(random(200) as u8);
                match random(4) {
                    0 => b.delete(key),
                    1 => b.put(key, vec![1; 10_000 + random(60_000)]),
                    _ => b.put(key, vec![2; INLINE_BYTES]),
                };
            }
            b
        });
        assert_eq!(blob_files(&dir), 0);
    }
    let longest = raw_entries(&store).iter().map(|(_, value)| value.len()).max();
    assert_eq!(longest, Some(INLINE_BYTES + 1));
}

#[test]
fn a_batch_larger_than_the_engines_buffers_is_committed() {
    let (_home, dir) = home();
    let store = open(&dir);
    commit(&store, |b| {
        (0..3000_u32)
            .fold(b, |b, at| b.put(at.to_be_bytes(), vec![at as u8; 4000]))
            .put("z", vec![9; 4 << 20])
    });
    drop(store);
    let store = open(&dir);
    assert_eq!(everything(&store).len(), 3001);
    assert_eq!(blob_files(&dir), 0);
}

#[test]
fn closing_commits_what_waits_and_takes_nothing_new() {
    let (_home, dir) = home();
    let store = open(&dir);
    let waiting: Vec<_> = (0..200_u8)
        .map(|at| store.commit(batch(|b| b.put([at], "x"))))
        .collect();
    store.close().expect("closes");
    assert!(waiting.into_iter().all(|one| wait(one).is_ok()));
    assert!(matches!(
        wait(store.commit(batch(|b| b.put("late", "x")))),
        Err(CommitError::Closed)
    ));
    assert_eq!(everything(&store).len(), 200);
    let next = store.reserve();
    drop(store);
    // A clean end skips no numbers.
    assert_eq!(open(&dir).reserve(), next);
}

#[test]
fn commits_that_wait_for_each_other_share_their_syncs() {
    let (_home, dir) = home();
    let store = open(&dir);
    let waiting: Vec<_> = (0..400_u32)
        .map(|at| store.commit(batch(|b| b.put(at.to_be_bytes(), "x"))))
        .collect();
    assert!(waiting.into_iter().all(|one| wait(one).is_ok()));
    let stats = store.stats();
    assert_eq!(stats.commits, 400);
    assert!(stats.groups < 400, "{stats:?}");
    assert!(stats.bytes_on_disk > 0);
}

#[test]
fn generations_are_not_used_again_after_a_restart() {
    let (_home, dir) = home();
    let mut seen = BTreeSet::new();
    for at in 0..3_u8 {
        let store = open(&dir);
        commit(&store, |b| b.put([at], vec![at; INLINE_BYTES + 1]));
        let chunks = raw_entries(&store)
            .into_iter()
            .map(|(key, _)| key)
            .filter(|key| key[0] == chunks::CHUNK_PREFIX);
        seen.extend(chunks.map(|key| key[1..9].to_vec()));
    }
    assert_eq!(seen.len(), 3);
}
