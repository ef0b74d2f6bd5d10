//! The time that sessions are judged by: it never goes back, whatever the machine's clock does, so that no token that has
//! expired is good again.

use crate::stamp::Millis;

/// A clock that only goes forward, over restarts too as far as what it showed was kept.
#[derive(Clone, Copy, Debug)]
pub struct SessionClock {
    shown: Millis,
    mono_ms: u64,
}

impl SessionClock {
    /// One that begins at `kept`, what an earlier process showed last, when it is `mono_ms` of the monotonic clock.
    pub fn new(kept: Option<Millis>, mono_ms: u64) -> Self {
        Self {
            shown: kept.unwrap_or(Millis(i64::MIN)),
            mono_ms,
        }
    }

    /// Now: `wall`, or where that lies behind, what was shown before and the time that has passed since.
    pub fn now(&mut self, wall: Millis, mono_ms: u64) -> Millis {
        let passed = i64::try_from(mono_ms.saturating_sub(self.mono_ms)).unwrap_or(i64::MAX);
        self.shown = wall.max(Millis(self.shown.0.saturating_add(passed)));
        self.mono_ms = self.mono_ms.max(mono_ms);
        self.shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOON: Millis = Millis(1_769_509_800_000);

    #[test]
    fn a_clock_that_is_set_back_is_not_followed_and_time_goes_on() {
        let mut clock = SessionClock::new(None, 0);
        assert_eq!(clock.now(NOON, 0), NOON);
        let back = NOON.plus_ms(-86_400_000);
        assert_eq!(clock.now(back, 5_000), NOON.plus_ms(5_000));
        assert_eq!(clock.now(NOON.plus_ms(9_000), 6_000), NOON.plus_ms(9_000));
    }

    #[test]
    fn what_was_kept_holds_after_a_restart() {
        let mut clock = SessionClock::new(Some(NOON), 100);
        assert_eq!(clock.now(NOON.plus_ms(-3_600_000), 1_100), NOON.plus_ms(1_000));
    }

    proptest! {
        #[test]
        fn it_never_goes_back(steps in prop::collection::vec((any::<i32>(), 0u64..100_000), 1..50)) {
            let mut clock = SessionClock::new(Some(NOON), 0);
            let (mut mono, mut last) = (0, NOON);
            for (jump, passes) in steps {
                mono += passes;
                let now = clock.now(NOON.plus_ms(i64::from(jump) * 1000), mono);
                prop_assert!(now >= last.plus_ms(i64::try_from(passes).unwrap()));
                last = now;
            }
        }
    }
}
