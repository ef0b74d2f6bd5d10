//! What the keeper does, on its own thread: opens the store again after an error, syncs the mark, looks at the disk's room,
//! and rewrites the database where that is asked for or gives back room that is needed.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering},
    thread,
    time::Duration,
};

use super::{Shared, State};
use crate::store::{
    Compacted, SledStore, Store, StoreError,
    error::chain,
    opening::{Opened, Step},
    writer::panic_text,
};

/// How often it looks by itself.
const TICK: Duration = Duration::from_secs(1);
/// Between two tries to open, growing to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long readers of a store that stopped are waited for.
const READERS: Duration = Duration::from_secs(30);
/// Ticks after a rewriting before another that nobody asked for, and after one that failed.
const TICKS_BETWEEN: u32 = 10;
const TICKS_AFTER_FAILURE: u32 = 60;
/// What rewriting must give back at least where room is scarce, and what a new database takes beyond what is in it.
const LEAST_GAIN: u64 = 4 << 20;
/// Steps of openings that are remembered.
const MOST_STEPS: usize = 50;

impl Shared {
    /// Keeps until it is closed.
    pub(super) fn keep(self: Arc<Self>) {
        let mut rest = 0_u32;
        loop {
            let wants = self.next_wants(TICK);
            if wants.closing {
                self.opening.sync_mark();
                return;
            }
            if wants.failed {
                self.reopen();
            }
            self.opening.sync_mark();
            let room = self.space.look();
            rest = rest.saturating_sub(1);
            let asked = !wants.compact.is_empty();
            if asked || (rest == 0 && self.would_give_room(room.free_bytes, room.min_free_bytes)) {
                let mut outcome = self.compact();
                if outcome.is_err() && !self.space.room_now().takes_updates() && self.space.drop_ballast() {
                    // Rewriting gives back more than the ballast holds.
                    outcome = self.compact();
                }
                rest = outcome.as_ref().map_or(TICKS_AFTER_FAILURE, |_| TICKS_BETWEEN);
                match &outcome {
                    Ok(done) => tracing::info!(
                        before = done.bytes_before,
                        after = done.bytes_after,
                        "the database was rewritten"
                    ),
                    Err(why) => tracing::warn!(why, "the database could not be rewritten"),
                }
                for answer in wants.compact {
                    // Who no longer waits needs no answer.
                    let _ = answer.send(outcome.clone());
                }
            }
        }
    }

    /// Room is scarce, much of the database is free inside, and there is room for the rewritten one.
    fn would_give_room(&self, free: u64, min_free: u64) -> bool {
        let State::Open(store) = &*self.state.read() else {
            return false;
        };
        let stats = store.stats();
        // Earlier than at the start: draining a queue writes more than the queue holds, and once it is done there may not
        // be room left for a new database.
        let worth_it = stats.bytes_on_disk > 2 * stats.live_bytes + LEAST_GAIN;
        free < min_free + min_free / 2 && worth_it && stats.live_bytes * 3 / 2 + LEAST_GAIN < free
    }

    /// Takes the store out of service and opens it again, as often as it takes.
    fn reopen(&self) {
        let old = {
            let mut state = self.state.write();
            let State::Open(store) = &*state else { return };
            let Err(error) = store.health() else { return };
            let (error, ledger) = (error, store.ledger().clone());
            match std::mem::replace(&mut *state, State::Down { error, ledger }) {
                State::Open(store) => store,
                _ => return,
            }
        };
        let Err(error) = old.health() else { return };
        tracing::error!(
            error = &*error as &dyn std::error::Error,
            "the store stopped; nothing is acknowledged until it is opened again"
        );
        self.remember(&old);
        retire(old);
        if error.is_full() {
            self.space.drop_ballast();
        }
        self.open_again(error.is_damage());
    }

    fn remember(&self, old: &SledStore) {
        let stats = old.stats();
        self.earlier.commits.fetch_add(stats.commits, Ordering::Relaxed);
        self.earlier.groups.fetch_add(stats.groups, Ordering::Relaxed);
    }

    fn open_again(&self, damaged: bool) {
        let mut pause = FIRST_PAUSE;
        let mut told = String::new();
        loop {
            // Where nothing is, the disk is not there: a new store in its place would be taken for it.
            let opened = match self.opening.is_there() {
                true => self.opening.open(&self.space, damaged),
                false => Err(self.opening.gone()),
            };
            match opened {
                Ok(Opened {
                    store,
                    steps,
                    rewound,
                }) => {
                    self.add_steps(steps);
                    if rewound {
                        // Dropped: what remembers the old one must not see it.
                        drop(store);
                        (self.on_rewound)();
                    } else {
                        tracing::warn!("the store is open again");
                        *self.state.write() = State::Open(Arc::new(store));
                    }
                    return;
                }
                Err(error) => {
                    let text = error.to_string();
                    if text != told {
                        tracing::error!(
                            error = &error as &dyn std::error::Error,
                            "the store cannot be opened again yet"
                        );
                        told = text;
                    }
                }
            }
            let mut wants = self.wants.lock();
            self.wake
                .wait_while_for(&mut wants, |wants| !wants.closing, pause);
            if wants.closing {
                return;
            }
            drop(wants);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn add_steps(&self, new: Vec<Step>) {
        let mut steps = self.steps.lock();
        steps.extend(new);
        let surplus = steps.len().saturating_sub(MOST_STEPS);
        steps.drain(..surplus);
    }

    /// Rewrites the database. Reads go on but for the moment of the swap; commits wait.
    fn compact(&self) -> Result<Compacted, String> {
        let store = {
            let mut state = self.state.write();
            let State::Open(store) = &*state else {
                return Err("the store is not open".to_owned());
            };
            // Whoever exports holds it for long, and would hold up the swap.
            if Arc::strong_count(store) > 1 {
                return Err("a backup or an export is going on: try again later".to_owned());
            }
            let store = store.clone();
            self.flowing.send_replace(false);
            *state = State::Compacting(store.clone());
            store
        };
        let bytes_before = store.stats().bytes_on_disk;
        // The engine panics over some errors of the disk.
        let rewriting = AssertUnwindSafe(|| self.rewrite_and_swap(store));
        let outcome = catch_unwind(rewriting).unwrap_or_else(|panic| {
            let why = panic_text(panic.as_ref()).to_owned();
            self.after_a_panic(&why);
            Err(why)
        });
        self.flowing.send_replace(true);
        let bytes_after = outcome?;
        Ok(Compacted {
            bytes_before,
            bytes_after,
        })
    }

    /// Rewriting ended somewhere in the middle: whatever is in place is opened again.
    fn after_a_panic(&self, why: &str) {
        let error = Arc::new(StoreError::Panicked(why.to_owned()));
        let old = {
            let mut state = self.state.write();
            let ledger = state.ledger().clone();
            std::mem::replace(&mut *state, State::Down { error, ledger })
        };
        if let State::Open(store) | State::Compacting(store) = old {
            self.remember(&store);
            retire(store);
        }
        self.open_again(true);
    }

    fn rewrite_and_swap(&self, store: Arc<SledStore>) -> Result<u64, String> {
        // Whatever waits is committed; nothing comes after it.
        let closed = store.close().map_err(|error| error.to_string());
        let rewritten = closed.and_then(|()| {
            store
                .rewrite(self.opening.cache_bytes)
                .map_err(|error| chain(&error))
        });
        // From here on readers wait: the old store must be gone before another has its place.
        let mut state = self.state.write();
        let ledger = store.ledger().clone();
        self.remember(&store);
        let error = Arc::new(StoreError::Damaged {
            what: "it could not be opened after it was rewritten".to_owned(),
        });
        *state = State::Down { error, ledger };
        retire(store);
        let installed =
            rewritten.and_then(|complete| complete.install().map(drop).map_err(|error| chain(&error)));
        match self.opening.open_plainly() {
            Ok(store) => {
                let bytes = store.stats().bytes_on_disk;
                *state = State::Open(Arc::new(store));
                installed.map(|()| bytes)
            }
            Err(error) => {
                drop(state);
                let text = chain(&error);
                self.open_again(true);
                Err(text)
            }
        }
    }
}

/// Lets a store go once nobody reads it any more; its files are closed then.
fn retire(mut store: Arc<SledStore>) {
    let mut waited = Duration::ZERO;
    let pause = Duration::from_millis(2);
    loop {
        match Arc::try_unwrap(store) {
            Ok(store) => return drop(store),
            Err(shared) if waited < READERS => {
                store = shared;
                thread::sleep(pause);
                waited += pause;
            }
            Err(_) => return tracing::error!("a reader holds on to a store that stopped"),
        }
    }
}
