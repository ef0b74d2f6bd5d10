//! `selaras serve`: runs until SIGTERM or SIGINT, then drains and exits 0.

use super::supervisor::Supervisor;
use crate::app::App;
use crate::config::{Config, LogFormat};
use crate::telemetry::Exporter;
use anyhow::Context;
use std::process::ExitCode;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// Serves until a signal.
///
/// # Errors
/// When it cannot start or stop cleanly.
pub fn run(config: Config) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let exporter = log(&config, &runtime)?;
    for warning in &config.warnings {
        tracing::warn!(variable = warning.variable, "{}", warning.problem);
    }
    let served = serve(config, &runtime);
    if let Some(exporter) = exporter {
        exporter.stop();
    }
    served?;
    Ok(ExitCode::SUCCESS)
}

fn serve(config: Config, runtime: &Runtime) -> anyhow::Result<()> {
    let supervisor = Supervisor::of_environment();
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
    })
}

/// The log, and beside it the traces, where somebody wants them.
fn log(config: &Config, runtime: &Runtime) -> anyhow::Result<Option<Exporter>> {
    let filter = EnvFilter::try_new(&config.log_filter).context("LOG_LEVEL cannot be read")?;
    let exporter = config
        .traces
        .as_ref()
        .map(|traces| Exporter::start(traces, runtime.handle().clone()))
        .transpose()
        .context("the traces cannot be sent (OTEL_EXPORTER_OTLP_ENDPOINT)")?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = match config.log_format {
        LogFormat::Human => lines
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .boxed(),
        // The spans say what a line belongs to; the innermost alone would be told twice.
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
    };
    let installed = match &exporter {
        // What is traced does not depend on what is logged.
        Some(exporter) => tracing_subscriber::registry()
            .with(lines.with_filter(filter))
            .with(exporter.layer())
            .try_init(),
        None => tracing_subscriber::registry().with(lines).with(filter).try_init(),
    };
    installed.context("the log cannot be set up")?;
    Ok(exporter)
}
