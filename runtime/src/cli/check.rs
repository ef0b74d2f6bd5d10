//! `selaras config check`: the configuration as `serve` would see it, or all that is wrong with it.

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::engine::api::BackupPolicy;
use crate::http;
use std::process::ExitCode;

/// Prints the configuration without its secrets.
///
/// # Errors
/// What is wrong with it.
pub fn run(config: anyhow::Result<Config>) -> anyhow::Result<ExitCode> {
    let config = config?;
    let outlet = &config.defaults.outlet;
    let or_unset = |text: &str| {
        if text.is_empty() {
            "(not set)".to_owned()
        } else {
            text.to_owned()
        }
    };
    let set = |set: bool| if set { "set" } else { "(not set)" }.to_owned();
    let rows = [
        ("listens on", config.listen.to_string()),
        ("TLS", tls(&config)?),
        ("data directory", config.data_dir.display().to_string()),
        ("backups", backups(&config.backups)),
        ("outlet id", or_unset(&outlet.outlet_id)),
        ("outlet code", or_unset(&outlet.outlet_code)),
        ("cloud", or_unset(&outlet.cloud_api_url)),
        ("cloud key", set(!config.defaults.api_key.is_empty())),
        ("sync", if outlet.sync_enabled { "on" } else { "off" }.to_owned()),
        ("interval", format!("{} min", outlet.sync_interval_minutes)),
        (
            "webhooks",
            if config.webhook_secrets.is_empty() {
                "closed (no WEBHOOK_SECRET)"
            } else {
                "open"
            }
            .to_owned(),
        ),
        (
            "token key",
            if config.jwt_secret.is_some() {
                "set"
            } else {
                "made in the data directory"
            }
            .to_owned(),
        ),
    ];
    for (name, value) in rows {
        println!("{name:<15} {value}");
    }
    for warning in &config.warnings {
        println!("\nwarning: {}: {}", warning.variable, warning.problem);
    }
    println!(
        "\nThe configuration can be used. What was stored by the REST API wins over it, field by field."
    );
    Ok(ExitCode::SUCCESS)
}

/// The files are read as `serve` would.
fn tls(config: &Config) -> anyhow::Result<String> {
    let Some(files) = config.tls.clone() else {
        return Ok("(not set)".to_owned());
    };
    let said = files.cert.display().to_string();
    http::Tls::load(files, SystemClock::new().wall_ms())?;
    Ok(said)
}

fn backups(policy: &BackupPolicy) -> String {
    let (dir, keep) = (policy.dir.display(), policy.keep);
    match policy.every_ms {
        Some(every_ms) => format!("every {} h, {keep} kept in {dir}", every_ms / 3_600_000),
        None => "none by themselves (BACKUP_INTERVAL_HOURS is 0)".to_owned(),
    }
}
