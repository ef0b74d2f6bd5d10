//! Taking a batch or a document: what takes effect, and the result of each item. What an outlet may not send is
//! told as an error, which becomes a violation.

use super::Kind;
use super::state::{Applied, Entity, State};
use crate::harness::json_text::{RUNTIME_FIELDS, members, object, quote, string_at};
use selaras_core::stamp::Millis;
use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Batch<'a> {
    outlet_id: String,
    outlet_code: String,
    sync_timestamp: String,
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    entity_type: String,
    operation: String,
    #[serde(borrow)]
    data: &'a RawValue,
    change_id: String,
    base_version: u64,
}

/// Who the outlet says it is, in its headers.
pub(super) struct Caller<'a> {
    pub outlet_id: &'a str,
    pub outlet_code: &'a str,
}

/// The status with which a batch is refused as a whole.
pub(super) fn refusal(state: &State, body: &str) -> Option<u16> {
    let batch: Batch<'_> = serde_json::from_str(body).ok()?;
    let local_id = |item: &Item<'_>| string_at(item.data.get(), "local_id");
    let poisoned = || state.poison.is_some() && batch.items.iter().any(|item| local_id(item) == state.poison);
    match batch.items.len() > state.most_items {
        true => Some(413),
        false => poisoned().then_some(400),
    }
}

/// Takes a batch; answers the elements of `results`.
pub(super) fn take(
    kind: Kind,
    state: &mut State,
    caller: &Caller<'_>,
    body: &str,
) -> Result<Vec<String>, String> {
    let batch: Batch<'_> = serde_json::from_str(body).map_err(|e| format!("a batch that is none: {e}"))?;
    if batch.outlet_id != caller.outlet_id || batch.outlet_code != caller.outlet_code {
        return Err("a batch of another outlet than its headers say".to_owned());
    }
    if Millis::parse_rfc3339(&batch.sync_timestamp).is_none() {
        return Err(format!("sync_timestamp {:?}", batch.sync_timestamp));
    }
    if batch.items.is_empty() || batch.items.len() > 1000 || body.len() > 10_000_000 {
        return Err(format!(
            "a batch of {} items and {} bytes",
            batch.items.len(),
            body.len()
        ));
    }
    for item in &batch.items {
        check(item, caller)?;
    }
    Ok(batch.items.iter().map(|item| apply(kind, state, item)).collect())
}

fn check(item: &Item<'_>, caller: &Caller<'_>) -> Result<(), String> {
    let data = item.data.get();
    let said = |name| string_at(data, name);
    if !["create", "update", "delete"].contains(&item.operation.as_str()) {
        return Err(format!("operation {:?}", item.operation));
    }
    if item.change_id.is_empty() || item.change_id.len() > 128 {
        return Err(format!("change_id {:?}", item.change_id));
    }
    if said("local_id").is_none() || said("id") != said("local_id") {
        return Err(format!("data without id and local_id: {data}"));
    }
    if said("outlet_id").as_deref() != Some(caller.outlet_id)
        || said("outlet_code").as_deref() != Some(caller.outlet_code)
    {
        return Err(format!("data without outlet_id and outlet_code: {data}"));
    }
    let stamp = said("updated_at").and_then(|s| Millis::parse_rfc3339(&s));
    if stamp.is_none() || !members(data).iter().any(|(name, _)| name == "version") {
        return Err(format!("data without updated_at and version: {data}"));
    }
    let only_runtime_fields = || {
        members(data)
            .iter()
            .all(|(name, _)| RUNTIME_FIELDS.contains(&name.as_str()))
    };
    if item.operation == "delete" && !only_runtime_fields() {
        return Err(format!("a delete that carries a document: {data}"));
    }
    Ok(())
}

fn apply(kind: Kind, state: &mut State, item: &Item<'_>) -> String {
    let data = item.data.get();
    let local_id = string_at(data, "local_id").expect("checked");
    if let Some(reason) = state.refused.get(&local_id) {
        return result(kind, item, &local_id, "failed", &[("error", quote(reason))]);
    }
    if kind == Kind::Extended
        && let Some((cloud_id, version)) = state.remembered.get(&item.change_id)
    {
        let extra = [("cloud_id", quote(cloud_id)), ("version", version.to_string())];
        return result(kind, item, &local_id, "duplicate", &extra);
    }
    let named = string_at(data, "cloud_id")
        .and_then(|id| state.entities.get(&id))
        .cloned();
    let before = named.or_else(|| state.find(&item.entity_type, &local_id).cloned());
    if kind == Kind::Extended
        && let Some(entity) = &before
        && entity.version != item.base_version
        && !(entity.deleted && item.operation != "update")
    {
        return result(kind, item, &local_id, "conflict", &[("cloud", side(entity))]);
    }
    let cloud_id = before.map_or_else(
        || format!("c-{}-{}", item.entity_type, state.head() + 1),
        |e| e.cloud_id,
    );
    let document = (item.operation != "delete").then_some(data);
    let by = string_at(data, "outlet_code").expect("checked");
    let change_id = (kind == Kind::Extended).then_some(item.change_id.as_str());
    let version = state.write(
        &item.entity_type,
        &cloud_id,
        Some(&local_id),
        document,
        &by,
        change_id,
    );
    state
        .remembered
        .insert(item.change_id.clone(), (cloud_id.clone(), version));
    state.applied.push(Applied {
        change_id: Some(item.change_id.clone()),
        operation: item.operation.clone(),
        entity_type: item.entity_type.clone(),
        local_id: local_id.clone(),
        data: data.to_owned(),
    });
    let mut extra = vec![("cloud_id", quote(&cloud_id))];
    if kind == Kind::Extended {
        extra.push(("version", version.to_string()));
    }
    result(kind, item, &local_id, "success", &extra)
}

fn result(kind: Kind, item: &Item<'_>, local_id: &str, status: &str, extra: &[(&str, String)]) -> String {
    let mut fields = vec![
        ("entity_type", quote(&item.entity_type)),
        ("local_id", quote(local_id)),
        ("status", quote(status)),
    ];
    if kind == Kind::Extended {
        fields.push(("change_id", quote(&item.change_id)));
    }
    let fields = fields
        .iter()
        .chain(extra)
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    object(fields)
}

fn side(entity: &Entity) -> String {
    let data = if entity.deleted { "null" } else { &entity.data };
    format!(
        r#"{{"cloud_id":{},"version":{},"data":{data},"updated_at":{},"updated_by":{},"deleted":{}}}"#,
        quote(&entity.cloud_id),
        entity.version,
        quote(&Millis(entity.updated_at_ms).to_rfc3339()),
        quote(&entity.updated_by),
        entity.deleted
    )
}

/// The answer to a batch around its results.
pub(super) fn answer(results: &[String]) -> String {
    let count = |status: &str| {
        results
            .iter()
            .filter(|r| string_at(r, "status").as_deref() == Some(status))
            .count()
    };
    format!(
        r#"{{"success":true,"data":{{"processed":{},"success":{},"failed":{},"synced_at":"2026-01-27T10:35:00Z","results":[{}]}}}}"#,
        results.len(),
        count("success") + count("duplicate"),
        count("failed"),
        results.join(",")
    )
}

/// Takes one document by its own route.
pub(super) fn take_document(
    kind: Kind,
    state: &mut State,
    entity_type: &str,
    data: &str,
) -> Result<String, String> {
    let raw: &RawValue = serde_json::from_str(data).map_err(|e| format!("a document that is none: {e}"))?;
    let local_id =
        string_at(data, "local_id").ok_or_else(|| format!("a document without local_id: {data}"))?;
    let found = state.find(entity_type, &local_id);
    let item = Item {
        entity_type: entity_type.to_owned(),
        operation: if found.is_some() { "update" } else { "create" }.to_owned(),
        data: raw,
        change_id: format!("document {} of {local_id}", state.applied.len()),
        base_version: found.map_or(0, |e| e.version),
    };
    let result = apply(kind, state, &item);
    Ok(format!(r#"{{"success":true,"data":{result}}}"#))
}
