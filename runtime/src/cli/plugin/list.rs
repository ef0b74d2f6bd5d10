//! `selaras plugin list`.

use crate::app::{has_store, load_plugins};
use crate::cli::outlet::{Outlet, Stopped};
use crate::clock::monotonic_us;
use crate::config::Config;
use crate::control::{Answer, Command, Listed};
use crate::engine::plugin_view;
use crate::plugin::{Compiling, Host, HostConfig, Limits};
use crate::secret::Secret;
use anyhow::Context;
use std::path::Path;
use std::process::ExitCode;

/// Lists the plugins of the running outlet; of one that does not run, those that it would load. Exit code 1 when one is
/// refused.
///
/// # Errors
/// When nobody can be asked, and why.
pub fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let plugins = listed(config)?;
    println!(
        "{:<16} {:<9} {:<9} {:<12} {:<10} DESCRIPTION",
        "NAME", "KIND", "VERSION", "DIGEST", "STATE"
    );
    for plugin in &plugins {
        let digest = plugin.digest.get(..12).unwrap_or(&plugin.digest);
        let told = plugin.problem.as_ref().unwrap_or(&plugin.description);
        println!(
            "{:<16} {:<9} {:<9} {digest:<12} {:<10} {told}",
            plugin.name,
            plugin.kind.as_deref().unwrap_or("-"),
            plugin.version,
            plugin.state
        );
    }
    let is_refused = plugins.iter().any(|plugin| plugin.state == "refused");
    Ok(ExitCode::from(u8::from(is_refused)))
}

fn listed(config: &Config) -> anyhow::Result<Vec<Listed>> {
    let folder = config.data_dir.join("plugins");
    if !has_store(&config.data_dir) {
        return without_store(&folder);
    }
    match Outlet::find(config, false)? {
        Outlet::Running(mut client) => {
            client.ask(&Command::Plugins)?;
            loop {
                match client.answer()? {
                    Answer::End(plugins) => return Ok(plugins),
                    Answer::Data(_) | Answer::Progress(_) => {}
                }
            }
        }
        Outlet::Stopped(Stopped { offline, runtime }) => {
            runtime.block_on(offline.load_plugins(&folder));
            let plugins = offline.engine().plugins()?;
            offline.close()?;
            Ok(plugins.into_iter().map(Listed::from).collect())
        }
    }
}

/// What the first start would load.
fn without_store(folder: &Path) -> anyhow::Result<Vec<Listed>> {
    let host = Host::start(HostConfig {
        compiling: Compiling::by_this_program(),
        cache_dir: None,
        cache_key: Secret::of([0; 32]),
        threads: 1,
        limits: Limits::default(),
        monotonic_us,
    })
    .context("the plugin host cannot be started")?;
    load_plugins(&host, folder);
    let plugins = host.list().into_iter();
    let plugins = plugins
        .map(|status| Listed::from(plugin_view(status, Vec::new())))
        .collect();
    host.shutdown();
    Ok(plugins)
}
