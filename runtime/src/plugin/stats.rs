//! What a plugin's calls cost: counters and a small fixed histogram, without a lock.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// Buckets for each power of two of microseconds: a percentile is at most a quarter too high.
const PER_OCTAVE: usize = 4;
/// Up to 2^20 µs, about a second; slower ones count as that.
const BUCKETS: usize = 20 * PER_OCTAVE;

/// What a plugin's calls have cost since it was loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Calls; for a mapper, documents.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Half of the calls took at most this long, with their instance.
    pub p50_us: u64,
    /// 99 of 100 calls took at most this long.
    pub p99_us: u64,
    /// Fuel of all calls.
    pub fuel: u64,
    /// The most memory that a call had, in bytes.
    pub peak_memory_bytes: u64,
}

/// What one call used of a machine, the same on every machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Used {
    /// About one a WebAssembly instruction.
    pub(super) fuel: u64,
    /// The most memory it had.
    pub(super) memory_bytes: u64,
}

/// The counters behind [`Usage`].
#[derive(Debug)]
pub(super) struct Stats {
    calls: AtomicU64,
    errors: AtomicU64,
    fuel: AtomicU64,
    peak_memory_bytes: AtomicU64,
    buckets: [AtomicU32; BUCKETS],
}

impl Stats {
    pub(super) fn new() -> Self {
        Self {
            calls: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            fuel: AtomicU64::new(0),
            peak_memory_bytes: AtomicU64::new(0),
            buckets: [const { AtomicU32::new(0) }; BUCKETS],
        }
    }

    /// Counts one call.
    pub(super) fn count(&self, elapsed_us: u64, used: Used, failed: bool) {
        self.use_up(used);
        self.time(elapsed_us, failed);
    }

    /// Counts one call's time and end.
    pub(super) fn time(&self, elapsed_us: u64, failed: bool) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.errors.fetch_add(u64::from(failed), Ordering::Relaxed);
        self.buckets[bucket(elapsed_us)].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts what a call used.
    pub(super) fn use_up(&self, used: Used) {
        self.fuel.fetch_add(used.fuel, Ordering::Relaxed);
        self.peak_memory_bytes
            .fetch_max(used.memory_bytes, Ordering::Relaxed);
    }

    pub(super) fn usage(&self) -> Usage {
        let counts: Vec<u64> = self
            .buckets
            .iter()
            .map(|bucket| u64::from(bucket.load(Ordering::Relaxed)))
            .collect();
        Usage {
            calls: self.calls.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            p50_us: percentile(&counts, 50),
            p99_us: percentile(&counts, 99),
            fuel: self.fuel.load(Ordering::Relaxed),
            peak_memory_bytes: self.peak_memory_bytes.load(Ordering::Relaxed),
        }
    }
}

fn bucket(us: u64) -> usize {
    let us = us.max(1);
    let octave = us.ilog2() as usize;
    // The two bits after the leading one.
    let part = ((us << 2) >> octave) as usize & (PER_OCTAVE - 1);
    (octave * PER_OCTAVE + part).min(BUCKETS - 1)
}

/// The first value that is above the bucket.
fn upper_end(bucket: usize) -> u64 {
    let (octave, part) = (bucket / PER_OCTAVE, (bucket % PER_OCTAVE) as u64);
    ((PER_OCTAVE as u64 + part + 1) << octave).div_ceil(PER_OCTAVE as u64)
}

fn percentile(counts: &[u64], percent: u64) -> u64 {
    let total: u64 = counts.iter().sum();
    let rank = (total * percent).div_ceil(100);
    let mut seen = 0;
    for (bucket, count) in counts.iter().enumerate() {
        seen += count;
        if *count > 0 && seen >= rank {
            return upper_end(bucket);
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(fuel: u64, memory_bytes: u64) -> Used {
        Used { fuel, memory_bytes }
    }

    #[test]
    fn a_percentile_is_never_too_low_and_at_most_a_quarter_too_high() {
        for us in [1, 2, 3, 5, 29, 30, 31, 32, 100, 999, 100_000, 1_000_000] {
            let stats = Stats::new();
            stats.count(us, used(1, 0), false);
            let shown = stats.usage().p50_us;
            assert!(
                shown >= us && shown <= us + us / 4 + 1,
                "{us} is shown as {shown}"
            );
        }
    }

    #[test]
    fn the_slow_hundredth_shows_in_the_99th_percentile_only() {
        let stats = Stats::new();
        for _ in 0..98 {
            stats.count(30, used(10, 1 << 16), false);
        }
        stats.count(90_000, used(10, 5 << 16), true);
        stats.count(90_000, used(10, 1 << 16), true);
        let usage = stats.usage();
        assert_eq!((usage.calls, usage.errors, usage.fuel), (100, 2, 1_000));
        assert_eq!(usage.peak_memory_bytes, 5 << 16, "the most, not the last");
        assert!(usage.p50_us < 40 && usage.p99_us >= 90_000, "{usage:?}");
        assert_eq!(Stats::new().usage(), Usage::default(), "nothing was called");
    }
}
