//! How long to wait before trying again: exponential backoff with full jitter. The randomness comes in.
//!
//! Full jitter (any delay up to the ceiling, none more likely than another) keeps a fleet of outlets from coming
//! back in step after an outage of their cloud: <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>.

/// The settings of a backoff.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    /// The ceiling of the first delay.
    pub initial_ms: u64,
    /// By how much the ceiling grows with each attempt; less than 1, or not a number, counts as 1.
    pub multiplier: f64,
    /// What the ceiling never passes.
    pub max_ms: u64,
}

impl Backoff {
    /// The longest delay after this many failed attempts, counted from 1; at least 1 ms.
    pub fn ceiling_ms(&self, attempt: u32) -> u64 {
        let growth = self
            .multiplier
            .max(1.0)
            .powi(i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX));
        let ceiling = if growth <= 1.0 {
            self.initial_ms
        } else {
            // The cast saturates, which is meant.
            (self.initial_ms as f64 * growth) as u64
        };
        ceiling.min(self.max_ms).max(1)
    }

    /// The delay for this attempt: `random`, taken as uniform over all of `u64`, spread over 1 to
    /// [`Backoff::ceiling_ms`].
    pub fn delay_ms(&self, attempt: u32, random: u64) -> u64 {
        let ceiling = u128::from(self.ceiling_ms(attempt));
        // Below the ceiling, since random is below 2^64.
        1 + ((u128::from(random) * ceiling) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DEFAULT: Backoff = Backoff {
        initial_ms: 60_000,
        multiplier: 2.0,
        max_ms: 1_800_000,
    };

    #[test]
    fn the_ceiling_doubles_from_the_initial_to_the_longest_delay() {
        let ceilings: Vec<_> = (0..8).map(|attempt| DEFAULT.ceiling_ms(attempt) / 1000).collect();
        assert_eq!(ceilings, [60, 60, 120, 240, 480, 960, 1800, 1800]);
        assert_eq!(DEFAULT.ceiling_ms(u32::MAX), 1_800_000);
    }

    #[test]
    fn delays_are_spread_evenly_from_1_to_the_ceiling() {
        let backoff = Backoff {
            initial_ms: 4,
            multiplier: 2.0,
            max_ms: 100,
        };
        let quarter = u64::MAX / 4 + 1;
        assert_eq!(backoff.delay_ms(1, 0), 1);
        assert_eq!(backoff.delay_ms(1, quarter - 1), 1);
        assert_eq!(backoff.delay_ms(1, quarter), 2);
        assert_eq!(backoff.delay_ms(1, 2 * quarter), 3);
        assert_eq!(backoff.delay_ms(1, 3 * quarter), 4);
        assert_eq!(backoff.delay_ms(1, u64::MAX), 4);
    }

    #[test]
    fn senseless_settings_still_give_a_delay() {
        for multiplier in [f64::NAN, f64::NEG_INFINITY, -2.0, 0.0, 0.5] {
            let backoff = Backoff {
                initial_ms: 50,
                multiplier,
                max_ms: 1000,
            };
            assert_eq!(backoff.ceiling_ms(9), 50);
        }
        assert_eq!(
            Backoff {
                initial_ms: 0,
                multiplier: f64::INFINITY,
                max_ms: 0
            }
            .delay_ms(9, u64::MAX),
            1
        );
        assert_eq!(
            Backoff {
                initial_ms: 50,
                multiplier: f64::INFINITY,
                max_ms: 900
            }
            .ceiling_ms(2),
            900
        );
        let huge = Backoff {
            initial_ms: u64::MAX,
            multiplier: 9.0,
            max_ms: u64::MAX,
        };
        assert_eq!(huge.delay_ms(u32::MAX, u64::MAX), u64::MAX);
    }

    proptest! {
        #[test]
        fn a_delay_is_never_zero_and_never_above_the_longest(
            initial_ms: u64, multiplier: f64, max_ms: u64, attempt: u32, random: u64,
        ) {
            let backoff = Backoff { initial_ms, multiplier, max_ms };
            let delay = backoff.delay_ms(attempt, random);
            prop_assert!(delay >= 1 && delay <= backoff.ceiling_ms(attempt));
            prop_assert!(delay <= max_ms.max(1));
        }

        #[test]
        fn the_ceiling_never_shrinks(
            initial_ms in 1u64..1_000_000, multiplier in 1.1f64..10.0, max_ms in 1u64..10_000_000, attempt in 1u32..2000,
        ) {
            let backoff = Backoff { initial_ms, multiplier, max_ms };
            prop_assert!(backoff.ceiling_ms(attempt) <= backoff.ceiling_ms(attempt + 1));
            prop_assert_eq!(backoff.ceiling_ms(1), initial_ms.min(max_ms));
        }
    }
}
