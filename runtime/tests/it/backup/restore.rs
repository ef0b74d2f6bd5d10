//! What is refused, and that nothing is done then.

use super::commands::{selaras, spawn};
use crate::harness::wait;
use crate::outlet::Setup;
use std::fs;
use std::path::PathBuf;

/// An outlet that was stopped, and its backup.
async fn backed_up() -> (Setup, PathBuf) {
    let outlet = Setup::without_cloud().start().await;
    for n in 0..20 {
        let padding = "y".repeat(n * 300);
        let document = format!(r#"{{"n":{n},"padding":"{padding}"}}"#);
        outlet.put("thing", &n.to_string(), &document).await.expect(201);
    }
    let setup = outlet.stop().await;
    let file = setup.dir().join("shop.backup");
    selaras(&setup, &["backup", file.to_str().unwrap()]).expect(0);
    (setup, file)
}

fn elsewhere(setup: &Setup, name: &str) -> (Setup, PathBuf) {
    let target = setup.dir().join(name);
    (setup.clone().env("DATA_DIR", target.to_str().unwrap()), target)
}

#[tokio::test]
async fn a_directory_with_a_store_is_left_alone() {
    let (setup, file) = backed_up().await;
    let refused = selaras(&setup, &["restore", file.to_str().unwrap()]).expect(1);
    assert!(refused.err.contains("has a store already"), "{}", refused.err);
    let outlet = setup.start().await;
    assert_eq!(outlet.list("thing").await.len(), 20);
    let refused = selaras(outlet.setup(), &["restore", file.to_str().unwrap()]).expect(1);
    assert!(refused.err.contains("has a store already"), "{}", refused.err);
    outlet.stop().await;
}

#[tokio::test]
async fn a_damaged_a_truncated_a_newer_and_a_foreign_file_are_refused_before_anything_is_written() {
    let (setup, file) = backed_up().await;
    let whole = fs::read(&file).unwrap();
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        bytes
    };
    let bad = [
        ("damaged", changed(|bytes| bytes[700] ^= 4), "it is damaged"),
        (
            "cut",
            changed(|bytes| bytes.truncate(bytes.len() - 1)),
            "it ends in the middle",
        ),
        (
            "half",
            changed(|bytes| bytes.truncate(bytes.len() / 2)),
            "it ends in the middle",
        ),
        ("newer", changed(|bytes| bytes[11] += 1), "it has format 2"),
        ("foreign", b"\x1f\x8b\x08 something else".to_vec(), "not a backup"),
        ("empty", Vec::new(), "not a backup"),
    ];
    for (name, bytes, says) in bad {
        let file = setup.dir().join(name);
        fs::write(&file, bytes).unwrap();
        let (setup, target) = elsewhere(&setup, &format!("into-{name}"));
        let refused = selaras(&setup, &["restore", file.to_str().unwrap()]).expect(1);
        assert!(refused.err.contains(says), "{name}: {}", refused.err);
        assert!(!target.exists(), "{name}");
    }
    let (setup, target) = elsewhere(&setup, "into-nothing");
    selaras(&setup, &["restore", "nowhere"]).expect(1);
    assert!(!target.exists());
}

#[tokio::test]
async fn what_else_is_in_the_directory_stays_and_old_logins_do_not_work_any_more() {
    let (setup, file) = backed_up().await;
    let (other, target) = elsewhere(&setup, "moved");
    fs::create_dir(&target).unwrap();
    fs::copy(setup.data_dir().join("jwt-secret"), target.join("jwt-secret")).unwrap();
    selaras(&other, &["restore", file.to_str().unwrap()]).expect(0);
    let secret = |dir: PathBuf| fs::read(dir.join("jwt-secret")).unwrap();
    assert_eq!(secret(target), secret(setup.data_dir()));
    let before = setup.start().await;
    let old = before.session();
    before.stop().await;
    let outlet = other.start().await;
    assert_eq!(outlet.list("thing").await.len(), 20);
    let path = "/api/v1/entities/thing/x";
    let with_old = old.put_at(&outlet, path, "{}".to_owned()).await;
    assert_eq!(with_old, Some(401));
    outlet.stop().await;
}

#[tokio::test]
async fn a_restore_that_is_killed_in_the_middle_can_be_done_again() {
    let (setup, file) = backed_up().await;
    let (other, target) = elsewhere(&setup, "again");
    for _ in 0..6 {
        let mut child = spawn(&other, &["restore", file.to_str().unwrap()]);
        wait::until_true("the restore to be under way or done", || {
            target.join("store").exists() || child.try_wait().unwrap().is_some()
        })
        .await;
        child.kill().unwrap();
        child.wait().unwrap();
        if target.join("store/sled").exists() {
            // It had come to its end.
            break;
        }
    }
    if !target.join("store/sled").exists() {
        selaras(&other, &["restore", file.to_str().unwrap()]).expect(0);
    }
    let outlet = other.start().await;
    assert_eq!(outlet.list("thing").await.len(), 20);
    outlet.stop().await;
}
