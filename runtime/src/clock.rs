//! Time and randomness: the only file that asks the system for either.
//!
//! Everything else is handed a [`Clock`], so that tests and simulations decide what time it is and what is random. It
//! must not know what the time is used for, nor the cloud's time: the offset to it is measured elsewhere.

use parking_lot::Mutex;
use std::{
    fmt,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::{Instant, SystemTime},
};

pub use selaras_core::clock::Clock;

/// The machine's own clock and randomness.
pub struct SystemClock {
    start: Instant,
    boot: u64,
    numbers: Mutex<Numbers>,
}

/// Random numbers taken from the system some at a time: each change needs a few, and asking costs a system call.
struct Numbers {
    drawn: [[u8; 8]; 64],
    left: usize,
}

impl Numbers {
    fn next(&mut self) -> u64 {
        if self.left == 0 {
            system_random(self.drawn.as_flattened_mut());
            self.left = self.drawn.len();
        }
        self.left -= 1;
        // Not kept once it is given out.
        u64::from_be_bytes(std::mem::take(&mut self.drawn[self.left]))
    }
}

impl SystemClock {
    /// A clock whose monotonic time starts now, under a boot name of its own.
    ///
    /// # Panics
    /// As [`Clock::fill`] of it: when the system has no randomness.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the file where time comes from")]
    pub fn new() -> Self {
        let mut boot = [0; 8];
        system_random(&mut boot);
        Self {
            start: Instant::now(),
            boot: u64::from_be_bytes(boot),
            numbers: Mutex::new(Numbers {
                drawn: [[0; 8]; 64],
                left: 0,
            }),
        }
    }

    /// Microseconds since the clock was made, for timing work.
    #[must_use]
    pub fn mono_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}

/// Microseconds since this function was first called, for timing work where no clock is at hand.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the file where time comes from")]
pub fn monotonic_us() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_micros()).unwrap_or(u64::MAX)
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SystemClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemClock").finish_non_exhaustive()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the file where time comes from")]
    fn wall_ms(&self) -> i64 {
        let now = SystemTime::now();
        match now.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        }
    }

    fn mono_ms(&self) -> u64 {
        self.mono_us() / 1000
    }

    fn boot(&self) -> u64 {
        self.boot
    }

    fn random(&self) -> u64 {
        self.numbers.lock().next()
    }

    /// # Panics
    /// When the system has no randomness: weaker bytes would become secrets.
    fn fill(&self, bytes: &mut [u8]) {
        system_random(bytes);
    }
}

fn system_random(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("invariant: the operating system gives random bytes");
}

/// A clock that goes only when told, with randomness that follows from its seed.
///
/// For tests and simulations. Its randomness is predictable: never for secrets.
#[derive(Debug)]
pub struct ManualClock {
    wall_ms: AtomicI64,
    mono_ms: AtomicU64,
    boot: AtomicU64,
    seed: AtomicU64,
}

impl ManualClock {
    /// A clock at `wall_ms`, in its first boot, with randomness from `seed`.
    #[must_use]
    pub fn new(wall_ms: i64, seed: u64) -> Self {
        Self {
            wall_ms: AtomicI64::new(wall_ms),
            mono_ms: AtomicU64::new(0),
            boot: AtomicU64::new(1),
            seed: AtomicU64::new(seed),
        }
    }

    /// Lets time pass: both clocks move.
    pub fn advance(&self, ms: u64) {
        self.mono_ms.fetch_add(ms, Ordering::SeqCst);
        self.wall_ms
            .fetch_add(i64::try_from(ms).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Somebody sets the machine's clock: only the wall time changes.
    pub fn set_wall(&self, wall_ms: i64) {
        self.wall_ms.store(wall_ms, Ordering::SeqCst);
    }

    /// The machine starts again: monotonic time begins at 0, under a new name.
    pub fn reboot(&self) {
        self.mono_ms.store(0, Ordering::SeqCst);
        self.boot.fetch_add(1, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn wall_ms(&self) -> i64 {
        self.wall_ms.load(Ordering::SeqCst)
    }

    fn mono_ms(&self) -> u64 {
        self.mono_ms.load(Ordering::SeqCst)
    }

    fn boot(&self) -> u64 {
        self.boot.load(Ordering::SeqCst)
    }

    /// The next number of splitmix64 (Steele, Lea and Flood 2014).
    fn random(&self) -> u64 {
        const STEP: u64 = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.seed.fetch_add(STEP, Ordering::SeqCst).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let random = self.random().to_be_bytes();
            chunk.copy_from_slice(&random[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_the_wall_clock_back_does_not_turn_the_monotonic_one() {
        let clock = ManualClock::new(1_000, 1);
        clock.advance(500);
        clock.set_wall(-7);
        assert_eq!((clock.wall_ms(), clock.mono_ms()), (-7, 500));
        clock.advance(10);
        assert_eq!((clock.wall_ms(), clock.mono_ms()), (3, 510));
    }

    #[test]
    fn a_reboot_starts_a_new_stretch_of_monotonic_time() {
        let clock = ManualClock::new(0, 1);
        clock.advance(5);
        let before = clock.boot();
        clock.reboot();
        assert_eq!(clock.mono_ms(), 0);
        assert_ne!(clock.boot(), before);
    }

    #[test]
    fn manual_randomness_is_splitmix64_of_its_seed() {
        // The reference implementation's first outputs for seed 1234567.
        let clock = ManualClock::new(0, 1_234_567);
        assert_eq!(
            [clock.random(), clock.random()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
        let mut nine = [0; 9];
        ManualClock::new(0, 1_234_567).fill(&mut nine);
        assert_eq!(nine[..8], 6_457_827_717_110_365_317_u64.to_be_bytes());
        assert_eq!(nine[8], 3_203_168_211_198_807_973_u64.to_be_bytes()[0]);
    }

    #[test]
    fn the_system_clock_is_past_2020_and_its_boots_differ() {
        let (one, two) = (SystemClock::new(), SystemClock::new());
        assert!(one.wall_ms() > 1_577_836_800_000);
        assert_ne!(one.boot(), two.boot());
        assert_ne!(one.random(), one.random());
        let (first, second) = (one.mono_us(), one.mono_us());
        assert!(first <= second);
    }
}
