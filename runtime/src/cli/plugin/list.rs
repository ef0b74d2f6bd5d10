//! `selaras plugin list`.

use crate::app::{host, load_plugins};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::plugin::{Compiling, Host, HostConfig, Limits, PluginInfo, PluginState};
use crate::secret::Secret;
use anyhow::Context;
use std::process::ExitCode;

/// Lists the plugins of the binary and the data directory. Exit code 1 when one is refused.
///
/// # Errors
/// When the host cannot be started.
pub fn run(config: &Config) -> anyhow::Result<ExitCode> {
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
                kind,
                ..
            } = info;
            let (name, digest) = (&plugin.name, &digest[..12]);
            println!(
                "{name:<16} {:<9} {version:<9} {digest:<12} {description}",
                kind.to_string()
            );
        }
    }
    for (name, problem) in &problems {
        println!("{name:<16} refused: {problem}");
    }
    host.shutdown();
    Ok(ExitCode::from(u8::from(!problems.is_empty())))
}

fn bare_host() -> anyhow::Result<Host> {
    let config = HostConfig {
        compiling: Compiling::by_this_program(),
        cache_dir: None,
        cache_key: Secret::of([0; 32]),
        threads: 1,
        limits: Limits::default(),
        monotonic_us: crate::clock::monotonic_us,
    };
    Host::start(config).context("the plugin host cannot be started")
}
