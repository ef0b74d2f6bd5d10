//! What the audit log says of a change of settings. The cloud's key, the profile and plugins' settings are only named:
//! what is in them is nobody else's business.

use crate::engine::api::{Actor, BindingPatch, Event, OutletPatch, SyncSettings};
use crate::engine::settings::Settings;
use serde_json::{Map, Value, json};

/// The outlet's configuration, by an admin or the cloud.
pub(super) fn outlet(patch: &OutletPatch, before: &Settings, actor: &Actor) -> Event {
    let outlet = &before.outlet;
    let texts = [
        ("outlet_id", &patch.outlet_id, &outlet.outlet_id),
        ("outlet_code", &patch.outlet_code, &outlet.outlet_code),
        ("outlet_name", &patch.outlet_name, &outlet.outlet_name),
        ("cloud_api_url", &patch.cloud_api_url, &outlet.cloud_api_url),
    ];
    let texts = texts
        .into_iter()
        .filter_map(|(name, to, from)| Some((name, json!(from), json!(to.as_ref()?))));
    let switch = patch
        .sync_enabled
        .map(|to| ("sync_enabled", json!(outlet.sync_enabled), json!(to)));
    let interval = patch.sync_interval_minutes.map(|to| {
        (
            "sync_interval_minutes",
            json!(outlet.sync_interval_minutes),
            json!(to),
        )
    });
    let action = match before.stored {
        Some(_) => "outlet.update",
        None => "outlet.create",
    };
    Event::new(&actor.id, action, "outlet")
        .with("fields", patch.fields())
        .with("changed", changed(texts.chain(switch).chain(interval)))
        .with("rebind", patch.rebind.then_some(true))
}

/// How runs are made.
pub(super) fn sync(before: &SyncSettings, after: &SyncSettings, actor: &Actor) -> Event {
    let fields = |settings: &SyncSettings| match serde_json::to_value(settings) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let before = fields(before);
    let after = fields(after).into_iter();
    let changed = changed(after.map(|(name, to)| {
        let from = before.get(&name).cloned().unwrap_or_default();
        (name, from, to)
    }));
    Event::new(&actor.id, "sync.settings", "sync").with("changed", changed)
}

/// How a type is synced.
pub(super) fn binding(entity_type: &str, patch: &BindingPatch, actor: &Actor) -> Event {
    let named = [
        ("settings", patch.settings.is_some()),
        ("cloud_type", patch.cloud_type.is_some()),
        ("collection", patch.collection.is_some()),
        ("route", patch.route.is_some()),
        ("coalesce", patch.coalesce.is_some()),
        ("priority", patch.priority.is_some()),
        ("max_document_bytes", patch.max_document_bytes.is_some()),
        ("limits", patch.limits.is_some()),
    ];
    let fields: Vec<&str> = named
        .into_iter()
        .filter(|(_, set)| *set)
        .map(|(name, _)| name)
        .collect();
    let event = Event::new(&actor.id, "binding.update", entity_type)
        .with("strategy", patch.strategy.as_deref())
        .with("fields", fields);
    match &patch.mapper {
        None => event,
        Some(mapper) => event.with("mapper", mapper.as_deref().unwrap_or("(none)")),
    }
}

/// `{name: [from, to]}` of what is another value than it was.
fn changed<N: Into<String>>(fields: impl Iterator<Item = (N, Value, Value)>) -> Value {
    let changed = fields.filter(|(_, from, to)| from != to);
    Value::Object(
        changed
            .map(|(name, from, to)| (name.into(), json!([from, to])))
            .collect(),
    )
}
