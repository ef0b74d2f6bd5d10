//! The real binary as a process, and a client of its API. Tests drive it by environment variables and HTTP only,
//! as a shop does.

mod calls;
mod hooks;
mod process;
mod reply;

pub use hooks::{Hook, WEBHOOK_SECRET, stamp};
pub use reply::Reply;

use crate::harness::wait;
use crate::scripted_cloud::ScriptedCloud;
use process::{Process, free_port};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

/// The id every outlet here has.
pub const OUTLET_ID: &str = "550e8400-e29b-41d4-a716-446655440000";
/// Its code.
pub const OUTLET_CODE: &str = "JKT-001";
/// Its key at the cloud.
pub const API_KEY: &str = "sk_live_0123456789abcdef";
/// The first admin's password.
pub const ADMIN_PASSWORD: &str = "a long enough passphrase";

/// What an outlet is started with.
#[derive(Clone)]
pub struct Setup {
    env: BTreeMap<String, String>,
    dir: Arc<TempDir>,
    quick: bool,
    /// What must answer before it counts as up.
    probe: &'static str,
}

impl Setup {
    /// An outlet with everything it needs, of a cloud.
    pub fn of(cloud: &ScriptedCloud) -> Self {
        Self::without_cloud()
            .env("CLOUD_API_URL", cloud.url())
            .env("CLOUD_API_KEY", API_KEY)
            .env("OUTLET_ID", OUTLET_ID)
            .env("OUTLET_CODE", OUTLET_CODE)
    }

    /// An outlet that was never told of a cloud.
    pub fn without_cloud() -> Self {
        let setup = Self {
            env: BTreeMap::new(),
            dir: Arc::new(tempfile::tempdir().expect("a temporary directory")),
            quick: true,
            probe: "/readyz",
        };
        let data = setup.data_dir().to_str().expect("a path in UTF-8").to_owned();
        setup
            .env("DATA_DIR", &data)
            .env("WEBHOOK_SECRET", WEBHOOK_SECRET)
            .env("ADMIN_USERNAME", "admin")
            .env("ADMIN_PASSWORD", ADMIN_PASSWORD)
            // Runs are asked for, or follow a change; none comes by itself.
            .env("SYNC_INTERVAL_MINUTES", "60")
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Takes a variable away.
    pub fn without(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    /// Leaves the backoff and the delays as they are by default.
    pub fn unhurried(mut self) -> Self {
        self.quick = false;
        self
    }

    /// Expects it to be up, but not ready in every part.
    pub fn with_problems(mut self) -> Self {
        self.probe = "/healthz";
        self
    }

    /// The data directory, for what a test puts there beforehand.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The variables that it is started with.
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// A directory for files of the test's own.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Starts it, waits until it is ready, and logs in.
    pub async fn start(self) -> Outlet {
        let mut outlet = self.launch().await;
        outlet.login().await;
        if outlet.setup.quick {
            let quick = r#"{"initial_backoff_seconds":1,"max_backoff_seconds":1,"push_delay_ms":10}"#;
            outlet
                .request("PUT", "/api/v1/config/sync")
                .json(quick)
                .await
                .expect(200);
        }
        outlet
    }

    /// Starts it and waits until it is ready; nobody is logged in.
    pub async fn launch(self) -> Outlet {
        let http = selaras::cloud::plain_client().expect("a client");
        loop {
            let port = free_port();
            let mut process = Process::spawn(&self.env, port, self.dir.path());
            let base = format!("http://127.0.0.1:{port}");
            let up = wait::until("the outlet to be ready", || {
                let ready = http.get(format!("{base}{}", self.probe)).send();
                let ended = process.ended();
                async move {
                    match ended {
                        Some(_) => Some(false),
                        None => ready.await.is_ok_and(|r| r.status().is_success()).then_some(true),
                    }
                }
            })
            .await;
            if up {
                return Outlet {
                    setup: self,
                    process,
                    base,
                    http,
                    token: None,
                };
            }
            // Another process may have taken the port in between; anything else is a failure.
            let log = process.log();
            assert!(
                log.to_lowercase().contains("in use"),
                "the outlet ended at once:\n{log}"
            );
        }
    }

    /// Starts it where it must refuse to start; answers its exit code and what it said.
    pub async fn refuses_to_start(self) -> (i32, String) {
        let mut process = Process::spawn(&self.env, free_port(), self.dir.path());
        let code = process.wait().await;
        (code, process.log())
    }
}

/// A running outlet. Dropping it kills it; in a failing test its log is printed.
pub struct Outlet {
    setup: Setup,
    process: Process,
    base: String,
    http: reqwest::Client,
    token: Option<String>,
}

/// An app that is logged in.
#[derive(Clone)]
pub struct Session {
    base: String,
    http: reqwest::Client,
    token: String,
}

impl Session {
    /// Puts a document; answers the status, or none when no answer came.
    pub async fn put(&self, path: &str, document: String) -> Option<u16> {
        self.put_to(&self.base, path, document).await
    }

    /// The same, with this login, at another outlet.
    pub async fn put_at(&self, outlet: &Outlet, path: &str, document: String) -> Option<u16> {
        self.put_to(&outlet.base, path, document).await
    }

    async fn put_to(&self, base: &str, path: &str, document: String) -> Option<u16> {
        let request = self
            .http
            .put(format!("{base}{path}"))
            .bearer_auth(&self.token)
            .header("content-type", "application/json")
            .body(document);
        request
            .send()
            .await
            .ok()
            .map(|response| response.status().as_u16())
    }
}

impl Outlet {
    /// Starts an outlet of a cloud.
    pub async fn of(cloud: &ScriptedCloud) -> Self {
        Setup::of(cloud).start().await
    }

    /// What it was started with.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Its address and login, for an app that goes on when the outlet is gone.
    pub fn session(&self) -> Session {
        Session {
            base: self.base.clone(),
            http: self.http.clone(),
            token: self.token.clone().expect("somebody is logged in"),
        }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// SIGTERM; it must exit with 0. Answers what it can be started with again.
    pub async fn stop(mut self) -> Setup {
        self.process.terminate();
        let code = self.process.wait().await;
        assert_eq!(code, 0, "SIGTERM is answered with a clean exit:\n{}", self.log());
        self.setup.clone()
    }

    /// SIGKILL, as a power cut. Answers what it can be started with again.
    pub async fn kill(mut self) -> Setup {
        self.process.kill();
        self.process.wait().await;
        self.setup.clone()
    }

    /// Stops it and starts it again.
    pub async fn restart(self) -> Self {
        self.stop().await.start().await
    }
}
