//! The epoch ticker: the thread that makes a plugin's time run out.
//!
//! It ticks only while a call runs, so an idle outlet wakes for nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use parking_lot::Mutex;
use wasmtime::Engine;

/// Fine enough for a limit of 100 ms, and 200 wakes a second cost nothing worth measuring.
const TICK_MS: u64 = 5;

/// Ticks without a call before the ticker goes to sleep: calls that follow each other do not wake it each time.
const IDLE_TICKS: u32 = 20;

/// Ticks after which `ms` have surely passed: one more, since the first may come at once.
pub(super) fn ticks(ms: u64) -> u64 {
    ms.div_ceil(TICK_MS) + 1
}

#[derive(Debug, Default)]
struct Shared {
    running: AtomicUsize,
    asleep: AtomicBool,
    stop: AtomicBool,
}

/// The ticker thread. Dropping it stops the thread at its next tick.
#[derive(Debug)]
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
    handle: Mutex<Option<JoinHandle<()>>>,
}

/// While one of these lives, time passes for plugins.
#[must_use]
pub(super) struct Running<'a>(&'a Shared);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Ticker {
    pub(super) fn start(engine: Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let seen = shared.clone();
        let handle = std::thread::Builder::new()
            .name("plugin-ticker".into())
            .stack_size(64 << 10)
            .spawn(move || tick(&engine, &seen))?;
        let thread = handle.thread().clone();
        Ok(Self {
            shared,
            thread,
            handle: Mutex::new(Some(handle)),
        })
    }

    /// Lets time run until the guard is dropped.
    pub(super) fn running(&self) -> Running<'_> {
        // SeqCst on both sides: either the ticker sees the count, or this sees that it sleeps.
        self.shared.running.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Running(&self.shared)
    }

    /// Stops the thread and waits for it.
    pub(super) fn stop(&self) {
        self.signal();
        if let Some(handle) = self.handle.lock().take()
            && handle.join().is_err()
        {
            tracing::error!("the plugin ticker panicked");
        }
    }

    #[cfg(test)]
    pub(super) fn is_asleep(&self) -> bool {
        self.shared.asleep.load(Ordering::SeqCst)
    }

    fn signal(&self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.signal();
    }
}

fn tick(engine: &Engine, shared: &Shared) {
    let mut idle = 0;
    while !shared.stop.load(Ordering::SeqCst) {
        if shared.running.load(Ordering::SeqCst) > 0 {
            idle = 0;
        } else if idle < IDLE_TICKS {
            idle += 1;
        } else {
            shared.asleep.store(true, Ordering::SeqCst);
            if shared.running.load(Ordering::SeqCst) == 0 && !shared.stop.load(Ordering::SeqCst) {
                std::thread::park();
            }
            shared.asleep.store(false, Ordering::SeqCst);
            idle = 0;
        }
        std::thread::park_timeout(Duration::from_millis(TICK_MS));
        engine.increment_epoch();
    }
}
