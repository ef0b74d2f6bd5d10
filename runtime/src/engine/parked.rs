//! What becomes of parked documents: tried again when a plugin or what is bound to it changed, or when a person asks, and
//! given up by a person. An update goes the way of every update, so that an old one overwrites nothing; a change of the
//! outlet goes back into the queue, in its place.
//!
//! Whether something changed is told by comparing what a document failed under with what is in force, not by an event, so
//! it is noticed also when it happened while the outlet was off.

mod again;

use self::again::Tried;
use crate::engine::Engine;
use crate::engine::api::{
    Actor, Event, ParkedDropped, ParkedError, ParkedFilter, ParkedTally, ParkedWay, RetryError, Unavailable,
};
use crate::engine::parking::{number_of, remove};
use crate::engine::settings::Settings;
use crate::store::rows::{ItemRow, ParkedRow, RowError};
use crate::store::{Batch, CommitError, Counter, Direction, keys};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Documents tried again in one commit.
const BATCH: usize = 100;
/// Between two looks when nothing is known to have changed: for what says that trying again later can help.
const REST: Duration = Duration::from_secs(600);

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
                None,
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
    pub async fn retry_all_parked(
        &self,
        filter: &ParkedFilter,
        actor: &Actor,
    ) -> Result<ParkedTally, Unavailable> {
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
            Some(actor),
        )
        .await
    }

    async fn retry_where(
        &self,
        shutdown: &CancellationToken,
        update: impl Fn(&ParkedRow) -> bool,
        item: impl Fn(&ItemRow) -> bool,
        actor: Option<&Actor>,
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
                .retry_updates(numbered.filter(|(_, row)| update(row)).collect(), actor)
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
            tally.queued += self.put_back(parked.collect(), actor).await?;
        }
        if tally.queued > 0 {
            self.trigger();
        }
        Ok(tally)
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
        let event = Event::new(&actor.id, "parked.give_up", id)
            .with("entity_type", row.entity_type.as_str())
            .with("entity_id", row.entity_id.as_deref())
            .with("reason", reason);
        self.record(&mut batch, &event);
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
