//! The bridge to the plugin host: the engine's documents in the plugins' shape and back, and the look-ups that a
//! plugin may make of the outlet's records.

use crate::engine::api::{Binding, PluginView, ShadowView};
use crate::engine::settings::Settings;
use crate::engine::time::Time;
use crate::plugin::{
    CallContext, Direction, Document, Failure, Host, Kind, Lookup, Mapped, PluginState, PluginStatus,
    ShadowStatus, Source,
};
use crate::store::rows::Rows;
use selaras_core::entity::Entity;
use selaras_core::id::{EntityId, EntityKey, EntityType};
use selaras_core::json::Doc;
use selaras_core::stamp::Millis;
use selaras_core::update::{Seen, Update};
use std::sync::Arc;

/// What a call of this plugin knows besides its documents.
pub fn context(settings: &Settings, binding: &Binding, plugin: &str, now: Millis) -> CallContext {
    CallContext {
        outlet_id: settings.outlet.outlet_id.clone(),
        outlet_code: settings.outlet.outlet_code.clone(),
        now_ms: unsigned(now),
        settings: binding.settings_of(plugin).into_text(),
        limits: binding.limits.into(),
    }
}

/// Milliseconds as plugins have them.
pub fn unsigned(at: Millis) -> u64 {
    u64::try_from(at.0).unwrap_or(0)
}

/// A document of the entity as plugins see it; no `doc`: a tombstone.
pub fn document(key: &EntityKey, doc: Option<&Doc>) -> Document {
    Document {
        entity_type: key.entity_type.to_string(),
        id: key.id.to_string(),
        cloud_id: None,
        version: 0,
        deleted: doc.is_none(),
        modified_ms: None,
        modified_by: None,
        body: doc.map_or_else(|| Arc::from("null"), |doc| Arc::from(doc.as_str())),
    }
}

/// The outlet's side as plugins see it.
pub fn local_document(entity: &Entity, doc: Option<&Doc>, version: u64, modified: Millis) -> Document {
    Document {
        cloud_id: entity.record.cloud_id.as_ref().map(ToString::to_string),
        version,
        modified_ms: Some(unsigned(modified)),
        modified_by: entity.record.modified_by.clone(),
        ..document(&entity.key, doc)
    }
}

/// An update as plugins see it, in the given shape.
pub fn cloud_document(key: &EntityKey, update: &Update, doc: Option<&Doc>) -> Document {
    Document {
        cloud_id: update.cloud_id.as_ref().map(ToString::to_string),
        version: update.version.unwrap_or(0),
        modified_ms: update.stamp.map(unsigned),
        modified_by: update.by.clone(),
        ..document(key, doc)
    }
}

/// What the type's mapper makes of updates from the cloud, in their order. Deletes are not mapped.
pub async fn map_to_local(
    host: &Host,
    settings: &Settings,
    binding: &Binding,
    updates: Vec<(&EntityKey, &Update)>,
    lookup: Arc<dyn Lookup>,
    now: Millis,
) -> Vec<Result<Seen, Failure>> {
    let plain = |update: &Update| update.body.clone().map_or(Seen::Deleted, Seen::Doc);
    let Some(mapper) = &binding.mapper else {
        return updates.into_iter().map(|(_, update)| Ok(plain(update))).collect();
    };
    let live = updates.iter().filter(|(_, update)| update.body.is_some());
    let documents = live
        .map(|(key, update)| cloud_document(key, update, update.body.as_ref()))
        .collect();
    let cx = context(settings, binding, mapper, now);
    let mut mapped = host
        .map(mapper, Direction::ToLocal, cx, documents, lookup)
        .await
        .into_iter();
    let outcome = |update: &Update, mapped: Option<Result<Mapped, Failure>>| match mapped {
        _ if update.body.is_none() => Ok(Seen::Deleted),
        Some(Ok(Mapped::Put(body))) => Ok(Seen::Doc(Doc::from_trusted(body))),
        Some(Ok(Mapped::Skip(reason))) => Ok(Seen::Skipped(reason)),
        Some(Err(failure)) => Err(failure),
        None => Err(Failure::missing(mapper)),
    };
    updates
        .iter()
        .map(|(_, update)| {
            let next = if update.body.is_some() {
                mapped.next()
            } else {
                None
            };
            outcome(update, next)
        })
        .collect()
}

/// A plugin as shown, with the types that are bound to it.
pub fn view(status: PluginStatus, bound_types: Vec<String>) -> PluginView {
    let source = match &status.source {
        Source::Embedded => "embedded".to_owned(),
        Source::Installed => "installed".to_owned(),
        Source::File(path) => path.file_name().map_or_else(
            || path.display().to_string(),
            |name| name.to_string_lossy().into_owned(),
        ),
    };
    let usage = status.usage;
    let mut view = PluginView {
        name: status.name,
        kind: None,
        version: String::new(),
        description: String::new(),
        digest: String::new(),
        state: "refused",
        problem: None,
        source,
        grants: Vec::new(),
        signed_by: None,
        previous: None,
        bound_types,
        calls: usage.calls,
        errors: usage.errors,
        p50_us: usage.p50_us,
        p99_us: usage.p99_us,
        fuel: usage.fuel,
        peak_memory_bytes: usage.peak_memory_bytes,
        recent_calls: status.recent.0,
        recent_errors: status.recent.1,
        fell_back: 0,
        shadow: status.shadow.map(shadow_view),
    };
    let (info, state) = match status.state {
        PluginState::Active(info) => (info, "active"),
        PluginState::Suspended(info, why) => {
            view.problem = Some(why);
            (info, "suspended")
        }
        PluginState::Refused(refusal) => {
            view.problem = Some(refusal.to_string());
            return view;
        }
    };
    view.kind = Some(kind_word(info.kind));
    view.version = info.version;
    view.description = info.description;
    view.digest = info.digest;
    view.grants = info.grants.words().collect();
    view.state = state;
    view
}

fn shadow_view(shadow: ShadowStatus) -> ShadowView {
    ShadowView {
        digest: shadow.digest,
        version: shadow.version,
        compared: shadow.compared,
        differed: shadow.differed,
        dropped: shadow.dropped,
        errors: shadow.usage.errors,
        p50_us: shadow.usage.p50_us,
        p99_us: shadow.usage.p99_us,
    }
}

/// The contract's word for a kind.
pub fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Strategy => "strategy",
        Kind::Mapper => "mapper",
    }
}

/// What a plugin may read of the outlet's records.
pub struct StoreLookup {
    rows: Rows,
    time: Arc<Time>,
}

impl StoreLookup {
    /// Reads of these rows.
    pub fn new(rows: Rows, time: Arc<Time>) -> Self {
        Self { rows, time }
    }

    fn entity(&self, entity_type: &str, id: &str) -> Option<Entity> {
        let key = EntityKey {
            entity_type: EntityType::parse(entity_type).ok()?,
            id: EntityId::parse(id).ok()?,
        };
        match self.rows.record(&key) {
            Ok(record) => record.map(|record| Entity {
                key,
                record,
                items: Vec::new(),
                version_floor: 0,
            }),
            Err(error) => {
                tracing::warn!(%error, "a plugin's look-up could not be answered");
                None
            }
        }
    }
}

impl Lookup for StoreLookup {
    fn get(&self, entity_type: &str, id: &str) -> Option<Document> {
        let entity = self.entity(entity_type, id)?;
        let modified = self.time.resolve(&entity.record.modified);
        Some(local_document(
            &entity,
            entity.record.doc.as_ref(),
            entity.record.version,
            modified,
        ))
    }

    fn local_id(&self, entity_type: &str, cloud_id: &str) -> Option<String> {
        self.rows
            .by_cloud_id(entity_type, cloud_id)
            .unwrap_or_else(|error| {
                tracing::warn!(%error, "a plugin's look-up could not be answered");
                None
            })
    }

    fn cloud_id(&self, entity_type: &str, id: &str) -> Option<String> {
        self.entity(entity_type, id)?
            .record
            .cloud_id
            .map(|id| id.to_string())
    }
}
