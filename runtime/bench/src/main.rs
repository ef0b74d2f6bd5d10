//! `make bench`: how fast the runtime is on this machine, beside the machine's own disk, in one run and one table.
//!
//! It measures the release binary as a shop runs it: a process, environment variables, HTTP. It is never a test, and
//! decides nothing: a figure below its aim is printed, not failed. All it starts it stops, also when it panics.

mod binaries;
mod client;
mod commits;
mod disk;
mod growth;
mod intake;
mod outlet;
mod plugins;
mod process;
mod pump;
mod records;
mod reference_cloud;
mod sample;
mod sink;
mod sqlite;
mod start;
mod sync;
mod table;
mod worker;

/// As the binary that is measured has it: memory is one of the figures.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

use anyhow::{Context, ensure};
use std::path::PathBuf;
use table::Table;

/// How much is done in each row.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// Single appends to the disk, at a time.
    pub appends: usize,
    /// Changes over one connection.
    pub changes_by_one: usize,
    /// Changes over 64 connections.
    pub changes_by_many: usize,
    /// Documents pushed and pulled.
    pub documents: usize,
    /// Strategy calls.
    pub calls: usize,
    /// Starts of the process, of each kind.
    pub starts: usize,
    /// Records in the store, in growing order.
    pub records: [usize; 3],
    /// Reads and changes of them.
    pub touches: usize,
    /// Changes that go through the queue while disk and memory are watched.
    pub soak: usize,
}

const FULL: Scale = Scale {
    appends: 500,
    changes_by_one: 1_000,
    changes_by_many: 20_000,
    documents: 20_000,
    calls: 20_000,
    starts: 5,
    records: [1_000, 100_000, 1_000_000],
    touches: 20_000,
    soak: 1_000_000,
};

const QUICK: Scale = Scale {
    appends: 100,
    changes_by_one: 200,
    changes_by_many: 3_000,
    documents: 3_000,
    calls: 3_000,
    starts: 2,
    records: [100, 1_000, 10_000],
    touches: 2_000,
    soak: 10_000,
};

/// What can be asked for alone.
const ROWS: [&str; 7] = [
    "start", "plugins", "intake", "sync", "commits", "records", "growth",
];

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((worker::FLAG, task)) = arguments
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))
    {
        return worker::run(task);
    }
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let rows: Vec<&str> = arguments
        .iter()
        .map(String::as_str)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    for row in &rows {
        ensure!(
            ROWS.contains(row),
            "{row} is no row: there are {}",
            ROWS.join(", ")
        );
    }
    let wanted = |row: &str| rows.is_empty() || rows.contains(&row);
    let scale = if quick { QUICK } else { FULL };
    let room = Room::make()?;
    let mut table = Table::new(quick);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let outcome = runtime
        .block_on(measure(&room, scale, &wanted, &mut table))
        .and_then(|()| measure_store(&room, scale, &wanted, &mut table));
    // What was measured before something failed is worth seeing too.
    print!("{table}");
    outcome
}

async fn measure(
    room: &Room,
    scale: Scale,
    wanted: &dyn Fn(&str) -> bool,
    table: &mut Table,
) -> anyhow::Result<()> {
    if wanted("start") {
        start::measure(room, scale, table).await?;
    }
    if wanted("plugins") {
        plugins::measure(room, scale, table).await?;
    }
    if wanted("intake") {
        intake::measure(room, scale, table).await?;
    }
    if wanted("sync") {
        sync::measure(room, scale, table).await?;
    }
    if wanted("growth") {
        growth::measure(room, scale, table).await?;
    }
    Ok(())
}

/// What needs no outlet.
fn measure_store(
    room: &Room,
    scale: Scale,
    wanted: &dyn Fn(&str) -> bool,
    table: &mut Table,
) -> anyhow::Result<()> {
    if wanted("commits") {
        commits::measure(room, scale, table)?;
    }
    if wanted("records") {
        records::measure(room, scale, table)?;
    }
    Ok(())
}

/// The directory that everything is written under: on the disk that the build is on, never in memory.
pub struct Room {
    dir: tempfile::TempDir,
}

impl Room {
    fn make() -> anyhow::Result<Self> {
        let beside = binaries::here()?.join("bench");
        std::fs::create_dir_all(&beside)?;
        let dir = tempfile::Builder::new()
            .prefix("bench-")
            .tempdir_in(&beside)
            .with_context(|| format!("no directory can be made in {}", beside.display()))?;
        Ok(Self { dir })
    }

    /// A fresh directory in it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn fresh(&self, name: &str) -> anyhow::Result<PathBuf> {
        let path = self.dir.path().join(name);
        std::fs::create_dir(&path).with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(path)
    }
}

/// A document of 1 KB: an order as a till makes it. The number makes each another.
pub fn document(number: usize) -> String {
    const BYTES: usize = 1024;
    let head = format!(
        "{{\"number\":{number},\"status\":\"paid\",\"customer_id\":\"cust-VINET\",\"total_amount\":440.0,\
         \"freight\":32.3800011,\"items\":["
    );
    let item = "{\"product_id\":\"prod-42\",\"product_name\":\"Singaporean Hokkien Fried Mee\",\"qty\":10,\
                \"price\":9.80000019,\"discount\":0,\"subtotal\":98.0}";
    let mut text = head;
    while text.len() + item.len() + 32 < BYTES {
        if !text.ends_with('[') {
            text.push(',');
        }
        text.push_str(item);
    }
    text.push_str("],\"note\":\"");
    while text.len() + 2 < BYTES {
        text.push('.');
    }
    text.push_str("\"}");
    text
}
