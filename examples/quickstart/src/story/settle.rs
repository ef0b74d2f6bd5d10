//! Letting outlets and cloud come to rest.

use std::cell::RefCell;
use std::time::Duration;

use anyhow::Context;

use crate::clock;
use crate::stage::Stage;

/// Longer than any backoff that the outlets were given.
const LIMIT: Duration = Duration::from_secs(120);

/// Triggers runs until no outlet pushes or pulls anything more and nothing waits but what an open conflict holds.
///
/// # Errors
/// When they do not come to rest, with where they stand.
pub async fn settle(stage: &Stage) -> anyhow::Result<()> {
    let last = RefCell::new(String::new());
    let rested = clock::wait_for("outlets and cloud to come to rest", LIMIT, async || {
        let mut quiet = true;
        let mut seen = Vec::new();
        for outlet in &stage.outlets {
            let run = outlet.run().await?;
            let status = outlet.status().await?;
            let waiting = status.pending_count + status.failed_count;
            quiet &= run.status != "failed" && run.pushed + run.pulled == 0;
            quiet &= waiting <= status.conflict_count;
            let error = run.error.or(status.last_error).unwrap_or_default();
            seen.push(format!(
                "{}: {} waiting, run {} {error}",
                outlet.name, waiting, run.status
            ));
        }
        last.replace(seen.join("; "));
        Ok(quiet.then_some(()))
    });
    rested.await.with_context(|| last.take())
}
