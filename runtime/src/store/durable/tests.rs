//! The store that keeps itself: opened again after an error, rewritten while it serves.

use std::{path::Path, time::Instant};

use super::super::conformance::{batch, wait};
use super::super::opening::OpeningParts;
use super::super::{SpaceSettings, probe, salvage};
use super::*;

fn opening(dir: &Path) -> Opening {
    Opening::new(OpeningParts {
        data_dir: dir.to_owned(),
        backups: dir.join("backups"),
        cache_bytes: 4 << 20,
        timer: None,
        on_commit: None,
        epoch: Arc::new(|| "epoch".to_owned()),
        now_ms: Arc::new(|| 1_800_000_000_000),
        prober: Arc::new(|dir, deep, _| probe::look(dir, deep)),
        salvager: Arc::new(|from, to| salvage::salvage(from, to).map_err(|error| error.to_string())),
        space: SpaceSettings {
            min_free_bytes: Some(0),
            ballast_bytes: Some(0),
        },
        compact_min_bytes: u64::MAX,
    })
}

fn open(dir: &Path) -> DurableStore {
    DurableStore::open(opening(dir), || panic!("it is what it was")).expect("opens")
}

#[expect(clippy::disallowed_methods, reason = "a test may ask how long it waits")]
fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what} did not come");
        thread::yield_now();
    }
}

#[test]
fn after_an_error_nothing_is_acknowledged_until_it_is_open_again_by_itself() {
    let home = tempfile::tempdir().expect("a directory");
    let store = open(home.path());
    wait(store.commit(batch(|b| b.put("a", "1")))).expect("commits");
    let number = store.reserve();
    let inner = match &*store.shared.state.read() {
        State::Open(inner) => inner.clone(),
        _ => panic!("it is open"),
    };
    inner
        .ledger()
        .fail(StoreError::Io(std::io::Error::other("a broken cable")));
    assert!(wait(inner.commit(batch(|b| b.put("b", "1")))).is_err());
    drop(inner);
    until("the store is open again", || store.health().is_ok());
    assert_eq!(store.report().condition, Condition::Open);
    assert_eq!(store.get(b"a").expect("reads"), Some(b"1".to_vec()));
    assert_eq!(store.get(b"b").expect("reads"), None);
    wait(store.commit(batch(|b| b.put("c", "1")))).expect("commits");
    assert!(store.reserve() > number);
    assert!(store.stats().commits >= 2);
    store.close().expect("closes");
}

#[test]
fn it_is_rewritten_while_it_serves_and_no_commit_is_lost_or_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let store = Arc::new(open(home.path()));
    for round in 0..40_u8 {
        let write = |b: &mut Batch| {
            for at in 0..100_u8 {
                b.put([b'k', at], vec![round; 3000]);
            }
        };
        let mut batch = Batch::new();
        write(&mut batch);
        wait(store.commit(batch)).expect("commits");
    }
    let writing = store.clone();
    let writer = thread::spawn(move || {
        let mut last = 0;
        for at in 0..600_u32 {
            wait(writing.commit(batch(|b| b.put("last", at.to_be_bytes())))).expect("commits");
            assert!(writing.get(b"last").expect("reads").is_some());
            last = at;
        }
        last
    });
    let done = wait(store.compact()).expect("is rewritten");
    assert!(done.bytes_after * 2 < done.bytes_before, "{done:?}");
    let last = writer.join().expect("writes");
    assert_eq!(
        store.get(b"last").expect("reads"),
        Some(last.to_be_bytes().to_vec())
    );
    let head = store.scan(b"k", b"l", Direction::Forward, 1000).expect("scans");
    assert_eq!(head.len(), 100);
    store.close().expect("closes");
    drop(store);
    let again = open(home.path());
    assert_eq!(
        again.get(b"last").expect("reads"),
        Some(last.to_be_bytes().to_vec())
    );
}

#[test]
fn closing_twice_is_fine_and_frees_the_directory() {
    let home = tempfile::tempdir().expect("a directory");
    let store = open(home.path());
    store.close().expect("closes");
    store.close().expect("closes");
    drop(store);
    drop(open(home.path()));
}
