//! Pull: page by page from the checkpoint. Each page is taken in with its new checkpoint in one commit (promise 5),
//! and what it put into inboxes is decided. The next page is fetched meanwhile.

use crate::cloud::{Client, Collection, Element, LinkError, Page};
use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::engine::inflow::{Arrival, Became};
use crate::engine::parking::{UNREADABLE, park_unreadable};
use crate::engine::progress::Progress;
use crate::engine::push::Trouble;
use crate::engine::run::Stop;
use crate::store::Batch;
use crate::store::rows::{ParkedRow, put_meta};
use selaras_core::checkpoint::{BEGINNING, since};
use selaras_core::id::{CloudId, EntityId, EntityType};
use selaras_core::json::Doc;
use selaras_core::receive::Received;
use selaras_core::stamp::Millis;
use selaras_core::update::Update;

/// The name of the stored pull cursor.
pub const CHECKPOINT: &str = "checkpoint";
/// Elements asked for in a page; a wish.
const PAGE: u32 = 1000;
/// Pages in a row that may say "more" without a new checkpoint; a cloud that goes on so would never end.
const MOST_UNMOVED: usize = 10;

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
    /// Pulls all pages there are.
    pub(crate) async fn pull(
        &self,
        cloud: &Client,
        stop: &Stop,
        progress: &mut Progress,
    ) -> Result<(), Trouble> {
        let stored = self.checkpoint()?;
        let mut asked = since(stored.as_deref(), self.settings().sync.pull_overlap_seconds);
        let mut restarted = false;
        let mut ahead = None;
        let mut unmoved = 0;
        while !stop.is_set() {
            let answer = match ahead.take() {
                Some(fetch) => stop.or_abandoned(fetch).await.and_then(flatten),
                None => stop.or_abandoned(cloud.updates(&asked, Some(PAGE))).await,
            };
            let page = match answer {
                None => break,
                Some(Ok(answer)) => {
                    self.heard(answer.timing);
                    answer.value
                }
                Some(Err(LinkError::Gone)) if !restarted && asked != BEGINNING => {
                    tracing::warn!("the cloud no longer knows our checkpoint; everything is pulled again");
                    restarted = true;
                    BEGINNING.clone_into(&mut asked);
                    continue;
                }
                Some(Err(error)) => {
                    self.link_failed(&error, 0);
                    return Err(Trouble::Link(error));
                }
            };
            let next = page.checkpoint.clone().filter(|_| page.has_more);
            unmoved = if next.as_ref() == Some(&asked) {
                unmoved + 1
            } else {
                0
            };
            let next = next.filter(|_| unmoved < MOST_UNMOVED);
            if let Some(next) = &next {
                let (cloud, next) = (cloud.clone(), next.clone());
                let fetch = tokio::spawn(async move { cloud.updates(&next, Some(PAGE)).await });
                ahead = Some(Fetch(fetch));
            }
            self.take_page(page, progress).await?;
            match next {
                Some(next) => asked = next,
                None => {
                    self.pulled_to_the_end().await?;
                    break;
                }
            }
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
        let also = |batch: &mut Batch| {
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

type Fetched = Result<crate::cloud::Answer<Page>, LinkError>;

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

fn flatten(joined: Result<Fetched, tokio::task::JoinError>) -> Option<Fetched> {
    match joined {
        Ok(fetched) => Some(fetched),
        Err(error) => Some(Err(LinkError::Nonsense(format!(
            "the request's task died: {error}"
        )))),
    }
}
