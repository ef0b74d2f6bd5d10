//! How many refused logins are written down: who guesses passwords all day must not fill the disk, nor push what matters
//! out of sight.

/// Refusals that are written down at once.
const BURST: u32 = 10;
/// Then one in so long, with the number of those that were not: 240 a day, about 40 MB in the year they are kept.
const EVERY_MS: u64 = 6 * 60_000;

/// A bucket of records. Times are the process's monotonic milliseconds.
#[derive(Debug)]
pub(in crate::engine) struct Logins {
    left: u32,
    /// Up to when the bucket was filled.
    filled_ms: u64,
    unrecorded: u64,
}

impl Default for Logins {
    fn default() -> Self {
        Self {
            left: BURST,
            filled_ms: 0,
            unrecorded: 0,
        }
    }
}

impl Logins {
    /// Whether one is written down; then how many were not since the last that was.
    pub(in crate::engine) fn take(&mut self, now_ms: u64) -> Option<u64> {
        let more = now_ms.saturating_sub(self.filled_ms) / EVERY_MS;
        self.filled_ms += more * EVERY_MS;
        self.left = u64::from(self.left).saturating_add(more).min(u64::from(BURST)) as u32;
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                Some(std::mem::take(&mut self.unrecorded))
            }
            None => {
                self.unrecorded += 1;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_guessing_is_a_few_records_that_count_the_rest() {
        let mut logins = Logins::default();
        let tries: Vec<Option<u64>> = (0..86_400).map(|second| logins.take(second * 1000)).collect();
        let written: Vec<u64> = tries.iter().copied().flatten().collect();
        assert_eq!(&written[..10], [0; 10]);
        assert!((240..260).contains(&written.len()), "{}", written.len());
        let told: u64 = written.iter().sum::<u64>() + written.len() as u64 + logins.unrecorded;
        assert_eq!(told, 86_400);
    }
}
