//! A soak: a million changes through the queue, with a backlog in the middle while the cloud is away. What the outlet takes of
//! disk and memory before, at the peak, after draining, after compaction; and how fast a backup of it is written and restored.

use crate::outlet::{Admin, Outlet, Setup};
use crate::process::Memory;
use crate::sink::Sink;
use crate::start::{settled_memory, shown};
use crate::table::{Table, plain, rate};
use crate::{Room, Scale, document};
use anyhow::{Context, ensure};
use selaras::clock::monotonic_us;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const MEGABYTE: f64 = 1_048_576.0;
/// Changes in a request.
const CHANGES: usize = 500;
/// Entities that they go round, in tenths of the changes: more than the backlog, so that it does not fold.
const ENTITIES: usize = 4;
const BACKLOG: usize = 3;
/// How long draining may take.
const PATIENCE_US: u64 = 1_800_000_000;
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Measures it.
///
/// # Errors
/// When a change is refused or not pushed.
pub async fn measure(room: &Room, scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    let all = scale.soak;
    let backlog = all / 10 * BACKLOG;
    table.section(&format!(
        "growth: {} changes of {} entities, {} of them while the cloud is away",
        plain(all as f64),
        plain((all / 10 * ENTITIES) as f64),
        plain(backlog as f64)
    ));
    let sink = Sink::start(0)?;
    let dir = room.fresh("growth")?;
    let setup = Setup::alone(&dir)
        .with("CLOUD_API_URL", &sink.url)
        .with("CLOUD_API_KEY", "soak-0123456789abcdef")
        .with("OUTLET_ID", "soak")
        .with("OUTLET_CODE", "soak");
    let (outlet, _) = setup.start().await?;
    let admin = outlet.admin().await?;
    let mut soak = Soak {
        outlet,
        admin,
        data: dir.join("data"),
        entities: all / 10 * ENTITIES,
        next: 0,
    };
    soak.tell("at the start", table).await?;
    let sync = "{\"batch_size\":1000,\"pull_enabled\":false}";
    soak.admin.call("PUT", "/api/v1/config/sync", sync).await?;
    soak.admin
        .call("POST", "/api/v1/config/sync/toggle", "{\"enabled\":true}")
        .await?;
    let before = (all - backlog) / 2;
    soak.through(before, "before the outage", table).await?;
    sink.set_away(true);
    soak.take(backlog).await?;
    soak.tell("at the peak, with the backlog", table).await?;
    sink.set_away(false);
    soak.drain("the backlog", backlog, table).await?;
    soak.through(all - backlog - before, "after the outage", table)
        .await?;
    let took = timed(&setup, &["compact"]).await?;
    soak.tell(&format!("after compaction, which took {} s", plain(took)), table)
        .await?;
    let outcome = backup(room, &setup, table).await;
    soak.outlet.process.stop()?;
    outcome
}

struct Soak {
    outlet: Outlet,
    admin: Admin,
    data: PathBuf,
    entities: usize,
    next: usize,
}

impl Soak {
    /// Hands changes over and waits until all are at the cloud.
    async fn through(&mut self, changes: usize, when: &str, table: &mut Table) -> anyhow::Result<()> {
        let began = monotonic_us();
        self.take(changes).await?;
        self.wait_until_pushed().await?;
        let rate = plain(rate(changes, monotonic_us() - began));
        self.tell(
            &format!("{} {when}, in and out, {rate} /s", plain(changes as f64)),
            table,
        )
        .await
    }

    async fn drain(&mut self, what: &str, changes: usize, table: &mut Table) -> anyhow::Result<()> {
        let began = monotonic_us();
        self.wait_until_pushed().await?;
        let rate = plain(rate(changes, monotonic_us() - began));
        self.tell(&format!("{what} drained, {rate} /s"), table).await
    }

    async fn take(&mut self, changes: usize) -> anyhow::Result<()> {
        let end = self.next + changes;
        while self.next < end {
            let until = end.min(self.next + CHANGES);
            let list: Vec<String> = (self.next..until)
                .map(|number| {
                    let entity = number % self.entities;
                    format!(
                        "{{\"entity_type\":\"order\",\"entity_id\":\"o-{entity}\",\"operation\":\"{}\",\"data\":{}}}",
                        if number < self.entities { "create" } else { "update" },
                        document(number)
                    )
                })
                .collect();
            let body = format!("{{\"changes\":[{}]}}", list.join(","));
            self.admin.call("POST", "/api/v1/changes", &body).await?;
            self.next = until;
        }
        Ok(())
    }

    /// A run that is asked for begins at once, whatever backoff the outage left.
    async fn wait_until_pushed(&mut self) -> anyhow::Result<()> {
        let began = monotonic_us();
        loop {
            self.admin
                .call("POST", "/api/v1/sync/trigger?wait=true", "")
                .await?;
            let status = self.admin.call("GET", "/api/v1/sync/status", "").await?;
            let count = |name: &str| {
                status["data"][name]
                    .as_u64()
                    .with_context(|| format!("no {name}: {status}"))
            };
            ensure!(count("failed_count")? == 0, "changes failed: {status}");
            if count("pending_count")? == 0 {
                return Ok(());
            }
            ensure!(
                monotonic_us() - began < PATIENCE_US,
                "it does not drain: {status}"
            );
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn tell(&self, when: &str, table: &mut Table) -> anyhow::Result<()> {
        let memory: Memory = settled_memory(&self.outlet).await?;
        let disk = bytes(&self.data.join("store"))? as f64 / MEGABYTE;
        table.told(when, format!("{} MB on disk; {}", plain(disk), shown(memory)));
        Ok(())
    }
}

/// A command of the binary on the outlet of `setup`, in seconds.
async fn timed(setup: &Setup, arguments: &[&str]) -> anyhow::Result<f64> {
    let mut command = setup.command()?;
    command.args(arguments);
    let began = monotonic_us();
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    ensure!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok((monotonic_us() - began) as f64 / 1e6)
}

async fn backup(room: &Room, setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    let dir = room.fresh("backup")?;
    let file = dir.join("outlet.backup").display().to_string();
    let took = timed(setup, &["backup", &file]).await?;
    let size = fs::metadata(&file)?.len() as f64 / MEGABYTE;
    table.told(
        "selaras backup, of the running outlet",
        format!("{} s; {} MB", plain(took), plain(size)),
    );
    let other = Setup::alone(&dir);
    let took = timed(&other, &["restore", &file]).await?;
    let disk = bytes(&dir.join("data"))? as f64 / MEGABYTE;
    table.told(
        "selaras restore",
        format!("{} s; {} MB on disk", plain(took), plain(disk)),
    );
    Ok(())
}

fn bytes(dir: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        sum += if metadata.is_dir() {
            bytes(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(sum)
}
