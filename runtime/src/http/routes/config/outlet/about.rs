//! What these routes say of themselves.

use super::{OutletBody, TestBody};
use crate::http::describe::About;
use schemars::JsonSchema;
use serde_json::json;

/// What [`OutletBody`], which is written by hand, holds; a test compares the two.
#[derive(JsonSchema)]
#[schemars(rename = "OutletBody")]
#[expect(dead_code, reason = "a description: the answer is written member by member")]
pub(super) struct OutletShape {
    id: String,
    outlet_id: String,
    outlet_name: String,
    outlet_code: String,
    cloud_api_url: String,
    /// `abcd****xyz1`; the key itself never comes out.
    cloud_api_key_masked: String,
    is_active: bool,
    sync_enabled: bool,
    sync_interval_minutes: u32,
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    outlet_address: serde_json::Value,
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    outlet_phone: serde_json::Value,
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    receipt_footer: serde_json::Value,
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    social_media: serde_json::Value,
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    target_spend_per_pax: serde_json::Value,
    last_sync_at: Option<String>,
    created_at: Option<String>,
    updated_at: Option<String>,
}

impl JsonSchema for OutletBody<'_> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        OutletShape::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        OutletShape::json_schema(generator)
    }
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct NewOutletRequest {
    #[schemars(length(min = 1, max = 128))]
    outlet_id: String,
    #[schemars(length(min = 1, max = 128))]
    outlet_code: String,
    /// https, or http to this machine.
    #[schemars(length(min = 1))]
    cloud_api_url: String,
    #[schemars(length(min = 1))]
    cloud_api_key: String,
    #[serde(flatten)]
    more: Optional,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct OutletRequest {
    outlet_id: Option<String>,
    outlet_code: Option<String>,
    cloud_api_url: Option<String>,
    cloud_api_key: Option<String>,
    /// Needed to become another outlet over existing data.
    rebind: Option<bool>,
    #[serde(flatten)]
    more: Optional,
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct Optional {
    /// The code, where it is left out.
    outlet_name: Option<String>,
    sync_enabled: Option<bool>,
    #[schemars(range(min = 1, max = 1440))]
    sync_interval_minutes: Option<u32>,
    /// For apps, as the rest of the profile; `null` takes it away.
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

pub(crate) fn get() -> About {
    About::new("The outlet's configuration")
        .ok::<OutletBody<'_>>("What is in force.")
        .may(404, &["not_configured"])
}

pub(crate) fn create() -> About {
    About::new("Configure the outlet")
        .body::<NewOutletRequest>(json!({
            "outlet_id": "550e8400-e29b-41d4-a716-446655440000", "outlet_code": "JKT-001",
            "cloud_api_url": "https://cloud.example.com", "cloud_api_key": "sk_live_0123456789",
        }))
        .created::<OutletBody<'_>>("It is configured.")
        .may(400, &["missing_fields"])
        .checks()
        .may(409, &["outlet_exists", "rebind_required"])
}

pub(crate) fn update() -> About {
    About::new("Change the outlet's configuration")
        .more("Any subset; in force at once. Another `outlet_id` over existing data needs `rebind`.")
        .body::<OutletRequest>(json!({"outlet_name": "Kemang", "sync_interval_minutes": 10}))
        .ok::<OutletBody<'_>>("It is in force.")
        .checks()
        .may(404, &["not_configured"])
        .may(409, &["rebind_required"])
}

pub(crate) fn test() -> About {
    About::new("Call the cloud's ping")
        .more("With the stored settings, or those given over them. Nothing is stored.")
        .optional_body::<OutletRequest>(json!({"cloud_api_url": "https://cloud.example.com"}))
        .ok::<TestBody<'_>>("What came of it.")
        .checks()
        .may(404, &["not_configured"])
}
