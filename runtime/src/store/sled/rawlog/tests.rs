//! The file, read without the engine, against what the engine's own store gives.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
};

use tempfile::TempDir;

use super::super::super::{
    Batch, SledOptions, SledStore, Store,
    conformance::{everything, wait},
    mark,
    salvage::salvage,
};
use super::*;

/// Numbers that look random.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

/// All values each key ever had.
type History = HashSet<(Vec<u8>, Vec<u8>)>;

fn open(dir: &Path) -> SledStore {
    SledStore::open(dir, SledOptions::new("epoch")).expect("opens")
}

/// Puts, replaces and deletes in random batches.
fn work(store: &SledStore, dice: &mut Dice, batches: usize, history: &mut History) {
    for _ in 0..batches {
        let mut batch = Batch::new();
        let mut touched = HashSet::new();
        for _ in 0..=dice.below(30) {
            let key = format!("z{:0width$}", dice.below(600), width = 3 + dice.below(2) * 40).into_bytes();
            if !touched.insert(key.clone()) {
                continue;
            }
            if dice.below(3) == 0 {
                batch.delete(key);
                continue;
            }
            let len = [20, 300, 2000, 30_000][dice.below(4)];
            let value = vec![dice.below(256) as u8; dice.below(len)];
            history.insert((key.clone(), value.clone()));
            batch.put(key, value);
        }
        wait(store.commit(batch)).expect("commits");
    }
}

/// What the file holds, and how many entries are broken.
fn raw(dir: &Path) -> (BTreeMap<Vec<u8>, Vec<u8>>, u64, Option<Found>) {
    let files = Files::lock(dir).expect("locks");
    let marked = mark::read(dir);
    let (mut entries, mut broken, mut last) = (BTreeMap::new(), 0, Vec::new());
    let found = read_raw(&files, marked.as_ref(), |key, value| {
        assert!(last.as_slice() < key, "in order");
        last = key.to_vec();
        match value {
            Ok(value) => drop(entries.insert(key.to_vec(), value)),
            Err(_) => broken += 1,
        }
        Ok(())
    });
    (entries, broken, found.expect("reads"))
}

fn damage(dir: &Path) -> Option<String> {
    damage_in(dir, Scope::All)
}

fn damage_in(dir: &Path, scope: Scope) -> Option<String> {
    let files = Files::lock(dir).expect("locks");
    find_damage(&files, mark::read(dir).as_ref(), scope).expect("reads")
}

/// Only the engine's data, as a killed process leaves it.
fn copy(from: &Path) -> TempDir {
    let to = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(to.path().join("sled/blobs")).expect("makes");
    fs::copy(from.join("sled/db"), to.path().join("sled/db")).expect("copies");
    to
}

#[test]
fn the_file_alone_gives_exactly_what_the_store_holds() {
    for seed in 1..=4_u64 {
        let home = tempfile::tempdir().expect("a directory");
        let mut dice = Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut history = History::new();
        for _ in 0..3 {
            let store = open(home.path());
            for _ in 0..3 {
                work(&store, &mut dice, 15, &mut history);
                let expected: BTreeMap<_, _> = everything(&store).into_iter().collect();
                let killed = copy(home.path());
                assert_eq!(damage(killed.path()), None, "{seed}");
                let (entries, broken, found) = raw(killed.path());
                assert!(entries == expected, "{seed}");
                let found = found.expect("there is something");
                assert_eq!((broken, found.gaps), (0, 0));
                let meta = found.meta.expect("is known");
                assert_eq!(
                    (meta.epoch(), meta.commits()),
                    ("epoch", store.ledger().committed())
                );
            }
            let expected: BTreeMap<_, _> = everything(&store).into_iter().collect();
            store.close().expect("closes");
            drop(store);
            assert_eq!(damage(home.path()), None);
            assert!(raw(home.path()).0 == expected);
        }
    }
}

/// The same with its snapshots, as a power cut leaves it.
fn copy_with_snapshots(from: &Path) -> TempDir {
    let to = copy(from);
    for entry in fs::read_dir(from.join("sled")).expect("lists") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let name = path.file_name().expect("a name");
            fs::copy(&path, to.path().join("sled").join(name)).expect("copies");
        }
    }
    to
}

#[test]
fn damage_after_the_newest_snapshot_is_found_without_reading_what_is_before_it() {
    let home = tempfile::tempdir().expect("a directory");
    let mut dice = Dice(0x1234_5678_9ABC_DEF1);
    let mut history = History::new();
    let mut skipped = 0;
    for _ in 0..4 {
        let store = open(home.path());
        work(&store, &mut dice, 40, &mut history);
        let killed = copy_with_snapshots(home.path());
        assert_eq!(damage_in(killed.path(), Scope::SinceSnapshot), None);
        let engine = killed.path().join("sled");
        let snapshot = newest_snapshot(&engine).expect("lists");
        let log = Log::open(&engine).expect("opens");
        // In what was durable before the last batch was begun.
        let durable = Pages::read(&log, None).walk.durable.expect("has batches");
        assert!(durable > snapshot + 100 && durable % SEGMENT > 100);
        let db = engine.join("db");
        let mut bytes = fs::read(&db).expect("reads");
        let slots = slots(&bytes);
        let place = slots[&(durable / SEGMENT)] + (durable % SEGMENT) as usize - 10;
        bytes[place] ^= 1;
        fs::write(&db, &bytes).expect("writes");
        assert!(damage_in(killed.path(), Scope::SinceSnapshot).is_some());
        bytes[place] ^= 1;
        // In a segment before it, which the engine does not read at opening.
        if let Some((_, before)) = slots.range(..snapshot / SEGMENT).next() {
            bytes[before + 600..before + 900].fill(0xAA);
            fs::write(&db, &bytes).expect("writes");
            assert_eq!(damage_in(killed.path(), Scope::SinceSnapshot), None);
            skipped += 1;
        }
        store.close().expect("closes");
        drop(store);
        assert_eq!(damage_in(home.path(), Scope::SinceSnapshot), None);
    }
    assert!(skipped > 0);
}

/// Where in the file each segment is, by its number.
fn slots(file: &[u8]) -> BTreeMap<u64, usize> {
    let segments = file.chunks(SEGMENT as usize).enumerate();
    segments
        .filter_map(|(at, segment)| {
            let lsn = i64::from_le_bytes(segment.get(4..12)?.try_into().ok()?) ^ i64::MAX;
            Some((u64::try_from(lsn).ok()? / SEGMENT, at * SEGMENT as usize))
        })
        .collect()
}

#[test]
fn whatever_bytes_are_flipped_the_rest_is_read_and_makes_a_store_that_works() {
    let home = tempfile::tempdir().expect("a directory");
    let mut dice =
        Dice(0x2545_F491_4F6C_DD1D ^ std::env::var("XSEED").map_or(0, |s| s.parse::<u64>().unwrap()));
    let mut history = History::new();
    let store = open(home.path());
    work(&store, &mut dice, 60, &mut history);
    let expected: BTreeMap<_, _> = everything(&store).into_iter().collect();
    store.close().expect("closes");
    drop(store);
    let good = fs::read(home.path().join("sled/db")).expect("reads");
    let (mut kept, mut trials) = (0, 0);
    for trial in 0..30 {
        let broken = copy(home.path());
        let cut = trial % 3 == 0;
        let mut bytes = good.clone();
        for _ in 0..=dice.below(4) {
            let at = dice.below(bytes.len());
            let most = [1, 20, 3000][dice.below(3)];
            let len = 1 + dice.below(most);
            for byte in bytes.iter_mut().skip(at).take(len) {
                *byte ^= 1 + dice.below(255) as u8;
            }
        }
        if cut {
            bytes.truncate(dice.below(bytes.len()));
        }
        fs::write(broken.path().join("sled/db"), &bytes).expect("writes");
        let (entries, _, _) = raw(broken.path());
        for (key, value) in &entries {
            assert!(
                history.contains(&(key.clone(), value.clone())),
                "trial {trial}: {} was never written",
                String::from_utf8_lossy(key)
            );
        }
        let current = entries
            .iter()
            .filter(|(key, value)| expected.get(*key) == Some(value))
            .count();
        if !cut {
            kept += current;
            trials += 1;
        }
        let made = tempfile::tempdir().expect("a directory");
        if entries.is_empty() {
            continue;
        }
        let report = salvage(broken.path(), &made.path().join("store")).expect("salvages");
        assert_eq!(report.entries, entries.len() as u64);
        let store = open(&made.path().join("store"));
        let mut batch = Batch::new();
        batch.put(b"znew", b"works".to_vec());
        wait(store.commit(batch)).expect("commits");
        assert_eq!(everything(&store).len(), entries.len() + 1);
    }
    assert!(
        kept * 100 >= expected.len() * trials * 80,
        "{kept} of {}",
        expected.len() * trials
    );
}

#[test]
fn a_batch_that_was_not_acknowledged_and_is_torn_is_left_out_and_no_damage() {
    let home = tempfile::tempdir().expect("a directory");
    let mut history = History::new();
    let mut dice = Dice(77);
    let store = open(home.path());
    // All in the first segment: places in the log are those in the file.
    let mut batch = Batch::new();
    for at in 0..40 {
        batch.put(format!("z{at:03}").into_bytes(), vec![1; 100]);
    }
    wait(store.commit(batch)).expect("commits");
    let before: BTreeMap<_, _> = everything(&store).into_iter().collect();
    let mut batch = Batch::new();
    for at in 0..40 {
        batch.put(format!("z{at:03}").into_bytes(), vec![2; 100]);
    }
    wait(store.commit(batch)).expect("commits");
    let after: BTreeMap<_, _> = everything(&store).into_iter().collect();
    let (epoch, commits) = (store.feed_epoch(), store.ledger().committed());
    let files = copy(home.path());
    let log = Log::open(&files.path().join("sled")).expect("opens");
    let (from, last) = Pages::read(&log, None).walk.last_batch.expect("has batches");
    assert!(last < SEGMENT && last > from + 2000);
    let (from, last) = (from as usize, last as usize);
    let good = fs::read(files.path().join("sled/db")).expect("reads");
    for _ in 0..20 {
        let torn = copy(home.path());
        let mut bytes = good.clone();
        let at = from + 60 + dice.below(last - from - 100);
        // A hole in it, or all from there on.
        let len = [40, bytes.len()][dice.below(2)];
        for byte in bytes.iter_mut().skip(at).take(len) {
            *byte = if len == 40 { !*byte } else { 0 };
        }
        fs::write(torn.path().join("sled/db"), &bytes).expect("writes");
        assert_eq!(damage(torn.path()), None);
        assert!(raw(torn.path()).0 == before);
        // What was acknowledged is read as far as it is there.
        mark::Mark::begin(torn.path(), &epoch, commits).expect("marks");
        let (entries, _, _) = raw(torn.path());
        assert!(
            entries
                .iter()
                .all(|(key, value)| before[key] == *value || after[key] == *value)
        );
        // Behind the last message that can be read there is nothing to lose but what the mark tells of.
        let log = Log::open(&torn.path().join("sled")).expect("opens");
        if Pages::read(&log, None).walk.end > last as u64 {
            assert!(damage(torn.path()).is_some());
            let new = entries
                .iter()
                .filter(|(key, value)| after[*key] == **value)
                .count();
            assert!(new >= 35, "{new}");
        }
    }
    work(&store, &mut dice, 1, &mut history);
}

#[test]
fn what_the_engine_wrote_by_itself_since_the_last_acknowledged_batch_may_be_torn() {
    let home = tempfile::tempdir().expect("a directory");
    let store = open(home.path());
    let key = |at: u32| format!("z{at:05}").into_bytes();
    let mut batch = Batch::new();
    for at in 0..3_000 {
        batch.put(key(at), vec![1; 400]);
    }
    wait(store.commit(batch)).expect("commits");
    let mut batch = Batch::new();
    for at in (0..3_000).filter(|at| at % 20 > 0) {
        batch.delete(key(at));
    }
    wait(store.commit(batch)).expect("commits");
    let before: BTreeMap<_, _> = everything(&store).into_iter().collect();
    let (epoch, commits) = (store.feed_epoch(), store.ledger().committed());
    // Pages that are nearly empty are merged by whoever comes by.
    for at in 0..3_000 {
        store.get(&key(at)).expect("reads");
    }
    let mut batch = Batch::new();
    for at in 0..3_000 {
        batch.put(key(at), vec![2; 400]);
    }
    wait(store.commit(batch)).expect("commits");
    let after: BTreeMap<_, _> = everything(&store).into_iter().collect();

    let files = copy_with_snapshots(home.path());
    let db = fs::read(files.path().join("sled/db")).expect("reads");
    let slots = slots(&db);
    let log = Log::open(&files.path().join("sled")).expect("opens");
    let mut places = Vec::new();
    let walk = log.walk(None, |message, _| places.push(message.lsn));
    let (from, durable) = (
        walk.last_batch.expect("has batches").0,
        walk.durable.expect("has several"),
    );
    places.retain(|place| (durable + 1..from).contains(place));
    assert!(!places.is_empty(), "it merges pages when they are read");
    let last_segment = walk.end / SEGMENT;
    assert!(
        last_segment > from / SEGMENT,
        "the batch goes on in another segment"
    );
    for place in [places[0], places[places.len() / 2], places[places.len() - 1]] {
        let torn = copy_with_snapshots(home.path());
        let mut bytes = db.clone();
        let at = slots[&(place / SEGMENT)] + (place % SEGMENT) as usize;
        bytes[at..at + 30].fill(0);
        fs::write(torn.path().join("sled/db"), &bytes).expect("writes");
        mark::Mark::begin(torn.path(), &epoch, commits).expect("marks");
        for scope in [Scope::All, Scope::SinceSnapshot] {
            assert_eq!(damage_in(torn.path(), scope), None, "{place}");
        }
        assert!(raw(torn.path()).0 == before, "{place}");
        // Were the batch acknowledged, nothing of it would be left out.
        mark::Mark::begin(torn.path(), &epoch, commits + 1).expect("marks");
        assert!(raw(torn.path()).0.len() > before.len(), "{place}");
        let store = open(torn.path());
        let holds: BTreeMap<_, _> = everything(&store).into_iter().collect();
        assert!(
            holds == before || holds == after,
            "{place}: the engine leaves half of it"
        );
    }
}
