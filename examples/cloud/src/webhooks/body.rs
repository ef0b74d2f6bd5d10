//! The bodies of the webhooks. Pure: an entity goes in, text comes out.
//! The `timestamp` says when the edit was made and stays the same however often the webhook is sent.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::clock::Stamp;
use crate::json::Object;
use crate::store::conflicts::{Conflict, WHOLE};
use crate::store::entities::Entity;
use crate::store::outbox::Hook;

/// Updates in one `bulk-update`.
pub const MAX_BULK: usize = 100;

#[derive(Serialize)]
struct Update<'a> {
    event: &'a str,
    timestamp: &'a str,
    entity_type: &'a str,
    cloud_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_id: Option<&'a str>,
    data: &'a RawValue,
    version: u64,
    updated_at: &'a str,
    updated_by: &'a str,
}

#[derive(Serialize)]
struct Delete<'a> {
    event: &'a str,
    timestamp: &'a str,
    entity_type: &'a str,
    cloud_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_id: Option<&'a str>,
    version: u64,
    deleted_at: &'a str,
}

#[derive(Serialize)]
struct Bulk<'a> {
    timestamp: &'a str,
    updates: Vec<Update<'a>>,
}

#[derive(Serialize)]
struct ConflictBody<'a> {
    event: &'a str,
    timestamp: &'a str,
    entity_type: &'a str,
    cloud_id: &'a str,
    local_id: &'a str,
    conflict_id: &'a str,
    conflict: Sides<'a>,
    resolution_required: bool,
}

#[derive(Serialize)]
struct Sides<'a> {
    field: &'a str,
    cloud_value: Option<&'a RawValue>,
    cloud_version: u64,
    cloud_updated_at: &'a str,
    local_value: Option<&'a RawValue>,
    local_version: Option<u64>,
    local_updated_at: &'a str,
}

/// The webhooks that tell of edits: one `update` or `delete` for each, or `bulk-update`s when there are many.
pub fn edits(entities: &[Entity], now: &Stamp) -> Vec<Hook> {
    let updates: Vec<Update<'_>> = entities.iter().filter_map(|entity| update(entity, now)).collect();
    let mut hooks = Vec::new();
    if updates.len() > 1 {
        let mut updates = updates.into_iter().peekable();
        while updates.peek().is_some() {
            let bulk = Bulk {
                timestamp: now,
                updates: updates.by_ref().take(MAX_BULK).collect(),
            };
            hooks.push(hook("bulk-update", &bulk));
        }
    } else {
        hooks.extend(updates.iter().map(|update| hook("update", update)));
    }
    for entity in entities.iter().filter(|entity| entity.deleted) {
        let delete = Delete {
            event: "delete",
            timestamp: now,
            entity_type: &entity.entity_type,
            cloud_id: &entity.cloud_id,
            local_id: entity.local_id.as_deref(),
            version: entity.version,
            deleted_at: &entity.updated_at,
        };
        hooks.push(hook("delete", &delete));
    }
    hooks
}

/// The webhook that tells an outlet that its change met a newer state, and asks it to say how it decides.
pub fn conflict(entity: &Entity, conflict: &Conflict, local_id: &str, now: &Stamp) -> Hook {
    let (cloud, local) = (
        entity.doc.as_deref().map(raw),
        conflict.local_doc.as_deref().map(raw),
    );
    let sides = Sides {
        field: &conflict.field,
        cloud_value: cloud.and_then(|doc| field_of(doc, &conflict.field)),
        cloud_version: entity.version,
        cloud_updated_at: &entity.updated_at,
        local_value: local.and_then(|doc| field_of(doc, &conflict.field)),
        local_version: None,
        local_updated_at: &conflict.local_at,
    };
    let body = ConflictBody {
        event: "conflict",
        timestamp: now,
        entity_type: &entity.entity_type,
        cloud_id: &entity.cloud_id,
        local_id,
        conflict_id: &conflict.conflict_id,
        conflict: sides,
        resolution_required: true,
    };
    hook("conflict", &body)
}

/// The value that a conflict is about.
pub fn field_of<'a>(doc: &'a RawValue, field: &str) -> Option<&'a RawValue> {
    if field == WHOLE {
        Some(doc)
    } else {
        Object::parse(doc.get()).ok()?.get(field)
    }
}

/// A stored document as it goes on the wire.
pub fn raw(doc: &str) -> &RawValue {
    serde_json::from_str(doc).expect("invariant: stored documents are JSON")
}

fn update<'a>(entity: &'a Entity, now: &'a Stamp) -> Option<Update<'a>> {
    Some(Update {
        event: "update",
        timestamp: now,
        entity_type: &entity.entity_type,
        cloud_id: &entity.cloud_id,
        local_id: entity.local_id.as_deref(),
        data: raw(entity.doc.as_deref()?),
        version: entity.version,
        updated_at: &entity.updated_at,
        updated_by: &entity.updated_by,
    })
}

fn hook(kind: &'static str, body: &impl Serialize) -> Hook {
    let body = serde_json::to_string(body).expect("invariant: bodies have text keys only");
    Hook { kind, body }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(doc: Option<&str>) -> Entity {
        Entity {
            id: 1,
            entity_type: "product".to_owned(),
            cloud_id: "c-1".to_owned(),
            local_id: Some("prod-1".to_owned()),
            version: 3,
            seq: 9,
            deleted: doc.is_none(),
            updated_at: "2026-01-27T10:00:00.000Z".to_owned(),
            updated_by: "hq".to_owned(),
            change_id: None,
            doc: doc.map(str::to_owned),
        }
    }

    #[test]
    fn one_edit_is_one_update_with_the_document_byte_for_byte() {
        let hooks = edits(&[entity(Some(r#"{"price":9.80000019}"#))], &"T".to_owned());
        assert_eq!(hooks.len(), 1);
        assert_eq!(
            hooks[0].body,
            r#"{"event":"update","timestamp":"T","entity_type":"product","cloud_id":"c-1","local_id":"prod-1","data":{"price":9.80000019},"version":3,"updated_at":"2026-01-27T10:00:00.000Z","updated_by":"hq"}"#
        );
    }

    #[test]
    fn many_edits_are_bulk_updates_and_their_deletes_go_alone() {
        let mut many = vec![entity(Some("{}")); MAX_BULK + 1];
        many.push(entity(None));
        let kinds: Vec<_> = edits(&many, &"T".to_owned())
            .iter()
            .map(|hook| hook.kind)
            .collect();
        assert_eq!(kinds, ["bulk-update", "bulk-update", "delete"]);
    }
}
