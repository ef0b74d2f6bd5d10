//! The only place that reads the time, and the one way of waiting: for a condition, with a deadline.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A time as RFC 3339, so many seconds before now.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn ago(seconds: i64) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs();
    let at = i64::try_from(now).unwrap_or(i64::MAX) - seconds;
    let at = OffsetDateTime::from_unix_timestamp(at).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(&Rfc3339)
        .expect("invariant: times of this age of the world are RFC 3339")
}

/// A stopwatch.
#[derive(Debug, Clone, Copy)]
pub struct Watch(Instant);

impl Watch {
    /// Starts it.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Since the start.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// Looks until `probe` answers something, at most `limit` long.
///
/// # Errors
/// What `probe` fails with, or that the time is up; `what` says what was waited for.
pub async fn wait_for<T>(
    what: &str,
    limit: Duration,
    mut probe: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let watch = Watch::start();
    loop {
        if let Some(found) = probe().await? {
            return Ok(found);
        }
        if watch.elapsed() > limit {
            bail!("waited {} s for {what}, in vain", limit.as_secs());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The same for a thread that may block, without a probe that fails.
pub fn wait_blocking(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let watch = Watch::start();
    while !done() {
        if watch.elapsed() > limit {
            return false;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    true
}
