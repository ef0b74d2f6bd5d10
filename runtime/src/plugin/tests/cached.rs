//! Compiled code on disk: used when it is beyond doubt, made again when it is not.

use crate::secret::Secret;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

fn host_at(dir: &Path) -> Host {
    Host::start(HostConfig {
        cache_dir: Some(dir.to_owned()),
        ..config()
    })
    .unwrap()
}

fn only_file(dir: &Path) -> PathBuf {
    let files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

fn component() -> Vec<u8> {
    Fixture::verdict("kept", 1, "", "the cloud's side").build()
}

/// Loads [`component`] over the cache in `dir` and asks it; what the cached file holds afterwards.
async fn load_and_ask(dir: &Path) -> Vec<u8> {
    let host = host_at(dir);
    host.load(&component(), None, Source::Embedded).unwrap();
    let decided = host.resolve("kept", cx(), case(), nothing()).await;
    assert_eq!(decided.outcome.unwrap().decision, Decision::TakeCloud);
    fs::read(only_file(dir)).unwrap()
}

#[tokio::test]
async fn code_that_is_whole_is_used_again() {
    let home = tempfile::tempdir().unwrap();
    load_and_ask(home.path()).await;
    let file = only_file(home.path());
    let stamp = fs::metadata(&file).unwrap().modified().unwrap();
    load_and_ask(home.path()).await;
    assert_eq!(
        fs::metadata(&file).unwrap().modified().unwrap(),
        stamp,
        "it was not compiled again"
    );
}

#[tokio::test]
async fn code_that_was_tampered_with_is_compiled_again() {
    let home = tempfile::tempdir().unwrap();
    let whole = load_and_ask(home.path()).await;
    let file = only_file(home.path());
    let mut bent = whole.clone();
    let middle = bent.len() / 2;
    bent[middle] ^= 0x40;
    let longer = [whole.as_slice(), b"more"].concat();
    for (what, bytes) in [
        ("the same length", bent),
        ("longer", longer),
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("empty", Vec::new()),
        ("something else", b"#!/bin/sh".to_vec()),
    ] {
        fs::write(&file, &bytes).unwrap();
        assert_eq!(load_and_ask(home.path()).await, whole, "{what}: it is made again");
    }
}

#[tokio::test]
async fn code_of_another_outlet_is_not_taken() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = load_and_ask(ours.path()).await;
    let other = Host::start(HostConfig {
        cache_dir: Some(theirs.path().to_owned()),
        cache_key: Secret::of([9; 32]),
        ..config()
    })
    .unwrap();
    other.load(&component(), None, Source::Embedded).unwrap();
    fs::copy(only_file(theirs.path()), only_file(ours.path())).unwrap();
    assert_eq!(load_and_ask(ours.path()).await, whole);
}

#[tokio::test]
async fn a_refused_component_leaves_nothing_in_the_cache() {
    let home = tempfile::tempdir().unwrap();
    let host = host_at(home.path());
    host.load(
        &Fixture::strategy("rude", "unreachable").rude().build(),
        None,
        Source::Embedded,
    )
    .unwrap_err();
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_cache_that_cannot_be_made_is_done_without() {
    let home = tempfile::tempdir().unwrap();
    let blocked = home.path().join("file");
    fs::write(&blocked, b"in the way").unwrap();
    let host = host_at(&blocked.join("cache"));
    host.load(&component(), None, Source::Embedded).unwrap();
    assert_eq!(fs::read(&blocked).unwrap(), b"in the way");
}
