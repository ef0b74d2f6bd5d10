//! Durable intake: `PUT` of 1 KB documents over kept connections, each answered when it is on the disk.

use crate::client::{Client, request};
use crate::disk::Disk;
use crate::outlet::{Outlet, Setup};
use crate::start::{settled_memory, shown};
use crate::table::{Aim, Table, plain, quantile, rate};
use crate::{Room, Scale, document};
use anyhow::ensure;
use selaras::clock::monotonic_us;
use std::cell::Cell;
use std::rc::Rc;
use tokio::task::LocalSet;

const MANY: usize = 64;
/// At least, as a ratio to the disk's rate of single appends.
const AIM_ONE: f64 = 0.45;
const AIM_MANY: f64 = 3.0;

/// Measures it at 1 and at 64 connections.
///
/// # Errors
/// When a change is refused.
pub async fn measure(room: &Room, scale: Scale, table: &mut Table) -> anyhow::Result<()> {
    let mut disk = Disk::new(room, scale)?;
    let mut before = disk.single()?;
    table.section("intake, durable: PUT of 1 KB documents, sync off");
    let (mut outlet, _) = Setup::alone(&room.fresh("intake")?).start().await?;
    let token = outlet.admin().await?.token;
    for (connections, changes, aim) in [
        (1, scale.changes_by_one, AIM_ONE),
        (MANY, scale.changes_by_many, AIM_MANY),
    ] {
        let cpu = outlet.process.cpu_us()?;
        let mut run = load(&outlet, &token, connections, changes).await?;
        let cpu = (outlet.process.cpu_us()? - cpu) as f64 / changes as f64;
        let rate = rate(changes, run.took_us);
        let after = disk.single()?;
        let ratio = rate / ((before + after) / 2.0);
        before = after;
        let each = if connections == 1 {
            "connection"
        } else {
            "connections"
        };
        table.aimed(
            format!("{connections} {each}"),
            format!("{} /s = {} × disk", plain(rate), plain(ratio)),
            ratio,
            Aim::AtLeast(aim),
            "×",
        );
        table.told(
            "  latency; CPU of the outlet",
            format!(
                "p50 {} ms, p99 {} ms; {} µs a change",
                millis(quantile(&mut run.latencies_us, 500)),
                millis(quantile(&mut run.latencies_us, 990)),
                plain(cpu)
            ),
        );
    }
    let memory = settled_memory(&outlet).await?;
    table.told("memory after it", shown(memory));
    outlet.process.stop()?;
    disk.tell(table)
}

fn millis(us: u64) -> String {
    format!("{:.1}", us as f64 / 1000.0)
}

struct Run {
    took_us: u64,
    latencies_us: Vec<u64>,
}

/// Sends `changes`, each of an entity of its own, over so many connections at once.
async fn load(outlet: &Outlet, token: &str, connections: usize, changes: usize) -> anyhow::Result<Run> {
    let bodies = Rc::new((0..64).map(document).collect::<Vec<_>>());
    let next = Rc::new(Cell::new(0));
    let local = LocalSet::new();
    let mut tasks = Vec::with_capacity(connections);
    for _ in 0..connections {
        let mut client = Client::connect(outlet.address).await?;
        let (bodies, next, token) = (bodies.clone(), next.clone(), token.to_owned());
        tasks.push(local.spawn_local(async move {
            let mut latencies = Vec::with_capacity(changes / connections);
            loop {
                let number = next.replace(next.get() + 1);
                if number >= changes {
                    return Ok::<_, anyhow::Error>(latencies);
                }
                let path = format!("/api/v1/entities/order/c{connections}-{number}");
                let bytes = request("PUT", &path, Some(&token), &bodies[number % bodies.len()]);
                let began = monotonic_us();
                let reply = client.send(&bytes).await?;
                ensure!(reply.status == 201, "a change is answered with {}", reply.status);
                latencies.push(monotonic_us() - began);
            }
        }));
    }
    let began = monotonic_us();
    let latencies = local
        .run_until(async move {
            let mut all = Vec::with_capacity(changes);
            for task in tasks {
                all.extend(task.await??);
            }
            Ok::<_, anyhow::Error>(all)
        })
        .await?;
    Ok(Run {
        took_us: monotonic_us() - began,
        latencies_us: latencies,
    })
}
