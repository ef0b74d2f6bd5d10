//! Pull: page by page from the checkpoint. Each page is taken in with its new checkpoint in one commit (promise 5),
//! and what it put into inboxes is decided. The next page is fetched meanwhile.

use crate::cloud::{Client, Collection, Element, LinkError, Page};
use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::engine::inflow::{Arrival, Became, Landing};
use crate::engine::parking::{UNREADABLE, park_unreadable};
use crate::engine::progress::Progress;
use crate::engine::push::Trouble;
use crate::engine::resync::MOVED;
use crate::engine::run::Stop;
use crate::store::rows::{ParkedRow, put_meta};
use crate::store::{Batch, keys};
use selaras_core::checkpoint::{BEGINNING, since};
use selaras_core::id::{CloudId, EntityId, EntityType};
use selaras_core::json::Doc;
use selaras_core::receive::Received;
use selaras_core::stamp::Millis;
use selaras_core::update::Update;
use std::collections::HashSet;
use tracing::Instrument;

/// The name of the stored pull cursor.
pub const CHECKPOINT: &str = "checkpoint";
/// Elements asked for in a page; a wish.
pub(super) const PAGE: u32 = 1000;
/// Pages of a pull that may say "more" under a checkpoint that came before; a cloud that goes on so would never end.
pub(super) const MOST_UNMOVED: usize = 10;

/// A page's element that cannot become an update, and why.
pub(super) struct Unreadable {
    /// The cloud's name of its type, or of the array in which it stood.
    entity_type: String,
    pub(super) problem: String,
    /// That array.
    collection: String,
    raw: String,
}

impl Engine {
    /// Pulls all pages there are; or, where the cloud no longer knows the checkpoint, fetches everything again.
    pub(crate) async fn pull(
        &self,
        cloud: &Client,
        stop: &Stop,
        progress: &mut Progress,
    ) -> Result<(), Trouble> {
        if self.lists_instead_of_pulling() {
            return self.pull_by_listing(cloud, stop, progress).await;
        }
        let stored = self.checkpoint()?;
        let mut asked = since(stored.as_deref(), self.settings().sync.pull_overlap_seconds);
        let mut ahead = None;
        let mut unmoved = 0;
        let mut before = HashSet::from([asked.clone()]);
        while !stop.is_set() {
            let answer = match ahead.take() {
                Some(fetch) => stop.or_abandoned(fetch).await.and_then(flatten),
                None => {
                    let halt = stop.child();
                    let asking = self.ask(&halt, cloud.updates(&asked, Some(PAGE)));
                    stop.or_abandoned(asking).await.flatten()
                }
            };
            let page = match answer {
                None => break,
                Some(Ok(answer)) => {
                    self.heard(answer.timing);
                    answer.value
                }
                Some(Err(LinkError::Gone)) if asked != BEGINNING => {
                    tracing::warn!("the cloud no longer knows our checkpoint; everything is fetched again");
                    self.ask_in_place_of_the_pull().await?;
                    return self.pull_by_listing(cloud, stop, progress).await;
                }
                Some(Err(error)) => {
                    self.link_failed(&error, 0);
                    return Err(Trouble::Link(error));
                }
            };
            let next = page.checkpoint.clone().filter(|_| page.has_more);
            unmoved = match &next {
                // Where it has been before, though it may have gone on from there.
                Some(next) if !before.insert(next.clone()) => unmoved + 1,
                _ => unmoved,
            };
            let next = next.filter(|_| unmoved < MOST_UNMOVED);
            if let Some(next) = &next {
                let (engine, cloud, next, halt) = (self.clone(), cloud.clone(), next.clone(), stop.child());
                let fetch = tokio::spawn(
                    async move { engine.ask(&halt, cloud.updates(&next, Some(PAGE))).await }
                        .in_current_span(),
                );
                ahead = Some(Fetch(fetch));
            }
            self.take_page(page, progress).await?;
            match next {
                Some(next) => asked = next,
                None => {
                    self.knows_this_cloud().await?;
                    self.pulled_to_the_end().await?;
                    break;
                }
            }
        }
        Ok(())
    }

    async fn pull_by_listing(
        &self,
        cloud: &Client,
        stop: &Stop,
        progress: &mut Progress,
    ) -> Result<(), Trouble> {
        match self.fetch_again(cloud, stop, progress, || false).await {
            Err(Trouble::Link(error)) => {
                self.link_failed(&error, 0);
                Err(Trouble::Link(error))
            }
            done => done.map(drop),
        }
    }

    /// The cloud knows the checkpoint, so it is the one that gave it out, whatever its address.
    async fn knows_this_cloud(&self) -> Result<(), Unavailable> {
        if self.inner.rows.meta::<bool>(MOVED)?.is_some() {
            let mut batch = Batch::new();
            batch.delete(keys::named(keys::META, MOVED.as_bytes()));
            self.inner.rows.store().commit(batch).await?;
        }
        Ok(())
    }

    /// The stored pull cursor.
    pub(crate) fn checkpoint(&self) -> Result<Option<String>, Unavailable> {
        Ok(self.inner.rows.meta(CHECKPOINT)?)
    }

    async fn take_page(&self, page: Page, progress: &mut Progress) -> Result<(), Trouble> {
        for problem in &page.problems {
            tracing::warn!(problem, "an element of the cloud's updates cannot be read");
            progress.pull_failed("unknown", problem.clone());
        }
        progress.page();
        let mut arrivals = Vec::with_capacity(page.elements.len());
        let mut unreadable = Vec::new();
        for element in &page.elements {
            match self.arrival(element) {
                Ok(arrival) => arrivals.push(arrival),
                Err(bad) => unreadable.push(*bad),
            }
        }
        for bad in &unreadable {
            tracing::warn!(
                problem = bad.problem,
                entity_type = bad.entity_type,
                "an update is parked"
            );
            progress.pull_failed(&bad.entity_type, bad.problem.clone());
        }
        let stored = self.checkpoint()?;
        let moved = page.checkpoint.filter(|next| stored.as_ref() != Some(next));
        if arrivals.is_empty() && unreadable.is_empty() && page.unreadable.is_empty() && moved.is_none() {
            return Ok(());
        }
        let broken = page.unreadable.into_iter().map(|element| Unreadable {
            entity_type: String::new(),
            problem: element.problem.to_owned(),
            collection: element.collection,
            raw: element.raw,
        });
        let rows = unreadable.into_iter().chain(broken);
        let rows = self.new_unreadable(rows.map(|bad| self.unreadable(bad)).collect())?;
        let also = |batch: &mut Batch, _: &[Landing]| {
            if let Some(checkpoint) = &moved {
                put_meta(batch, CHECKPOINT, checkpoint);
            }
            park_unreadable(batch, &rows);
        };
        let landings = self
            .take_in(&arrivals, also)
            .await?
            .expect("invariant: a page adds no precondition of its own");
        let mut inboxed = Vec::new();
        for landing in landings {
            match landing.became {
                Became::Received(Received::Stale) => {}
                Became::Received(_) => progress.pulled(&landing.key.entity_type),
                Became::Inboxed => {
                    progress.pulled(&landing.key.entity_type);
                    inboxed.push(landing.key);
                }
                // Only a webhook's update; a pulled one is judged by its content.
                Became::Unordered => {}
                Became::Parked(error) => progress.pull_failed(landing.key.entity_type.as_str(), error),
            }
        }
        let mut tally = crate::engine::decide::Tally::default();
        for (_, resolution) in self.decide(inboxed).await? {
            tally.add(resolution);
        }
        progress.decided(tally);
        Ok(())
    }

    /// The update that an element is.
    pub(super) fn arrival(&self, element: &Element) -> Result<Arrival, Box<Unreadable>> {
        let settings = self.settings();
        let (name, found) = match &element.collection {
            Collection::Typed(name) => (name, settings.type_of_wire(name)),
            Collection::Plural(name) => (name, settings.type_of_collection(name)),
        };
        let bad = |problem: String| {
            let (collection, raw) = element.text();
            Box::new(Unreadable {
                entity_type: name.clone(),
                problem,
                collection,
                raw,
            })
        };
        let entity_type: EntityType = found.ok_or_else(|| bad(format!("{name:?} names no entity type")))?;
        let id = |name: &str, id: &str| format!("{name} {id:?} is not usable as an id");
        let cloud_id = match &element.cloud_id {
            Some(text) => Some(CloudId::parse(text).map_err(|_| bad(id("cloud_id", text)))?),
            None => None,
        };
        let local_id = match &element.local_id {
            Some(text) => Some(EntityId::parse(text).map_err(|_| bad(id("local_id", text)))?),
            None => None,
        };
        let body = match &element.data {
            Some(text) => Some(Doc::parse(text).map_err(|error| bad(error.to_string()))?),
            None => None,
        };
        let update = Update {
            cloud_id,
            version: element.version,
            stamp: element.stamp_ms.map(Millis),
            by: element.updated_by.clone(),
            change_id: element.change_id.clone(),
            body,
        };
        Ok(Arrival {
            entity_type,
            local_id,
            update,
            pulled: true,
            listed: false,
        })
    }

    fn unreadable(&self, bad: Unreadable) -> ParkedRow {
        let collection = Some(bad.collection.as_str());
        let under = self.read_under(&self.settings(), &bad.entity_type, collection);
        ParkedRow {
            entity_type: bad.entity_type,
            entity_id: None,
            update: None,
            raw: Some(bad.raw),
            error_code: UNREADABLE.to_owned(),
            error: bad.problem,
            at: self.now(),
            plugin: None,
            digest: None,
            under: Some(under),
            version: 0,
            collection: Some(bad.collection),
        }
    }
}

/// None: the run stopped before it was asked for.
type Fetched = Option<Result<crate::cloud::Answer<Page>, LinkError>>;

/// A page that is fetched ahead; dropped, the request is abandoned.
struct Fetch(tokio::task::JoinHandle<Fetched>);

impl Drop for Fetch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl std::future::Future for Fetch {
    type Output = Result<Fetched, tokio::task::JoinError>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(cx)
    }
}

fn flatten(joined: Result<Fetched, tokio::task::JoinError>) -> Fetched {
    match joined {
        Ok(fetched) => fetched,
        Err(error) => Some(Err(LinkError::Nonsense(format!(
            "the request's task died: {error}"
        )))),
    }
}
