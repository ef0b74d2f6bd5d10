//! The outlet: the release binary as a process with an environment of its own, and the calls that an admin makes.

use crate::binaries;
use crate::client::{Client, request};
use crate::process::Process;
use anyhow::{Context, bail};
use selaras::clock::monotonic_us;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const PASSWORD: &str = "a long enough passphrase";
/// How long a start may take.
const PATIENCE_US: u64 = 30_000_000;

/// What an outlet is started with.
#[derive(Clone)]
pub struct Setup {
    dir: PathBuf,
    env: BTreeMap<&'static str, String>,
}

impl Setup {
    /// An outlet in `dir` that does not sync.
    pub fn alone(dir: &Path) -> Self {
        let data = dir.join("data").display().to_string();
        Self {
            dir: dir.to_owned(),
            env: BTreeMap::from([
                ("DATA_DIR", data),
                ("ADMIN_PASSWORD", PASSWORD.to_owned()),
                ("SYNC_ENABLED", "false".to_owned()),
            ]),
        }
    }

    /// The same with a variable set.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.env.insert(name, value.into());
        self
    }

    /// The binary, to be called on this outlet.
    ///
    /// # Errors
    /// When it is not built.
    pub fn command(&self) -> anyhow::Result<Command> {
        let mut command = Command::new(binaries::outlet()?);
        command
            .env_clear()
            .envs(&self.env)
            .current_dir(&self.dir)
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Starts it; answers when it is ready, with how long that took.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(&self) -> anyhow::Result<(Outlet, u64)> {
        let address = free_address()?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.dir.join("log"))?;
        let began = monotonic_us();
        let mut command = self.command()?;
        let child = command
            .arg("serve")
            .env("SERVER_PORT", address.port().to_string())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("the outlet cannot be started")?;
        let process = Process::new(child);
        let probe = request("GET", "/readyz", None, "");
        loop {
            if let Ok(mut client) = Client::connect(address).await
                && let Ok(reply) = client.send(&probe).await
                && reply.status == 200
            {
                break;
            }
            if monotonic_us() - began > PATIENCE_US {
                bail!(
                    "the outlet is not ready; its log is {}",
                    self.dir.join("log").display()
                );
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let took = monotonic_us() - began;
        Ok((Outlet { process, address }, took))
    }
}

/// A port that is free at this moment.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// A running outlet.
pub struct Outlet {
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Outlet {
    /// Logs in.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn admin(&self) -> anyhow::Result<Admin> {
        let mut admin = Admin {
            client: Client::connect(self.address).await?,
            token: String::new(),
        };
        let login = format!("{{\"username\":\"admin\",\"password\":\"{PASSWORD}\"}}");
        let answer = admin.call("POST", "/api/v1/auth/login", &login).await?;
        let token = answer["data"]["token"].as_str();
        admin.token = token.context("a login without a token")?.to_owned();
        Ok(admin)
    }
}

/// An admin's connection.
pub struct Admin {
    client: Client,
    /// Their token.
    pub token: String,
}

impl Admin {
    /// A call that must succeed; its answer.
    ///
    /// # Errors
    /// When it does not.
    pub async fn call(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<Value> {
        let token = Some(self.token.as_str()).filter(|token| !token.is_empty());
        let reply = self.client.send(&request(method, path, token, body)).await?;
        if !(200..300).contains(&reply.status) {
            bail!(
                "{method} {path} answers {}: {}",
                reply.status,
                String::from_utf8_lossy(reply.body)
            );
        }
        serde_json::from_slice(reply.body).with_context(|| format!("{method} {path} answers no JSON"))
    }
}
