//! How much an outlet may ask for. A bucket for each outlet fills evenly up to a minute's worth of requests.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Items in one batch.
pub const MAX_ITEMS: usize = 1_000;
/// Bytes of one request.
pub const MAX_BODY: usize = 10 * 1024 * 1024;
/// Bytes of an id.
pub const MAX_ID: usize = 128;

/// One request costs this many units; a bucket gains `per_minute` units a millisecond.
const COST: u64 = 60_000;

/// The buckets of all outlets.
#[derive(Debug)]
pub struct RateLimiter {
    per_minute: u32,
    buckets: Mutex<HashMap<i64, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    units: u64,
    at_ms: u64,
}

impl RateLimiter {
    /// `per_minute` 0 lets everything through.
    pub fn new(per_minute: u32) -> Self {
        Self {
            per_minute,
            buckets: Mutex::default(),
        }
    }

    /// The limit.
    pub fn per_minute(&self) -> u32 {
        self.per_minute
    }

    /// Takes one request of `outlet` at `mono_ms`.
    ///
    /// # Errors
    /// The seconds until there will be one, at least 1.
    pub fn take(&self, outlet: i64, mono_ms: u64) -> Result<(), u64> {
        if self.per_minute == 0 {
            return Ok(());
        }
        let rate = u64::from(self.per_minute);
        let full = rate * COST;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(outlet).or_insert(Bucket {
            units: full,
            at_ms: mono_ms,
        });
        let gained = mono_ms.saturating_sub(bucket.at_ms).saturating_mul(rate);
        *bucket = Bucket {
            units: full.min(bucket.units.saturating_add(gained)),
            at_ms: mono_ms,
        };
        match bucket.units.checked_sub(COST) {
            Some(left) => {
                bucket.units = left;
                Ok(())
            }
            None => Err((COST - bucket.units).div_ceil(rate * 1_000).max(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minutes_worth_goes_through_and_then_it_takes_its_time() {
        let limiter = RateLimiter::new(6);
        for _ in 0..6 {
            assert_eq!(limiter.take(1, 0), Ok(()));
        }
        assert_eq!(limiter.take(1, 0), Err(10));
        assert_eq!(limiter.take(2, 0), Ok(()));
        assert_eq!(limiter.take(1, 9_000), Err(1));
        assert_eq!(limiter.take(1, 10_000), Ok(()));
        assert_eq!(limiter.take(1, 10_000), Err(10));
    }

    #[test]
    fn zero_means_no_limit() {
        let limiter = RateLimiter::new(0);
        assert!((0..10_000).all(|_| limiter.take(1, 0).is_ok()));
    }
}
