//! What tests above the engine start from: a whole engine in memory, so that they name nothing below it.

use crate::clock::{Clock, SystemClock, monotonic_us};
use crate::cloud::Client;
use crate::engine::api::{Actor, BackupPolicy, Change, Intent, Precondition};
use crate::engine::settings::Defaults;
use crate::engine::{Engine, FirstAdmin, Parts, first_admin};
use crate::metrics::Metrics;
use crate::plugin::{Compiling, Host, HostConfig, Limits, Trust};
use crate::secret::Secret;
use crate::store::rows::Rows;
use crate::store::{MemoryStore, Store};
use selaras_core::id::EntityKey;
use selaras_core::json::Doc;
use selaras_core::stamp::Millis;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The one user there is.
pub(crate) const ADMIN: (&str, &str) = ("admin", "right");

/// An engine with an admin, without plugins or an outlet.
pub(crate) async fn engine() -> Engine {
    let store = Arc::new(MemoryStore::new("epoch"));
    let (name, password) = ADMIN;
    let made = first_admin(
        &Rows::new(store.clone()),
        FirstAdmin {
            id: "u-1".to_owned(),
            username: name,
            password: &Secret::new(password),
            must_change_password: false,
            salt: [7; 16],
            now: Millis(0),
        },
    )
    .await;
    assert!(made.unwrap());
    engine_over(store, Arc::new(SystemClock::new()), Defaults::default())
}

/// An engine without plugins over this store, in this time.
pub(crate) fn engine_over(store: Arc<dyn Store>, clock: Arc<dyn Clock>, defaults: Defaults) -> Engine {
    let host = Host::start(HostConfig {
        cache_dir: None,
        cache_key: Secret::of([0; 32]),
        threads: 1,
        limits: Limits::default(),
        compiling: Compiling::Here,
        monotonic_us,
    });
    let engine = Engine::new(Parts {
        store,
        host: host.unwrap(),
        plugin_problems: Vec::new(),
        plugin_trust: Trust::default(),
        clock,
        defaults,
        connect: Arc::new(Client::new),
        backups: BackupPolicy::default(),
        metrics: Metrics::default(),
        shutdown: CancellationToken::new(),
    });
    engine.unwrap()
}

/// An app puts a document. Answers the version it got.
pub(crate) async fn put(engine: &Engine, key: EntityKey, doc: &str) -> u64 {
    let change = Change {
        key,
        intent: Intent::Put(Doc::parse(doc).unwrap()),
        precondition: Precondition::None,
        updated_at: None,
        change_id: None,
    };
    let actor = Actor {
        id: "app".to_owned(),
        token_id: None,
    };
    engine.change(change, None, &actor).await.unwrap().version
}

impl Engine {
    /// The process is being stopped.
    pub(crate) fn stops(&self) {
        self.inner.shutdown.cancel();
    }
}
