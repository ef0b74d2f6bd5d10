//! The engine: the one place where store, cloud, plugins and rules meet. Plans come from core, effects go through the
//! store, the cloud client and the plugin host. HTTP holds a handle to it and knows nothing below.

mod accounts;
pub mod api;
mod audit;
mod backup;
mod broadcast;
mod case;
mod configure;
mod daily;
mod decide;
mod due;
mod export;
mod fault;
mod feed;
mod hooks;
mod import;
mod inflow;
mod intake;
mod life;
mod limits;
mod link;
mod observed;
mod parked;
mod parking;
mod plan;
mod plugins;
mod progress;
mod pull;
mod pulse;
mod push;
mod push_one;
mod queue;
mod rate;
mod resolve;
mod resync;
mod retention;
mod rewind;
mod run;
mod scheduler;
pub mod settings;
mod ship;
mod signing;
mod simulate;
mod storage;
mod tell;
#[cfg(test)]
pub(crate) mod testing;
pub mod time;
mod twin;
mod tx;
mod view;

use crate::clock::Clock;
pub use crate::cloud::Connect;
use crate::engine::accounts::{Accounts, Sessions};
use crate::engine::api::{BackupPolicy, RunReport, RunStatus, Unavailable};
use crate::engine::audit::Logins;
use crate::engine::backup::Backups;
use crate::engine::broadcast::Broadcasts;
use crate::engine::life::Life;
use crate::engine::link::Link;
use crate::engine::observed::Oldest;
use crate::engine::pulse::Pulse;
use crate::engine::rate::Rate;
use crate::engine::scheduler::Signals;
use crate::engine::settings::{Defaults, Settings, StoredBinding, StoredOutlet};
use crate::engine::signing::Signing;
use crate::engine::time::Time;
use crate::metrics::Metrics;
use crate::plugin::{Host, Trust};
use crate::store::rewound::Rewound;
use crate::store::rows::Rows;
use crate::store::{Direction, Store, keys};
use parking_lot::{Mutex, RwLock};
use selaras_core::id::EntityType;
use selaras_core::share::Turns;
use selaras_core::stamp::Millis;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

pub use accounts::{APP_TOKEN_PREFIX, FirstAdmin, first_admin, has_users, password_problem};
pub use backup::Spooled;
pub use import::{Import, MAX_BATCH_LINES};
pub use plugins::view as plugin_view;

/// What an engine is made of.
pub struct Parts {
    /// Durable state.
    pub store: Arc<dyn Store>,
    /// The plugins.
    pub host: Host,
    /// Plugins of the binary that were refused: name, and why.
    pub plugin_problems: Vec<(String, String)>,
    /// Whose plugins are taken.
    pub plugin_trust: Trust,
    /// Time and randomness.
    pub clock: Arc<dyn Clock>,
    /// What the environment says of the outlet.
    pub defaults: Defaults,
    /// How a client of a cloud is made: [`crate::cloud::Client::new`], or one over another network.
    pub connect: Connect,
    /// Which backups are made.
    pub backups: BackupPolicy,
    /// What is counted.
    pub metrics: Metrics,
    /// Ends waits and runs.
    pub shutdown: CancellationToken,
}

/// The engine's handle. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    rows: Rows,
    host: Host,
    life: Life,
    time: Arc<Time>,
    settings: RwLock<Arc<Settings>>,
    /// One change of the settings at a time.
    configuring: Arc<tokio::sync::Mutex<()>>,
    connect: Connect,
    accounts: Accounts,
    sessions: Sessions,
    /// How many refused logins are written to the audit log.
    logins: Mutex<Logins>,
    link: Mutex<Link>,
    rate: Rate,
    /// Whose turn it is in the next batch.
    turns: Mutex<Turns>,
    signals: Signals,
    last_run: Mutex<LastRun>,
    /// When the last pull was begun (monotonic ms; 0: never).
    pulled_at: AtomicU64,
    /// Pulls in a row that failed although the cloud answers.
    pull_failures: AtomicU32,
    feed: watch::Sender<u64>,
    /// Places in the feed up to here were given out by a store that went back in time since.
    feed_floor: AtomicU64,
    /// That the store went back in time, and how far it is dealt with.
    rewound: Mutex<Option<Rewound>>,
    resync: resync::Resync,
    tidying: retention::Tidying,
    signing: Signing,
    broadcasts: Broadcasts,
    /// Wakes who tries parked documents again: a plugin or what is bound to it changed.
    reconsider: Notify,
    backups: Backups,
    metrics: Metrics,
    oldest: Mutex<Oldest>,
    pulse: Pulse,
    /// One simulation at a time.
    simulating: tokio::sync::Mutex<()>,
    shutdown: CancellationToken,
}

/// What is remembered of the last runs.
#[derive(Default)]
struct LastRun {
    success_at: Option<Millis>,
    stored_at: Option<Millis>,
    error: Option<String>,
    offset: Option<i64>,
}

impl Inner {
    /// Wakes who waits for the feed.
    fn feed_moved(&self) {
        let head = self.rows.store().feed_head();
        self.feed.send_if_modified(|seen| {
            let moved = *seen < head;
            *seen = (*seen).max(head);
            moved
        });
    }
}

impl Engine {
    /// An engine over these parts, with the settings that are stored.
    ///
    /// # Errors
    /// When the stored settings cannot be read.
    pub fn new(parts: Parts) -> Result<Self, Unavailable> {
        let rows = Rows::new(parts.store);
        let offset: Option<i64> = rows.meta("clock_offset_ms")?;
        let boots = rows.meta(time::BOOTS)?.unwrap_or_default();
        let success_at: Option<Millis> = rows.meta("last_sync_at")?;
        let stored: Option<StoredOutlet> = rows.meta(configure::OUTLET)?;
        let sync = rows.meta(configure::SYNC)?.unwrap_or_default();
        let connect = configure::connector(parts.connect.clone(), parts.clock.clone());
        let settings = Settings::build(parts.defaults, stored, sync, bindings(&rows)?, &connect);
        let rate = Rate::stored(
            &rows,
            settings.sync.requests_per_minute,
            parts.clock.mono_ms(),
            parts.clock.wall_ms(),
        )?;
        parts.host.judge_by(life::rule(&settings.sync));
        let mut salt = [0; 16];
        parts.clock.fill(&mut salt);
        let head = rows.store().feed_head();
        let feed_floor = rows.meta(rewind::FEED_FLOOR)?.unwrap_or_default();
        let rewound = rewind::stored(&rows)?;
        let resync = resync::Resync::stored(&rows)?;
        let tidying = retention::Tidying::stored(&rows)?;
        let signing = Signing::stored(&rows)?;
        let sessions = Sessions::stored(&rows, parts.clock.mono_ms())?;
        Ok(Self {
            inner: Arc::new(Inner {
                rows,
                host: parts.host,
                life: Life::new(parts.plugin_trust, parts.plugin_problems),
                time: Arc::new(Time::new(parts.clock, offset, boots)),
                settings: RwLock::new(Arc::new(settings)),
                configuring: Arc::default(),
                connect: parts.connect,
                accounts: Accounts::new(&salt),
                sessions,
                logins: Mutex::default(),
                link: Mutex::new(Link::default()),
                rate,
                turns: Mutex::default(),
                signals: Signals::default(),
                last_run: Mutex::new(LastRun {
                    success_at,
                    offset,
                    ..LastRun::default()
                }),
                pulled_at: AtomicU64::new(0),
                pull_failures: AtomicU32::new(0),
                feed: watch::channel(head).0,
                feed_floor: AtomicU64::new(feed_floor),
                rewound: Mutex::new(rewound),
                resync,
                tidying,
                signing,
                broadcasts: Broadcasts::default(),
                reconsider: Notify::new(),
                backups: Backups::new(parts.backups),
                metrics: parts.metrics,
                oldest: Mutex::default(),
                pulse: Pulse::default(),
                simulating: tokio::sync::Mutex::default(),
                shutdown: parts.shutdown,
            }),
        })
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.inner.settings.read().clone()
    }

    /// A change is durable: apps that wait hear of it, and a push follows soon.
    pub(crate) fn changed(&self) {
        self.inner.feed_moved();
        self.inner.signals.change();
    }

    /// Asks for a run and returns at once.
    pub fn trigger(&self) {
        self.inner.signals.ask();
    }

    /// Asks for a run, or joins the one that is going, and waits for its report.
    pub async fn run_now(&self) -> RunReport {
        let started_at = self.now();
        self.inner
            .signals
            .ask_and_wait()
            .await
            .unwrap_or_else(|| RunReport {
                run_id: String::new(),
                status: RunStatus::Failed,
                pushed: 0,
                push_failed: 0,
                pulled: 0,
                conflicts_resolved: 0,
                conflicts_deferred: 0,
                started_at,
                duration_ms: 0,
                error: Some("the outlet is shutting down".to_owned()),
            })
    }

    /// The largest document of a type, in bytes.
    pub fn max_document_bytes(&self, entity_type: &EntityType) -> usize {
        self.settings().rules(entity_type).max_document_bytes
    }

    /// The company's id of this outlet, once it is known.
    pub fn outlet_id(&self) -> Option<String> {
        Some(self.settings().outlet.outlet_id.clone()).filter(|id| !id.is_empty())
    }

    /// Now, corrected for the offset to the cloud's clock.
    pub fn now(&self) -> Millis {
        self.inner.time.now()
    }

    /// Milliseconds since the process started.
    pub fn mono_ms(&self) -> u64 {
        self.inner.time.clock().mono_ms()
    }

    /// The time by this machine's clock, in ms since 1970.
    pub fn wall_ms(&self) -> i64 {
        self.inner.time.clock().wall_ms()
    }

    /// A number nobody can foresee.
    pub fn random(&self) -> u64 {
        self.inner.time.random()
    }

    /// A new identifier that sorts by time.
    pub fn new_ulid(&self) -> String {
        self.inner.time.ulid()
    }

    /// Whether the outlet can serve.
    ///
    /// # Errors
    /// What is not ready, and why: the store, or all of it since it is being stopped.
    pub fn ready(&self) -> Result<(), Vec<(&'static str, String)>> {
        let mut reasons = Vec::new();
        if let Err(error) = self.inner.rows.store().health() {
            reasons.push(("store", error.to_string()));
        }
        if self.inner.shutdown.is_cancelled() {
            reasons.push(("process", "is being stopped".to_owned()));
        }
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    }

    /// Plugins and files that are not in use, or not as they were meant to be, and why. The rest runs.
    pub fn plugin_problems(&self) -> Vec<(String, String)> {
        self.inner.life.problems()
    }
}

fn bindings(rows: &Rows) -> Result<HashMap<String, StoredBinding>, Unavailable> {
    let (from, to) = keys::all(keys::BINDING);
    let found: Vec<(Vec<u8>, StoredBinding)> = rows.page((&from, &to), Direction::Forward, 10_000)?;
    Ok(found
        .into_iter()
        .map(|(key, row)| (String::from_utf8_lossy(&key[1..]).into_owned(), row))
        .collect())
}
