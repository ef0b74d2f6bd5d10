//! Webhooks about no entity: what the company tells everybody at the outlet, and what it changes of the configuration. Read
//! and answered here; members beside the known ones are ignored, but not inside `config`.

use super::{DUPLICATE, is_false, resolution};
use crate::engine::api::{Hook, HookBroadcast, HookConfig, HookOutcome, PROFILE_FIELDS, Resolution};
use crate::http::extract::{Fields, object};
use crate::http::{ApiError, reply};
use axum::response::Response;
use http::StatusCode;
use schemars::JsonSchema;
use selaras_core::json::Doc;
use selaras_core::stamp::Millis;
use serde::Serialize;

/// What a broadcast may hold: it goes to every app, and many are kept.
const MAX_MESSAGE_BYTES: usize = 4096;
const MAX_LEVEL_BYTES: usize = 32;
const MAX_DATA_BYTES: usize = 16 * 1024;
/// The level of a broadcast that names none.
const LEVEL: &str = "info";

/// What the cloud may change besides the profile.
const FIELDS: [&str; 3] = ["outlet_name", "sync_enabled", "sync_interval_minutes"];

/// Reads `{timestamp, message, level?, data?}`.
///
/// # Errors
/// 422 that names every field that is wrong.
pub(super) fn broadcast(doc: &Doc) -> Result<Hook, ApiError> {
    let mut fields = object(doc);
    let sent_at: Millis = fields.required("timestamp");
    let message = fields.required_text("message");
    if message.len() > MAX_MESSAGE_BYTES {
        fields.problem(
            "message",
            format!("must be at most {MAX_MESSAGE_BYTES} bytes long"),
        );
    }
    let level: Option<String> = fields.optional("level");
    let level = level.unwrap_or_else(|| LEVEL.to_owned());
    if level.is_empty() || level.len() > MAX_LEVEL_BYTES || level.chars().any(char::is_control) {
        fields.problem(
            "level",
            format!("must be a word of at most {MAX_LEVEL_BYTES} bytes"),
        );
    }
    let data = fields.raw("data");
    if data.is_some_and(|raw| raw.len() > MAX_DATA_BYTES) {
        fields.problem("data", format!("must be at most {MAX_DATA_BYTES} bytes of JSON"));
    }
    fields.finish()?;
    Ok(Hook::Broadcast(HookBroadcast {
        sent_at,
        message,
        level,
        data: data.map(Into::into),
    }))
}

/// Reads `{timestamp, config:{…}}`. The engine checks what the values say.
///
/// # Errors
/// 422 that names every field that is wrong, or that the cloud may not change.
pub(super) fn config(doc: &Doc) -> Result<Hook, ApiError> {
    let mut outer = object(doc);
    let sent_at: Millis = outer.required("timestamp");
    if outer.raw("config").is_none() {
        outer.problem(
            "config",
            format!(
                "is missing: {}",
                <Doc as crate::http::extract::FromField>::EXPECTED
            ),
        );
    }
    let given: Option<Doc> = outer.optional("config");
    let given = given.unwrap_or_else(|| Doc::from_trusted("{}".to_owned()));
    outer.finish()?;
    let mut fields = Fields::new(&given, "config".to_owned());
    let mut config = HookConfig {
        sent_at,
        outlet_name: fields.optional("outlet_name"),
        sync_enabled: fields.optional("sync_enabled"),
        sync_interval_minutes: fields.optional("sync_interval_minutes"),
        profile: Vec::new(),
    };
    for name in PROFILE_FIELDS {
        if let Some(raw) = fields.raw_or_null(name) {
            config.profile.push((name, raw.into()));
        }
    }
    fields.only(&[&FIELDS[..], &PROFILE_FIELDS].concat());
    fields.finish()?;
    let sets_something = config.outlet_name.is_some()
        || config.sync_enabled.is_some()
        || config.sync_interval_minutes.is_some()
        || !config.profile.is_empty();
    if !sets_something {
        return Err(ApiError::invalid("config", "names nothing to change"));
    }
    Ok(Hook::Config(config))
}

#[derive(Serialize, JsonSchema)]
pub(super) struct BroadcastAnswer<'a> {
    success: bool,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    broadcast_id: Option<&'a str>,
    received_at: String,
    #[serde(skip_serializing_if = "is_false")]
    duplicate: bool,
}

/// Tells the cloud what became of a broadcast.
pub(super) fn broadcast_reply(outcome: &HookOutcome) -> Response {
    let body = BroadcastAnswer {
        success: true,
        message: if outcome.duplicate {
            DUPLICATE
        } else {
            "broadcast taken in: it is on the feed of the outlet's apps"
        },
        broadcast_id: outcome.broadcast_id.as_deref(),
        received_at: outcome.applied_at.to_rfc3339(),
        duplicate: outcome.duplicate,
    };
    reply::json(StatusCode::OK, &body)
}

#[derive(Serialize, JsonSchema)]
pub(super) struct ConfigAnswer<'a> {
    success: bool,
    message: &'a str,
    applied_at: String,
    resolution: &'static str,
    #[serde(skip_serializing_if = "is_false")]
    duplicate: bool,
}

/// Tells the cloud what became of a configuration.
pub(super) fn config_reply(outcome: &HookOutcome) -> Response {
    let resolution = resolution(outcome.results.first());
    let body = ConfigAnswer {
        success: true,
        message: match (outcome.duplicate, resolution) {
            (true, _) => DUPLICATE,
            (false, Resolution::Stale) => {
                "a newer configuration of the cloud is in force: nothing was changed"
            }
            (false, _) => "the configuration is in force",
        },
        applied_at: outcome.applied_at.to_rfc3339(),
        resolution: resolution.as_str(),
        duplicate: outcome.duplicate,
    };
    reply::json(StatusCode::OK, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: &str = r#""timestamp":"2026-01-27T10:30:00Z""#;

    fn named(read: Result<Hook, ApiError>) -> Vec<String> {
        let error = read.unwrap_err();
        assert_eq!(error.status(), 422);
        error
            .details()
            .iter()
            .map(|detail| detail.field.clone())
            .collect()
    }

    fn of(body: &str) -> Doc {
        Doc::parse(&format!("{{{AT}{body}}}")).unwrap()
    }

    #[test]
    fn a_broadcast_keeps_its_data_byte_for_byte_and_has_a_level() {
        let Hook::Broadcast(read) =
            broadcast(&of(r#","message":"Closing at 9","data":{ "till":9.0 },"new":1"#)).unwrap()
        else {
            panic!("no broadcast")
        };
        assert_eq!(
            (read.message.as_str(), read.level.as_str()),
            ("Closing at 9", "info")
        );
        assert_eq!(read.data.as_deref(), Some(r#"{ "till":9.0 }"#));
    }

    #[test]
    fn a_broadcast_names_everything_that_is_wrong() {
        assert_eq!(
            named(broadcast(&Doc::parse("{}").unwrap())),
            ["timestamp", "message"]
        );
        let long = "x".repeat(MAX_DATA_BYTES);
        let body = format!(r#","message":"{long}","level":"","data":"{long}""#);
        assert_eq!(named(broadcast(&of(&body))), ["message", "level", "data"]);
        assert_eq!(
            named(broadcast(&of(r#","message":"","level":7"#))),
            ["message", "level"]
        );
    }

    #[test]
    fn the_cloud_changes_name_interval_switch_and_profile_and_nothing_else() {
        let body = r#","config":{"outlet_name":"A","sync_interval_minutes":7,"sync_enabled":false,"receipt_footer":null}"#;
        let Hook::Config(read) = config(&of(body)).unwrap() else {
            panic!("no config")
        };
        assert_eq!(read.outlet_name.as_deref(), Some("A"));
        assert_eq!(
            (read.sync_interval_minutes, read.sync_enabled),
            (Some(7), Some(false))
        );
        assert_eq!(read.profile, [("receipt_footer", "null".into())]);
        let body = r#","config":{"outlet_id":"o","cloud_api_key":"k","sync_enabled":"no","outlet_name":"A"}"#;
        assert_eq!(
            named(config(&of(body))),
            ["config.sync_enabled", "config.outlet_id", "config.cloud_api_key"]
        );
    }

    #[test]
    fn a_configuration_without_a_time_or_a_change_is_refused() {
        assert_eq!(
            named(config(&Doc::parse(r#"{"config":{"outlet_name":"A"}}"#).unwrap())),
            ["timestamp"]
        );
        for nothing in [
            "",
            r#","config":{}"#,
            r#","config":{"outlet_name":null}"#,
            r#","config":7"#,
        ] {
            assert_eq!(named(config(&of(nothing))), ["config"], "{nothing}");
        }
    }
}
