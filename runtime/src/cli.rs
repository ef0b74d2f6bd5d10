//! The command line: what each command is for, and its exit code. Thin: the work is done by `app` and the rooms below.

mod backup;
mod check;
mod compact;
mod doctor;
mod export;
mod import;
mod outlet;
mod plugin;
mod progress;
mod restore;
mod serve;
mod status;
mod supervisor;
mod watch;

use crate::config::{Config, ConfigError, environment};
use crate::plugin::compile_as_child;
use crate::store::{probe, salvage};
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Keeps a shop's data and the company's cloud in step.
#[derive(Parser)]
#[command(name = "selaras", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the outlet. Takes no flags: see the configuration table in the README.
    Serve,
    /// Write a backup of a running or stopped outlet: all of its data, as of one moment.
    Backup {
        /// Where to. Left out: beside the scheduled ones, of which the oldest goes.
        file: Option<PathBuf>,
        /// Replace FILE if it is there.
        #[arg(long, requires = "file")]
        force: bool,
    },
    /// Make the data of an outlet from a backup. The data directory must have none.
    Restore {
        /// The backup.
        file: PathBuf,
    },
    /// Write entities as lines of JSON.
    Export {
        /// Only entities of this type.
        #[arg(long = "type", value_name = "TYPE")]
        entity_type: Option<String>,
        /// Replace FILE if it is there.
        #[arg(long)]
        force: bool,
        /// Where to; `-` is standard output.
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// Take lines of JSON in as an app's changes: queued, and pushed to the cloud.
    Import {
        /// Take in lines again that an earlier import of the same file took in.
        #[arg(long)]
        again: bool,
        /// From where; `-` is standard input.
        file: PathBuf,
    },
    /// Rewrite the database so that it takes no more room than it needs.
    Compact,
    /// Look at an outlet's data, running or stopped, and say what is not well. Changes nothing.
    Doctor,
    /// Look at a store that may be broken: what `serve` asks a child process of its own.
    #[command(hide = true)]
    StoreProbe {
        /// The store's directory.
        dir: PathBuf,
        /// Read all of it.
        #[arg(long)]
        deep: bool,
        /// The process that asks; this one ends with it.
        #[arg(long)]
        parent: u32,
    },
    /// Read what can be read of a broken store into a new one: the same.
    #[command(hide = true)]
    StoreSalvage {
        /// The broken store's directory.
        from: PathBuf,
        /// The new one's.
        to: PathBuf,
        /// The process that asks; this one ends with it.
        #[arg(long)]
        parent: u32,
    },
    /// Compile a plugin on standard input, within limits: what the plugin host asks a child process of its own.
    #[command(hide = true)]
    PluginCompile {
        /// For instances out of a pool.
        #[arg(long)]
        pooled: bool,
        /// It was granted to be large.
        #[arg(long)]
        large: bool,
        /// The process that asks; this one ends with it.
        #[arg(long)]
        parent: u32,
    },
    /// Look at the configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Write, try out and look at plugins.
    Plugin {
        #[command(subcommand)]
        command: plugin::Command,
    },
    /// Ask a running outlet where it stands.
    Status {
        /// Its address; SERVER_PORT on this machine when left out.
        #[arg(long)]
        url: Option<String>,
        /// Print the answer's JSON.
        #[arg(long)]
        json: bool,
        /// Go on, every two seconds, until Ctrl-C. Where it is no terminal that is written to, a line each time.
        #[arg(long)]
        watch: bool,
    },
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Say whether the environment and .env can be used, and what is wrong if not.
    Check,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match cli.command {
        Command::Serve => configured().and_then(serve::run),
        Command::Backup { file, force } => configured().and_then(|config| backup::run(&config, file, force)),
        Command::Restore { file } => configured().and_then(|config| restore::run(&config, &file)),
        Command::Export {
            entity_type,
            force,
            file,
        } => configured().and_then(|config| export::run(&config, entity_type, &file, force)),
        Command::Import { again, file } => configured().and_then(|config| import::run(&config, &file, again)),
        Command::Compact => configured().and_then(|config| compact::run(&config)),
        Command::Doctor => configured().and_then(|config| doctor::run(&config)),
        Command::StoreProbe { dir, deep, parent } => {
            probe::end_with_parent(parent);
            probe::answer(&dir, deep);
            Ok(ExitCode::SUCCESS)
        }
        Command::StoreSalvage { from, to, parent } => {
            probe::end_with_parent(parent);
            salvage::answer(&from, &to);
            Ok(ExitCode::SUCCESS)
        }
        Command::PluginCompile {
            pooled,
            large,
            parent,
        } => {
            probe::end_with_parent(parent);
            Ok(compile_as_child(pooled, large))
        }
        Command::Config {
            command: ConfigCommand::Check,
        } => check::run(configured()),
        Command::Plugin { command } => plugin::run(command, configured),
        Command::Status { url, json, watch } => environment(Path::new("."))
            .map_err(anyhow::Error::from)
            .and_then(|environment| status::run(&environment, url, json, watch)),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("selaras: {error:#}");
            let misconfigured = error.downcast_ref::<ConfigError>().is_some();
            ExitCode::from(if misconfigured { 2 } else { 1 })
        }
    }
}

fn configured() -> anyhow::Result<Config> {
    Ok(Config::parse(&environment(Path::new("."))?)?)
}
