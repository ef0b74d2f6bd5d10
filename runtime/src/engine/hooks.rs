//! Webhooks of the cloud, authentic and fresh when they come here: taken in with their dedup key in one commit, then
//! decided at once where that is possible (rule 13).

use crate::cloud::{Collection, Element};
use crate::engine::Engine;
use crate::engine::api::{
    BulkElement, Hook, HookConflict, HookError, HookOutcome, HookResult, HookUpdate, Resolution, Unavailable,
};
use crate::engine::inflow::{Arrival, Became, Landing};
use crate::engine::parking::{UNREADABLE, park_unreadable};
use crate::engine::tell::Hint;
use crate::store::rows::{ParkedRow, RowError, encode, put};
use crate::store::{Batch, CommitError, keys};
use selaras_core::id::{CloudId, EntityId, EntityKey};
use selaras_core::receive::Received;
use selaras_core::update::Update;

impl Engine {
    /// Takes a webhook in. Durable when it answers; the first of `names` names it: what came before does nothing again. The
    /// others are remembered, for when it comes once more under one of them.
    ///
    /// # Errors
    /// See [`HookError`]; nothing was done then.
    pub async fn hook(&self, hook: Hook, names: &[[u8; 32]]) -> Result<HookOutcome, HookError> {
        let kept = names.iter().map(|digest| keys::named(keys::WEBHOOK, digest));
        let kept: Vec<_> = kept.collect();
        let key = kept.first();
        if let Some(key) = key
            && self.came_before(key)?
        {
            return Ok(self.duplicate());
        }
        let now = self.now();
        let taken = |batch: &mut Batch| {
            if let Some(key) = key {
                batch.expect_absent(key.clone());
            }
            for key in &kept {
                batch.put(key.clone(), encode(&now));
            }
        };
        let outcome = match hook {
            Hook::Update(update) => {
                let arrival = self.hook_arrival(&update)?;
                self.take_hooks(vec![Ok(arrival)], taken).await
            }
            Hook::Bulk(elements) => {
                let arrivals = elements
                    .into_iter()
                    .map(|element| self.bulk_arrival(element))
                    .collect();
                self.take_hooks(arrivals, taken).await
            }
            Hook::Conflict(conflict) => self.conflict_hint(conflict, taken).await,
            Hook::Broadcast(broadcast) => self.take_broadcast(broadcast, taken).await,
            Hook::Config(config) => self.take_config(config, key.map(Vec::as_slice), taken).await,
        };
        if key.is_some() && outcome.as_ref().is_ok_and(|outcome| !outcome.duplicate) {
            self.webhook_kept();
        }
        outcome
    }

    /// Whether a webhook of this dedup key was taken in.
    pub(super) fn came_before(&self, key: &[u8]) -> Result<bool, Unavailable> {
        let found = self.inner.rows.store().get(key).map_err(RowError::from)?;
        Ok(found.is_some())
    }

    /// What came before.
    pub(super) fn duplicate(&self) -> HookOutcome {
        HookOutcome {
            duplicate: true,
            ..self.taken_in(Vec::new())
        }
    }

    /// What came for the first time.
    pub(super) fn taken_in(&self, results: Vec<HookResult>) -> HookOutcome {
        HookOutcome {
            duplicate: false,
            applied_at: self.now(),
            results,
            conflict_id: None,
            broadcast_id: None,
        }
    }

    /// Commits what a hook does with its dedup key; false: another of the same key was quicker.
    pub(super) async fn commit_hook(&self, batch: Batch) -> Result<bool, Unavailable> {
        match self.inner.rows.store().commit(batch).await {
            Ok(_) => Ok(true),
            Err(CommitError::Precondition { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn take_hooks(
        &self,
        elements: Vec<Result<Arrival, Box<ParkedRow>>>,
        taken: impl Fn(&mut Batch),
    ) -> Result<HookOutcome, HookError> {
        self.room_for_changes()?;
        let arrivals: Vec<Arrival> = elements.iter().filter_map(|e| e.as_ref().ok()).cloned().collect();
        let unreadable = elements.iter().filter_map(|e| e.as_ref().err());
        let parked = self.new_unreadable(unreadable.map(|row| ParkedRow::clone(row)).collect())?;
        let also = |batch: &mut Batch, _: &[Landing]| {
            taken(batch);
            park_unreadable(batch, &parked);
        };
        let Some(landings) = self.take_in(&arrivals, also).await? else {
            return Ok(self.duplicate());
        };
        let inboxed = landings
            .iter()
            .filter(|l| matches!(l.became, Became::Inboxed))
            .map(|l| l.key.clone())
            .collect();
        let decided = self.decide(inboxed).await?;
        if decided
            .iter()
            .any(|(_, resolution)| *resolution != Resolution::Manual)
        {
            self.changed();
        }
        let mut landings = landings.into_iter();
        let mut results = Vec::with_capacity(elements.len());
        for element in &elements {
            results.push(match element {
                Ok(_) => {
                    let landing = landings.next().expect("invariant: one landing an arrival");
                    self.hook_result(landing, &decided)?
                }
                Err(row) => HookResult {
                    key: None,
                    local_version: 0,
                    resolution: Resolution::Pending,
                    error: Some(row.error.clone()),
                },
            });
        }
        Ok(self.taken_in(results))
    }

    /// What became of an arrival, after what could be decided was.
    pub(super) fn hook_result(
        &self,
        landing: Landing,
        decided: &[(EntityKey, Resolution)],
    ) -> Result<HookResult, Unavailable> {
        let mut error = None;
        let resolution = match landing.became {
            Became::Received(Received::Stale | Received::Unchanged) => Resolution::Stale,
            Became::Received(Received::Agreed { .. }) => Resolution::Agreed,
            Became::Received(Received::Applied) => Resolution::Applied,
            Became::Received(Received::Filtered) => Resolution::Filtered,
            Became::Received(Received::Contested | Received::Waits) => Resolution::Pending,
            Became::Unordered => {
                self.trigger();
                Resolution::Pending
            }
            Became::Inboxed => decided
                .iter()
                .find(|(key, _)| *key == landing.key)
                .map_or(Resolution::Pending, |(_, resolution)| *resolution),
            Became::Parked(why) => {
                error = Some(why);
                Resolution::Pending
            }
        };
        let local_version = self
            .inner
            .rows
            .record(&landing.key)?
            .map_or(0, |record| record.version);
        Ok(HookResult {
            key: Some(landing.key),
            local_version,
            resolution,
            error,
        })
    }

    fn hook_arrival(&self, update: &HookUpdate) -> Result<Arrival, HookError> {
        let invalid = |field, problem: String| HookError::Invalid { field, problem };
        let entity_type = self.settings().type_of_wire(&update.cloud_type).ok_or_else(|| {
            invalid(
                "entity_type",
                format!("{:?} names no entity type", update.cloud_type),
            )
        })?;
        let cloud_id = match &update.cloud_id {
            Some(id) => Some(CloudId::parse(id).map_err(|e| invalid("cloud_id", e.to_string()))?),
            None => None,
        };
        let local_id = match &update.local_id {
            Some(id) => Some(EntityId::parse(id).map_err(|e| invalid("local_id", e.to_string()))?),
            None => None,
        };
        if cloud_id.is_none() && local_id.is_none() {
            return Err(invalid(
                "cloud_id",
                "one of cloud_id and local_id is needed".to_owned(),
            ));
        }
        let update = Update {
            cloud_id,
            version: update.version,
            stamp: update.stamp,
            by: update.updated_by.clone(),
            change_id: update.change_id.clone(),
            body: update.data.clone(),
        };
        Ok(Arrival {
            entity_type,
            local_id,
            update,
            pulled: false,
            listed: false,
        })
    }

    /// A bad element fails alone; it is kept.
    fn bulk_arrival(&self, element: BulkElement) -> Result<Arrival, Box<ParkedRow>> {
        let (entity_type, entity_id, problem, raw) = match element {
            BulkElement::Update(update) => match self.hook_arrival(&update) {
                Ok(arrival) => return Ok(arrival),
                Err(error) => {
                    let (_, raw) = element_of(&update).text();
                    (update.cloud_type, update.local_id, error.to_string(), raw)
                }
            },
            BulkElement::Unreadable { problem, raw } => (String::new(), None, problem, raw),
        };
        tracing::warn!(problem, "an element of a bulk webhook is parked");
        let under = self.read_under(&self.settings(), &entity_type, None);
        Err(Box::new(ParkedRow {
            entity_type,
            entity_id,
            update: None,
            raw: Some(raw),
            error_code: UNREADABLE.to_owned(),
            error: problem,
            at: self.now(),
            plugin: None,
            digest: None,
            under: Some(under),
            version: 0,
            collection: None,
        }))
    }

    /// The cloud saw a conflict: its values are only a hint, so the entity is pulled; its id is kept for the record.
    async fn conflict_hint(
        &self,
        hint: HookConflict,
        taken: impl Fn(&mut Batch),
    ) -> Result<HookOutcome, HookError> {
        let named = HookUpdate {
            cloud_type: hint.cloud_type,
            cloud_id: hint.cloud_id,
            local_id: hint.local_id,
            version: None,
            stamp: None,
            updated_by: None,
            change_id: None,
            data: None,
        };
        let arrival = self.hook_arrival(&named)?;
        let key = self.known(&arrival)?;
        let mut batch = Batch::new();
        taken(&mut batch);
        let record = match &key {
            Some(key) => self.inner.rows.record(key)?,
            None => None,
        };
        if let (Some(key), Some(conflict_id)) = (&key, &hint.conflict_id) {
            let kept = Hint {
                conflict_id: conflict_id.clone(),
                required: hint.resolution_required,
                unsynced: record.as_ref().is_some_and(|record| record.waiting > 0),
                decided: None,
            };
            put(&mut batch, keys::entity(keys::HINT, key), &kept);
        }
        if !self.commit_hook(batch).await? {
            return Ok(self.duplicate());
        }
        self.trigger();
        let open = record.as_ref().and_then(|record| record.conflict.clone());
        let resolution = if open.is_some() {
            Resolution::Manual
        } else {
            Resolution::Pending
        };
        let local_version = record.map_or(0, |record| record.version);
        let result = HookResult {
            key,
            local_version,
            resolution,
            error: None,
        };
        Ok(HookOutcome {
            conflict_id: open.or(hint.conflict_id),
            ..self.taken_in(vec![result])
        })
    }
}

/// An element of a bulk as the cloud's updates would have it.
fn element_of(update: &HookUpdate) -> Element {
    let update = update.clone();
    Element {
        collection: Collection::Typed(update.cloud_type),
        cloud_id: update.cloud_id,
        local_id: update.local_id,
        version: update.version,
        stamp_ms: update.stamp.map(|stamp| stamp.0),
        updated_by: update.updated_by,
        change_id: update.change_id,
        data: update.data.map(|doc| doc.as_str().to_owned()),
    }
}

impl From<RowError> for HookError {
    fn from(error: RowError) -> Self {
        Self::Unavailable(error.into())
    }
}
