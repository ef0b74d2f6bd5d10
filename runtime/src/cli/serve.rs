//! `selaras serve`: runs until SIGTERM or SIGINT, then drains and exits 0.

use super::supervisor::Supervisor;
use crate::app::App;
use crate::config::{Config, LogFormat};
use anyhow::Context;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Serves until a signal.
///
/// # Errors
/// When it cannot start or stop cleanly.
pub fn run(config: Config) -> anyhow::Result<ExitCode> {
    log(&config)?;
    for warning in &config.warnings {
        tracing::warn!(variable = warning.variable, "{}", warning.problem);
    }
    let supervisor = Supervisor::of_environment();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
        let mut config = config;
        loop {
            let app = App::start(config.clone()).await?;
            // Also where the system chose the port.
            config.listen = app.address();
            supervisor.ready();
            tokio::select! {
                () = supervisor.live() => unreachable!("invariant: it goes on as long as it is polled"),
                _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
                _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
                () = app.wants_restart() => {
                    tracing::warn!("the store holds another state than before: starting anew");
                    if let Err(error) = app.stop().await {
                        tracing::warn!(%error, "stopping before the new start");
                    }
                    continue;
                }
            }
            supervisor.stopping();
            return app.stop().await;
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

fn log(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log_filter).context("LOG_LEVEL cannot be read")?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let installed = match config.log_format {
        LogFormat::Human => builder
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    installed.map_err(|error| anyhow::anyhow!("the log cannot be set up: {error}"))
}
