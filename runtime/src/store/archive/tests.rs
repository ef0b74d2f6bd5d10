//! An archive is what it was made of, or it is refused.

use super::*;
use crate::store::{
    Batch, Entry, MemoryStore, OpenError, SledOptions, SledStore,
    conformance::{commit, everything, wait},
    rewound::Cause,
};
use proptest::prelude::*;
use std::fs;

fn pack(store: &dyn Store, made_at: i64) -> (ArchiveInfo, Vec<u8>) {
    let mut bytes = Vec::new();
    let info = write(store, &mut bytes, Millis(made_at)).expect("writes");
    assert_eq!(info.bytes, bytes.len() as u64);
    (info, bytes)
}

fn unpack(bytes: &[u8]) -> Result<(ArchiveInfo, Meta, Vec<Entry>), ArchiveError> {
    let mut entries = Vec::new();
    let (info, meta) = read(bytes, |key, value| {
        entries.push((key.to_vec(), value.to_vec()));
        Ok(())
    })?;
    Ok((info, meta, entries))
}

fn store_of(rows: &[(Vec<u8>, Vec<u8>)]) -> MemoryStore {
    let store = MemoryStore::new("epoch");
    let mut batch = Batch::new();
    for (key, value) in rows {
        batch.put(key.clone(), value.clone());
    }
    wait(store.commit(batch)).expect("commits");
    store
}

fn some_store() -> MemoryStore {
    let store = store_of(&[
        (b"a".to_vec(), b"one".to_vec()),
        (b"b".to_vec(), vec![7; 90]),
        (b"c".to_vec(), Vec::new()),
    ]);
    commit(&store, |batch| batch.append_feed("fed"));
    store
}

fn rewound() -> Rewound {
    Rewound::new(Millis(1), Cause::Restored, "a test".to_owned(), None)
}

#[test]
fn every_truncated_beginning_is_refused() {
    let (_, bytes) = pack(&some_store(), 5);
    assert!(unpack(&bytes).is_ok());
    for len in 0..bytes.len() {
        let error = unpack(&bytes[..len]).expect_err("is cut off");
        let fits = if len < 8 {
            matches!(error, ArchiveError::Foreign)
        } else {
            matches!(error, ArchiveError::Truncated)
        };
        assert!(fits && error.is_about_the_file(), "at {len}: {error}");
    }
}

#[test]
fn every_flipped_bit_is_refused() {
    let (_, bytes) = pack(&some_store(), 5);
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let error = unpack(&bad).expect_err("a bit is wrong");
        assert!(error.is_about_the_file(), "bit {bit}: {error}");
    }
}

#[test]
fn what_follows_the_end_is_refused() {
    let (_, mut bytes) = pack(&some_store(), 5);
    bytes.push(0);
    assert!(matches!(unpack(&bytes), Err(ArchiveError::Damaged { .. })));
}

#[test]
fn something_else_and_something_newer_are_called_that() {
    assert!(matches!(
        unpack(b"PK\x03\x04 a zip file"),
        Err(ArchiveError::Foreign)
    ));
    let (_, mut bytes) = pack(&some_store(), 5);
    bytes[11] += 1;
    let newer = unpack(&bytes).expect_err("is newer");
    assert!(
        matches!(
            newer,
            ArchiveError::Newer {
                found: 2,
                supported: 1
            }
        ),
        "{newer}"
    );
}

#[test]
fn an_archive_of_a_newer_store_is_refused_by_its_number() {
    let mut bytes = Vec::new();
    let mut packer = Packer::new(&mut bytes);
    let mut row = Meta::new("epoch".to_owned()).encode();
    row[4..8].copy_from_slice(&(STORE_FORMAT + 1).to_be_bytes());
    packer.header(Millis(0), &row).expect("writes");
    packer.finish().expect("writes");
    let found = unpack(&bytes).expect_err("is newer");
    assert!(
        matches!(found, ArchiveError::Newer { found, .. } if found == STORE_FORMAT + 1),
        "{found}"
    );
}

#[test]
fn lengths_that_lie_take_no_memory_and_are_refused() {
    let (_, bytes) = pack(&some_store(), 5);
    let meta_len = u32::from_be_bytes(bytes[20..24].try_into().unwrap()) as usize;
    let block = 24 + meta_len;
    for at in [20, block, block + 4] {
        let mut bad = bytes.clone();
        bad[at..at + 4].copy_from_slice(&u32::MAX.to_be_bytes());
        let error = unpack(&bad).expect_err("lies");
        assert!(matches!(error, ArchiveError::Damaged { .. }), "at {at}: {error}");
    }
}

#[test]
fn values_of_many_blocks_come_back() {
    let noise: Vec<u8> = (0..1_500_000_u32)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let store = store_of(&[
        (b"a".to_vec(), noise),
        (b"b".to_vec(), vec![0; 1_000_000]),
        (b"z".to_vec(), b"last".to_vec()),
    ]);
    let (info, bytes) = pack(&store, 5);
    assert_eq!(unpack(&bytes).expect("reads").2, everything(&store));
    assert_eq!(info.entries, 3);
    assert!(bytes.len() < 2_000_000, "zeros take no room: {}", bytes.len());
}

#[test]
fn every_kind_of_store_is_written_alike_while_commits_go_on() {
    struct Meddler<'a> {
        store: &'a dyn Store,
        out: Vec<u8>,
    }
    impl Write for Meddler<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            // After the moment of the archive, whatever the store is.
            if self.out.is_empty() && self.store.stats().bytes_on_disk > 0 {
                commit(self.store, |batch| {
                    batch.put("a", "later").delete("k5").put("zz", "later")
                });
            }
            self.out.write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let dir = tempfile::tempdir().expect("a directory");
    let on_disk = SledStore::open(dir.path(), SledOptions::new("epoch")).expect("opens");
    let in_memory = MemoryStore::new("epoch");
    let packed = [&on_disk as &dyn Store, &in_memory].map(|store| {
        for n in 0..300_usize {
            commit(store, |batch| {
                batch
                    .put(format!("k{n}"), vec![n as u8; n * 40])
                    .append_feed(format!("fed {n}"))
            });
        }
        let mut out = Meddler {
            store,
            out: Vec::new(),
        };
        write(store, &mut out, Millis(5)).expect("writes");
        unpack(&out.out).expect("reads")
    });
    let [(disk, _, from_disk), (memory, _, from_memory)] = packed;
    assert_eq!(from_disk, from_memory);
    assert_eq!((disk.entries, disk.epoch), (memory.entries, memory.epoch));
    assert_eq!(
        on_disk.get(b"a").expect("reads").as_deref(),
        Some(b"later".as_slice())
    );
}

#[test]
fn a_restored_store_holds_the_same_under_another_name_and_says_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, target) = (dir.path().join("file"), dir.path().join("store"));
    let store = some_store();
    let (info, bytes) = pack(&store, 5);
    fs::write(&path, bytes).expect("writes");
    assert_eq!(verify(&path).expect("is whole"), info);

    let restored = restore(&path, &target, &rewound(), "other".to_owned(), 1_800_000_000_000);
    assert_eq!(restored.expect("restores"), info);
    let found = SledStore::open(&target, SledOptions::new("unused")).expect("opens");
    let mut expected = everything(&store);
    expected.push(rewound().row());
    expected.sort();
    assert_eq!(everything(&found), expected);
    assert_eq!(found.feed_epoch(), "other");
    // Numbers of the lost time do not come again.
    assert!(found.feed_head() >= 1_800_000_000_000);
    assert!(found.reserve() >= 1_800_000_000_000);
    assert!(found.version_floor() >= 1_800_000_000);
    found.close().expect("closes");
    drop(found);

    let again = restore(&path, &target, &rewound(), "third".to_owned(), 0).expect_err("a store is there");
    assert!(
        matches!(again, ArchiveError::Open(OpenError::Exists { .. })),
        "{again}"
    );
}

#[test]
fn a_restored_backup_of_a_restored_store_says_it_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("file");
    let store = some_store();
    let (key, _) = rewound().row();
    commit(&store, |batch| batch.put(key, "an older one"));
    fs::write(&path, pack(&store, 5).1).expect("writes");
    let target = dir.path().join("store");
    restore(&path, &target, &rewound(), "other".to_owned(), 0).expect("restores");
    let found = SledStore::open(&target, SledOptions::new("unused")).expect("opens");
    let (key, value) = rewound().row();
    assert_eq!(found.get(&key).expect("reads"), Some(value));
    assert_eq!(everything(&found).len(), everything(&store).len());
}

#[test]
fn a_damaged_file_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let (path, target) = (dir.path().join("file"), dir.path().join("store"));
    let (_, mut bytes) = pack(&some_store(), 5);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, bytes).expect("writes");
    let refused = restore(&path, &target, &rewound(), "other".to_owned(), 0).expect_err("is damaged");
    assert!(matches!(refused, ArchiveError::Damaged { .. }), "{refused}");
    assert!(!target.exists());
}

#[test]
fn an_archive_that_cannot_be_written_says_why() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let error = write(&some_store(), Full, Millis(0)).expect_err("there is no room");
    assert!(
        matches!(&error, ArchiveError::Write(error) if error.kind() == std::io::ErrorKind::StorageFull),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_store_comes_back_as_it_was(
        rows in prop::collection::btree_map(
            prop::collection::vec(0..RESERVED_FOR_TESTS, 1..40),
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..300),
                (any::<u8>(), 0..600_000_usize).prop_map(|(byte, len)| vec![byte; len]),
            ],
            0..20,
        ),
        made_at in any::<i64>(),
    ) {
        let rows: Vec<_> = rows.into_iter().collect();
        let store = store_of(&rows);
        let (info, bytes) = pack(&store, made_at);
        let (found, meta, entries) = unpack(&bytes).expect("reads");
        prop_assert_eq!(&found, &info);
        prop_assert_eq!(found.made_at, Millis(made_at));
        prop_assert_eq!(entries, rows);
        prop_assert_eq!(meta.epoch(), "epoch");
        prop_assert_eq!(meta.commits(), info.commits);
    }

    #[test]
    fn a_large_archive_with_one_wrong_byte_or_less_than_all_is_refused(
        seed in any::<u64>(),
        at in any::<prop::sample::Index>(),
        flip in 1..=u8::MAX,
    ) {
        let mut state = seed;
        let value: Vec<u8> = (0..700_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (state >> 60) as u8
            })
            .collect();
        let (_, mut bytes) = pack(&store_of(&[(b"k".to_vec(), value)]), 0);
        let at = at.index(bytes.len());
        prop_assert!(unpack(&bytes[..at]).is_err());
        bytes[at] ^= flip;
        prop_assert!(unpack(&bytes).is_err());
    }
}

/// Bytes that a user's key may be made of, its first one too.
const RESERVED_FOR_TESTS: u8 = crate::store::RESERVED;
