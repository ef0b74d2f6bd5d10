//! Calls on a sample: the self-test of a component at the gate, and the question whether settings can be used.

use std::sync::Arc;

use super::super::call::{Door, Machine, Plugin};
use super::super::error::{Failure, FailureCode, Refusal, RefusalCode};
use super::super::limits::CallLimits;
use super::super::values::{CallContext, Case, Direction, Document, Lookup, NoLookup};
use super::PluginInfo;

/// The code by which plugins say that their settings cannot be used; the SDK's `Settings` answers with it.
const INVALID_SETTINGS: &str = "invalid-settings";

/// The self-test's clock: the same component passes or fails the same way on every day.
pub(in super::super) const SAMPLE_NOW_MS: u64 = 1_767_225_600_000;

/// Calls on a sample. An error of its own is a fair answer; a trap, a time-out or nonsense is not.
pub(super) fn self_test(machine: &Machine, door: &Door, info: &PluginInfo) -> Result<(), Refusal> {
    let unfair = |(what, failure): &(&str, Failure)| match failure.code {
        FailureCode::Error => None,
        _ => Some(Refusal::new(
            RefusalCode::SelfTestFailed,
            format!("{what} on a sample: {failure}"),
        )),
    };
    let failures = on_samples(machine, door, info, "{}");
    failures.iter().find_map(unfair).map_or(Ok(()), Err)
}

/// What a plugin says of settings that it cannot use. It is asked as in the self-test; one that does not look at its
/// settings there has nothing to say.
pub(in super::super) fn settings_problem(
    machine: &Machine,
    plugin: &Plugin,
    settings: &str,
) -> Option<Failure> {
    let failures = on_samples(machine, &plugin.door, &plugin.info, settings).into_iter();
    let told = |failure: &Failure| {
        failure
            .own
            .as_ref()
            .is_some_and(|own| own.code == INVALID_SETTINGS)
    };
    failures.map(|(_, failure)| failure).find(told)
}

/// Calls on a sample with these settings; what failed, by the call.
fn on_samples(
    machine: &Machine,
    door: &Door,
    info: &PluginInfo,
    settings: &str,
) -> Vec<(&'static str, Failure)> {
    let cx = CallContext {
        outlet_id: "self-test".into(),
        outlet_code: "TEST".into(),
        now_ms: SAMPLE_NOW_MS,
        settings: settings.into(),
        limits: CallLimits {
            timeout_ms: machine.limits.load_ms,
            ..CallLimits::of_trial(info.grants)
        },
    };
    let lookup: Arc<dyn Lookup> = Arc::new(NoLookup);
    let sample = |version, price: &str| sample(info, version, price);
    match door {
        Door::Strategy(pre) => {
            let case = Case {
                base: Some(sample(1, "10.00")),
                local: sample(2, "11.00"),
                cloud: sample(3, "12.00"),
            };
            let asked = machine.ask_strategy(pre, info.grants, &cx, &case, lookup);
            asked
                .outcome
                .err()
                .map(|failure| ("resolve", failure))
                .into_iter()
                .collect()
        }
        Door::Mapper(_) => [("to-cloud", Direction::ToCloud), ("to-local", Direction::ToLocal)]
            .into_iter()
            .filter_map(|(what, direction)| {
                let tried =
                    machine.try_mapper(door, info.grants, direction, &cx, &sample(1, "10.00"), &lookup);
                tried.outcome.err().map(|failure| (what, failure))
            })
            .collect(),
    }
}

fn sample(info: &PluginInfo, version: u64, price: &str) -> Document {
    Document {
        entity_type: info
            .entity_types
            .first()
            .cloned()
            .unwrap_or_else(|| "product".into()),
        id: "sample-1".into(),
        cloud_id: Some("cloud-sample-1".into()),
        version,
        deleted: false,
        modified_ms: Some(SAMPLE_NOW_MS - 1_000 * (10 - version)),
        modified_by: None,
        body: format!(r#"{{"id":"sample-1","name":"Sample","price":"{price}","tags":["a","b"]}}"#).into(),
    }
}
