//! What these routes say of themselves.

use super::Toggled;
use crate::engine::api::SyncSettings;
use crate::http::describe::About;
use schemars::JsonSchema;
use serde_json::json;

/// Any subset; the rest stays as it is. The members are those of the settings themselves.
struct SyncSettingsRequest;

impl JsonSchema for SyncSettingsRequest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SyncSettingsRequest".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // Its derive knows that each may be left out where it is read.
        <SyncSettings as JsonSchema>::json_schema(generator)
    }
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct ToggleRequest {
    /// Left out: the other way.
    enabled: Option<bool>,
    /// The same.
    sync_enabled: Option<bool>,
}

pub(crate) fn get_sync() -> About {
    About::new("How runs are made").ok::<SyncSettings>("The settings in force.")
}

pub(crate) fn put_sync() -> About {
    About::new("Change how runs are made")
        .more("Any subset; in force at once.")
        .body::<SyncSettingsRequest>(json!({"max_retries": 5, "push_delay_ms": 500}))
        .ok::<SyncSettings>("They are in force.")
        .checks()
}

pub(crate) fn toggle() -> About {
    About::new("Switch sync on or off")
        .optional_body::<ToggleRequest>(json!({"enabled": true}))
        .ok::<Toggled>("It is so now.")
        .checks()
        .may(409, &["rebind_required"])
}
