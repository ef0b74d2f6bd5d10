//! The one place that builds and wires everything, and takes it down in order: no more requests, the run that is
//! going finished or abandoned, plugins stopped, the store drained and closed.

mod files;
mod plugins;

use crate::clock::{Clock, SystemClock, monotonic_us};
use crate::config::Config;
use crate::engine::{Engine, Parts, first_admin, has_users};
use crate::http;
use crate::plugin::{Host, HostConfig, Limits};
use crate::store::rows::Rows;
use crate::store::{SledOptions, SledStore, Store};
use anyhow::Context;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Threads that plugin calls run on: one a core of the smallest box.
const PLUGIN_THREADS: usize = 2;

/// A running outlet.
pub struct App {
    address: SocketAddr,
    shutdown: CancellationToken,
    server: JoinHandle<usize>,
    scheduler: JoinHandle<()>,
    tidier: JoinHandle<()>,
    host: Host,
    store: Arc<SledStore>,
}

impl App {
    /// Opens the data directory, loads the plugins and serves.
    ///
    /// # Errors
    /// When the data directory cannot be used, the store cannot be opened, or the address is taken.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let dir = config.data_dir.clone();
        files::data_dir(&dir)
            .with_context(|| format!("the data directory {} cannot be used", dir.display()))?;
        // Binding first: a second process on this address stops before it touches anything.
        let server = http::Server::bind(config.listen)
            .await
            .with_context(|| format!("cannot listen on {} (SERVER_PORT, LISTEN_ADDR)", config.listen))?;

        let (store, (host, plugin_problems)) = tokio::try_join!(open(&dir, &clock), load(&dir, &clock))?;
        let store = Arc::new(store);
        let shutdown = CancellationToken::new();
        let engine = Engine::new(Parts {
            store: store.clone(),
            host: host.clone(),
            plugin_problems,
            clock: clock.clone(),
            defaults: config.defaults.clone(),
            shutdown: shutdown.clone(),
        })
        .context("the stored settings cannot be read")?;
        // Before anything is served or sent.
        engine
            .rewind()
            .await
            .context("the store went back in time, and what waits could not be put in doubt")?;
        admin(&config, store.clone(), &*clock, &engine).await?;

        let jwt_secret = match &config.jwt_secret {
            Some(secret) => secret.expose().as_bytes().to_vec(),
            None => files::secret(&dir.join("jwt-secret"), &*clock)?.to_vec(),
        };
        let app = http::App::new(
            engine.clone(),
            http::Settings {
                jwt_secret,
                install_id: store.feed_epoch(),
                webhook_secrets: config
                    .webhook_secrets
                    .iter()
                    .map(|secret| secret.expose().to_owned())
                    .collect(),
                stop: shutdown.clone(),
            },
        );
        let address = server.local_addr();
        let server = tokio::spawn(server.serve(app, http::Limits::default(), shutdown.clone()));
        let tidier = tokio::spawn(engine.clone().tidy(shutdown.clone()));
        let scheduler = tokio::spawn(engine.schedule(shutdown.clone()));
        tracing::info!(%address, data_dir = %dir.display(), version = env!("CARGO_PKG_VERSION"), "selaras serves");
        Ok(Self {
            address,
            shutdown,
            server,
            scheduler,
            tidier,
            host,
            store,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops: requests in hand are answered, a run is finished or safely abandoned, everything accepted is durable.
    ///
    /// # Errors
    /// When the store cannot be closed cleanly; nothing acknowledged is lost by that.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.shutdown.cancel();
        let cut = self.server.await.context("the server's task died")?;
        if cut > 0 {
            tracing::warn!(
                cut,
                "connections were cut: they were still busy at the end of the grace"
            );
        }
        self.scheduler.await.context("the scheduler's task died")?;
        self.tidier.await.context("the tidier's task died")?;
        let (host, store) = (self.host, self.store);
        tokio::task::spawn_blocking(move || {
            host.shutdown();
            store.close()
        })
        .await
        .context("closing the store panicked")?
        .context("the store could not be closed cleanly")?;
        tracing::info!("selaras has stopped");
        Ok(())
    }
}

async fn open(dir: &Path, clock: &Arc<dyn Clock>) -> anyhow::Result<SledStore> {
    let (dir, mut epoch) = (dir.join("store"), [0; 16]);
    clock.fill(&mut epoch);
    let options = SledOptions {
        timer: Some(Arc::new(monotonic_us)),
        ..SledOptions::new(hex::encode(epoch))
    };
    tokio::task::spawn_blocking(move || {
        SledStore::open(&dir, options)
            .with_context(|| format!("the store in {} cannot be opened", dir.display()))
    })
    .await
    .context("opening the store panicked")?
}

async fn load(dir: &Path, clock: &Arc<dyn Clock>) -> anyhow::Result<(Host, Vec<(String, String)>)> {
    let (dir, clock) = (dir.to_owned(), clock.clone());
    tokio::task::spawn_blocking(move || {
        let host = host(&dir, &*clock)?;
        let problems = plugins::load(&host, &dir.join("plugins"));
        Ok((host, problems))
    })
    .await
    .context("loading the plugins panicked")?
}

/// The plugin host of a data directory, with nothing loaded.
///
/// # Errors
/// When its cache or key cannot be used.
pub fn host(dir: &Path, clock: &dyn Clock) -> anyhow::Result<Host> {
    let config = HostConfig {
        cache_dir: Some(dir.join("plugin-cache")),
        cache_key: files::secret(&dir.join("plugin-cache-key"), clock)?,
        threads: PLUGIN_THREADS,
        limits: Limits::default(),
        monotonic_us,
    };
    Host::start(config).context("the plugin host cannot be started")
}

pub use plugins::load as load_plugins;

/// The first start makes the first admin; there is no default password.
async fn admin(
    config: &Config,
    store: Arc<dyn Store>,
    clock: &dyn Clock,
    engine: &Engine,
) -> anyhow::Result<()> {
    let rows = Rows::new(store);
    if has_users(&rows)? {
        return Ok(());
    }
    let path = config.data_dir.join("initial-admin-password");
    let password = match &config.admin_password {
        Some(password) => {
            if password.expose().chars().count() < 8 {
                tracing::warn!("ADMIN_PASSWORD has fewer than 8 characters: easy to guess");
            }
            password.expose().to_owned()
        }
        None => {
            let password = files::password(clock);
            files::write_private(&path, password.as_bytes())
                .with_context(|| format!("{} cannot be written", path.display()))?;
            tracing::warn!(file = %path.display(), user = config.admin_username, "the first admin's password is in this file");
            password
        }
    };
    let mut salt = [0; 16];
    clock.fill(&mut salt);
    first_admin(&rows, engine.new_ulid(), &config.admin_username, &password, &salt).await?;
    Ok(())
}
