//! A listing of everything the cloud has, walked page by page with a cursor of its own, which moves in the commit that takes
//! the page in.
//!
//! It is asked for by the run, which sends nothing meanwhile: a page is never older than the last push. An entity that is
//! looked for by name is found at the first element that is not older than what was known of it; with all of them found the
//! listing is left early, since an element after it can only be of later changes, which are pulled.

use super::report::{log_row, scope_text};
use super::{ASKED, MOVED, WALK, Walk};
use crate::cloud::{Client, LinkError, Page};
use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::engine::decide::Tally;
use crate::engine::inflow::{Arrival, Became, Landing};
use crate::engine::progress::Progress;
use crate::engine::pull::{CHECKPOINT, MOST_UNMOVED, PAGE};
use crate::engine::push::Trouble;
use crate::engine::run::Stop;
use crate::store::rows::{put, put_meta};
use crate::store::seen::{mark, put_shown, rubbish};
use crate::store::{Batch, keys};
use selaras_core::checkpoint::since;
use selaras_core::id::{EntityKey, EntityType};
use selaras_core::receive::Received;
use selaras_core::resync::{Scope, is_shown};
use std::collections::{BTreeSet, HashMap, HashSet};

/// How often a listing begins again because the cloud no longer knows its place; then it is given up.
const MOST_RESTARTS: u32 = 3;

/// Entities that are looked for by name, as the cloud names them.
type Names = HashMap<(EntityType, String), EntityKey>;

/// How far walking came.
enum Walked {
    /// To the end of the listing.
    Over,
    /// Others go first; it goes on later.
    Paused,
}

impl Engine {
    /// Goes on with what is to be fetched again until there is nothing of it left (true), or others go first: the run must
    /// stop, or `gives_way` says so after a page.
    pub(in crate::engine) async fn fetch_again(
        &self,
        cloud: &Client,
        stop: &Stop,
        progress: &mut Progress,
        gives_way: impl Fn() -> bool,
    ) -> Result<bool, Trouble> {
        while let Some(mut walk) = self.begun().await? {
            if walk.removing.is_none() {
                match self.walk(&mut walk, cloud, stop, progress, &gives_way).await? {
                    Walked::Over => {}
                    Walked::Paused => return Ok(false),
                }
            }
            if !self
                .remove_unseen(&mut walk, || stop.is_set() || gives_way())
                .await?
            {
                return Ok(false);
            }
            self.end_walk(walk, None).await?;
        }
        Ok(true)
    }

    /// The listing that is walked, or the next one.
    pub(super) async fn begun(&self) -> Result<Option<Walk>, Unavailable> {
        let epoch = self.inner.rows.store().feed_epoch();
        let under_way = self.inner.resync.walk.lock().clone();
        if let Some(mut walk) = under_way {
            if walk.epoch != epoch {
                // The store went back in time, and marks with it.
                self.begin_again(&mut walk).await?;
            }
            return Ok(Some(walk));
        }
        let _one = self.inner.resync.one.lock().await;
        let Some(asked) = self.inner.resync.asked.lock().clone() else {
            return Ok(None);
        };
        let rows = &self.inner.rows;
        let walk = Walk {
            listing: rows.store().reserve(),
            scope: asked.scope,
            asked_at: asked.at,
            started_at: self.now(),
            pulls: asked.pulls,
            keeps: rows.meta(MOVED)?.unwrap_or(false),
            epoch,
            cursor: None,
            pages: 0,
            seen: 0,
            applied: 0,
            removed: 0,
            restarts: 0,
            unreadable: 0,
            complete: false,
            found: BTreeSet::new(),
            removing: None,
        };
        let mut batch = Batch::new();
        batch.delete(keys::named(keys::META, ASKED.as_bytes()));
        self.begin(&walk, batch).await?;
        *self.inner.resync.asked.lock() = None;
        tracing::info!(
            scope = scope_text(&walk.scope),
            "fetching again from the cloud's beginning"
        );
        Ok(Some(walk))
    }

    /// From here on, commits mark what they write.
    async fn begin(&self, walk: &Walk, mut batch: Batch) -> Result<(), Unavailable> {
        put_meta(&mut batch, WALK, walk);
        self.inner.rows.set_listing(Some(walk.listing));
        let committed = self.inner.rows.store().commit(batch).await;
        if committed.is_err() {
            let before = self.inner.resync.walk.lock().as_ref().map(|walk| walk.listing);
            self.inner.rows.set_listing(before);
        }
        committed?;
        *self.inner.resync.walk.lock() = Some(walk.clone());
        Ok(())
    }

    /// The same listing from its beginning.
    async fn begin_again(&self, walk: &mut Walk) -> Result<(), Unavailable> {
        let store = self.inner.rows.store();
        walk.listing = store.reserve();
        walk.epoch = store.feed_epoch();
        walk.cursor = None;
        (walk.pages, walk.seen, walk.unreadable) = (0, 0, 0);
        walk.complete = false;
        walk.found.clear();
        walk.removing = None;
        self.begin(walk, Batch::new()).await
    }

    async fn walk(
        &self,
        walk: &mut Walk,
        cloud: &Client,
        stop: &Stop,
        progress: &mut Progress,
        gives_way: impl Fn() -> bool,
    ) -> Result<Walked, Trouble> {
        let overlap = self.settings().sync.pull_overlap_seconds;
        let mut asked = since(walk.cursor.as_deref(), overlap);
        let mut unmoved = 0;
        let mut before = HashSet::from([asked.clone()]);
        while !stop.is_set() {
            let halt = stop.child();
            let asking = self.ask(&halt, cloud.updates(&asked, Some(PAGE)));
            let page = match stop.or_abandoned(asking).await.flatten() {
                None => return Ok(Walked::Paused),
                Some(Ok(answer)) => {
                    self.heard(answer.timing);
                    answer.value
                }
                Some(Err(LinkError::Gone)) => {
                    walk.restarts += 1;
                    if walk.restarts > MOST_RESTARTS {
                        let error = LinkError::Gone;
                        self.end_walk(walk.clone(), Some(error.to_string())).await?;
                        return Err(Trouble::Link(error));
                    }
                    tracing::warn!("the cloud no longer knows the place in its listing; it begins again");
                    self.begin_again(walk).await?;
                    asked = since(None, overlap);
                    before.clear();
                    continue;
                }
                Some(Err(error)) => return Err(Trouble::Link(error)),
            };
            progress.page();
            let next = page.checkpoint.clone().filter(|_| page.has_more);
            unmoved += usize::from(next.as_ref().is_some_and(|next| !before.insert(next.clone())));
            let next = next.filter(|_| unmoved < MOST_UNMOVED);
            self.take_listed(walk, page, next.is_none(), progress).await?;
            let Some(next) = next.filter(|_| walk.removing.is_none()) else {
                return Ok(Walked::Over);
            };
            asked = next;
            if gives_way() {
                return Ok(Walked::Paused);
            }
        }
        Ok(Walked::Paused)
    }

    /// Takes a page in, with the cursor after it, in one commit.
    async fn take_listed(
        &self,
        walk: &mut Walk,
        page: Page,
        is_last: bool,
        progress: &mut Progress,
    ) -> Result<(), Trouble> {
        let names = self.names(&walk.scope)?;
        let mut unreadable = page.problems.len() as u64;
        let mut arrivals = Vec::with_capacity(page.elements.len());
        for element in &page.elements {
            let Ok(arrival) = self.arrival(element) else {
                // It is kept since it was pulled.
                unreadable += 1;
                continue;
            };
            let by_name = named(&names, &arrival);
            if let Some(key) = by_name
                && self
                    .inner
                    .rows
                    .record(key)
                    .map_err(Unavailable::from)?
                    .is_some_and(|record| is_shown(&record, &arrival.update))
            {
                walk.found.insert(key.clone());
            }
            if by_name.is_some() || walk.scope.takes_type(&arrival.entity_type) {
                arrivals.push(Arrival {
                    listed: true,
                    ..arrival
                });
            }
        }
        walk.unreadable += unreadable;
        walk.seen += arrivals.len() as u64;
        walk.complete = page.complete && !page.has_more;
        if is_last || walk.found_all() {
            walk.removing = Some(Vec::new());
        }
        walk.cursor = page.checkpoint.or(walk.cursor.take());
        let number = walk.pages;
        walk.pages += 1;
        let landings = self
            .take_in(&arrivals, |batch, landings| {
                let marks: Vec<u64> = landings.iter().map(|landing| mark(&landing.key)).collect();
                put_shown(batch, walk.listing, number, &marks);
                let applied =
                    walk.applied + landings.iter().filter(|landing| is_applied(landing)).count() as u64;
                put_meta(
                    batch,
                    WALK,
                    &Walk {
                        applied,
                        ..walk.clone()
                    },
                );
            })
            .await?
            .expect("invariant: a page adds no precondition of its own");
        let mut inboxed = Vec::new();
        for landing in landings {
            walk.applied += u64::from(is_applied(&landing));
            match landing.became {
                Became::Received(Received::Stale) | Became::Unordered => {}
                Became::Received(_) => progress.pulled(&landing.key.entity_type),
                Became::Inboxed => {
                    progress.pulled(&landing.key.entity_type);
                    inboxed.push(landing.key);
                }
                Became::Parked(error) => progress.pull_failed(landing.key.entity_type.as_str(), error),
            }
        }
        *self.inner.resync.walk.lock() = Some(walk.clone());
        let mut tally = Tally::default();
        for (_, resolution) in self.decide(inboxed).await? {
            tally.add(resolution);
        }
        progress.decided(tally);
        Ok(())
    }

    /// How the cloud names what is looked for by name.
    fn names(&self, scope: &Scope) -> Result<Names, Unavailable> {
        let mut names = Names::new();
        for key in &scope.entities {
            let record = self.inner.rows.record(key)?;
            let name = match record.and_then(|record| record.cloud_id) {
                Some(cloud_id) => cloud_name(cloud_id.as_str()),
                None => local_name(key.id.as_str()),
            };
            names.insert((key.entity_type.clone(), name), key.clone());
        }
        Ok(names)
    }

    /// The listing is over, or given up for this reason: a line in the sync log, and its marks go.
    pub(super) async fn end_walk(&self, walk: Walk, error: Option<String>) -> Result<(), Unavailable> {
        let rows = &self.inner.rows;
        let mut batch = Batch::new();
        batch.delete(keys::named(keys::META, WALK.as_bytes()));
        if error.is_none() {
            batch.delete(keys::named(keys::META, MOVED.as_bytes()));
            if let Some(cursor) = walk.cursor.as_ref().filter(|_| walk.pulls) {
                put_meta(&mut batch, CHECKPOINT, cursor);
            }
        }
        let line = log_row(&walk, error.clone(), self.now());
        put(
            &mut batch,
            keys::numbered(keys::LOG, rows.store().reserve()),
            &line,
        );
        rows.store().commit(batch).await?;
        *self.inner.resync.walk.lock() = None;
        rows.set_listing(None);
        self.resync_went_on();
        if walk.pulls && error.is_none() {
            self.pulled_to_the_end().await?;
        }
        let Walk {
            pages,
            seen,
            applied,
            removed,
            ..
        } = walk;
        match error {
            Some(error) => tracing::error!(error, pages, seen, applied, "fetching again is given up"),
            None => tracing::info!(pages, seen, applied, removed, "fetched again"),
        }
        while let Some(batch) = rubbish(rows, None)? {
            rows.store().commit(batch).await?;
        }
        Ok(())
    }
}

impl Walk {
    /// Whether all that is looked for was found.
    pub(super) fn found_all(&self) -> bool {
        self.scope.is_named() && self.scope.entities.is_subset(&self.found)
    }
}

fn cloud_name(id: &str) -> String {
    format!("c{id}")
}

fn local_name(id: &str) -> String {
    format!("l{id}")
}

/// The entity looked for that the element is of.
fn named<'a>(names: &'a Names, arrival: &Arrival) -> Option<&'a EntityKey> {
    if names.is_empty() {
        return None;
    }
    let cloud_id = arrival.update.cloud_id.as_ref().map(|id| cloud_name(id.as_str()));
    let local_id = arrival.local_id.as_ref().map(|id| local_name(id.as_str()));
    let find = |name: String| names.get(&(arrival.entity_type.clone(), name));
    let key = cloud_id.and_then(find).or_else(|| local_id.and_then(find));
    // A cloud without ids of its own.
    key.or_else(|| {
        let id = arrival
            .local_id
            .as_ref()
            .filter(|_| arrival.update.cloud_id.is_none())?;
        names
            .values()
            .find(|key| key.id == *id && key.entity_type == arrival.entity_type)
    })
}

fn is_applied(landing: &Landing) -> bool {
    matches!(landing.became, Became::Received(Received::Applied))
}
