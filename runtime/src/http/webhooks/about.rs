//! What these routes say of themselves.

use super::{BulkAnswer, ConflictAnswer, EntityAnswer};
use crate::http::describe::{About, Document, word};
use http::StatusCode;
use schemars::JsonSchema;
use serde_json::json;

#[derive(JsonSchema)]
#[expect(
    dead_code,
    reason = "a description: clouds differ, and the body is read leniently"
)]
struct UpdateHook {
    event: Option<String>,
    event_id: Option<String>,
    timestamp: Option<String>,
    entity_type: String,
    /// This or `local_id`.
    cloud_id: Option<String>,
    local_id: Option<String>,
    #[schemars(with = "Document")]
    data: (),
    version: Option<u64>,
    updated_by: Option<String>,
    reason: Option<String>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct DeleteHook {
    event: Option<String>,
    event_id: Option<String>,
    timestamp: Option<String>,
    entity_type: String,
    /// This or `local_id`.
    cloud_id: Option<String>,
    local_id: Option<String>,
    version: Option<u64>,
    deleted_at: Option<String>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct ConflictHook {
    event: Option<String>,
    event_id: Option<String>,
    timestamp: Option<String>,
    entity_type: String,
    /// This or `local_id`.
    cloud_id: Option<String>,
    local_id: Option<String>,
    conflict_id: Option<String>,
    #[schemars(with = "Option<Document>")]
    conflict: Option<()>,
    resolution_required: Option<bool>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct BulkHook {
    timestamp: Option<String>,
    #[schemars(length(max = 10_000))]
    updates: Vec<UpdateHook>,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct BroadcastHook {
    timestamp: String,
    #[schemars(length(min = 1, max = 4096))]
    message: String,
    #[schemars(length(min = 1, max = 32))]
    level: Option<String>,
    /// At most 16 KiB.
    #[serde(default)]
    data: serde_json::Value,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "as above")]
struct ConfigHook {
    timestamp: String,
    config: ConfigChange,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "as above")]
struct ConfigChange {
    outlet_name: Option<String>,
    sync_enabled: Option<bool>,
    #[schemars(range(min = 1, max = 1440))]
    sync_interval_minutes: Option<u32>,
    #[serde(default)]
    outlet_address: serde_json::Value,
    #[serde(default)]
    outlet_phone: serde_json::Value,
    #[serde(default)]
    receipt_footer: serde_json::Value,
    #[serde(default)]
    social_media: serde_json::Value,
    #[serde(default)]
    target_spend_per_pax: serde_json::Value,
}

/// What each has in common. Nothing of a body is looked at before its signature holds.
fn hook<T: JsonSchema>(summary: &'static str, example: serde_json::Value) -> About {
    About::new(summary)
        .more("A repeat answers 200 with `duplicate: true` and does nothing again.")
        .header("X-Outlet-ID", word(), "When present it must be this outlet's.")
        .any_body::<T>(&["application/json"], true, Some(example))
        .may(400, &["invalid_json"])
        .checks()
        .may(422, &["event_mismatch"])
}

pub(crate) fn update() -> About {
    hook::<UpdateHook>(
        "An entity changed at the cloud",
        json!({"event": "update", "timestamp": "2026-01-27T10:30:00Z", "entity_type": "product", "cloud_id": "c-1",
            "data": {"name": "Chai", "price": 19.0}, "version": 3, "updated_by": "hq"}),
    )
    .answer::<EntityAnswer<'_>>(StatusCode::OK, "It is durable; `resolution` says what became of it.")
}

pub(crate) fn delete() -> About {
    hook::<DeleteHook>(
        "An entity was deleted at the cloud",
        json!({"event": "delete", "timestamp": "2026-01-27T10:30:00Z", "entity_type": "product", "cloud_id": "c-1", "version": 4}),
    )
    .answer::<EntityAnswer<'_>>(StatusCode::OK, "It is durable; `resolution` says what became of it.")
}

pub(crate) fn conflict() -> About {
    hook::<ConflictHook>(
        "The cloud saw a conflict",
        json!({"event": "conflict", "timestamp": "2026-01-27T10:30:00Z", "entity_type": "product", "cloud_id": "c-1",
            "conflict_id": "x-1", "conflict": {"field": "price"}, "resolution_required": true}),
    )
    .answer::<ConflictAnswer<'_>>(StatusCode::OK, "It is durable; the entity is fetched.")
}

pub(crate) fn bulk() -> About {
    hook::<BulkHook>(
        "Many entities changed at the cloud",
        json!({"timestamp": "2026-01-27T10:30:00Z", "updates": [
            {"entity_type": "product", "cloud_id": "c-1", "data": {"name": "Chai"}, "version": 3},
        ]}),
    )
    .answer::<BulkAnswer<'_>>(
        StatusCode::OK,
        "One bad element fails alone, and is kept for a person.",
    )
}

pub(crate) fn broadcast() -> About {
    hook::<BroadcastHook>(
        "The company tells everybody something",
        json!({"timestamp": "2026-01-27T10:30:00Z", "message": "Closing at nine today", "level": "info"}),
    )
    .answer::<super::notice::BroadcastAnswer<'_>>(StatusCode::OK, "It is on the feed.")
}

pub(crate) fn config() -> About {
    hook::<ConfigHook>(
        "The company changes the outlet's configuration",
        json!({"timestamp": "2026-01-27T10:30:00Z", "config": {"sync_interval_minutes": 10}}),
    )
    .answer::<super::notice::ConfigAnswer<'_>>(StatusCode::OK, "It is in force, or an older one is stale.")
    .may(404, &["not_configured"])
    .may(409, &["rebind_required"])
}
