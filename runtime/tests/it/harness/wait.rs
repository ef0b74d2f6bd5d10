//! Waiting for a condition, with a deadline that names what did not come.

use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

/// Long enough for a debug build on a busy machine; only a failing test waits so long.
pub const DEADLINE: Duration = Duration::from_secs(180);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(15);

/// Looks until the condition gives a value.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match timeout_at(deadline, look()).await {
            Ok(Some(value)) => return value,
            Ok(None) => {}
            Err(_) => panic!("waited {DEADLINE:?} in vain for: {what}"),
        }
        if timeout_at(deadline, sleep(LOOK_EVERY)).await.is_err() {
            panic!("waited {DEADLINE:?} in vain for: {what}");
        }
    }
}

/// Looks until it is true.
pub async fn until_true(what: &str, mut look: impl FnMut() -> bool) {
    until(what, || {
        let is = look();
        async move { is.then_some(()) }
    })
    .await;
}

/// Looks until the condition gives a value, at most so long; none when it did not come.
pub async fn within<T, F: Future<Output = Option<T>>>(
    at_most: Duration,
    mut look: impl FnMut() -> F,
) -> Option<T> {
    let deadline = Instant::now() + at_most;
    loop {
        if let Ok(Some(value)) = timeout_at(deadline, look()).await {
            return Some(value);
        }
        timeout_at(deadline, sleep(LOOK_EVERY)).await.ok()?;
    }
}
