//! Push and pull of many documents: against a cloud that does nothing, for what the outlet can do, and against the
//! reference cloud, with which it shares the machine's cores.

use crate::outlet::{Admin, Outlet, Setup};
use crate::process::Process;
use crate::reference_cloud::{OUTLETS, ReferenceCloud};
use crate::sink::Sink;
use crate::start::{settled_memory, shown};
use crate::table::{Aim, Table, plain, rate};
use crate::{Room, Scale, document};
use anyhow::ensure;
use selaras::clock::monotonic_us;

/// Documents a second, at least.
const AIM_PUSH: f64 = 15_000.0;
const AIM_PULL: f64 = 30_000.0;
/// As an operator with a long list would set it, through `PUT /api/v1/config/sync`.
const BATCH: usize = 1000;

/// Measures both ways against both clouds.
///
/// # Errors
/// When something does not arrive.
pub async fn measure(room: &Room, scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    let documents = scale.documents;
    table.section(&format!(
        "sync of {} documents of 1 KB, batch_size {BATCH}, against an in-memory sink",
        plain(documents as f64)
    ));
    let sink = Sink::start(documents)?;
    let mut bench = Bench {
        room,
        documents,
        table,
        name: "sink",
        url: &sink.url,
        cloud: None,
    };
    bench.push().await?;
    bench.pull().await?;
    drop(sink);

    table.section("the same against the reference cloud (SQLite, synced; on the same cores)");
    match ReferenceCloud::start(&room.fresh("cloud")?) {
        Ok(mut cloud) => {
            let mut bench = Bench {
                room,
                documents,
                table,
                name: "cloud",
                url: &cloud.url,
                cloud: Some(&cloud.process),
            };
            bench.push().await?;
            bench.pull().await?;
            cloud.process.stop()
        }
        Err(error) => {
            table.told("not measured", format!("{error:#}"));
            Ok(())
        }
    }
}

struct Bench<'a> {
    room: &'a Room,
    documents: usize,
    table: &'a mut Table,
    name: &'a str,
    url: &'a str,
    cloud: Option<&'a Process>,
}

impl Bench<'_> {
    async fn push(&mut self) -> anyhow::Result<()> {
        let mut outlet = self.outlet("push", OUTLETS[0]).await?;
        let mut admin = outlet.admin().await?;
        fill(&mut admin, self.documents).await?;
        let sync = format!("{{\"batch_size\":{BATCH},\"pull_enabled\":false}}");
        admin.call("PUT", "/api/v1/config/sync", &sync).await?;
        self.run("push", &mut admin, &outlet, AIM_PUSH).await?;
        let memory = settled_memory(&outlet).await?;
        self.table.told("  memory after it", shown(memory));
        outlet.process.stop()
    }

    async fn pull(&mut self) -> anyhow::Result<()> {
        let mut outlet = self.outlet("pull", OUTLETS[1]).await?;
        let mut admin = outlet.admin().await?;
        self.run("pull", &mut admin, &outlet, AIM_PULL).await?;
        let memory = settled_memory(&outlet).await?;
        self.table.told("  memory after it", shown(memory));
        outlet.process.stop()
    }

    async fn outlet(&self, way: &str, (id, key): (&str, &str)) -> anyhow::Result<Outlet> {
        let setup = Setup::alone(&self.room.fresh(&format!("{}-{way}", self.name))?)
            .with("CLOUD_API_URL", self.url)
            .with("CLOUD_API_KEY", key)
            .with("OUTLET_ID", id)
            .with("OUTLET_CODE", id);
        Ok(setup.start().await?.0)
    }

    /// From switching sync on until a run that was asked for has ended, which by then has done everything.
    async fn run(&mut self, way: &str, admin: &mut Admin, outlet: &Outlet, aim: f64) -> anyhow::Result<()> {
        let cloud_cpu = || self.cloud.map_or(Ok(0), Process::cpu_us);
        let (cpu, at_cloud) = (outlet.process.cpu_us()?, cloud_cpu()?);
        let began = monotonic_us();
        admin
            .call("POST", "/api/v1/config/sync/toggle", "{\"enabled\":true}")
            .await?;
        let answer = admin.call("POST", "/api/v1/sync/trigger?wait=true", "").await?;
        let took = monotonic_us() - began;
        let each = |used: u64| plain(used as f64 / self.documents as f64);
        let cpu = each(outlet.process.cpu_us()? - cpu);
        let at_cloud = each(cloud_cpu()? - at_cloud);
        let done = if way == "push" { "pushed" } else { "pulled" };
        let count = answer["data"][done].as_u64().unwrap_or(0);
        ensure!(
            count == self.documents as u64,
            "of {} documents {count} are {done}: {answer}",
            self.documents
        );
        let rate = rate(self.documents, took);
        let cpu = match self.cloud {
            Some(_) => format!("CPU a document: outlet {cpu} µs, cloud {at_cloud} µs"),
            None => format!("CPU a document: outlet {cpu} µs"),
        };
        let figure = format!("{} documents/s; {cpu}", plain(rate));
        self.table.aimed(way, figure, rate, Aim::AtLeast(aim), "/s");
        Ok(())
    }
}

/// Puts the documents into the outlet's queue.
async fn fill(admin: &mut Admin, documents: usize) -> anyhow::Result<()> {
    for first in (0..documents).step_by(BATCH) {
        let changes: Vec<String> = (first..documents.min(first + BATCH))
            .map(|number| {
                format!(
                    "{{\"entity_type\":\"order\",\"entity_id\":\"o-{number}\",\"operation\":\"create\",\"data\":{}}}",
                    document(number)
                )
            })
            .collect();
        let body = format!("{{\"changes\":[{}]}}", changes.join(","));
        admin.call("POST", "/api/v1/changes", &body).await?;
    }
    Ok(())
}
