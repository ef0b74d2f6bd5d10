//! What tests above the engine start from: a whole engine in memory, so that they name nothing below it.

use crate::clock::{Clock, SystemClock, monotonic_us};
use crate::cloud::Client;
use crate::engine::api::BackupPolicy;
use crate::engine::settings::Defaults;
use crate::engine::{Engine, Parts, first_admin};
use crate::plugin::{Host, HostConfig, Limits};
use crate::store::rows::Rows;
use crate::store::{MemoryStore, Store};
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
        "u-1".to_owned(),
        name,
        password,
        &[7; 16],
    )
    .await;
    assert!(made.unwrap());
    engine_over(store, Arc::new(SystemClock::new()), Defaults::default())
}

/// An engine without plugins over this store, in this time.
pub(crate) fn engine_over(store: Arc<dyn Store>, clock: Arc<dyn Clock>, defaults: Defaults) -> Engine {
    let host = Host::start(HostConfig {
        cache_dir: None,
        cache_key: [0; 32],
        threads: 1,
        limits: Limits::default(),
        monotonic_us,
    });
    let engine = Engine::new(Parts {
        store,
        host: host.unwrap(),
        plugin_problems: Vec::new(),
        clock,
        defaults,
        connect: Arc::new(Client::new),
        backups: BackupPolicy::default(),
        shutdown: CancellationToken::new(),
    });
    engine.unwrap()
}
