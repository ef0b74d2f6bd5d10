//! What becomes of parked documents: tried again when a plugin or what is bound to it changed, or when a person asks, and
//! given up by a person. An update goes the way of every update, so that an old one overwrites nothing; a change of the
//! outlet goes back into the queue, in its place.
//!
//! Whether something changed is told by comparing what a document failed under with what is in force, not by an event, so
//! it is noticed also when it happened while the outlet was off.

use crate::cloud::read_again;
use crate::engine::Engine;
use crate::engine::api::{
    Actor, ParkedDropped, ParkedError, ParkedFilter, ParkedRetried, ParkedTally, ParkedWay, Resolution,
    RetryError, Unavailable,
};
use crate::engine::inflow::{Arrival, Became};
use crate::engine::parking::{Origin, number_of, remove};
use crate::engine::settings::Settings;
use crate::engine::tx::{Load, Tx, TxError};
use crate::store::rows::{ItemRow, ParkedRow, RowError, put};
use crate::store::{Batch, CommitError, Counter, Direction, keys};
use selaras_core::entity::Entity;
use selaras_core::id::{EntityId, EntityKey, EntityType};
use selaras_core::json::Doc;
use selaras_core::push::park_again;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Documents tried again in one commit.
const BATCH: usize = 100;
/// Between two looks when nothing is known to have changed: for what says that trying again later can help.
const REST: Duration = Duration::from_secs(600);

/// What trying one update again came to.
enum Tried {
    /// It is parked no more.
    Taken(EntityKey, Resolution, u64),
    /// It stays parked.
    Still { code: String, message: String },
    /// Somebody else has dealt with it.
    Gone,
}

impl Engine {
    /// Tries parked documents again whenever what they failed under is no longer in force, and now and then those of which
    /// their mapper says that later can help, until `shutdown`.
    pub async fn mind_parked(self, shutdown: CancellationToken) {
        loop {
            if let Err(error) = self.reconsider(&shutdown).await {
                tracing::warn!(%error, "parked documents could not be tried again; they are, later");
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.inner.reconsider.notified() => {}
                () = tokio::time::sleep(REST) => {}
            }
        }
    }

    async fn reconsider(&self, shutdown: &CancellationToken) -> Result<(), Unavailable> {
        if self.inner.rows.store().counter(Counter::Parked) <= 0 {
            return Ok(());
        }
        let settings = self.settings();
        let tally = self
            .retry_where(
                shutdown,
                |row| row.under.as_deref() != Some(&*self.under_now(&settings, row)),
                |item| {
                    let under = item.item.parked.as_ref().map(|by| by.under.as_str());
                    under != Some(&*self.under(&settings.binding(item.key.entity_type.as_str())))
                },
            )
            .await?;
        if tally != ParkedTally::default() {
            let ParkedTally {
                taken,
                still_parked,
                queued,
            } = tally;
            tracing::info!(
                taken,
                queued,
                still_parked,
                "parked documents were tried again: what they failed under has changed"
            );
        }
        Ok(())
    }

    /// What a row would fail under now.
    fn under_now(&self, settings: &Settings, row: &ParkedRow) -> String {
        match row.update {
            Some(_) => self.under(&settings.binding(&row.entity_type)),
            None => self.read_under(settings, &row.entity_type, row.collection.as_deref()),
        }
    }

    /// Tries everything again that fits the filter.
    ///
    /// # Errors
    /// When the store does not answer; some may be done then.
    pub async fn retry_all_parked(&self, filter: &ParkedFilter) -> Result<ParkedTally, Unavailable> {
        let fits = |way, entity_type: &str, code: &str| {
            filter.way.is_none_or(|wanted| wanted == way)
                && filter
                    .entity_type
                    .as_ref()
                    .is_none_or(|wanted| wanted.as_str() == entity_type)
                && filter.error_code.as_ref().is_none_or(|wanted| wanted == code)
        };
        self.retry_where(
            &self.inner.shutdown,
            |row| fits(ParkedWay::ToLocal, &row.entity_type, &row.error_code),
            |item| {
                let code = item.item.parked.as_ref().map_or("", |by| by.code.as_str());
                fits(ParkedWay::ToCloud, item.key.entity_type.as_str(), code)
            },
        )
        .await
    }

    async fn retry_where(
        &self,
        shutdown: &CancellationToken,
        update: impl Fn(&ParkedRow) -> bool,
        item: impl Fn(&ItemRow) -> bool,
    ) -> Result<ParkedTally, Unavailable> {
        let mut tally = ParkedTally::default();
        let rows = &self.inner.rows;
        let (mut from, to) = keys::all(keys::PARKED);
        while !shutdown.is_cancelled() {
            let page: Vec<(Vec<u8>, ParkedRow)> = rows.page((&from, &to), Direction::Forward, BATCH)?;
            let Some((last, _)) = page.last() else { break };
            from.clone_from(last);
            from.push(0);
            let numbered = page
                .into_iter()
                .filter_map(|(key, row)| Some((keys::number(&key)?, row)));
            for tried in self
                .retry_updates(numbered.filter(|(_, row)| update(row)).collect())
                .await?
            {
                match tried {
                    Tried::Taken(..) => tally.taken += 1,
                    Tried::Still { .. } => tally.still_parked += 1,
                    Tried::Gone => {}
                }
            }
        }
        let (mut from, _) = keys::all(keys::FAILED);
        while !shutdown.is_cancelled() {
            let page = rows.failed_items(&from, BATCH)?;
            let Some((last, _)) = page.last() else { break };
            from.clone_from(last);
            from.push(0);
            let failed = page.into_iter().filter_map(|(_, row)| row);
            let parked = failed.filter(|row| row.item.is_parked() && item(row));
            tally.queued += self.put_back(parked.collect()).await?;
        }
        if tally.queued > 0 {
            self.trigger();
        }
        Ok(tally)
    }

    /// Tries one again, now. It stays parked when its plugin fails again.
    ///
    /// # Errors
    /// See [`ParkedError`].
    pub async fn retry_parked(&self, id: &str) -> Result<ParkedRetried, ParkedError> {
        let number = parse(id)?;
        if let Some(row) = self.parked_row(number)? {
            return self.retry_update(id, number, row).await;
        }
        match self.parked_item(number)? {
            Some(row) => self.retry_item(id, row).await,
            None => Err(ParkedError::NotFound(id.to_owned())),
        }
    }

    async fn retry_update(
        &self,
        id: &str,
        number: u64,
        row: ParkedRow,
    ) -> Result<ParkedRetried, ParkedError> {
        let tried = self.retry_updates(vec![(number, row)]).await?.pop();
        match tried {
            Some(Tried::Taken(key, resolution, local_version)) => {
                let record = self.inner.rows.record(&key).map_err(Unavailable::from)?;
                Ok(ParkedRetried {
                    id: id.to_owned(),
                    way: ParkedWay::ToLocal,
                    resolution: Some(resolution),
                    sync_status: record.unwrap_or_default().sync_status(),
                    local_version,
                    key,
                })
            }
            Some(Tried::Still { code, message }) => Err(ParkedError::Still {
                id: id.to_owned(),
                code,
                message,
            }),
            Some(Tried::Gone) | None => Err(ParkedError::NotFound(id.to_owned())),
        }
    }

    /// Takes updates in as if they came now; each leaves its row in that same commit, or stays there.
    async fn retry_updates(&self, rows: Vec<(u64, ParkedRow)>) -> Result<Vec<Tried>, Unavailable> {
        let mut tried: Vec<Option<Tried>> = Vec::with_capacity(rows.len());
        let mut arrivals = Vec::with_capacity(rows.len());
        let mut from = Vec::with_capacity(rows.len());
        for (number, row) in rows {
            match self.arrival_again(&row) {
                Ok(arrival) => {
                    arrivals.push(arrival);
                    from.push(Origin {
                        number,
                        version: row.version,
                    });
                    tried.push(None);
                }
                Err(problem) => tried.push(Some(self.unreadable_again(number, row, problem).await?)),
            }
        }
        let mut landed = self.land_again(&arrivals, &from).await?.into_iter();
        Ok(tried
            .into_iter()
            .filter_map(|tried| tried.or_else(|| landed.next()))
            .collect())
    }

    async fn land_again(&self, arrivals: &[Arrival], from: &[Origin]) -> Result<Vec<Tried>, Unavailable> {
        if arrivals.is_empty() {
            return Ok(Vec::new());
        }
        let still_there = |batch: &mut Batch| {
            for origin in from {
                batch.expect_prefix(keys::numbered(keys::PARKED, origin.number), Vec::new());
            }
        };
        let Some(landings) = self.take_in_from(arrivals, from, still_there).await? else {
            if arrivals.len() == 1 {
                return Ok(vec![Tried::Gone]);
            }
            // One of them is gone; who of them is found out one by one.
            let mut tried = Vec::with_capacity(arrivals.len());
            for (arrival, origin) in arrivals.iter().zip(from) {
                let (arrival, origin) = (std::slice::from_ref(arrival), std::slice::from_ref(origin));
                tried.extend(Box::pin(self.land_again(arrival, origin)).await?);
            }
            return Ok(tried);
        };
        let inboxed = landings.iter().filter(|l| matches!(l.became, Became::Inboxed));
        let decided = self.decide(inboxed.map(|l| l.key.clone()).collect()).await?;
        if decided
            .iter()
            .any(|(_, resolution)| *resolution != Resolution::Manual)
        {
            self.changed();
        }
        let mut tried = Vec::with_capacity(landings.len());
        for (landing, origin) in landings.into_iter().zip(from) {
            tried.push(match landing.became {
                Became::Parked(_) => match self.parked_row(origin.number)? {
                    Some(row) => Tried::Still {
                        code: row.error_code,
                        message: row.error,
                    },
                    None => Tried::Gone,
                },
                _ => {
                    let key = landing.key.clone();
                    let result = self.hook_result(landing, &decided)?;
                    Tried::Taken(key, result.resolution, result.local_version)
                }
            });
        }
        Ok(tried)
    }

    /// The update that a row holds, under the names it was parked with.
    fn arrival_again(&self, row: &ParkedRow) -> Result<Arrival, String> {
        if let Some(update) = &row.update {
            let local_id = row.entity_id.as_deref().map(EntityId::parse).transpose();
            return Ok(Arrival {
                entity_type: EntityType::parse(&row.entity_type).map_err(|error| error.to_string())?,
                local_id: local_id.map_err(|error| error.to_string())?,
                update: update.clone(),
                pulled: true,
            });
        }
        let raw = row.raw.as_deref().unwrap_or_default();
        let element = match &row.collection {
            Some(collection) => read_again(collection, raw)?,
            None => {
                check_hook_element(raw)?;
                read_again("items", raw)?
            }
        };
        self.arrival(&element).map_err(|bad| bad.problem)
    }

    /// What could not be read cannot be read still; the row says so.
    async fn unreadable_again(
        &self,
        number: u64,
        row: ParkedRow,
        problem: String,
    ) -> Result<Tried, Unavailable> {
        let under = self.under_now(&self.settings(), &row);
        let key = keys::numbered(keys::PARKED, number);
        let mut batch = Batch::new();
        batch.expect_prefix(key.clone(), Vec::new());
        let row = ParkedRow {
            error: problem.clone(),
            at: self.now(),
            under: Some(under),
            ..row
        };
        put(&mut batch, key, &row);
        match self.inner.rows.store().commit(batch).await {
            Ok(_) => Ok(Tried::Still {
                code: row.error_code,
                message: problem,
            }),
            Err(CommitError::Precondition { .. }) => Ok(Tried::Gone),
            Err(error) => Err(error.into()),
        }
    }

    /// Asks the item's mapper; when it can, the item goes back into the queue and a run begins.
    async fn retry_item(&self, id: &str, row: ItemRow) -> Result<ParkedRetried, ParkedError> {
        let settings = self.settings();
        let record = self.inner.rows.record(&row.key).map_err(Unavailable::from)?;
        let alone = Entity {
            record: record.unwrap_or_default(),
            items: vec![row.item.clone()],
            ..Entity::new(row.key.clone())
        };
        let mapped = self
            .map_to_cloud(&settings, std::slice::from_ref(&alone))
            .await
            .pop();
        if let Some(Err(failure)) = mapped {
            let by = self.failed_mapper(&settings.binding(row.key.entity_type.as_str()), &failure);
            let (code, message) = (by.code.clone(), failure.message.clone());
            let still = loop {
                let mut tx = Tx::new(&self.inner.rows, &settings);
                let entity = tx.entity(&row.key, Load::Whole).map_err(Unavailable::from)?;
                let still = park_again(entity, row.item.order, format!("{code}: {message}"), by.clone());
                match tx.commit().await {
                    Ok(_) => break still,
                    Err(TxError::Unavailable(error)) => return Err(error.into()),
                    Err(TxError::Raced(_) | TxError::Refused) => {}
                }
            };
            if !still {
                return Err(ParkedError::NotFound(id.to_owned()));
            }
            let id = id.to_owned();
            return Err(ParkedError::Still { id, code, message });
        }
        let key = row.key.clone();
        if self.put_back(vec![row]).await? == 0 {
            return Err(ParkedError::NotFound(id.to_owned()));
        }
        self.trigger();
        let record = self.inner.rows.record(&key).map_err(Unavailable::from)?;
        let record = record.unwrap_or_default();
        Ok(ParkedRetried {
            id: id.to_owned(),
            way: ParkedWay::ToCloud,
            resolution: None,
            sync_status: record.sync_status(),
            local_version: record.version,
            key,
        })
    }

    /// Gives a parked document up. A change of the outlet is given up as an item of the queue is. Of an update nothing is left:
    /// the entity stays as it is here until the cloud says something newer of it, or is asked for everything.
    ///
    /// # Errors
    /// See [`ParkedError`].
    pub async fn drop_parked(
        &self,
        id: &str,
        reason: &str,
        actor: &Actor,
    ) -> Result<ParkedDropped, ParkedError> {
        let number = parse(id)?;
        let not_found = || ParkedError::NotFound(id.to_owned());
        let Some(row) = self.parked_row(number)? else {
            let row = self.parked_item(number)?.ok_or_else(not_found)?;
            return match self.give_up(id, reason, actor).await {
                Ok(()) => Ok(ParkedDropped {
                    way: ParkedWay::ToCloud,
                    entity_type: row.key.entity_type.to_string(),
                    entity_id: Some(row.key.id.to_string()),
                }),
                Err(RetryError::NotFound(_)) => Err(not_found()),
                Err(busy @ RetryError::WrongState { .. }) => Err(ParkedError::Busy(busy.to_string())),
                Err(RetryError::Unavailable(error)) => Err(error.into()),
            };
        };
        let store = self.inner.rows.store();
        let mut batch = Batch::new();
        batch.expect_prefix(keys::numbered(keys::PARKED, number), Vec::new());
        remove(&mut batch, number);
        if let Some(slot) = row.slot() {
            let value = store
                .get(&slot)
                .map_err(|error| Unavailable::from(RowError::from(error)))?;
            if value.as_deref().and_then(number_of) == Some(number) {
                batch.expect_prefix(slot.clone(), number.to_be_bytes());
                batch.delete(slot);
            }
        }
        match store.commit(batch).await {
            Ok(_) => {}
            Err(CommitError::Precondition { .. }) => return Err(not_found()),
            Err(error) => return Err(Unavailable::from(error).into()),
        }
        tracing::warn!(
            entity_type = row.entity_type,
            entity_id = row.entity_id,
            parked = id,
            code = row.error_code,
            reason,
            by = actor.id,
            "a parked update was given up"
        );
        Ok(ParkedDropped {
            way: ParkedWay::ToLocal,
            entity_type: row.entity_type,
            entity_id: row.entity_id,
        })
    }

    fn parked_row(&self, number: u64) -> Result<Option<ParkedRow>, Unavailable> {
        Ok(self.inner.rows.get(&keys::numbered(keys::PARKED, number))?)
    }

    fn parked_item(&self, number: u64) -> Result<Option<ItemRow>, Unavailable> {
        let row = self.inner.rows.item(number)?;
        Ok(row.filter(|row| row.item.is_parked()))
    }
}

fn parse(id: &str) -> Result<u64, ParkedError> {
    id.parse().map_err(|_| ParkedError::NotFound(id.to_owned()))
}

/// An element of a bulk names its document `data`, unless it says that the entity is gone: without it, it is no document of
/// nothing but an envelope.
fn check_hook_element(raw: &str) -> Result<(), String> {
    let element = Doc::parse(raw).map_err(|error| error.to_string())?;
    let says = |name: &str| element.get(name).map(str::trim);
    let deletes = ["action", "operation"]
        .iter()
        .any(|name| says(name) == Some("\"delete\""));
    match says("data") {
        Some(data) if data.starts_with('{') => Ok(()),
        _ if deletes => Ok(()),
        _ => Err("data is missing: it must be the entity's document, a JSON object".to_owned()),
    }
}
