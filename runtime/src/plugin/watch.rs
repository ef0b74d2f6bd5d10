//! Whether the versions in use are healthy: each call that is made counts, and what the rule makes of it is told once.

use parking_lot::Mutex;
use selaras_core::health::{Call, Finding, Health, Rule};

use super::error::{Failure, FailureCode};

/// The last calls of one version, and what was told of them.
#[derive(Debug, Default)]
pub(super) struct Watch(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    health: Health,
    told: Finding,
}

/// What was noticed of a version: so many of its last calls failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Noticed {
    /// What the rule says.
    pub finding: Finding,
    /// Calls that were looked back on.
    pub calls: usize,
    /// Of which failed.
    pub failed: usize,
}

impl Watch {
    /// Takes calls in. Answers what is new and not healthy.
    pub(super) fn observe(&self, calls: impl IntoIterator<Item = Call>, rule: Rule) -> Option<Noticed> {
        let mut state = self.0.lock();
        let worst = calls
            .into_iter()
            .map(|call| state.health.observe(call, rule))
            .max()
            .filter(|finding| *finding > state.told)?;
        state.told = worst;
        Some(Noticed {
            finding: worst,
            calls: state.health.calls(),
            failed: state.health.failed(),
        })
    }

    /// What was noticed could not be told: it is noticed again.
    pub(super) fn untold(&self) {
        self.0.lock().told = Finding::Healthy;
    }

    /// Calls that are looked back on, and how many of them failed.
    pub(super) fn recent(&self) -> (usize, usize) {
        let state = self.0.lock();
        (state.health.calls(), state.health.failed())
    }
}

/// What a call's end says of the plugin. None: it was not the plugin's doing.
pub(super) fn judged<T>(outcome: &Result<T, Failure>) -> Option<Call> {
    let Err(failure) = outcome else {
        return Some(Call::Fine);
    };
    match failure.code {
        FailureCode::Error => Some(Call::Refused),
        // A trap that may be tried again is the host's: there was no room for an instance.
        FailureCode::Trap if failure.retryable => None,
        FailureCode::Timeout | FailureCode::Trap | FailureCode::InvalidOutput => Some(Call::Broke),
        FailureCode::Missing => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_once_and_again_only_when_it_gets_worse_or_was_not_heard() {
        let rule = Rule {
            percent: 50,
            window: 4,
        };
        let watch = Watch::default();
        assert_eq!(watch.observe([Call::Refused], rule), None);
        let noticed = watch.observe([Call::Refused], rule).unwrap();
        assert_eq!((noticed.finding, noticed.failed), (Finding::Refusing, 2));
        assert_eq!(watch.observe([Call::Refused], rule), None);
        let worse = watch.observe([Call::Broke, Call::Broke], rule).unwrap();
        assert_eq!(worse.finding, Finding::Broken);
        assert_eq!(watch.observe([Call::Broke], rule), None);
        watch.untold();
        assert!(watch.observe([Call::Broke], rule).is_some());
    }

    #[test]
    fn what_the_host_lacks_does_not_tell_against_a_plugin() {
        let of = |failure: Failure| judged(&Err::<(), _>(failure));
        assert_eq!(of(Failure::trap("unreachable")), Some(Call::Broke));
        assert_eq!(of(Failure::timeout("late")), Some(Call::Broke));
        assert_eq!(of(Failure::shutting_down()), None);
        let no_room = Failure {
            retryable: true,
            ..Failure::trap("no room")
        };
        assert_eq!(of(no_room), None);
    }
}
