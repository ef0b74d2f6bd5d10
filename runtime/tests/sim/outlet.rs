//! One outlet: the real engine over a disk that may lose power, and the app beside it, which repeats a request under
//! the same key until it is answered, as a till does.

use crate::cloud::CLOUD_NUMBER;
use crate::disk::{Cut, Disk, Held};
use crate::line::{Line, Net};
use crate::plan::{MAPPED, Plan, TYPES, Target};
use crate::time::OutletClock;
use selaras::clock::{Clock, monotonic_us};
use selaras::cloud::Client;
use selaras::engine::api::{
    Actor, BackupPolicy, BindingPatch, Change, ChangeError, Idempotency, Intent, Outlet as Shown,
    PageRequest, Precondition, SyncSettings,
};
use selaras::engine::settings::Defaults;
use selaras::engine::{Engine, Parts};
use selaras::plugin::bundle::BUNDLE;
use selaras::plugin::{Candidate, Compiling, Grants, Host, HostConfig, Limits, Source};
use selaras::secret::Secret;
use selaras::store::rows::Rows;
use selaras::store::{MemoryDisk, MemoryStore, keys};
use selaras_core::entity::Entity;
use selaras_core::id::EntityKey;
use selaras_core::json::Doc;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, OnceLock};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A request of the app that has no answer yet.
#[derive(Clone)]
struct Ask {
    key: String,
    changes: Vec<(EntityKey, Option<u64>)>,
}

/// A change that was answered.
#[derive(Clone, Debug)]
pub struct Acked {
    pub key: EntityKey,
    pub version: u64,
    pub change_id: Option<String>,
    /// The number of its document; none: a delete.
    pub n: Option<u64>,
}

/// What the app has to say, and what it was told.
#[derive(Default)]
pub struct App {
    asks: VecDeque<Ask>,
    pub acked: Vec<Acked>,
    /// Told when it has something to say.
    wants: Arc<Notify>,
}

/// An outlet.
pub struct Outlet {
    pub number: usize,
    pub clock: Arc<OutletClock>,
    pub app: Arc<Mutex<App>>,
    disk: MemoryDisk,
    rows: Option<Rows>,
    boots: u64,
    live: Option<Live>,
    net: Arc<Net>,
    slowness_ms: u64,
}

/// What runs while there is power.
struct Live {
    engine: Engine,
    disk: Arc<Disk>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Live {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

fn actor() -> Actor {
    Actor {
        id: "till".to_owned(),
        token_id: Some("till".to_owned()),
    }
}

impl Outlet {
    /// An outlet that was never switched on.
    pub fn new(number: usize, clock: OutletClock, slowness_ms: u64, net: Arc<Net>) -> Self {
        Self {
            number,
            clock: Arc::new(clock),
            app: Arc::default(),
            disk: MemoryDisk::default(),
            rows: None,
            boots: 0,
            live: None,
            net,
            slowness_ms,
        }
    }

    /// Its engine, while it has power.
    pub fn engine(&self) -> Option<&Engine> {
        self.live.as_ref().map(|live| &live.engine)
    }

    /// What is durable, also while it is dark.
    pub fn rows(&self) -> &Rows {
        self.rows.as_ref().expect("it was switched on once")
    }

    /// How much was written since it was switched on.
    pub fn commits(&self) -> (u64, u64) {
        (self.boots, self.rows().store().stats().commits)
    }

    /// Told when the power fails.
    pub fn dark(&self) -> Option<Arc<Disk>> {
        self.live.as_ref().map(|live| live.disk.clone())
    }

    /// Switches it on.
    pub async fn boot(&mut self, plan: &Plan) {
        self.boots += 1;
        let memory = MemoryStore::open(self.disk.clone(), "epoch").expect("a store of this format");
        self.disk = memory.disk();
        let name = (plan.seed, self.number, self.boots);
        let disk = Disk::new(
            memory,
            name,
            self.slowness_ms,
            self.net.time,
            self.net.trace.clone(),
        );
        self.rows = Some(Rows::new(Arc::new(Held(disk.clone()))));
        let engine = self.make(&disk);
        engine.rewind().await.expect("nothing is in doubt");
        if self.boots == 1 {
            set_up(&engine, plan).await;
        }
        let shutdown = CancellationToken::new();
        let tasks = vec![
            tokio::spawn(engine.clone().schedule(shutdown)),
            tokio::spawn(use_it(engine.clone(), self.app.clone())),
        ];
        self.live = Some(Live { engine, disk, tasks });
    }

    fn make(&self, disk: &Arc<Disk>) -> Engine {
        let clock: Arc<dyn Clock> = self.clock.clone();
        let line = Arc::new(Line {
            outlet: self.number,
            clock: clock.clone(),
            net: self.net.clone(),
        });
        let parts = Parts {
            store: Arc::new(Held(disk.clone())),
            host: host(),
            plugin_problems: Vec::new(),
            plugin_trust: selaras::plugin::Trust::default(),
            clock,
            defaults: Defaults {
                outlet: Shown {
                    outlet_id: format!("outlet-{}", self.number),
                    outlet_code: format!("O-{}", self.number),
                    outlet_name: "one of many".to_owned(),
                    cloud_api_url: "http://127.0.0.1:1".to_owned(),
                    sync_enabled: true,
                    sync_interval_minutes: 5,
                    profile: Vec::new(),
                },
                api_key: Secret::new("key"),
                allow_http: false,
            },
            connect: Arc::new(move |config, clock| Client::over(line.clone(), config, clock)),
            backups: BackupPolicy::default(),
            metrics: selaras::metrics::Metrics::default(),
            shutdown: CancellationToken::new(),
        };
        Engine::new(parts).expect("the stored settings can be read")
    }

    /// The power fails, now or at a commit to come. True: it is dark now.
    pub fn cut(&self, at: Option<Cut>) {
        match (&self.live, at) {
            (Some(live), Some(cut)) => live.disk.cut_at(cut),
            (Some(live), None) => live.disk.cut(),
            (None, _) => {}
        }
    }

    /// Everything that ran ends.
    pub fn go_dark(&mut self) {
        self.live = None;
        self.clock.reboot();
    }

    /// The app wants these changes; entities that only the outlet knows are chosen now.
    pub fn want(&self, key: String, what: &[(Target, bool)], first_n: u64) {
        let mut changes = Vec::new();
        for ((target, delete), n) in what.iter().zip(first_n..) {
            let Some(key) = self.choose(*target) else { continue };
            changes.push((key, Some(n).filter(|_| !delete)));
        }
        if !changes.is_empty() {
            let mut app = self.app.lock().expect("no panic holds it");
            app.asks.push_back(Ask { key, changes });
            app.wants.notify_one();
        }
    }

    fn choose(&self, target: Target) -> Option<EntityKey> {
        match target {
            Target::Own(kind, id) => {
                let id = format!("e-{id}");
                Some(EntityKey::parse(TYPES[kind], &id).expect("a key"))
            }
            Target::Any(lot) => {
                // What others have deleted is theirs to bring back: made anew here it would be another entity there.
                let mut known = self.entities();
                known.retain(|entity| entity.record.doc.is_some());
                let at = usize::try_from(lot % known.len().max(1) as u64).expect("below a length");
                known.get(at).map(|entity| entity.key.clone())
            }
        }
    }

    /// The names of all records.
    fn keys(&self) -> Vec<EntityKey> {
        let (from, to) = keys::all(keys::RECORD);
        let records = self
            .rows()
            .records(&from, &to, 10_000)
            .expect("the rows can be read");
        records.into_iter().map(|(key, _)| key).collect()
    }

    /// All entities as they are durable.
    pub fn entities(&self) -> Vec<Entity> {
        let rows = self.rows();
        let all = self.keys();
        all.iter()
            .map(|key| rows.entity(key).expect("the rows can be read"))
            .collect()
    }

    /// The number of the newest document that the app wants or has put here.
    pub fn newest_n(&self) -> Option<u64> {
        let app = self.app.lock().expect("no panic holds it");
        let asked = app
            .asks
            .iter()
            .flat_map(|ask| ask.changes.iter().filter_map(|(_, n)| *n));
        asked.chain(app.acked.iter().filter_map(|acked| acked.n)).max()
    }

    /// Whether the app waits for an answer.
    pub fn app_waits(&self) -> bool {
        !self.app.lock().expect("no panic holds it").asks.is_empty()
    }
}

/// The first start: how it syncs.
async fn set_up(engine: &Engine, plan: &Plan) {
    let sync = SyncSettings {
        batch_size: plan.batch_size,
        batch_size_max: 1_000,
        ..SyncSettings::default()
    };
    engine
        .set_sync_settings(sync, &actor())
        .await
        .expect("good settings");
    let renaming = format!(r#"{{"rename":{{"n":"{CLOUD_NUMBER}"}}}}"#);
    for (name, strategy) in TYPES.iter().zip(&plan.strategies) {
        let maps = plan.manner.maps && *name == MAPPED;
        let patch = BindingPatch {
            strategy: Some((*strategy).to_owned()),
            coalesce: Some(plan.coalesce),
            mapper: maps.then(|| Some("catalog_mapper".to_owned())),
            settings: maps.then(|| Doc::parse(&renaming).expect("an object")),
            ..BindingPatch::default()
        };
        engine
            .set_binding(name, patch, &actor())
            .await
            .expect("a good binding");
    }
}

/// The app: one request after the other.
async fn use_it(engine: Engine, app: Arc<Mutex<App>>) {
    loop {
        let ask = app.lock().expect("no panic holds it").asks.front().cloned();
        let Some(ask) = ask else {
            let wants = app.lock().expect("no panic holds it").wants.clone();
            wants.notified().await;
            continue;
        };
        let changes = ask.changes.iter().map(|(key, n)| change(key, *n)).collect();
        let mut digest = [0; 32];
        digest[..ask.key.len()].copy_from_slice(ask.key.as_bytes());
        let idempotency = Idempotency {
            key: ask.key.clone(),
            digest,
        };
        let answer = engine.changes(changes, Some(idempotency), &actor()).await;
        let mut app = app.lock().expect("no panic holds it");
        match answer {
            Ok(accepted) => {
                for (accepted, (_, n)) in accepted.into_iter().zip(ask.changes) {
                    app.acked.push(Acked {
                        key: accepted.key,
                        version: accepted.version,
                        change_id: accepted.change_id,
                        n,
                    });
                }
            }
            Err(ChangeError::Busy(_)) => continue,
            Err(error) => panic!("the app is refused: {error}"),
        }
        app.asks.pop_front();
    }
}

fn change(key: &EntityKey, n: Option<u64>) -> Change {
    let intent = match n {
        Some(n) => Intent::Put(Doc::parse(&format!(r#"{{"n":{n},"by":"till"}}"#)).expect("a document")),
        None => Intent::Delete { strict: false },
    };
    Change {
        key: key.clone(),
        intent,
        precondition: Precondition::None,
        updated_at: None,
        change_id: None,
    }
}

/// The embedded plugins, loaded once: a host remembers nothing between calls.
pub fn host() -> Host {
    static HOST: OnceLock<Host> = OnceLock::new();
    HOST.get_or_init(|| {
        let limits = Limits {
            // The world's time stands still in a call; the machine's may be short of breath.
            grace_ms: 60_000,
            load_ms: 60_000,
            ..Limits::default()
        };
        let host = Host::start(HostConfig {
            cache_dir: None,
            cache_key: Secret::of([0; 32]),
            threads: 0,
            limits,
            compiling: Compiling::Here,
            monotonic_us,
        })
        .expect("WebAssembly runs here");
        let candidates: Vec<Candidate> = BUNDLE
            .iter()
            .map(|(name, bytes)| Candidate {
                bytes: Cow::Borrowed(*bytes),
                name: Some((*name).to_owned()),
                source: Source::Embedded,
                grants: Grants::default(),
            })
            .collect();
        for loaded in host.load_all(&candidates) {
            loaded.expect("an embedded plugin is good");
        }
        host
    })
    .clone()
}

/// A page that holds everything.
pub fn everything() -> PageRequest {
    PageRequest {
        after: None,
        limit: 100_000,
    }
}
