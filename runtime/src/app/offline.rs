//! A stopped outlet's data, for commands: its store and an engine over it, without plugins, server or runs.

use super::open;
use crate::clock::{Clock, SystemClock, monotonic_us};
use crate::cloud::Client;
use crate::config::Config;
use crate::engine::{Engine, Parts};
use crate::metrics::Metrics;
use crate::plugin::{Compiling, Host, HostConfig, Limits, Trust};
use crate::secret::Secret;
use crate::store::{DurableStore, Store};
use anyhow::{Context, bail};
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// An outlet that does not run. The store is locked as long as this lives.
pub struct Offline {
    engine: Engine,
    store: Arc<DurableStore>,
    host: Host,
}

impl Offline {
    /// Opens the store of a data directory. `make`: where there is none, it is made.
    ///
    /// # Errors
    /// When there is no store, another process has it, or it cannot be opened.
    pub async fn open(config: &Config, make: bool) -> anyhow::Result<Self> {
        let dir = &config.data_dir;
        if make {
            super::privacy::data_dir(dir)
                .with_context(|| format!("the data directory {} cannot be used", dir.display()))?;
        } else if !has_store(dir) {
            bail!(
                "there is no store in {} (DATA_DIR): is this the environment that `selaras serve` is started with?",
                dir.display()
            );
        }
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let store = Arc::new(open(config, &clock, CancellationToken::new(), Metrics::default()).await?);
        let host = Host::start(HostConfig {
            cache_dir: None,
            cache_key: Secret::of([0; 32]),
            threads: 1,
            limits: Limits::default(),
            compiling: Compiling::by_this_program(),
            monotonic_us,
        })
        .context("the plugin host cannot be started")?;
        let engine = Engine::new(Parts {
            store: store.clone(),
            host: host.clone(),
            plugin_problems: Vec::new(),
            plugin_trust: Trust::default(),
            clock,
            defaults: config.defaults.clone(),
            connect: Arc::new(Client::new),
            backups: config.backups.clone(),
            metrics: Metrics::default(),
            shutdown: CancellationToken::new(),
        })
        .context("the stored settings cannot be read")?;
        Ok(Self { engine, store, host })
    }

    /// What is asked.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Loads what an outlet would: the plugins of the binary, of the folder and of the store.
    pub async fn load_plugins(&self, folder: &Path) {
        super::plugins::load(&self.host, folder);
        self.engine.load_plugins().await;
    }

    /// The store itself.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Ends it; everything that was taken in is durable.
    ///
    /// # Errors
    /// When the store cannot be closed cleanly.
    pub fn close(self) -> anyhow::Result<()> {
        self.host.shutdown();
        self.store
            .close()
            .context("the store could not be closed cleanly")
    }
}

/// Whether a data directory has a store, in whatever state; one whose replacing was cut off, too.
pub fn has_store(data_dir: &Path) -> bool {
    // What cannot be looked at may be one.
    let holds_files = |dir: &str| {
        std::fs::read_dir(data_dir.join("store").join(dir)).map_or_else(
            |error| error.kind() != std::io::ErrorKind::NotFound,
            |mut files| files.next().is_some(),
        )
    };
    ["sled", "sled.old"].into_iter().any(holds_files)
}
