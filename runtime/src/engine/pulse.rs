//! Whether the process is alive, for whoever restarts what is not: the event loop turns, and the scheduler has not died.

use crate::engine::Engine;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Between two beats.
const EVERY: Duration = Duration::from_secs(1);
/// Later than this it counts as stuck. A small box that swaps may be out of breath for some seconds.
const LATE_MS: u64 = 20_000;

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// The last beat, by the monotonic clock; 0: none is kept.
    beat_ms: AtomicU64,
    /// What died of a panic.
    dead: Mutex<Option<&'static str>>,
}

/// Held by a task that must not die; dropped by a panic it tells.
pub(super) struct Vital {
    engine: Engine,
    name: &'static str,
}

impl Drop for Vital {
    fn drop(&mut self) {
        if std::thread::panicking() {
            *self.engine.inner.pulse.dead.lock() = Some(self.name);
        }
    }
}

impl Engine {
    /// Keeps the pulse until `shutdown`.
    pub async fn beat(self, shutdown: CancellationToken) {
        let pulse = &self.inner.pulse;
        loop {
            pulse.beat_ms.store(self.mono_ms().max(1), Ordering::Relaxed);
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
        pulse.beat_ms.store(0, Ordering::Relaxed);
    }

    /// The caller's task must not die before this is dropped.
    pub(super) fn vital(&self, name: &'static str) -> Vital {
        Vital {
            engine: self.clone(),
            name,
        }
    }

    /// Whether the process works; if not, only a restart helps.
    ///
    /// # Errors
    /// What is dead or stuck.
    pub fn alive(&self) -> Result<(), String> {
        let pulse = &self.inner.pulse;
        if let Some(name) = *pulse.dead.lock() {
            return Err(format!("{name} has died"));
        }
        let beat = pulse.beat_ms.load(Ordering::Relaxed);
        let late = self.mono_ms().saturating_sub(beat);
        if beat > 0 && late > LATE_MS {
            return Err(format!("the event loop has not turned for {} s", late / 1000));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use crate::engine::settings::Defaults;
    use crate::engine::testing::engine_over;
    use crate::store::MemoryStore;
    use std::sync::Arc;

    fn engine() -> (Engine, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(1_000_000, 1));
        let store = Arc::new(MemoryStore::new("e"));
        (engine_over(store, clock.clone(), Defaults::default()), clock)
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_does_not_turn_is_told_and_one_that_ended_in_order_is_not() {
        let (engine, clock) = engine();
        assert_eq!(engine.alive(), Ok(()), "no pulse is kept yet");
        let stop = CancellationToken::new();
        clock.advance(1);
        let beat = tokio::spawn(engine.clone().beat(stop.clone()));
        tokio::task::yield_now().await;
        clock.advance(LATE_MS);
        assert_eq!(engine.alive(), Ok(()));
        clock.advance(1_000);
        assert_eq!(
            engine.alive(),
            Err("the event loop has not turned for 21 s".to_owned())
        );
        tokio::time::sleep(EVERY * 2).await;
        assert_eq!(engine.alive(), Ok(()), "it turns again");
        stop.cancel();
        beat.await.unwrap();
        clock.advance(LATE_MS * 2);
        assert_eq!(engine.alive(), Ok(()));
    }

    #[tokio::test]
    async fn a_task_that_panics_is_told_and_one_that_ends_is_not() {
        let (engine, _) = engine();
        drop(engine.vital("the scheduler"));
        assert_eq!(engine.alive(), Ok(()));
        let held = engine.vital("the scheduler");
        let died = tokio::spawn(async move {
            let _held = held;
            panic!("a bug");
        });
        assert!(died.await.unwrap_err().is_panic());
        assert_eq!(engine.alive(), Err("the scheduler has died".to_owned()));
    }
}
