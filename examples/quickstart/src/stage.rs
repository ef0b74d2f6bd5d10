//! What the story plays on: one cloud and two outlets as processes on free ports, in one temporary directory.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::clock;
use crate::hq::Headquarters;
use crate::outlet::Outlet;
use crate::peer::Peer;
use crate::process::Process;
use crate::secret;

/// A process has this long to be ready.
const START: Duration = Duration::from_secs(60);
/// The outlets of the story: how they are called, their ids and codes.
const OUTLETS: [(&str, &str, &str); 2] = [
    ("outlet 1", "550e8400-e29b-41d4-a716-446655440001", "JKT-001"),
    ("outlet 2", "550e8400-e29b-41d4-a716-446655440002", "BDG-001"),
];

/// The stage. Dropping it stops everything on it.
#[derive(Debug)]
pub struct Stage {
    /// The outlets, in order.
    pub outlets: Vec<Outlet>,
    /// Headquarters.
    pub hq: Headquarters,
    outlet_processes: Vec<Process>,
    cloud_process: Option<Process>,
    cloud_port: u16,
    api_keys: Vec<String>,
    binaries: Binaries,
    // Dropped last: the processes write into it until they end.
    files: TempDir,
}

#[derive(Debug)]
struct Binaries {
    selaras: PathBuf,
    cloud: PathBuf,
}

impl Stage {
    /// Makes up ports, keys and directories; starts nothing yet.
    ///
    /// # Errors
    /// When a binary is missing, or there is no port or directory to be had.
    pub fn build(bin_dir: Option<PathBuf>) -> anyhow::Result<Self> {
        let binaries = Binaries::find(bin_dir)?;
        let ports = free_ports()?;
        let mut hq = Peer::local(ports[0])?;
        hq.token = Some(secret::key()?);
        let mut outlets = Vec::new();
        let mut api_keys = Vec::new();
        for ((name, id, code), port) in OUTLETS.into_iter().zip(&ports[1..]) {
            outlets.push(Outlet {
                name,
                id: id.to_owned(),
                code,
                webhook_secret: secret::webhook()?,
                password: secret::key()?,
                peer: Peer::local(*port)?,
            });
            api_keys.push(secret::key()?);
        }
        Ok(Self {
            outlets,
            hq: Headquarters { peer: hq },
            outlet_processes: Vec::new(),
            cloud_process: None,
            cloud_port: ports[0],
            api_keys,
            binaries,
            files: tempfile::Builder::new().prefix("selaras-quickstart-").tempdir()?,
        })
    }

    /// Starts the cloud, for the first time or again over the same database.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn start_cloud(&mut self) -> anyhow::Result<()> {
        let listen = format!("127.0.0.1:{}", self.cloud_port);
        let outlets: Vec<String> = OUTLETS
            .iter()
            .zip(&self.api_keys)
            .map(|((_, id, code), key)| format!("{id}:{code}:{key}"))
            .collect();
        let environment = [
            ("SELARAS_CLOUD_LISTEN", listen.as_str()),
            ("SELARAS_CLOUD_DB", "cloud.sqlite"),
            ("SELARAS_CLOUD_OUTLETS", &outlets.join(",")),
            (
                "SELARAS_CLOUD_HQ_KEY",
                self.hq.peer.token.as_deref().unwrap_or_default(),
            ),
            ("SELARAS_CLOUD_RATE_LIMIT", "0"),
        ];
        let directory = self.files.path();
        let mut process = Process::start("cloud", &self.binaries.cloud, &["serve"], &environment, directory)?;
        let hq = &self.hq;
        let ready = clock::wait_for("the cloud to be ready", START, async || {
            process.check()?;
            Ok(hq.stats().await.ok().map(drop))
        });
        let ready = ready.await;
        self.cloud_process = Some(process);
        ready
    }

    /// Kills the cloud, as a crash would.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_cloud(&mut self) -> anyhow::Result<()> {
        self.cloud_process
            .take()
            .context("the cloud does not run")?
            .kill()
    }

    /// Starts the outlets, configured by environment variables alone, and logs their admins in.
    ///
    /// # Errors
    /// When one does not get ready.
    pub async fn start_outlets(&mut self) -> anyhow::Result<()> {
        for at in 0..self.outlets.len() {
            let process = self.start_outlet(at)?;
            self.outlet_processes.push(process);
        }
        for (outlet, process) in self.outlets.iter_mut().zip(&mut self.outlet_processes) {
            clock::wait_for(&format!("{} to be ready", outlet.name), START, async || {
                process.check()?;
                Ok(outlet.is_ready().await.then_some(()))
            })
            .await?;
            outlet
                .login()
                .await
                .with_context(|| format!("{}: logging in", outlet.name))?;
        }
        Ok(())
    }

    fn start_outlet(&self, at: usize) -> anyhow::Result<Process> {
        let outlet = &self.outlets[at];
        let name = outlet.name.replace(' ', "-");
        let data = self.files.path().join(&name);
        std::fs::create_dir(&data)?;
        let port = outlet.peer.base.rsplit(':').next().unwrap_or_default();
        let environment = [
            ("SERVER_PORT", port),
            ("LISTEN_ADDR", "127.0.0.1"),
            (
                "DATA_DIR",
                data.to_str().context("the temporary directory is not UTF-8")?,
            ),
            ("CLOUD_API_URL", self.hq.peer.base.as_str()),
            ("CLOUD_API_KEY", self.api_keys[at].as_str()),
            ("OUTLET_ID", outlet.id.as_str()),
            ("OUTLET_CODE", outlet.code),
            ("OUTLET_NAME", outlet.name),
            ("WEBHOOK_SECRET", outlet.webhook_secret.as_str()),
            ("ADMIN_PASSWORD", outlet.password.as_str()),
        ];
        Process::start(
            &name,
            &self.binaries.selaras,
            &["serve"],
            &environment,
            self.files.path(),
        )
    }

    /// Ends everything in order.
    ///
    /// # Errors
    /// When one of them does not end well.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        for process in self.outlet_processes.iter_mut().chain(&mut self.cloud_process) {
            process.stop()?;
        }
        Ok(())
    }

    /// Leaves databases and logs where they are.
    pub fn keep_files(&mut self) {
        self.files.disable_cleanup(true);
    }

    /// What the processes said last.
    pub fn last_words(&self) -> String {
        let processes = self.cloud_process.iter().chain(&self.outlet_processes);
        let words: Vec<_> = processes.map(Process::last_words).collect();
        format!(
            "\n{}\n\neverything they wrote is in {}",
            words.join("\n"),
            self.files.path().display()
        )
    }

    /// Addresses, logins and commands to try.
    pub fn invitation(&self) -> String {
        let (one, two, cloud) = (&self.outlets[0], &self.outlets[1], &self.hq.peer);
        let key = cloud.token.as_deref().unwrap_or_default();
        format!(
            "\nEverything stays up until Ctrl-C. Paste this into another terminal:\n\n\
             ONE={}; TWO={}; CLOUD={}\n\
             HQ='Authorization: Bearer {key}'\n\
             login() {{ curl -s $1/api/v1/auth/login -H 'Content-Type: application/json' \\\n    \
             -d \"{{\\\"username\\\":\\\"admin\\\",\\\"password\\\":\\\"$2\\\"}}\" | sed 's/.*\"token\":\"\\([^\"]*\\)\".*/\\1/'; }}\n\
             T1=\"Authorization: Bearer $(login $ONE {})\"\n\
             T2=\"Authorization: Bearer $(login $TWO {})\"\n\n\
             # a stock change at outlet 1, seen at headquarters and at outlet 2 after its next run\n\
             curl -s -X PATCH -H \"$T1\" -H 'Content-Type: application/json' $ONE/api/v1/entities/product/prod-1 -d '{{\"stock\":7}}'\n\
             curl -s -X POST -H \"$T1\" \"$ONE/api/v1/sync/trigger?wait=true\"\n\
             curl -s -H \"$HQ\" $CLOUD/hq/entities/product/prod-1\n\
             curl -s -X POST -H \"$T2\" \"$TWO/api/v1/sync/trigger?wait=true\"\n\
             # a price at headquarters, told to both outlets by webhook\n\
             curl -s -X PATCH -H \"$HQ\" $CLOUD/hq/entities/product/prod-1 -d '{{\"price\":18.50}}'\n\
             curl -s -H \"$T2\" $TWO/api/v1/entities/product/prod-1\n\
             # the cloud plays dead, and comes back\n\
             curl -s -H \"$HQ\" $CLOUD/hq/outage -d '{{\"on\":true}}'\n\
             curl -s -H \"$HQ\" $CLOUD/hq/outage -d '{{\"on\":false}}'\n\
             # where things stand\n\
             curl -s -H \"$T1\" $ONE/api/v1/sync/status\n\
             curl -s -H \"$T1\" $ONE/api/v1/sync/conflicts\n\
             curl -s -H \"$HQ\" $CLOUD/hq/stats\n\n\
             Files and logs: {}",
            one.peer.base,
            two.peer.base,
            cloud.base,
            one.password,
            two.password,
            self.files.path().display()
        )
    }
}

impl Binaries {
    fn find(directory: Option<PathBuf>) -> anyhow::Result<Self> {
        let directory = match directory {
            Some(directory) => directory,
            None => {
                let own = std::env::current_exe().context("cannot tell where this program is")?;
                own.parent()
                    .map(Path::to_owned)
                    .context("this program lies in no directory")?
            }
        };
        let find = |name: &str| {
            let path = std::path::absolute(directory.join(name))?;
            ensure!(
                path.is_file(),
                "{} is missing: build it, or name its directory with --bin-dir",
                path.display()
            );
            Ok(path)
        };
        Ok(Self {
            selaras: find("selaras")?,
            cloud: find("selaras-cloud")?,
        })
    }
}

/// Ports that are free now. They are let go before the processes take them, which is a small risk on a busy machine.
fn free_ports() -> anyhow::Result<[u16; 3]> {
    let bind = || TcpListener::bind("127.0.0.1:0");
    let listeners = [bind()?, bind()?, bind()?];
    let mut ports = [0; 3];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}
