//! Fetching again (rule 14): what is asked for, kept until it is done. One listing is walked at a time ([`walk`]), with a
//! cursor of its own, beside pulls and their checkpoint; what is asked for meanwhile is joined to it where it covers that,
//! else it is fetched after it. Each step is in the store, so it goes on where it was interrupted.
//!
//! A checkpoint that the cloud no longer knows (410) is such a listing, too: of everything, in place of the pull, whose
//! checkpoint is then the listing's last.

mod removal;
mod report;
mod walk;

use crate::cloud::LinkError;
use crate::engine::Engine;
use crate::engine::api::{ResyncAnswer, ResyncError, ResyncState, ResyncView, Unavailable};
use crate::store::rows::{Rows, put_meta};
use crate::store::{Batch, keys};
use parking_lot::Mutex;
use selaras_core::backoff::Backoff;
use selaras_core::id::EntityKey;
use selaras_core::resync::Scope;
use selaras_core::stamp::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use tokio::sync::MutexGuard;

/// The name of the row with what is asked for and not begun.
const ASKED: &str = "resync_asked";
/// The name of the row with the listing that is walked.
const WALK: &str = "resync";
/// The name of the row that is there from a change of the cloud's address until something was fetched to its end from the
/// new one: another cloud's listing says nothing about what is not in it.
pub(super) const MOVED: &str = "cloud_moved";
/// First retry after a failure.
const FIRST_RETRY_MS: u64 = 2_000;
/// Longest time between two tries.
const LONGEST_RETRY_MS: u64 = 30 * 60_000;
/// While the disk has no room for what may come.
const ROOM_RETRY_MS: u64 = 60_000;
/// Failures in a row although the cloud answers, before it is given up: with the backoff, more than five hours.
const MOST_FAILURES: u32 = 20;

/// What is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Asked {
    scope: Scope,
    at: Millis,
    /// It takes the place of the pull.
    pulls: bool,
}

/// A listing, and how far it was walked.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Walk {
    /// Its number, see [`seen`](crate::store::seen).
    listing: u64,
    scope: Scope,
    asked_at: Millis,
    started_at: Millis,
    /// It takes the place of the pull.
    pulls: bool,
    /// Nothing is removed, whatever the cloud says.
    keeps: bool,
    /// The store it was begun on: marks of another one may be lost.
    epoch: String,
    /// Where to go on; none: at the beginning.
    cursor: Option<String>,
    pages: u64,
    seen: u64,
    applied: u64,
    removed: u64,
    restarts: u32,
    /// Elements that could not be read: what they show is not known.
    unreadable: u64,
    /// The cloud said that it has shown everything.
    complete: bool,
    /// Of a scope of names, those that need not be looked for any more.
    found: BTreeSet<EntityKey>,
    /// The listing is over, and records up to this key were looked at.
    removing: Option<Vec<u8>>,
}

/// What is known of fetching again.
pub(super) struct Resync {
    asked: Mutex<Option<Asked>>,
    walk: Mutex<Option<Walk>>,
    /// One change of what is asked for at a time.
    one: tokio::sync::Mutex<()>,
    /// Failures in a row.
    failures: AtomicU32,
    /// Not before (monotonic ms).
    retry_at: AtomicU64,
    error: Mutex<Option<String>>,
}

impl Resync {
    /// As it was left.
    pub(super) fn stored(rows: &Rows) -> Result<Self, Unavailable> {
        let walk: Option<Walk> = rows.meta(WALK)?;
        rows.set_listing(walk.as_ref().map(|walk| walk.listing));
        Ok(Self {
            asked: Mutex::new(rows.meta(ASKED)?),
            walk: Mutex::new(walk),
            one: tokio::sync::Mutex::default(),
            failures: AtomicU32::new(0),
            retry_at: AtomicU64::new(0),
            error: Mutex::default(),
        })
    }
}

/// Something that is about to be asked for, in the caller's own commit.
pub(super) struct Asking<'a> {
    row: Asked,
    _one: MutexGuard<'a, ()>,
}

impl Asking<'_> {
    /// Adds it to a commit.
    pub(super) fn put(&self, batch: &mut Batch) {
        put_meta(batch, ASKED, &self.row);
    }
}

impl Engine {
    /// Fetches what `scope` means again, from the cloud's beginning. Durable when it answers.
    ///
    /// # Errors
    /// See [`ResyncError`].
    pub async fn resync(&self, scope: Scope) -> Result<ResyncAnswer, ResyncError> {
        if !self.settings().sync.pull_enabled {
            return Err(ResyncError::PullDisabled);
        }
        let joined = {
            let (walk, asked) = (self.inner.resync.walk.lock(), self.inner.resync.asked.lock());
            walk.as_ref().is_some_and(|walk| walk.covers(&scope))
                || asked.as_ref().is_some_and(|asked| asked.scope.holds(&scope))
        };
        if !joined {
            let asking = self.asking(scope).await;
            let mut batch = Batch::new();
            asking.put(&mut batch);
            self.inner
                .rows
                .store()
                .commit(batch)
                .await
                .map_err(Unavailable::from)?;
            self.asked(asking);
        }
        // Who asks does not wait for a backoff.
        self.inner.resync.retry_at.store(0, Ordering::Relaxed);
        self.trigger();
        Ok(ResyncAnswer {
            joined,
            resync: self.resyncing(),
        })
    }

    /// What is to be asked for together with what is asked for already, to be committed by the caller.
    pub(super) async fn asking(&self, scope: Scope) -> Asking<'_> {
        let one = self.inner.resync.one.lock().await;
        let before = self.inner.resync.asked.lock().clone();
        let mut row = before.unwrap_or_else(|| Asked {
            scope: Scope::default(),
            at: self.now(),
            pulls: false,
        });
        row.scope.widen(scope);
        Asking { row, _one: one }
    }

    /// That commit is durable.
    pub(super) fn asked(&self, asking: Asking<'_>) {
        *self.inner.resync.asked.lock() = Some(asking.row);
    }

    /// The pull's checkpoint is gone: everything is fetched in its place. What was being fetched is part of that.
    pub(super) async fn ask_in_place_of_the_pull(&self) -> Result<(), Unavailable> {
        let mut asking = self.asking(Scope::everything()).await;
        asking.row.pulls = true;
        let mut batch = Batch::new();
        asking.put(&mut batch);
        batch.delete(keys::named(keys::META, WALK.as_bytes()));
        self.inner.rows.store().commit(batch).await?;
        self.inner.rows.set_listing(None);
        *self.inner.resync.walk.lock() = None;
        self.asked(asking);
        Ok(())
    }

    /// Whether a listing takes the place of the pull.
    pub(super) fn lists_instead_of_pulling(&self) -> bool {
        let (walk, asked) = (self.inner.resync.walk.lock(), self.inner.resync.asked.lock());
        walk.as_ref().is_some_and(|walk| walk.pulls) || asked.as_ref().is_some_and(|asked| asked.pulls)
    }

    /// How long until something is to be fetched again; none: nothing is, or the pull does it.
    pub(super) fn resync_left_ms(&self) -> Option<u64> {
        let resync = &self.inner.resync;
        let waits = resync.walk.lock().is_some() || resync.asked.lock().is_some();
        if !waits || !self.settings().sync.pull_enabled {
            return None;
        }
        if self.lists_instead_of_pulling() {
            let failed = self.inner.pull_failures.load(Ordering::Relaxed) > 0;
            return (!failed).then_some(0);
        }
        if !self.room_for_updates() {
            return Some(ROOM_RETRY_MS);
        }
        Some(
            resync
                .retry_at
                .load(Ordering::Relaxed)
                .saturating_sub(self.mono_ms()),
        )
    }

    /// It went on, as far as it had to.
    pub(super) fn resync_went_on(&self) {
        self.inner.resync.failures.store(0, Ordering::Relaxed);
        *self.inner.resync.error.lock() = None;
    }

    /// It could not go on. Where the cloud answers and goes on refusing, it is given up at last.
    pub(super) async fn resync_failed(&self, error: &LinkError) -> Result<(), Unavailable> {
        let resync = &self.inner.resync;
        let failures = match error.stops_only_this_call() {
            true => resync.failures.fetch_add(1, Ordering::Relaxed) + 1,
            // The line's own pause rules.
            false => 0,
        };
        let backoff = Backoff {
            initial_ms: FIRST_RETRY_MS,
            multiplier: 2.0,
            max_ms: LONGEST_RETRY_MS,
        };
        let wait = match failures {
            0 => 0,
            _ => backoff.delay_ms(failures, self.random()),
        };
        resync.retry_at.store(self.mono_ms() + wait, Ordering::Relaxed);
        *resync.error.lock() = Some(error.to_string());
        let walk = resync.walk.lock().clone();
        if let Some(walk) = walk.filter(|_| failures >= MOST_FAILURES) {
            self.end_walk(walk, Some(error.to_string())).await?;
        }
        Ok(())
    }

    /// What is being fetched, or will be.
    pub(super) fn resyncing(&self) -> Option<ResyncView> {
        let resync = &self.inner.resync;
        let (walk, asked) = (resync.walk.lock().clone(), resync.asked.lock().clone());
        let error = resync.error.lock().clone();
        match (walk, asked) {
            (Some(walk), asked) => Some(ResyncView {
                error,
                next: asked.map(|asked| asked.scope),
                ..walk.view()
            }),
            (None, Some(asked)) => Some(ResyncView {
                error,
                ..asked.view()
            }),
            (None, None) => None,
        }
    }
}

impl Asked {
    fn view(self) -> ResyncView {
        ResyncView {
            scope: self.scope,
            state: ResyncState::Waiting,
            asked_at: self.at,
            started_at: None,
            pages: 0,
            seen: 0,
            applied: 0,
            removed: 0,
            restarts: 0,
            error: None,
            next: None,
        }
    }
}

impl Walk {
    /// Whether who asks for `scope` now gets it from this.
    fn covers(&self, scope: &Scope) -> bool {
        self.removing.is_none() && self.scope.holds(scope)
    }

    fn view(self) -> ResyncView {
        ResyncView {
            state: match self.removing {
                None => ResyncState::Listing,
                Some(_) => ResyncState::Removing,
            },
            scope: self.scope,
            asked_at: self.asked_at,
            started_at: Some(self.started_at),
            pages: self.pages,
            seen: self.seen,
            applied: self.applied,
            removed: self.removed,
            restarts: self.restarts,
            error: None,
            next: None,
        }
    }
}

#[cfg(test)]
mod tests;
