//! Which settings can be used: each problem with its field.

use crate::cloud::check_url;
use crate::engine::api::{ConfigError, OutletPatch, SyncSettings};

/// What is wrong, by field.
pub(super) type Problems = Vec<(String, String)>;

/// What of an outlet's configuration cannot be used, by field.
pub(super) fn check_outlet(patch: &OutletPatch, allow_http: bool) -> Result<(), ConfigError> {
    let mut problems = Problems::new();
    let named = [
        ("outlet_id", &patch.outlet_id),
        ("outlet_code", &patch.outlet_code),
        ("outlet_name", &patch.outlet_name),
    ];
    for (field, value) in named {
        let bad = value
            .as_ref()
            .is_some_and(|v| v.is_empty() || v.len() > 128 || v.chars().any(char::is_control));
        if bad {
            problems.push((
                field.to_owned(),
                "1 to 128 bytes without control characters".to_owned(),
            ));
        }
    }
    if let Some(url) = &patch.cloud_api_url
        && let Err(error) = check_url(url, allow_http)
    {
        problems.push(("cloud_api_url".to_owned(), error.to_string()));
    }
    let bad_key =
        |key: &str| key.is_empty() || key.len() > 4096 || !key.bytes().all(|b| b.is_ascii_graphic());
    if patch
        .cloud_api_key
        .as_ref()
        .is_some_and(|key| bad_key(key.expose()))
    {
        problems.push((
            "cloud_api_key".to_owned(),
            "printable ASCII without spaces".to_owned(),
        ));
    }
    if patch
        .sync_interval_minutes
        .is_some_and(|minutes| !(1..=1440).contains(&minutes))
    {
        problems.push(("sync_interval_minutes".to_owned(), "1 to 1440".to_owned()));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ConfigError::Invalid(problems))
    }
}

/// Limits of the sync settings, with the field that breaks one.
pub(super) fn check_sync(sync: &SyncSettings) -> Result<(), ConfigError> {
    let mut problems = Problems::new();
    let mut within = |field: &str, value: u32, from: u32, to: u32| {
        if !(from..=to).contains(&value) {
            problems.push((field.to_owned(), format!("{from} to {to}")));
        }
    };
    within("batch_size", sync.batch_size, 1, 1000);
    within(
        "batch_size_max",
        sync.batch_size_max,
        sync.batch_size.clamp(1, 1000),
        1000,
    );
    within("requests_per_minute", sync.requests_per_minute, 0, 100_000);
    within("pull_overlap_seconds", sync.pull_overlap_seconds, 0, 86_400);
    within("max_retries", sync.max_retries, 0, 100);
    within("initial_backoff_seconds", sync.initial_backoff_seconds, 1, 86_400);
    within(
        "max_backoff_seconds",
        sync.max_backoff_seconds,
        sync.initial_backoff_seconds.clamp(1, 86_400),
        86_400,
    );
    within("run_timeout_seconds", sync.run_timeout_seconds, 5, 3_600);
    within("push_delay_ms", sync.push_delay_ms, 0, 3_600_000);
    within("log_retention_days", sync.log_retention_days, 1, 3_650);
    within("audit_retention_days", sync.audit_retention_days, 30, 3_650);
    within("conflict_retention_days", sync.conflict_retention_days, 1, 3_650);
    within(
        "tombstone_retention_days",
        sync.tombstone_retention_days,
        7,
        3_650,
    );
    within(
        "idempotency_retention_hours",
        sync.idempotency_retention_hours,
        1,
        8_760,
    );
    within(
        "change_id_retention_days",
        sync.change_id_retention_days,
        1,
        3_650,
    );
    within("feed_retention_days", sync.feed_retention_days, 1, 3_650);
    within("feed_max_entries", sync.feed_max_entries, 100, 100_000_000);
    within("plugin_error_percent", sync.plugin_error_percent, 0, 100);
    within("plugin_error_window", sync.plugin_error_window, 1, 1_000);
    if !(1.0..=10.0).contains(&sync.backoff_multiplier) {
        problems.push(("backoff_multiplier".to_owned(), "1 to 10".to_owned()));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ConfigError::Invalid(problems))
    }
}

/// A name of a type or collection as clouds may have it.
pub(super) fn is_wire_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sync_settings_out_of_range_name_their_field() {
        let bad = SyncSettings {
            batch_size: 2000,
            backoff_multiplier: 0.5,
            ..SyncSettings::default()
        };
        let Err(ConfigError::Invalid(problems)) = check_sync(&bad) else {
            panic!("accepted")
        };
        let fields: Vec<&str> = problems.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, ["batch_size", "backoff_multiplier"]);
        assert!(check_sync(&SyncSettings::default()).is_ok());
    }
}
