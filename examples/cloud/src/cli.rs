//! The command line: flags and environment into [`Settings`], and the signals that end the process.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use base64::Engine;
use clap::{Args, Parser, Subcommand, ValueEnum};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::app::{self, Settings};
use crate::clock;
use crate::store::outlets::{Registration, hash_key};

/// A reference cloud for Selaras, on one SQLite file.
#[derive(Debug, Parser)]
#[command(name = "selaras-cloud", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the cloud API, headquarters' endpoints and webhooks until SIGTERM or Ctrl-C
    Serve(Serve),
    /// Print a fresh API key and a fresh webhook secret
    NewKeys,
}

#[derive(Debug, Args)]
struct Serve {
    /// Where to listen; port 0 takes a free one. The address is printed as `listening on http://…`
    #[arg(long, env = "SELARAS_CLOUD_LISTEN", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,
    /// The SQLite file; made when it is missing
    #[arg(long, env = "SELARAS_CLOUD_DB", default_value = "cloud.sqlite")]
    db: PathBuf,
    /// An outlet that may call, as `outlet_id:code:api_key`; repeat it, or separate several by commas
    #[arg(long = "outlet", env = "SELARAS_CLOUD_OUTLETS", hide_env_values = true, value_delimiter = ',',
          value_parser = parse_outlet, value_name = "ID:CODE:KEY")]
    outlets: Vec<Registration>,
    /// Headquarters' key for `/hq`; without it those endpoints are closed
    #[arg(long, env = "SELARAS_CLOUD_HQ_KEY", hide_env_values = true, value_parser = parse_key, value_name = "KEY")]
    hq_key: Option<String>,
    /// Requests a minute each outlet may make; 0: any number
    #[arg(
        long,
        env = "SELARAS_CLOUD_RATE_LIMIT",
        default_value_t = 100,
        value_name = "N"
    )]
    rate_limit: u32,
    /// Whether headquarters' edits and conflicts are told by webhook, or wait until outlets pull
    #[arg(long, env = "SELARAS_CLOUD_WEBHOOKS", value_enum, default_value_t = Switch::On)]
    webhooks: Switch,
    /// The pause after a first failed webhook; doubled with each further one, up to 15 minutes
    #[arg(
        long,
        env = "SELARAS_CLOUD_WEBHOOK_PAUSE_MS",
        default_value_t = 2_000,
        value_name = "MS"
    )]
    webhook_pause_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

/// Runs the command line of this process.
///
/// # Errors
/// What the command could not do.
pub async fn run() -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    match Cli::parse().command {
        Command::Serve(serve) => run_server(serve).await,
        Command::NewKeys => print_keys(),
    }
}

async fn run_server(serve: Serve) -> anyhow::Result<()> {
    let settings = Settings {
        db: serve.db,
        outlets: serve.outlets,
        hq_key: serve.hq_key.as_deref().map(hash_key),
        rate_limit: serve.rate_limit,
        webhooks: serve.webhooks == Switch::On,
        webhook_pause_ms: serve.webhook_pause_ms,
    };
    let stop = CancellationToken::new();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .context("cannot listen for SIGTERM")?;
    tokio::spawn({
        let stop = stop.clone();
        async move {
            tokio::select! {
                _ = terminate.recv() => {}
                pressed = tokio::signal::ctrl_c() => if let Err(error) = pressed {
                    tracing::error!(%error, "cannot listen for Ctrl-C; stop this process by SIGTERM");
                    terminate.recv().await;
                },
            }
            stop.cancel();
        }
    });
    let printed = |address| {
        let mut out = std::io::stdout().lock();
        let printed = writeln!(out, "listening on http://{address}").and_then(|()| out.flush());
        if let Err(error) = printed {
            tracing::warn!(%error, %address, "the address could not be printed");
        }
    };
    app::serve(serve.listen, &settings, stop, printed).await
}

fn print_keys() -> anyhow::Result<()> {
    let mut bytes = [0; 48];
    clock::fill_random(&mut bytes);
    let secret = base64::engine::general_purpose::STANDARD.encode(&bytes[24..]);
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "api_key        {}\nwebhook_secret whsec_{secret}",
        hex::encode(&bytes[..24])
    )?;
    Ok(())
}

fn parse_outlet(text: &str) -> Result<Registration, String> {
    let mut parts = text.splitn(3, ':');
    let (Some(outlet_id), Some(code), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err("write it as outlet_id:code:api_key".to_owned());
    };
    if outlet_id.is_empty() || outlet_id.len() > 128 || code.is_empty() || code.len() > 128 {
        return Err("outlet_id and code take 1 to 128 bytes each".to_owned());
    }
    Ok(Registration {
        outlet_id: outlet_id.to_owned(),
        code: code.to_owned(),
        key_hash: Some(hash_key(&parse_key(key)?)),
        webhook_url: None,
        webhook_secret: None,
    })
}

/// Keys are stored as plain hashes, which is only safe when they cannot be guessed.
fn parse_key(text: &str) -> Result<String, String> {
    if text.len() < 16 {
        return Err("a key takes at least 16 characters; `selaras-cloud new-keys` prints one".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn outlets_are_read_from_flags() {
        let parse = |text: &str| Cli::try_parse_from(["selaras-cloud", "serve", "--outlet", text]);
        let Command::Serve(serve) = parse("o-1:JKT-001:0123456789abcdef:x").unwrap().command else {
            panic!("not serve");
        };
        assert_eq!(serve.outlets[0].outlet_id, "o-1");
        assert_eq!(serve.outlets[0].key_hash, Some(hash_key("0123456789abcdef:x")));
        assert!(parse("o-1:JKT-001").is_err());
        assert!(
            parse("o-1:JKT-001:short")
                .unwrap_err()
                .to_string()
                .contains("16 characters")
        );
    }
}
