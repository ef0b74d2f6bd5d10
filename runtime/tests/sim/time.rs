//! Time: one for the world, which goes when nothing else can, and a clock for each outlet that shows it wrongly.

use crate::dice::{Dice, of};
use selaras::clock::Clock;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tokio::time::Instant;

/// When every world begins: 27 January 2026.
const BEGIN_MS: i64 = 1_769_511_600_000;

/// The world's time.
#[derive(Clone, Copy)]
pub struct WorldTime(Instant);

impl WorldTime {
    /// Begins now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Milliseconds since the beginning.
    pub fn ms(self) -> i64 {
        i64::try_from(self.0.elapsed().as_millis()).expect("no run is that long")
    }

    /// The true time, as the cloud has it.
    pub fn wall_ms(self) -> i64 {
        BEGIN_MS + self.ms()
    }
}

/// An outlet's clock: it may be wrong, be set, and its monotonic half begins anew with each boot.
pub struct OutletClock {
    world: WorldTime,
    skew_ms: AtomicI64,
    booted_ms: AtomicI64,
    boot: AtomicU64,
    dice: Mutex<Dice>,
}

impl OutletClock {
    /// A clock that is `skew_ms` ahead.
    pub fn new(world: WorldTime, skew_ms: i64, seed: u64, outlet: u64) -> Self {
        Self {
            world,
            skew_ms: skew_ms.into(),
            booted_ms: world.ms().into(),
            boot: 1.into(),
            dice: Mutex::new(Dice::of(seed, &[of::CLOCK, outlet])),
        }
    }

    /// Somebody sets it.
    pub fn set(&self, skew_ms: i64) {
        self.skew_ms.store(skew_ms, Ordering::Relaxed);
    }

    /// The machine starts again.
    pub fn reboot(&self) {
        self.booted_ms.store(self.world.ms(), Ordering::Relaxed);
        self.boot.fetch_add(1, Ordering::Relaxed);
    }
}

impl Clock for OutletClock {
    fn wall_ms(&self) -> i64 {
        self.world.wall_ms() + self.skew_ms.load(Ordering::Relaxed)
    }

    fn mono_ms(&self) -> u64 {
        let up = self.world.ms() - self.booted_ms.load(Ordering::Relaxed);
        u64::try_from(up).unwrap_or_default()
    }

    fn boot(&self) -> u64 {
        self.boot.load(Ordering::Relaxed)
    }

    fn random(&self) -> u64 {
        self.dice.lock().expect("no panic holds it").next()
    }

    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let random = self.random().to_be_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }
}
