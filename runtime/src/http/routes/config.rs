//! Settings: of runs here, of the outlet and of entity types in the files beside.

pub(crate) mod about;
pub(crate) mod binding;
pub(crate) mod outlet;

use crate::engine::api::SyncSettings;
use crate::http::auth::Caller;
use crate::http::extract::{Fields, FromField, MAX_COMMAND_BYTES, json_body, object, optional_json_body};
use crate::http::{ApiError, Shared, reply};
use axum::extract::{Request, State};
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

/// `GET …/sync`.
pub(crate) async fn get_sync(State(http): State<Shared>) -> Response {
    reply::ok("sync settings", http.engine.sync_settings())
}

/// `PUT …/sync`: any subset; the rest stays as it is.
pub(crate) async fn put_sync(
    State(http): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let doc = json_body(&http, request, MAX_COMMAND_BYTES).await?;
    let settings = overlay(http.engine.sync_settings(), object(&doc))?;
    http.engine.set_sync_settings(settings, &caller.actor).await?;
    Ok(reply::ok(
        "sync settings are in force",
        http.engine.sync_settings(),
    ))
}

/// Writes the given fields over the settings in force. The engine checks the limits.
fn overlay(mut settings: SyncSettings, mut fields: Fields<'_>) -> Result<SyncSettings, ApiError> {
    fn set<T: FromField>(
        fields: &mut Fields<'_>,
        known: &mut Vec<&'static str>,
        name: &'static str,
        slot: &mut T,
    ) {
        known.push(name);
        if let Some(value) = fields.optional(name) {
            *slot = value;
        }
    }
    let mut known = Vec::new();
    let (f, k, s) = (&mut fields, &mut known, &mut settings);
    set(f, k, "batch_size", &mut s.batch_size);
    set(f, k, "batch_size_max", &mut s.batch_size_max);
    set(f, k, "requests_per_minute", &mut s.requests_per_minute);
    set(f, k, "pull_overlap_seconds", &mut s.pull_overlap_seconds);
    set(f, k, "max_retries", &mut s.max_retries);
    set(f, k, "initial_backoff_seconds", &mut s.initial_backoff_seconds);
    set(f, k, "backoff_multiplier", &mut s.backoff_multiplier);
    set(f, k, "max_backoff_seconds", &mut s.max_backoff_seconds);
    set(f, k, "run_timeout_seconds", &mut s.run_timeout_seconds);
    set(f, k, "push_delay_ms", &mut s.push_delay_ms);
    set(f, k, "pull_enabled", &mut s.pull_enabled);
    set(f, k, "log_retention_days", &mut s.log_retention_days);
    set(f, k, "audit_retention_days", &mut s.audit_retention_days);
    set(f, k, "conflict_retention_days", &mut s.conflict_retention_days);
    set(f, k, "tombstone_retention_days", &mut s.tombstone_retention_days);
    set(
        f,
        k,
        "idempotency_retention_hours",
        &mut s.idempotency_retention_hours,
    );
    set(f, k, "change_id_retention_days", &mut s.change_id_retention_days);
    set(f, k, "feed_retention_days", &mut s.feed_retention_days);
    set(f, k, "feed_max_entries", &mut s.feed_max_entries);
    set(f, k, "plugin_error_percent", &mut s.plugin_error_percent);
    set(f, k, "plugin_error_window", &mut s.plugin_error_window);
    fields.only(&known);
    fields.finish()?;
    Ok(settings)
}

#[derive(Serialize, JsonSchema)]
struct Toggled {
    sync_enabled: bool,
}

/// `POST …/sync/toggle`: `{"enabled": true}`, or without a body the other way.
pub(crate) async fn toggle(
    State(http): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let doc = optional_json_body(&http, request).await?;
    let mut fields = object(&doc);
    let enabled = fields.optional("enabled");
    let enabled = enabled.or(fields.optional("sync_enabled"));
    fields.only(&["enabled", "sync_enabled"]);
    fields.finish()?;
    let sync_enabled = http.engine.toggle_sync(enabled, &caller.actor).await?;
    let message = if sync_enabled { "sync is on" } else { "sync is off" };
    Ok(reply::ok(message, Toggled { sync_enabled }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use selaras_core::json::Doc;

    #[test]
    fn every_setting_can_be_written_by_the_name_it_is_read_by() {
        let given = SyncSettings {
            batch_size: 11,
            batch_size_max: 12,
            requests_per_minute: 13,
            pull_overlap_seconds: 14,
            max_retries: 15,
            initial_backoff_seconds: 16,
            backoff_multiplier: 1.5,
            max_backoff_seconds: 18,
            run_timeout_seconds: 19,
            push_delay_ms: 20,
            pull_enabled: false,
            log_retention_days: 21,
            audit_retention_days: 30,
            conflict_retention_days: 22,
            tombstone_retention_days: 23,
            idempotency_retention_hours: 24,
            change_id_retention_days: 25,
            feed_retention_days: 26,
            feed_max_entries: 2700,
            plugin_error_percent: 28,
            plugin_error_window: 29,
        };
        let doc = Doc::parse(&serde_json::to_string(&given).unwrap()).unwrap();
        assert_eq!(overlay(SyncSettings::default(), object(&doc)).unwrap(), given);
    }

    #[test]
    fn a_mistyped_setting_is_refused_and_not_ignored() {
        let doc = Doc::parse(r#"{"batch_sise":5,"max_retries":"3"}"#).unwrap();
        let error = overlay(SyncSettings::default(), object(&doc)).unwrap_err();
        let named: Vec<&str> = error.details().iter().map(|d| d.field.as_str()).collect();
        assert_eq!(named, ["max_retries", "batch_sise"]);
    }
}
