//! `selaras plugin …`: what would be loaded, and whether a file would be.

use crate::app::{host, load_plugins};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::plugin::{Compiling, Grants, Host, HostConfig, Kind, Limits, PluginInfo, PluginState};
use anyhow::Context;
use std::path::Path;
use std::process::ExitCode;

/// Lists the plugins of the binary and the data directory. Exit code 1 when one is refused.
///
/// # Errors
/// When the host cannot be started.
pub fn list(config: &Config) -> anyhow::Result<ExitCode> {
    let host = if config.data_dir.is_dir() {
        host(&config.data_dir, &SystemClock::new())?
    } else {
        bare_host()?
    };
    let problems = load_plugins(&host, &config.data_dir.join("plugins"));
    let mut plugins = host.list();
    plugins.sort_by(|a, b| a.name.cmp(&b.name));
    println!(
        "{:<16} {:<9} {:<9} {:<12} DESCRIPTION",
        "NAME", "KIND", "VERSION", "DIGEST"
    );
    for plugin in &plugins {
        if let PluginState::Active(info) = &plugin.state {
            let PluginInfo {
                version,
                digest,
                description,
                ..
            } = info;
            println!(
                "{:<16} {:<9} {version:<9} {:<12} {description}",
                plugin.name,
                kind(info.kind),
                &digest[..12]
            );
        }
    }
    for (name, problem) in &problems {
        println!("{name:<16} refused: {problem}");
    }
    host.shutdown();
    Ok(ExitCode::from(u8::from(!problems.is_empty())))
}

/// Runs a file through the very gate that loading uses.
///
/// # Errors
/// When the file cannot be read or the host not be started.
pub fn check(file: &Path, grants: Grants) -> anyhow::Result<ExitCode> {
    let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let host = bare_host()?;
    let outcome = host.check(&bytes, grants);
    host.shutdown();
    match outcome {
        Ok(info) => {
            println!(
                "accepted: {} {} ({}), {} bytes",
                info.name,
                info.version,
                kind(info.kind),
                bytes.len()
            );
            println!("digest {}", info.digest);
            let granted: Vec<&str> = info.grants.words().collect();
            if !granted.is_empty() {
                println!("granted {}", granted.join(", "));
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(refusal) => {
            println!("refused: {refusal}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn bare_host() -> anyhow::Result<Host> {
    let config = HostConfig {
        cache_dir: None,
        cache_key: [0; 32],
        threads: 1,
        limits: Limits::default(),
        compiling: Compiling::by_this_program(),
        monotonic_us: crate::clock::monotonic_us,
    };
    Host::start(config).context("the plugin host cannot be started")
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Strategy => "strategy",
        Kind::Mapper => "mapper",
    }
}
