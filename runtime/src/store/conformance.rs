//! What every store must do, run over each of them.
//!
//! A case gets a [`Rig`]: it opens the store, drops it, and opens it again. Only what callers may rely on belongs here.

use std::{future::Future, sync::Arc};

use super::*;

mod model;
mod reading;
mod writing;

use self::{reading::*, writing::*};

/// Opens one and the same store, again and again. The one before must be dropped.
pub(super) trait Rig {
    fn open(&self) -> Arc<dyn Store>;
}

struct MemoryRig(MemoryDisk);

impl Rig for MemoryRig {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(MemoryStore::open(self.0.clone(), "epoch").expect("opens"))
    }
}

struct SledRig(tempfile::TempDir);

impl Rig for SledRig {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(SledStore::open(&self.0.path().join("store"), SledOptions::new("epoch")).expect("opens"))
    }
}

macro_rules! conformance {
    ($($case:ident),+ $(,)?) => {
        mod memory {
            $(#[test] fn $case() { super::$case(&super::MemoryRig(super::MemoryDisk::default())); })+
        }
        mod sled {
            $(#[test] fn $case() { super::$case(&super::SledRig(tempfile::tempdir().expect("a directory"))); })+
        }
    };
}

conformance!(
    a_batch_is_committed_whole_or_not_at_all,
    of_many_that_expect_a_free_key_one_gets_it,
    feed_numbers_follow_commit_order_without_a_gap,
    feed_entries_can_be_trimmed_and_their_numbers_do_not_come_back,
    counts_and_the_epoch_outlive_a_restart,
    a_scan_respects_bounds_direction_and_limit,
    numbers_are_never_given_out_twice_also_over_restarts,
    long_values_come_back_and_replace_each_other,
    concurrent_writers_lose_no_update,
    readers_see_each_commit_whole,
    the_stores_own_keys_are_neither_readable_nor_writable,
    an_export_is_everything_in_order,
    a_dropped_future_does_not_undo_its_commit,
    a_batch_that_changes_nothing_is_fine,
    statistics_count_commits,
);

/// Waits for a commit, on this thread.
pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

pub(super) fn batch(build: impl FnOnce(&mut Batch) -> &mut Batch) -> Batch {
    let mut batch = Batch::new();
    build(&mut batch);
    batch
}

pub(super) fn commit(store: &dyn Store, build: impl FnOnce(&mut Batch) -> &mut Batch) -> Committed {
    wait(store.commit(batch(build))).expect("commits")
}

pub(super) fn everything(store: &dyn Store) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut keep = |key: &[u8], value: &[u8]| {
        entries.push((key.to_vec(), value.to_vec()));
        Ok(())
    };
    store.export(&mut keep).expect("exports");
    entries
}
