//! The rungs, each with a store that needs it. The looks are had in this process.

use std::fs;

use super::super::conformance::wait;
use super::super::rewound::REWOUND;
use super::super::rows::decode;
use super::super::{Batch, Importer, keys, probe, salvage};
use super::journal::JOURNAL;
use super::*;

/// An outlet's data directory.
struct Home {
    dir: tempfile::TempDir,
    compact_min_bytes: u64,
}

impl Home {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().expect("a directory"),
            compact_min_bytes: u64::MAX,
        }
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn sled(&self) -> PathBuf {
        self.path().join("store/sled")
    }

    fn opening(&self) -> Opening {
        Opening::new(OpeningParts {
            data_dir: self.path().to_owned(),
            backups: self.path().join("backups"),
            cache_bytes: 4 << 20,
            timer: None,
            on_commit: None,
            epoch: {
                let next = std::sync::atomic::AtomicU64::new(0);
                let home = self.path().display().to_string();
                Arc::new(move || {
                    let n = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    let existing = fs::read_dir(&home).map_or(0, Iterator::count);
                    format!("epoch-{existing}-{n}")
                })
            },
            now_ms: Arc::new(|| 1_800_000_000_000),
            prober: Arc::new(|dir, deep, _| probe::look(dir, deep)),
            salvager: Arc::new(|from, to| salvage::salvage(from, to).map_err(|error| chain(&error))),
            space: SpaceSettings {
                min_free_bytes: Some(0),
                ballast_bytes: Some(0),
            },
            compact_min_bytes: self.compact_min_bytes,
        })
    }

    fn open(&self) -> (Opened, Opening) {
        let opening = self.opening();
        let space = opening.space().expect("asks");
        let opened = opening.open(&space, false).expect("opens");
        (opened, opening)
    }

    /// Makes a store with so many commits, and ends.
    fn fill(&self, commits: u32) {
        let (opened, opening) = self.open();
        assert!(opened.steps.is_empty() && !opened.rewound);
        put(&opened.store, 0..commits);
        opened.store.close().expect("closes");
        opening.sync_mark();
    }
}

fn put(store: &SledStore, range: std::ops::Range<u32>) {
    for at in range {
        let mut batch = Batch::new();
        batch.put(named(at), vec![at as u8; 600]);
        wait(store.commit(batch)).expect("commits");
    }
}

fn named(at: u32) -> Vec<u8> {
    format!("z{at:06}").into_bytes()
}

fn held(store: &SledStore) -> u32 {
    let rows = store
        .scan(b"z", b"{", Direction::Forward, usize::MAX)
        .expect("scans");
    rows.len() as u32
}

fn rewound(store: &SledStore) -> Option<Rewound> {
    let key = keys::named(keys::META, REWOUND.as_bytes());
    let row = store.get(&key).expect("reads")?;
    Some(decode(&key, &row).expect("decodes"))
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

use super::super::Direction;

#[test]
fn a_store_that_is_whole_opens_without_a_step() {
    let home = Home::new();
    home.fill(30);
    let (opened, _) = home.open();
    assert_eq!((held(&opened.store), opened.steps.len()), (30, 0));
    assert_eq!(rewound(&opened.store), None);
}

#[test]
fn a_database_that_lacks_acknowledged_commits_says_so_and_goes_on_under_another_name() {
    let home = Home::new();
    home.fill(10);
    let earlier = home.path().join("earlier");
    copy_tree(&home.sled(), &earlier);
    let (opened, opening) = home.open();
    let (epoch, numbers) = (opened.store.feed_epoch(), opened.store.reserve());
    put(&opened.store, 10..25);
    opened.store.close().expect("closes");
    opening.sync_mark();
    drop(opened);
    fs::remove_dir_all(home.sled()).expect("removes");
    copy_tree(&earlier, &home.sled());

    let (opened, opening) = home.open();
    let said = rewound(&opened.store).expect("says so");
    assert_eq!((said.cause, said.lost_commits), (Cause::Truncated, Some(15)));
    assert!(opened.rewound && !opened.steps.is_empty());
    assert_ne!(opened.store.feed_epoch(), epoch);
    assert!(opened.store.reserve() > numbers + 1_000_000);
    assert!(opened.store.version_floor() > 1_000_000);
    assert_eq!(held(&opened.store), 10);
    let journal = fs::read_to_string(home.path().join(JOURNAL)).expect("is there");
    assert!(journal.contains("15 acknowledged commits"), "{journal}");
    // Said once: the store is what it is from here on.
    opened.store.close().expect("closes");
    opening.sync_mark();
    drop(opened);
    let (opened, _) = home.open();
    assert!(!opened.rewound && opened.steps.is_empty());
}

#[test]
fn what_is_left_of_a_truncated_database_is_made_to_fit_together() {
    let home = Home::new();
    home.fill(10);
    let (opened, opening) = home.open();
    let dangling = [keys::numbered(keys::ITEM, 7), keys::numbered(keys::FAILED, 7)];
    let mut batch = Batch::new();
    for key in &dangling {
        batch.put(key.clone(), b"names what is not there".to_vec());
    }
    wait(opened.store.commit(batch)).expect("commits");
    opened.store.close().expect("closes");
    drop(opened);
    let earlier = home.path().join("earlier");
    copy_tree(&home.sled(), &earlier);
    let (opened, _) = home.open();
    put(&opened.store, 10..25);
    opened.store.close().expect("closes");
    opening.sync_mark();
    drop(opened);
    fs::remove_dir_all(home.sled()).expect("removes");
    copy_tree(&earlier, &home.sled());

    let (opened, _) = home.open();
    assert_eq!(
        rewound(&opened.store).map(|said| said.cause),
        Some(Cause::Truncated)
    );
    for key in &dangling {
        assert_eq!(opened.store.get(key).expect("reads"), None);
    }
    assert_eq!(held(&opened.store), 10);
}

#[test]
fn a_backup_that_has_more_than_a_truncated_database_takes_its_place() {
    let home = Home::new();
    home.fill(10);
    let earlier = home.path().join("earlier");
    copy_tree(&home.sled(), &earlier);
    let (opened, opening) = home.open();
    put(&opened.store, 10..20);
    backup(&home, &opened.store);
    put(&opened.store, 20..25);
    opened.store.close().expect("closes");
    opening.sync_mark();
    drop(opened);
    fs::remove_dir_all(home.sled()).expect("removes");
    copy_tree(&earlier, &home.sled());

    let (opened, _) = home.open();
    let said = rewound(&opened.store).expect("says so");
    assert_eq!(
        (said.cause, said.lost_commits),
        (Cause::RestoredByItself, Some(5))
    );
    assert_eq!(held(&opened.store), 20);
    assert_eq!(
        fs::read_dir(home.path().join("quarantine"))
            .expect("is there")
            .count(),
        1
    );
}

#[test]
fn a_backup_that_has_more_than_can_be_read_of_a_broken_database_takes_its_place() {
    let home = Home::new();
    home.fill(60);
    let earlier = home.path().join("earlier");
    copy_tree(&home.sled(), &earlier);
    let (opened, opening) = home.open();
    put(&opened.store, 60..80);
    backup(&home, &opened.store);
    put(&opened.store, 80..85);
    opened.store.close().expect("closes");
    opening.sync_mark();
    drop(opened);
    // An older state comes back, and is broken on top of it.
    fs::remove_dir_all(home.sled()).expect("removes");
    copy_tree(&earlier, &home.sled());
    let db = home.sled().join("db");
    let mut bytes = fs::read(&db).expect("reads");
    bytes[2000..2100].fill(0xAA);
    fs::write(&db, &bytes).expect("writes");

    let (opened, _) = home.open();
    assert_eq!(held(&opened.store), 80, "{:?}", opened.steps);
    let said = rewound(&opened.store).expect("says so");
    assert_eq!(
        (said.cause, said.lost_commits),
        (Cause::RestoredByItself, Some(5))
    );
    let journal = fs::read_to_string(home.path().join(JOURNAL)).expect("is there");
    assert!(
        journal.contains("lacks 20 commits that a backup has"),
        "{journal}"
    );
}

fn backup(home: &Home, store: &SledStore) {
    let dir = home.path().join("backups");
    fs::create_dir_all(&dir).expect("makes");
    let at = Millis(1_700_000_000_000);
    let file = fs::File::create(dir.join(archive::name(at))).expect("creates");
    archive::write(store, file, at).expect("writes");
}

#[test]
fn a_damaged_snapshot_costs_nothing() {
    let home = Home::new();
    home.fill(30);
    fs::write(
        home.sled().join("snap.7FFFFFFFFFFFFFFF"),
        b"not a snapshot at all",
    )
    .expect("writes");
    let (opened, _) = home.open();
    assert_eq!(held(&opened.store), 30);
    assert!(!opened.rewound && opened.steps.len() == 2, "{:?}", opened.steps);
    assert_eq!(rewound(&opened.store), None);
    let kept = fs::read_dir(home.path().join("quarantine"))
        .expect("is there")
        .count();
    assert_eq!(kept, 1);
}

#[test]
fn a_settings_file_that_is_missing_or_cut_costs_nothing() {
    for damage in [
        None,
        Some(&b""[..]),
        Some(b"segm"),
        Some(b"segment_size: 7\n1234"),
    ] {
        let home = Home::new();
        home.fill(12);
        let conf = home.sled().join("conf");
        match damage {
            None => fs::remove_file(conf).expect("removes"),
            Some(bytes) => fs::write(conf, bytes).expect("writes"),
        }
        let (opened, _) = home.open();
        assert_eq!((held(&opened.store), opened.rewound), (12, false), "{damage:?}");
    }
}

#[test]
fn without_its_database_the_newest_whole_backup_is_taken_and_without_one_it_begins_anew() {
    for backed_up in [true, false] {
        let home = Home::new();
        let (opened, opening) = home.open();
        put(&opened.store, 0..10);
        if backed_up {
            backup(&home, &opened.store);
            // A newer one that is not whole.
            let newer = home
                .path()
                .join("backups")
                .join(archive::name(Millis(1_750_000_000_000)));
            fs::write(newer, b"cut").expect("writes");
        }
        put(&opened.store, 10..14);
        opened.store.close().expect("closes");
        opening.sync_mark();
        drop(opened);
        fs::remove_file(home.sled().join("db")).expect("removes");
        let (opened, _) = home.open();
        let said = rewound(&opened.store).expect("says so");
        let expected = if backed_up {
            (10, Cause::RestoredByItself, Some(4))
        } else {
            (0, Cause::Emptied, Some(14))
        };
        assert_eq!((held(&opened.store), said.cause, said.lost_commits), expected);
    }
}

#[test]
fn of_a_database_with_broken_pages_all_others_are_kept() {
    let whole = Home::new();
    whole.fill(4000);
    let bytes = fs::read(whole.sled().join("db")).expect("reads");
    let used = bytes.iter().rposition(|byte| *byte != 0).expect("has bytes");
    let mut damaged = 0;
    for eighth in 1..8 {
        let home = Home::new();
        copy_tree(&whole.path().join("store"), &home.path().join("store"));
        let mut bytes = bytes.clone();
        let at = used * eighth / 8;
        for byte in &mut bytes[at..at + 3000] {
            *byte ^= 0x5A;
        }
        fs::write(home.sled().join("db"), &bytes).expect("writes");
        let (opened, _) = home.open();
        let (kept, said) = (held(&opened.store), rewound(&opened.store));
        assert!(kept >= 3800, "{kept} kept: {:?}", opened.steps);
        if kept < 4000 {
            assert!(opened.rewound && said.is_some(), "{:?}", opened.steps);
        }
        damaged += u32::from(opened.rewound);
        // It works on.
        put(&opened.store, 5000..5010);
        assert_eq!(held(&opened.store), kept + 10);
    }
    // Some of the log is of pages that were written anew since.
    assert!(damaged >= 2, "{damaged}");
}

#[test]
fn a_database_that_is_mostly_free_is_rewritten_at_the_start() {
    let mut home = Home::new();
    let (opened, opening) = home.open();
    for round in 0..20_u32 {
        let mut batch = Batch::new();
        for at in 0..800 {
            batch.put(named(at), vec![round as u8; 3000]);
        }
        wait(opened.store.commit(batch)).expect("commits");
    }
    let mut batch = Batch::new();
    for at in 5..800 {
        batch.delete(named(at));
    }
    wait(opened.store.commit(batch)).expect("commits");
    let (before, live) = (
        opened.store.stats().bytes_on_disk,
        opened.store.stats().live_bytes,
    );
    opened.store.close().expect("closes");
    opening.sync_mark();
    drop(opened);
    home.compact_min_bytes = 0;
    let (opened, _) = home.open();
    let stats = opened.store.stats();
    assert_eq!((held(&opened.store), stats.live_bytes), (5, live));
    assert!(
        stats.bytes_on_disk * 2 < before,
        "{} of {before}",
        stats.bytes_on_disk
    );
    assert!(opened.steps.is_empty() && !opened.rewound);
}

#[test]
fn a_replacement_that_was_interrupted_anywhere_ends_in_one_of_the_two() {
    // Complete, and the old one has stepped aside.
    let home = Home::new();
    home.fill(7);
    let store = home.path().join("store");
    copy_tree(&home.sled(), &store.join("sled.new"));
    fs::rename(home.sled(), store.join("sled.old")).expect("renames");
    let (opened, _) = home.open();
    assert_eq!((held(&opened.store), opened.rewound), (7, false));
    drop(opened);
    assert!(!store.join("sled.new").exists() && !store.join("sled.old").exists());
    // Half made.
    fs::create_dir(store.join("sled.new")).expect("makes");
    fs::write(store.join("sled.new/db"), b"half").expect("writes");
    let (opened, _) = home.open();
    assert_eq!(held(&opened.store), 7);
    drop(opened);
    // An import that was never finished.
    let fresh = Home::new();
    let importer = Importer::create(&fresh.path().join("store"), 1 << 20).expect("begins");
    drop(importer);
    let (opened, _) = fresh.open();
    assert_eq!((held(&opened.store), opened.steps.len()), (0, 0));
}

#[test]
fn what_is_not_the_files_fault_is_refused_and_nothing_is_touched() {
    let home = Home::new();
    home.fill(3);
    let (opened, _) = home.open();
    let opening = home.opening();
    let space = opening.space().expect("asks");
    let refused = opening.open(&space, false);
    assert!(matches!(refused, Err(OpenError::Locked { .. })));
    drop(opened);
    let mut denied = home.opening();
    denied.parts.prober = Arc::new(|_, _, _| Err(Unusable::Denied("no permission".to_owned())));
    assert!(matches!(
        denied.open(&space, false),
        Err(OpenError::Unusable { .. })
    ));
    denied.parts.prober = Arc::new(|_, _, _| {
        Err(Unusable::Newer {
            found: 9,
            supported: 2,
        })
    });
    let refused = denied.open(&space, false);
    assert!(matches!(refused, Err(OpenError::NewerFormat { found: 9, .. })));
    assert!(!home.path().join("quarantine").exists());
    let (opened, _) = home.open();
    assert_eq!(held(&opened.store), 3);
}
