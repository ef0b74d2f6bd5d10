//! The real binary as a process, and a client of its API. Tests drive it by environment variables and HTTP only,
//! as a shop does.

mod calls;
mod hooks;
mod process;
mod reply;
mod session;
mod stream;

pub use hooks::{Hook, WEBHOOK_SECRET, stamp};
pub use process::Process;
pub use reply::Reply;
pub use session::Session;

use crate::harness::wait;
use crate::scripted_cloud::ScriptedCloud;
use process::free_port;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
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
    /// Whose process it is; none: the test's.
    user: Option<u32>,
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
            user: None,
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

    /// The same as a user who owns nothing; says why where that cannot be.
    pub fn as_nobody(&self) -> Result<Self, String> {
        let binary = Path::new(env!("CARGO_BIN_EXE_selaras"));
        let closed = binary.ancestors().find(|path| {
            let mode = path
                .metadata()
                .map_or(0, |metadata| metadata.permissions().mode());
            mode & 0o005 != 0o005
        });
        if let Some(path) = closed {
            return Err(format!("{} is closed to other users", path.display()));
        }
        // The working directory and the log are not what it is to be kept from.
        std::fs::set_permissions(self.dir(), std::fs::Permissions::from_mode(0o755))
            .map_err(|error| error.to_string())?;
        let mut setup = self.clone();
        setup.user = Some(65_534);
        Ok(setup)
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
        let outlet = self.launch_as_admin().await;
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

    /// Starts it, waits until it is ready, and logs in; nothing is changed.
    pub async fn launch_as_admin(self) -> Outlet {
        let mut outlet = self.launch().await;
        outlet.login().await;
        outlet
    }

    /// Starts it and waits until it is ready; nobody is logged in.
    pub async fn launch(self) -> Outlet {
        loop {
            match self.attempt(wait::DEADLINE).await {
                Attempt::Up(outlet) => return *outlet,
                // Another process may have taken the port in between; anything else is a failure.
                Attempt::Ended(_, log) if log.to_lowercase().contains("address already in use") => {}
                Attempt::Ended(_, log) => panic!("the outlet ended at once:\n{log}"),
                Attempt::Hangs(log) => panic!("the outlet is not ready after {:?}:\n{log}", wait::DEADLINE),
            }
        }
    }

    /// Starts it and sees what comes of it within so long.
    pub async fn attempt(&self, at_most: Duration) -> Attempt {
        let mut begun = self.begin();
        let up = wait::within(at_most, || {
            let ready = begun.http.get(format!("{}{}", begun.base, self.probe)).send();
            let ended = begun.process.ended();
            async move {
                match ended {
                    Some(code) => Some(Some(code)),
                    None => is_up(ready).await.then_some(None),
                }
            }
        })
        .await;
        match up {
            Some(None) => Attempt::Up(Box::new(begun)),
            Some(Some(code)) => Attempt::Ended(code, begun.log()),
            None => Attempt::Hangs(begun.log()),
        }
    }

    /// Starts the process and waits for nothing.
    pub fn begin(&self) -> Outlet {
        let port = free_port();
        let (scheme, http) = match self.env.get("TLS_CERT") {
            Some(cert) => {
                let pem = std::fs::read(self.dir.path().join(cert)).expect("the outlet's certificate");
                ("https", selaras::cloud::client_of_this_outlet(&pem))
            }
            None => ("http", selaras::cloud::plain_client()),
        };
        Outlet {
            process: Process::spawn(&["serve"], &self.env, port, self.dir.path(), None),
            setup: self.clone(),
            base: format!("{scheme}://127.0.0.1:{port}"),
            http: http.expect("a client"),
            token: None,
        }
    }

    /// Starts another command of the binary.
    pub fn command(&self, args: &[&str]) -> Process {
        Process::spawn(args, &self.env, 0, self.dir.path(), self.user)
    }

    /// Starts it where it must refuse to start; answers its exit code and what it said.
    pub async fn refuses_to_start(self) -> (i32, String) {
        let mut process = self.command(&["serve"]);
        let code = process.wait().await;
        (code, process.log())
    }
}

/// Whether the probe is answered by an outlet that has started.
async fn is_up(probe: impl Future<Output = reqwest::Result<reqwest::Response>>) -> bool {
    let Ok(answer) = probe.await else {
        return false;
    };
    // It is alive, and says so, before its data is open.
    answer.status().is_success() && answer.text().await.is_ok_and(|text| !text.contains("starting"))
}

/// What came of a start.
pub enum Attempt {
    /// It is up; nobody is logged in.
    Up(Box<Outlet>),
    /// It ended, with this exit code (-1: by a signal) and these words.
    Ended(i32, String),
    /// Neither within the time; it was killed. Its words.
    Hangs(String),
}

/// A running outlet. Dropping it kills it; in a failing test its log is printed.
pub struct Outlet {
    // Dropped first: its log is in the setup's directory.
    process: Process,
    setup: Setup,
    base: String,
    http: reqwest::Client,
    token: Option<String>,
}

impl Outlet {
    /// Starts an outlet of a cloud.
    pub async fn of(cloud: &ScriptedCloud) -> Self {
        Setup::of(cloud).start().await
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// What the one who is logged in is known by.
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("somebody is logged in")
    }

    /// What it was started with.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Where commands that talk to it are run.
    pub fn beside(&self) -> Setup {
        self.setup.clone().env("SERVER_PORT", self.port())
    }

    /// Where it listens, for who speaks to it in another way than HTTP's.
    pub fn address(&self) -> SocketAddr {
        let address = self.base.split("//").nth(1);
        address
            .and_then(|address| address.parse().ok())
            .expect("invariant: a base with an address")
    }

    /// The token of who is logged in.
    pub fn bearer(&self) -> &str {
        self.token.as_deref().expect("somebody is logged in")
    }

    /// What it has logged since it was started.
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

    /// Its address on the outlet's machine: where its commands find it.
    fn port(&self) -> &str {
        self.base
            .rsplit(':')
            .next()
            .expect("invariant: a base with a port")
    }

    /// SIGKILL: the process is gone at once. Answers what it can be started with again.
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
