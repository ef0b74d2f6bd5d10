//! The one place that builds and wires everything, and takes it down in order: no more requests, the run that is
//! going finished or abandoned, plugins stopped, the store drained and closed.

mod descriptors;
mod files;
mod folder;
mod offline;
mod plugins;
mod privacy;
mod restore;

use self::folder::Folder;
use crate::clock::{Clock, SystemClock, monotonic_us};
use crate::cloud::{Client, OnExchange, Trust};
use crate::config::Config;
use crate::control;
use crate::engine::{Connect, Engine, FirstAdmin, Parts, first_admin, has_users, password_problem};
use crate::http;
use crate::metrics::Metrics;
use crate::plugin::{Compiling, FailureCode, Host, HostConfig, Limits};
use crate::secret::Secret;
use crate::store::rows::Rows;
use crate::store::{DurableStore, Opening, OpeningParts, Store, probe, salvage};
use anyhow::Context;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Threads that plugin calls run on: one a core of the smallest box.
const PLUGIN_THREADS: usize = 2;

/// Memory for the database's pages; the engine's own default, 1 GiB, is more than an outlet's box has.
const STORE_CACHE_BYTES: u64 = 32 << 20;

/// A running outlet.
pub struct App {
    address: SocketAddr,
    shutdown: CancellationToken,
    server: JoinHandle<usize>,
    scheduler: JoinHandle<()>,
    pulse: JoinHandle<()>,
    tidier: JoinHandle<()>,
    parked: JoinHandle<()>,
    sessions: JoinHandle<()>,
    plugins: JoinHandle<()>,
    folder: JoinHandle<()>,
    backups: JoinHandle<()>,
    control: JoinHandle<()>,
    host: Host,
    store: Arc<DurableStore>,
    restart: CancellationToken,
}

impl App {
    /// Opens the data directory, loads the plugins and serves.
    ///
    /// # Errors
    /// When the data directory cannot be used, the store cannot be opened, or the address is taken.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let dir = config.data_dir.clone();
        privacy::data_dir(&dir)
            .with_context(|| format!("the data directory {} cannot be used", dir.display()))?;
        let tls = config.tls.clone();
        let tls = tls
            .map(|files| http::Tls::load(files, clock.wall_ms()))
            .transpose()?;
        // Binding first: a second process on this address stops before it touches anything.
        let server = http::Server::bind(config.listen)
            .await
            .with_context(|| format!("cannot listen on {} (SERVER_PORT, LISTEN_ADDR)", config.listen))?;

        let address = server.local_addr();
        let shutdown = CancellationToken::new();
        // Who supervises hears that it is starting, however long that takes. A start that fails ends it.
        let door = http::Door::closed(clock.random(), times(&clock));
        let limits = descriptors::make_room(config.limits.clone());
        let server = tokio::spawn(server.serve(door.clone(), limits, tls, shutdown.clone()));
        let failing = shutdown.clone().drop_guard();

        let restart = CancellationToken::new();
        let metrics = Metrics::timed(monotonic_us);
        let opening = open(&config, &clock, restart.clone(), metrics.clone());
        let (store, (host, plugin_problems)) = tokio::try_join!(opening, load_embedded(&dir, &clock))?;
        let store = Arc::new(store);
        let counted = metrics.clone();
        host.observe(Arc::new(move |called| {
            let error = called.error.map(FailureCode::as_str);
            counted.plugin_call(called.plugin, called.call, called.took_us, error);
        }));
        let engine = Engine::new(Parts {
            store: store.clone(),
            host: host.clone(),
            plugin_problems,
            plugin_trust: config.plugin_trust.clone(),
            clock: clock.clone(),
            defaults: config.defaults.clone(),
            connect: watched(&metrics, config.cloud_trust.clone()),
            backups: config.backups.clone(),
            metrics: metrics.clone(),
            shutdown: shutdown.clone(),
        })
        .context("the stored settings cannot be read")?;
        // Before anything is served or sent.
        engine
            .rewind()
            .await
            .context("the store went back in time, and what waits could not be put in doubt")?;
        engine.load_plugins().await;
        let mut folder = Folder::of(&dir);
        folder.open(&engine).await;
        admin(&config, store.clone(), &*clock, &engine).await?;

        let jwt_secret = match &config.jwt_secret {
            Some(secret) => Secret::of(secret.expose().as_bytes().to_vec()),
            None => Secret::of(files::secret(&dir.join("jwt-secret"), &*clock)?.expose().to_vec()),
        };
        let previous = config.jwt_secret_previous.iter();
        let previous = previous.map(|secret| Secret::of(secret.expose().as_bytes().to_vec()));
        let app = http::App::new(
            engine.clone(),
            http::Settings {
                jwt_secrets: std::iter::once(jwt_secret).chain(previous).collect(),
                install_id: store.feed_epoch(),
                webhook_secrets: config.webhook_secrets.clone(),
                refuse_legacy_webhooks: config.webhook_refuse_legacy,
                limits: config.limits.requests.clone(),
                scrape: http::Scrape::new(
                    config.metrics_token.as_ref().map(|token| token.expose().as_str()),
                    config.metrics_loopback,
                ),
                stop: shutdown.clone(),
            },
        );
        // Before it is ready: who sees it ready may ask.
        let control = listen_for_commands(&dir, &engine, &shutdown);
        door.open(app);
        let pulse = tokio::spawn(engine.clone().beat(shutdown.clone()));
        let tidier = tokio::spawn(engine.clone().tidy(shutdown.clone()));
        let parked = tokio::spawn(engine.clone().mind_parked(shutdown.clone()));
        let sessions = tokio::spawn(engine.clone().mind_sessions(shutdown.clone()));
        let plugins = tokio::spawn(engine.clone().mind_plugins(shutdown.clone()));
        let folder = tokio::spawn(folder.watch(engine.clone(), shutdown.clone()));
        let backups = tokio::spawn(engine.clone().keep_backups(shutdown.clone()));
        let scheduler = tokio::spawn(engine.schedule(shutdown.clone()));
        tracing::info!(%address, data_dir = %dir.display(), version = env!("CARGO_PKG_VERSION"), "selaras serves");
        Ok(Self {
            address,
            shutdown: failing.disarm(),
            server,
            scheduler,
            pulse,
            tidier,
            parked,
            sessions,
            plugins,
            folder,
            backups,
            control,
            host,
            store,
            restart,
        })
    }

    /// Resolves when it must be stopped and started again: the store was opened anew while it ran, and is not what it was.
    pub async fn wants_restart(&self) {
        self.restart.cancelled().await;
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
        self.pulse.await.context("the task of the pulse died")?;
        self.tidier.await.context("the tidier's task died")?;
        self.parked.await.context("the task of what is parked died")?;
        self.sessions.await.context("the task of the sessions died")?;
        self.plugins
            .await
            .context("the task that minds the plugins died")?;
        self.folder.await.context("the task of the plugins folder died")?;
        self.control.await.context("the control socket's task died")?;
        self.backups.await.context("the task of the backups died")?;
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

/// Commands of this machine ask over a socket. An outlet whose directory takes none sells on.
fn listen_for_commands(dir: &Path, engine: &Engine, stop: &CancellationToken) -> JoinHandle<()> {
    let (bound, engine, stop) = (control::Server::bind(dir), engine.clone(), stop.clone());
    tokio::spawn(async move {
        let served = match bound {
            Ok(server) => server.serve(engine, stop).await,
            Err(error) => Err(error),
        };
        if let Err(error) = served {
            tracing::error!(%error, "there is no control socket: backup, export and import need a stopped outlet");
        }
    })
}

/// A name for a store, like no other's.
fn epoch(clock: &dyn Clock) -> String {
    let mut epoch = [0; 16];
    clock.fill(&mut epoch);
    hex::encode(epoch)
}

async fn open(
    config: &Config,
    clock: &Arc<dyn Clock>,
    restart: CancellationToken,
    metrics: Metrics,
) -> anyhow::Result<DurableStore> {
    let (naming, timing) = (clock.clone(), clock.clone());
    let opening = Opening::new(OpeningParts {
        data_dir: config.data_dir.clone(),
        backups: config.backups.dir.clone(),
        cache_bytes: STORE_CACHE_BYTES,
        timer: Some(Arc::new(monotonic_us)),
        on_commit: Some(Arc::new(move |batches, took_us| metrics.commit(batches, took_us))),
        epoch: Arc::new(move || epoch(&*naming)),
        now_ms: Arc::new(move || timing.wall_ms()),
        prober: probe::in_child(),
        salvager: salvage::in_child(),
        space: config.space,
        compact_min_bytes: config.compact_min_bytes,
    });
    let dir = config.data_dir.join("store");
    tokio::task::spawn_blocking(move || {
        DurableStore::open(opening, move || restart.cancel())
            .with_context(|| format!("the store in {} cannot be opened", dir.display()))
    })
    .await
    .context("opening the store panicked")?
}

/// What tells the server the time.
fn times(clock: &Arc<dyn Clock>) -> http::Times {
    let (mono, wall) = (clock.clone(), clock.clone());
    http::Times {
        mono_ms: Arc::new(move || mono.mono_ms()),
        wall_ms: Arc::new(move || wall.wall_ms()),
    }
}

/// Makes clients of the cloud that trust what is trusted, and whose calls are counted.
fn watched(metrics: &Metrics, trust: Trust) -> Connect {
    let connect = Client::connect(trust);
    let counted = metrics.clone();
    let tell: OnExchange = Arc::new(move |call, outcome, took_ms| counted.cloud(call, outcome, took_ms));
    Arc::new(move |config, clock| Ok(connect(config, clock)?.observed(tell.clone())))
}

async fn load_embedded(dir: &Path, clock: &Arc<dyn Clock>) -> anyhow::Result<(Host, Vec<(String, String)>)> {
    let (dir, clock) = (dir.to_owned(), clock.clone());
    tokio::task::spawn_blocking(move || {
        let host = host(&dir, &*clock)?;
        let problems = plugins::load_embedded(&host);
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
        compiling: Compiling::by_this_program(),
        monotonic_us,
    };
    Host::start(config).context("the plugin host cannot be started")
}

pub use offline::{Offline, has_store};
pub use plugins::load as load_plugins;
pub use restore::restore;

/// The first start makes the first admin; there is no default password.
async fn admin(
    config: &Config,
    store: Arc<dyn Store>,
    clock: &dyn Clock,
    engine: &Engine,
) -> anyhow::Result<()> {
    let rows = Rows::new(store);
    let path = config.data_dir.join("initial-admin-password");
    if has_users(&rows)? {
        // Once nobody has to change a password any more, it opens nothing.
        if path.exists() && !engine.users()?.iter().any(|user| user.must_change_password) {
            std::fs::remove_file(&path).with_context(|| format!("{} cannot be removed", path.display()))?;
        }
        return Ok(());
    }
    let password = match &config.admin_password {
        Some(password) => {
            if let Some(problem) = password_problem(password.expose(), &config.admin_username) {
                tracing::warn!(
                    "ADMIN_PASSWORD {problem}: taken all the same, change it after the first login"
                );
            }
            password.clone()
        }
        None => {
            let password = files::password(clock);
            files::write_private(&path, password.expose().as_bytes())
                .with_context(|| format!("{} cannot be written", path.display()))?;
            tracing::warn!(file = %path.display(), user = config.admin_username, "the first admin's password is in this file");
            password
        }
    };
    let mut salt = [0; 16];
    clock.fill(&mut salt);
    let first = FirstAdmin {
        id: engine.new_ulid(),
        username: &config.admin_username,
        password: &password,
        // What a machine made and wrote to a file is for the first login.
        must_change_password: config.admin_password.is_none(),
        salt,
        now: engine.now(),
    };
    first_admin(&rows, first).await?;
    Ok(())
}
