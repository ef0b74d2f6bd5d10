//! Random numbers from a seed: the same seed makes the same plan. The seed is printed, and can be given.

use selaras::clock::{Clock, SystemClock};

/// SplitMix64: small, and good enough to choose with.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// From `SELARAS_SEED`, else from the system's randomness; says which.
    pub fn of_this_run(what: &str) -> Self {
        let seed = match std::env::var("SELARAS_SEED") {
            Ok(seed) => seed.parse().expect("SELARAS_SEED is a number"),
            Err(_) => {
                let mut bytes = [0; 4];
                SystemClock::new().fill(&mut bytes);
                u64::from(u32::from_be_bytes(bytes))
            }
        };
        eprintln!("{what}: SELARAS_SEED={seed}");
        Self(seed)
    }

    /// From a number.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of their own for a part, so that what one part throws does not move another's.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).expect("invariant: below a usize")
    }

    /// A number from `from` on, below `to`.
    pub fn between(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to - from)
    }

    /// One of them.
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

#[test]
fn the_same_seed_throws_the_same() {
    let throw = |seed| {
        let mut dice = Dice::new(seed);
        [dice.next(), dice.fork().next(), dice.next()]
    };
    assert_eq!(throw(7), throw(7));
    assert_ne!(throw(7), throw(8));
}
