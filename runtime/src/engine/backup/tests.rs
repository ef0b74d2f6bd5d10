//! Rounds: each is whole, private, and one more than before until there are enough.

use super::*;
use crate::store::{Batch, MemoryStore};
use std::os::unix::fs::PermissionsExt;

async fn store() -> MemoryStore {
    let store = MemoryStore::new("epoch");
    let mut batch = Batch::new();
    batch.put("a", "1").put("b", vec![3; 1000]);
    store.commit(batch).await.unwrap();
    store
}

fn policy(dir: &Path, keep: usize) -> BackupPolicy {
    BackupPolicy {
        dir: dir.join("backups"),
        spool_dir: dir.to_owned(),
        every_ms: None,
        keep,
    }
}

#[tokio::test]
async fn as_many_are_kept_as_wanted_and_the_newest_stay() {
    let dir = tempfile::tempdir().unwrap();
    let (store, policy, stop) = (store().await, policy(dir.path(), 2), CancellationToken::new());
    let mut made = Vec::new();
    for now in [10_000, 20_000, 30_000] {
        made.push(make_round(&store, &policy, Millis(now), &stop).unwrap());
    }
    let kept = archive::list(&policy.dir).unwrap();
    assert_eq!(kept, [made[2].file.clone(), made[1].file.clone()]);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&policy.dir), mode(&kept[0])), (0o700, 0o600));
    assert_eq!(archive::verify(&kept[0]).unwrap().made_at, Millis(30_000));
    assert_eq!(Backups::new(policy).view().last_backup, made.pop());
}

#[tokio::test]
async fn a_clock_that_was_set_back_does_not_cost_the_newest_backup() {
    let dir = tempfile::tempdir().unwrap();
    let (store, policy, stop) = (store().await, policy(dir.path(), 1), CancellationToken::new());
    make_round(&store, &policy, Millis(1_800_000_000_000), &stop).unwrap();
    let second = make_round(&store, &policy, Millis(0), &stop).unwrap();
    assert_eq!(archive::list(&policy.dir).unwrap(), [second.file]);
}

#[tokio::test]
async fn an_outlet_that_stops_leaves_no_half_backup_and_keeps_the_old_ones() {
    let dir = tempfile::tempdir().unwrap();
    let (store, policy, stop) = (store().await, policy(dir.path(), 1), CancellationToken::new());
    let first = make_round(&store, &policy, Millis(10_000), &stop).unwrap();
    stop.cancel();
    let error = make_round(&store, &policy, Millis(20_000), &stop).unwrap_err();
    assert!(matches!(error, BackupError::Stopping), "{error}");
    let files: Vec<_> = std::fs::read_dir(&policy.dir).unwrap().collect();
    assert_eq!(files.len(), 1);
    assert!(archive::verify(&first.file).is_ok());
}

#[tokio::test]
async fn a_spooled_backup_is_whole_and_has_no_name() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("backup.spool"), "of one that was killed").unwrap();
    let written = AtomicU64::new(0);
    let spooled = spool(
        &store().await,
        dir.path(),
        Millis(7),
        &CancellationToken::new(),
        &written,
    );
    let mut spooled = spooled.unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let copy = dir.path().join("copy");
    io::copy(&mut spooled.file, &mut File::create(&copy).unwrap()).unwrap();
    assert_eq!(archive::verify(&copy).unwrap(), spooled.info);
    assert_eq!(written.load(Ordering::Relaxed), spooled.info.bytes);
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backups");
    std::fs::write(&file, "not a directory").unwrap();
    let error = make_round(
        &store().await,
        &policy(dir.path(), 1),
        Millis(0),
        &CancellationToken::new(),
    )
    .unwrap_err();
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
}
