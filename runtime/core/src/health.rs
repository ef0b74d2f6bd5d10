//! When a plugin's failures are its own fault: of its last calls, too many broke.
//!
//! A call that breaks (a trap, a time-out, an answer that breaks the interface) tells against the plugin. An error that it
//! gives on purpose may be the document's fault, so it only speaks against a version that has a predecessor to go back to.

use std::collections::VecDeque;

/// How much may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// So many of a hundred of the window's calls are too many; 0: nothing ever is.
    pub percent: u32,
    /// Calls that are looked back on.
    pub window: u32,
}

impl Rule {
    /// Failures within the window that are too many; none: nothing ever is.
    fn too_many(self) -> Option<usize> {
        let share = (u64::from(self.percent) * u64::from(self.window)).div_ceil(100);
        usize::try_from(share).ok().filter(|many| *many > 0)
    }
}

/// How one call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// With an answer.
    Fine,
    /// With an error of the plugin's own.
    Refused,
    /// Without an answer that can be used.
    Broke,
}

/// What the last calls say of a plugin. Later ones are worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// Nothing against it.
    #[default]
    Healthy,
    /// Too many calls failed, if its own errors are counted.
    Refusing,
    /// Too many calls broke.
    Broken,
}

/// The last calls of one version of a plugin.
#[derive(Clone, Debug, Default)]
pub struct Health {
    recent: VecDeque<Call>,
}

impl Health {
    /// Takes one call in and says how the plugin stands. The window need not be full: what has failed too often already
    /// need not go on.
    pub fn observe(&mut self, call: Call, rule: Rule) -> Finding {
        self.recent.push_back(call);
        while self.recent.len() > rule.window as usize {
            self.recent.pop_front();
        }
        let Some(many) = rule.too_many() else {
            return Finding::Healthy;
        };
        if self.count(Call::Broke) >= many {
            Finding::Broken
        } else if self.failed() >= many {
            Finding::Refusing
        } else {
            Finding::Healthy
        }
    }

    /// Calls of the window.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.recent.len()
    }

    /// Of which failed, in whatever way.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.count(Call::Broke) + self.count(Call::Refused)
    }

    fn count(&self, what: Call) -> usize {
        self.recent.iter().filter(|call| **call == what).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_OF_TEN: Rule = Rule {
        percent: 50,
        window: 10,
    };

    fn after(calls: impl IntoIterator<Item = Call>, rule: Rule) -> Finding {
        let mut health = Health::default();
        calls
            .into_iter()
            .fold(Finding::Healthy, |_, call| health.observe(call, rule))
    }

    #[test]
    fn half_of_the_window_is_too_many_and_one_less_is_not() {
        assert_eq!(after([Call::Broke; 4], HALF_OF_TEN), Finding::Healthy);
        assert_eq!(after([Call::Broke; 5], HALF_OF_TEN), Finding::Broken);
        let alternating = (0..100).map(|n| if n % 3 == 0 { Call::Broke } else { Call::Fine });
        assert_eq!(after(alternating, HALF_OF_TEN), Finding::Healthy);
    }

    #[test]
    fn what_lies_before_the_window_is_forgotten() {
        let mut health = Health::default();
        for call in [Call::Broke; 4] {
            health.observe(call, HALF_OF_TEN);
        }
        for _ in 0..10 {
            assert_eq!(health.observe(Call::Fine, HALF_OF_TEN), Finding::Healthy);
        }
        assert_eq!((health.calls(), health.failed()), (10, 0));
    }

    #[test]
    fn errors_of_its_own_count_apart_from_what_breaks() {
        assert_eq!(after([Call::Refused; 10], HALF_OF_TEN), Finding::Refusing);
        let mixed = [
            Call::Refused,
            Call::Refused,
            Call::Refused,
            Call::Broke,
            Call::Broke,
        ];
        assert_eq!(after(mixed, HALF_OF_TEN), Finding::Refusing);
        assert!(
            Finding::Broken > Finding::Refusing,
            "the worse one is the later one"
        );
    }

    #[test]
    fn a_rule_of_nothing_finds_nothing_and_a_rule_of_everything_needs_all() {
        let never = Rule {
            percent: 0,
            window: 10,
        };
        assert_eq!(after([Call::Broke; 50], never), Finding::Healthy);
        let all = Rule {
            percent: 100,
            window: 3,
        };
        assert_eq!(after([Call::Broke, Call::Broke], all), Finding::Healthy);
        assert_eq!(after([Call::Broke; 3], all), Finding::Broken);
    }
}
