//! Parked documents tried again, one by one or together: an update is taken in as if it came now and leaves its row in that
//! same commit, or stays there; a change goes back into the queue when its mapper can handle it.

use super::parse;
use crate::cloud::read_again;
use crate::engine::Engine;
use crate::engine::api::{Actor, Event, ParkedError, ParkedRetried, ParkedWay, Resolution, Unavailable};
use crate::engine::inflow::{Arrival, Became, Landing};
use crate::engine::parking::Origin;
use crate::engine::tx::{Load, Tx, TxError};
use crate::store::rows::{ItemRow, ParkedRow, put};
use crate::store::{Batch, CommitError, keys};
use selaras_core::entity::Entity;
use selaras_core::id::{EntityId, EntityKey, EntityType};
use selaras_core::json::Doc;
use selaras_core::push::park_again;

/// What trying one update again came to.
pub(super) enum Tried {
    /// It is parked no more.
    Taken(EntityKey, Resolution, u64),
    /// It stays parked.
    Still { code: String, message: String },
    /// Somebody else has dealt with it.
    Gone,
}

impl Engine {
    /// Tries one again, now. It stays parked when its plugin fails again.
    ///
    /// # Errors
    /// See [`ParkedError`].
    pub async fn retry_parked(&self, id: &str, actor: &Actor) -> Result<ParkedRetried, ParkedError> {
        let number = parse(id)?;
        if let Some(row) = self.parked_row(number)? {
            return self.retry_update(id, number, row, actor).await;
        }
        match self.parked_item(number)? {
            Some(row) => self.retry_item(id, row, actor).await,
            None => Err(ParkedError::NotFound(id.to_owned())),
        }
    }

    async fn retry_update(
        &self,
        id: &str,
        number: u64,
        row: ParkedRow,
        actor: &Actor,
    ) -> Result<ParkedRetried, ParkedError> {
        let tried = self.retry_updates(vec![(number, row)], Some(actor)).await?.pop();
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

    /// Takes updates in as if they came now, for a person or (none) by itself; each leaves its row in that same commit, or
    /// stays there.
    pub(super) async fn retry_updates(
        &self,
        rows: Vec<(u64, ParkedRow)>,
        actor: Option<&Actor>,
    ) -> Result<Vec<Tried>, Unavailable> {
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
        let mut landed = self.land_again(&arrivals, &from, actor).await?.into_iter();
        Ok(tried
            .into_iter()
            .filter_map(|tried| tried.or_else(|| landed.next()))
            .collect())
    }

    async fn land_again(
        &self,
        arrivals: &[Arrival],
        from: &[Origin],
        actor: Option<&Actor>,
    ) -> Result<Vec<Tried>, Unavailable> {
        if arrivals.is_empty() {
            return Ok(Vec::new());
        }
        let still_there = |batch: &mut Batch, _: &[Landing]| {
            for origin in from {
                batch.expect_prefix(keys::numbered(keys::PARKED, origin.number), Vec::new());
            }
            if let Some(actor) = actor {
                let numbers: Vec<String> = from.iter().map(|origin| origin.number.to_string()).collect();
                let event = Event::new(&actor.id, "parked.retry", numbers.join(","));
                self.record(batch, &event.with("count", from.len()));
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
                tried.extend(Box::pin(self.land_again(arrival, origin, actor)).await?);
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
                listed: false,
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
    async fn retry_item(&self, id: &str, row: ItemRow, actor: &Actor) -> Result<ParkedRetried, ParkedError> {
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
        if self.put_back(vec![row], Some(actor)).await? == 0 {
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
