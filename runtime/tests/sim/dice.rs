//! Random numbers that follow from what they are for: each decision has dice of its own, so that leaving one out of a
//! run does not move the others.

/// SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// The dice of one decision: of a seed, and of the numbers that name the decision.
    pub fn of(seed: u64, names: &[u64]) -> Self {
        let mut dice = Self(seed ^ 0x5E1A_5A5E);
        for name in names {
            dice.0 = dice.next() ^ name.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        }
        dice
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
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// True in `n` of `of` cases.
    pub fn chance(&mut self, n: u64, of: u64) -> bool {
        self.below(of) < n
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let at = usize::try_from(self.below(from.len() as u64)).expect("below a usize");
        from[at]
    }

    /// A small index.
    pub fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).expect("below a usize")
    }
}

/// Which dice are meant: the first number of their name.
pub mod of {
    pub const PLAN: u64 = 1;
    pub const STEP: u64 = 2;
    pub const LINE: u64 = 3;
    pub const DISK: u64 = 4;
    pub const CLOCK: u64 = 5;
    pub const HOOK: u64 = 6;
    pub const MORE: u64 = 7;
}
