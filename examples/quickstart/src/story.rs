//! The day that is played: its acts in order. Each act does, checks what it did, and says so in a line or two.

mod conflicts;
mod edits;
mod load;
mod outage;
mod settle;
mod verify;
mod webhooks;

use std::path::Path;

use crate::clock::Watch;
use crate::report::{self, Report};
use crate::stage::Stage;

/// The types of the sample data, each with its file and the strategy that decides its conflicts.
const TYPES: [(&str, &str, &str); 5] = [
    ("category", "categories.ndjson", "cloud_wins"),
    ("product", "products.ndjson", "newest_wins"),
    ("customer", "customers.ndjson", "local_wins"),
    ("order", "orders.ndjson", "manual"),
    ("transaction", "transactions.ndjson", "newest_wins"),
];

/// A type of our own, whose documents are translated on their way: see [`load::menu`].
const MENU: &str = "menu_item";

const HOUR_S: i64 = 3600;

/// Plays everything.
///
/// # Errors
/// With what did not go as it should.
pub async fn play(stage: &mut Stage, report: &Report, data_dir: &Path) -> anyhow::Result<()> {
    let watch = Watch::start();
    stage.start_cloud().await?;
    stage.start_outlets().await?;
    let [one, two] = [0, 1].map(|at| {
        let outlet = &stage.outlets[at];
        format!("{} ({}) at {}", outlet.name, outlet.code, outlet.peer.base)
    });
    report.line("start", format!("cloud at {}, {one}, {two}", stage.hq.peer.base));
    report.more(format!("all ready in {}", report::duration(watch.elapsed())));
    let loaded = load::play(stage, report, data_dir).await?;
    let mut touched = edits::play(stage, report).await?;
    touched.extend(conflicts::play(stage, report).await?);
    touched.extend(outage::play(stage, report).await?);
    touched.extend(webhooks::play(stage, report).await?);
    verify::play(stage, report, &loaded, &touched).await
}

/// Entities that were changed after the load, as `(type, id)`.
type Touched = Vec<(&'static str, String)>;
