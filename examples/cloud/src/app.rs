//! The one place that wires the cloud: its shared state, its routes, its start and its orderly end.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api::{self, limits::RateLimiter};
use crate::clock;
use crate::hq;
use crate::store::outlets::{self, KeyHash, Outlet, Registration};
use crate::store::{Store, StoreError, outbox, push};
use crate::webhooks::Postman;

/// Requests in flight at shutdown get this long.
const DRAIN: Duration = Duration::from_secs(10);
/// How long applied change_ids and finished webhooks are remembered.
const MEMORY_MS: i64 = 90 * 24 * 3600 * 1000;

/// What a cloud is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The SQLite file.
    pub db: PathBuf,
    /// Outlets to register at start.
    pub outlets: Vec<Registration>,
    /// The hash of headquarters' key; none closes the headquarters endpoints.
    pub hq_key: Option<KeyHash>,
    /// Requests a minute and outlet; 0: no limit.
    pub rate_limit: u32,
    /// Edits and conflicts are told by webhook; otherwise outlets find them when they pull.
    pub webhooks: bool,
    /// The pause after a first failed webhook.
    pub webhook_pause_ms: u64,
}

/// Everything that handlers share.
pub struct Cloud {
    /// The durable state.
    pub store: Store,
    /// Who called how often.
    pub limiter: RateLimiter,
    /// Wakes the webhook lanes.
    pub postman: Postman,
    /// See [`Settings::hq_key`].
    pub hq_key: Option<KeyHash>,
    /// See [`Settings::webhooks`].
    pub webhooks: bool,
    keys: RwLock<HashMap<KeyHash, Arc<Outlet>>>,
    down: AtomicBool,
}

/// How handlers hold it.
pub type Shared = Arc<Cloud>;

impl Cloud {
    /// Opens the store and registers the outlets of `settings`.
    ///
    /// # Errors
    /// When the store cannot be opened, or an outlet has no key or another outlet's.
    pub async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let store = Store::open(&settings.db)
            .with_context(|| format!("cannot open the database {}", settings.db.display()))?;
        let outlets = settings.outlets.clone();
        let refused = store
            .write(move |tx| {
                let now_ms = clock::now_ms();
                push::forget(tx, now_ms - MEMORY_MS)?;
                outbox::forget(tx, now_ms - MEMORY_MS)?;
                for outlet in outlets {
                    if !outlets::register(tx, &outlet, &clock::stamp(now_ms))? {
                        return Ok(Some(outlet.outlet_id));
                    }
                }
                Ok(None)
            })
            .await?;
        if let Some(outlet_id) = refused {
            anyhow::bail!("outlet {outlet_id} has no key of its own; give each outlet a different one");
        }
        let cloud = Self {
            store,
            limiter: RateLimiter::new(settings.rate_limit),
            postman: Postman::default(),
            hq_key: settings.hq_key,
            webhooks: settings.webhooks,
            keys: RwLock::default(),
            down: AtomicBool::new(false),
        };
        cloud.reload_keys().await?;
        Ok(cloud)
    }

    /// The outlet that a key belongs to.
    pub fn outlet_of(&self, key: &str) -> Option<Arc<Outlet>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.get(&outlets::hash_key(key)).cloned()
    }

    /// Reads the outlets again, after one was registered, and wakes the webhook lanes.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn reload_keys(&self) -> Result<(), StoreError> {
        let all = self.store.read(outlets::all).await?;
        let keys = all
            .into_iter()
            .map(|outlet| (outlet.key_hash, Arc::new(outlet)))
            .collect();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        self.postman.wake();
        Ok(())
    }

    /// Whether the cloud plays dead for everyone but headquarters.
    pub fn is_down(&self) -> bool {
        self.down.load(Ordering::Acquire)
    }

    /// Takes the cloud down or brings it back.
    pub fn set_down(&self, down: bool) {
        self.down.store(down, Ordering::Release);
        self.postman.set_down(down);
    }
}

/// All routes.
pub fn router(cloud: &Shared) -> Router {
    api::router(cloud).nest("/hq", hq::router(cloud))
}

/// Serves until `stop`, then finishes what is in flight. `ready` is told the address that was bound.
///
/// # Errors
/// When the address cannot be bound or the cloud cannot be opened.
pub async fn serve(
    listen: SocketAddr,
    settings: &Settings,
    stop: CancellationToken,
    ready: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let cloud: Shared = Arc::new(Cloud::open(settings).await?);
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    let address = listener.local_addr()?;
    let lanes = tokio::spawn({
        let (cloud, stop, pause_ms) = (Arc::clone(&cloud), stop.clone(), settings.webhook_pause_ms);
        let client = webhook_client()?;
        async move {
            cloud
                .postman
                .run(cloud.store.clone(), client, pause_ms, stop)
                .await
        }
    });
    ready(address);
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was refused");
        }
    });
    let server = axum::serve(listener, router(&cloud)).with_graceful_shutdown(stop.clone().cancelled_owned());
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = server => served.context("the server failed")?,
        () = drained => tracing::warn!("connections were still open after {} s; they are cut", DRAIN.as_secs()),
    }
    stop.cancel();
    lanes.await.context("the webhook lanes ended badly")??;
    Ok(())
}

/// The client that webhooks are sent with: no redirects (a signature is for one address), no proxy.
///
/// # Errors
/// When TLS cannot be set up.
pub fn webhook_client() -> anyhow::Result<reqwest::Client> {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // A second caller at the same time installs the same provider; either is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(5))
        .user_agent(concat!("selaras-cloud/", env!("CARGO_PKG_VERSION")));
    client.build().context("cannot set up the webhook client")
}
