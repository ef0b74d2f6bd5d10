//! What these routes say of themselves.

use super::Removed;
use crate::http::describe::{About, flag, word};
use crate::http::routes::plugins::{PluginBody, VersionBody};
use schemars::JsonSchema;
use serde_json::json;

/// A component's bytes.
struct Component;

impl JsonSchema for Component {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Component".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "format": "binary", "contentMediaType": "application/wasm"})
    }
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct ActivateRequest {
    /// SHA-256 of the version's component.
    #[schemars(length(min = 1))]
    digest: String,
    /// Also where a bound type has settings that it cannot use.
    force: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct RollbackRequest {
    #[schemars(length(max = 1024))]
    reason: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
#[expect(dead_code, reason = "a description: the request is read member by member")]
struct ShadowRequest {
    /// SHA-256 of the version's component.
    #[schemars(length(min = 1))]
    digest: String,
}

const DIGEST: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// What changing the plugin of a name is refused with.
fn of_a_name(about: About) -> About {
    about
        .may(404, &["not_found", "plugin_not_found", "version_not_found"])
        .may(409, &["plugin_embedded", "version_in_use", "plugin_not_active"])
        .may(422, &["plugin_refused"])
}

pub(crate) fn install() -> About {
    About::new("Install a component")
        .more("It is checked, compiled and tested; it is bound and used only after `activate`.")
        .query("name", word(), "What it says of itself, where it is left out.")
        .query(
            "large",
            flag(),
            "Grants a component of up to 64 MiB and more memory.",
        )
        .query("wasi", flag(), "Grants inert WASI.")
        .any_body::<Component>(&["application/wasm"], true, None)
        .created::<VersionBody<'_>>("A new version.")
        .ok::<VersionBody<'_>>("This version is there already.")
        .may(409, &["name_taken", "other_kind", "too_many_plugins"])
        .may(415, &["unsupported_media_type"])
        .may(422, &["plugin_refused"])
}

pub(crate) fn activate() -> About {
    of_a_name(About::new("Put a version in use"))
        .body::<ActivateRequest>(json!({ "digest": DIGEST }))
        .ok::<VersionBody<'_>>("It is active.")
        .checks()
        .may(409, &["other_kind"])
        .may(422, &["settings_refused"])
}

pub(crate) fn rollback() -> About {
    of_a_name(About::new("Go back to the version before"))
        .optional_body::<RollbackRequest>(json!({"reason": "wrong prices"}))
        .ok::<VersionBody<'_>>("It is active again.")
        .checks()
        .may(409, &["no_previous"])
}

pub(crate) fn remove() -> About {
    of_a_name(About::new("Remove a plugin with all of its versions"))
        .ok::<Removed<'_>>("It is gone.")
        .may(409, &["plugin_bound"])
}

pub(crate) fn shadow() -> About {
    of_a_name(About::new("Have a version answer beside the active one"))
        .more("Nothing of what it answers is used.")
        .body::<ShadowRequest>(json!({ "digest": DIGEST }))
        .ok::<PluginBody<'_>>("It is asked, too, from now on.")
        .checks()
}

pub(crate) fn unshadow() -> About {
    of_a_name(About::new("Have nothing answer beside the active version"))
        .ok::<PluginBody<'_>>("It is so now.")
}

pub(crate) fn remove_version() -> About {
    of_a_name(About::new("Remove a version"))
        .ok::<Removed<'_>>("It is gone.")
        .may(409, &["plugin_bound"])
}
