//! What tests of this module share: an app over an engine in memory.

use crate::clock::{Clock, SystemClock, monotonic_us};
use crate::engine::settings::Defaults;
use crate::engine::{Engine, Parts, first_admin};
use crate::http::{App, Settings};
use crate::plugin::{Host, HostConfig, Limits};
use crate::store::MemoryStore;
use crate::store::rows::Rows;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The one user there is.
pub(crate) const ADMIN: (&str, &str) = ("admin", "right");

/// An app with an admin, without plugins, outlet or webhook secret.
pub(crate) async fn app() -> App {
    let store = Arc::new(MemoryStore::new("epoch"));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
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
        defaults: Defaults::default(),
        shutdown: CancellationToken::new(),
    });
    App::new(
        engine.unwrap(),
        Settings {
            jwt_secret: b"0123456789abcdef0123456789abcdef".to_vec(),
            install_id: "install-1".to_owned(),
            webhook_secrets: Vec::new(),
            stop: CancellationToken::new(),
        },
    )
}
