//! What is pushed next: due heads, mapped to the cloud's shape and marked as attempted, packed into requests. Nothing
//! leaves here; that is `push`.

use crate::cloud::PushItem;
use crate::engine::Engine;
use crate::engine::api::{Binding, Route, Unavailable};
use crate::engine::plugins::{StoreLookup, context, local_document};
use crate::engine::progress::Progress;
use crate::engine::settings::Settings;
use crate::engine::ship::{MOST_BYTES, Parcel, Shipment};
use crate::engine::tx::{Tx, TxError};
use crate::plugin::{Direction as Way, Failure, Mapped};
use selaras_core::daily;
use selaras_core::entity::Entity;
use selaras_core::id::EntityKey;
use selaras_core::json::Doc;
use selaras_core::payload::{Envelope, data};
use selaras_core::push::{Attempt, Outcome, absorb, attempt};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What due entities come to.
pub(super) struct Planned {
    /// What is to be sent of them.
    pub shipments: Vec<Shipment>,
    /// None of them had anything to send: they were changed since the schedule was read.
    pub idle: bool,
}

impl Engine {
    /// Maps and marks what these entities have to send.
    pub(super) async fn plan(
        &self,
        due: &[EntityKey],
        progress: &mut Progress,
    ) -> Result<Planned, Unavailable> {
        let settings = self.settings();
        let mut entities = Vec::with_capacity(due.len());
        for key in due {
            let entity = self.inner.rows.entity_edges(key)?;
            // Without a head that may go it was changed since the schedule was read.
            if entity.head().is_some() && entity.record.slot.is_some() {
                entities.push(entity);
            }
        }
        if entities.is_empty() {
            tokio::task::yield_now().await;
            return Ok(Planned {
                shipments: Vec::new(),
                idle: true,
            });
        }
        let mapped = self.map_to_cloud(&settings, &entities).await;
        let parcels = self.mark(&settings, entities, mapped, progress).await?;
        Ok(Planned {
            shipments: Shipment::pack(parcels),
            idle: false,
        })
    }

    /// What the mappers make of the heads' snapshots, in their order. Deletes carry no document.
    pub(super) async fn map_to_cloud(
        &self,
        settings: &Settings,
        entities: &[Entity],
    ) -> Vec<Result<Option<Mapped>, Failure>> {
        let mut mapped: Vec<Result<Option<Mapped>, Failure>> =
            (0..entities.len()).map(|_| Ok(None)).collect();
        let mut by_type: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, entity) in entities.iter().enumerate() {
            if entity.items[0].snapshot.is_some() {
                by_type
                    .entry(entity.key.entity_type.as_str())
                    .or_default()
                    .push(at);
            }
        }
        for (entity_type, indexes) in by_type {
            let binding = settings.binding(entity_type);
            let Some(mapper) = &binding.mapper else { continue };
            let documents = indexes
                .iter()
                .map(|at| {
                    let (entity, head) = (&entities[*at], &entities[*at].items[0]);
                    let modified = self.inner.time.resolve(&head.modified);
                    local_document(entity, head.snapshot.as_ref(), head.version, modified)
                })
                .collect();
            let lookup = Arc::new(StoreLookup::new(self.inner.rows.clone(), self.inner.time.clone()));
            let cx = context(settings, &binding, mapper, self.now());
            let outcomes = self
                .inner
                .host
                .map(mapper, Way::ToCloud, cx, documents, lookup)
                .await;
            for (at, outcome) in indexes.into_iter().zip(outcomes) {
                mapped[at] = outcome.map(Some);
            }
        }
        mapped
    }

    /// Commits the attempts; only then may a byte leave (rule 1). Entities that changed meanwhile are left out.
    async fn mark(
        &self,
        settings: &Settings,
        entities: Vec<Entity>,
        mapped: Vec<Result<Option<Mapped>, Failure>>,
        progress: &mut Progress,
    ) -> Result<Vec<(Parcel, Route, String)>, Unavailable> {
        let mut left: Vec<_> = entities.into_iter().zip(mapped).collect();
        loop {
            let mut tx = Tx::new(&self.inner.rows, settings);
            let mut parcels = Vec::with_capacity(left.len());
            let mut bytes = 0;
            let mut settled = Progress::default();
            for (place, (before, mapped)) in left.iter().enumerate() {
                let mut after = before.clone();
                if let Some(prepared) = self.prepare(settings, &mut after, mapped, &mut settled) {
                    bytes += prepared.push.data.len() + 512;
                    if bytes > MOST_BYTES && !parcels.is_empty() {
                        break;
                    }
                    parcels.push((place, prepared));
                }
                tx.track(before.clone(), after);
            }
            self.note_rate(&mut tx.batch);
            match tx.commit().await {
                Ok((_, sealed)) => {
                    progress.merge(settled);
                    let mut sealed: Vec<_> = sealed.into_iter().map(Some).collect();
                    let parcels = parcels.into_iter().map(|(place, prepared)| {
                        let entity = sealed[place].take();
                        prepared.of(entity.expect("invariant: tracked once, in this order"))
                    });
                    return Ok(parcels.collect());
                }
                Err(TxError::Raced(key)) => left.retain(|(before, _)| before.key != key),
                Err(TxError::Refused) => unreachable!("an attempt adds no precondition of its own"),
                Err(TxError::Unavailable(error)) => return Err(error),
            }
        }
    }

    /// The head as a parcel, or none when there is nothing to send: its mapper skips or fails, or the cloud never
    /// heard of what it deletes.
    fn prepare(
        &self,
        settings: &Settings,
        entity: &mut Entity,
        mapped: &Result<Option<Mapped>, Failure>,
        progress: &mut Progress,
    ) -> Option<Prepared> {
        let entity_type = entity.key.entity_type.clone();
        let head = &entity.items[0];
        let change_id = head.change_id.clone();
        let body = match mapped {
            Ok(None) => head.snapshot.clone(),
            Ok(Some(Mapped::Put(body))) => Some(Doc::from_trusted(body.clone())),
            Ok(Some(Mapped::Skip(reason))) => {
                tracing::info!(key = %entity.key, reason, "the mapper keeps a change from the cloud");
                absorb(
                    entity,
                    &change_id,
                    Outcome::Skipped,
                    &self.policy(settings, entity),
                );
                progress.filtered(&entity_type);
                return None;
            }
            Err(failure) => {
                let error = format!("{}: {}", failure.code.as_str(), failure.message);
                tracing::warn!(key = %entity.key, error, "a change is parked: its mapper could not handle it");
                let binding = settings.binding(entity_type.as_str());
                let outcome = Outcome::Parked {
                    error: error.clone(),
                    retryable: failure.retryable,
                    by: self.failed_mapper(&binding, failure),
                };
                absorb(entity, &change_id, outcome, &self.policy(settings, entity));
                progress.push_parked(&entity_type, error);
                return None;
            }
        };
        let updated_at = self.inner.time.resolve(&head.modified);
        if attempt(entity, updated_at) == Attempt::Needless {
            return None;
        }
        let head = &entity.items[0];
        let sent = head.sent.as_ref().expect("invariant: an attempted item was sent");
        let binding = settings.binding(entity_type.as_str());
        let cloud_id = entity.record.cloud_id.as_ref().map(ToString::to_string);
        let envelope = Envelope {
            key: &entity.key,
            cloud_id: cloud_id.as_deref(),
            version: head.version,
            updated_at: sent.updated_at,
            outlet_id: &settings.outlet.outlet_id,
            outlet_code: &settings.outlet.outlet_code,
        };
        let push = PushItem {
            entity_type: binding.cloud_type.clone(),
            operation: head.operation.as_str(),
            data: match (&body, binding.route) {
                (Some(day), Route::Daily) => daily::body(day, envelope.outlet_id, envelope.outlet_code),
                _ => data(body.as_ref(), &envelope),
            }
            .into_text(),
            change_id,
            base_version: sent.base_version,
        };
        Some(Prepared {
            push,
            cloud_id,
            binding,
        })
    }
}

/// A head that is ready to be sent.
struct Prepared {
    push: PushItem,
    cloud_id: Option<String>,
    binding: Arc<Binding>,
}

impl Prepared {
    /// With the entity as its attempt was committed, and how it travels.
    fn of(self, entity: Entity) -> (Parcel, Route, String) {
        let parcel = Parcel {
            key: entity.key.clone(),
            push: self.push,
            cloud_id: self.cloud_id,
            entity: Some(entity),
        };
        (parcel, self.binding.route, self.binding.collection.clone())
    }
}
