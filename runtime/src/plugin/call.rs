//! One call into an instance: a fresh store with its limits, and what became of it.
//!
//! Synchronous, on whatever thread it is called; `host.rs` brings it to the plugin threads. Nothing here panics
//! through to the caller: a panic becomes a [`Failure`] like anything else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use wasmtime::{Engine, PoolConcurrencyLimitError, Store, Trap};

use super::bindings::mapper::MapperPluginPre;
use super::bindings::strategy::{StrategyPluginPre, exports::selaras::plugin::strategy as its};
use super::compile::panic_words;
use super::convert;
use super::error::Failure;
use super::gate::PluginInfo;
use super::grants::Grants;
use super::guest::{Ended, Guest, Traces};
use super::limits::{CallLimits, Limits};
use super::output::{self, printable};
use super::shape::Kind;
use super::stats::{Stats, Used};
use super::ticker::{Ticker, ticks};
use super::values::{CallContext, Case, Decided, Decision, Lookup, Verdict};
use super::wasi::Seed;
use super::watch::Watch;

/// What every call runs on.
pub(super) struct Machine {
    pub(super) engine: Engine,
    pub(super) limits: Limits,
    pub(super) ticker: Ticker,
    pub(super) monotonic_us: fn() -> u64,
}

/// A linked component, ready to be instantiated.
#[derive(Clone)]
pub(super) enum Door {
    Strategy(StrategyPluginPre<Guest>),
    Mapper(MapperPluginPre<Guest>),
}

/// A plugin that passed the gate.
pub(super) struct Plugin {
    pub(super) info: PluginInfo,
    pub(super) door: Door,
    pub(super) stats: Stats,
    pub(super) watch: Watch,
}

/// Fuel that never runs out: it measures, time limits.
const FULL_TANK: u64 = u64::MAX;

impl Machine {
    /// A store for one instance that starts at `now_ms`, with the time for its start.
    pub(super) fn store(&self, limits: &CallLimits, now_ms: u64) -> Store<Guest> {
        let mut store = Store::new(&self.engine, Guest::new(&self.limits, limits));
        store.data_mut().inert.start(now_ms);
        store.limiter(|guest| &mut guest.meter);
        store.set_hostcall_fuel(limits.lifted_bytes);
        store
            .set_fuel(FULL_TANK)
            .expect("invariant: the engine measures fuel");
        store.set_epoch_deadline(ticks(limits.timeout_ms + self.limits.grace_ms));
        store
    }

    /// Asks a strategy, in a fresh instance.
    pub(super) fn decide(
        &self,
        plugin: &Plugin,
        cx: &CallContext,
        case: &Case,
        lookup: &Arc<dyn Lookup>,
    ) -> Decided {
        let decided = self.rehearse(plugin, cx, case, lookup);
        if matches!(plugin.door, Door::Strategy(_)) {
            let failed = decided.outcome.is_err();
            let used = Used {
                fuel: decided.fuel,
                memory_bytes: decided.peak_memory_bytes,
            };
            plugin.stats.count(decided.elapsed_us, used, failed);
        }
        decided
    }

    /// The same for a trial: it does not count in what is told of the plugin.
    pub(super) fn rehearse(
        &self,
        plugin: &Plugin,
        cx: &CallContext,
        case: &Case,
        lookup: &Arc<dyn Lookup>,
    ) -> Decided {
        let started = (self.monotonic_us)();
        let Door::Strategy(pre) = &plugin.door else {
            return Decided::without(&plugin.info.name, not_a(Kind::Strategy, &plugin.info.name));
        };
        let asked = guarded(|| self.ask_strategy(pre, plugin.info.grants, cx, case, lookup.clone()));
        let Asked {
            outcome,
            used,
            traces,
        } = asked.unwrap_or_else(Asked::nothing);
        let elapsed_us = (self.monotonic_us)().saturating_sub(started);
        Decided {
            outcome,
            plugin: plugin.info.name.clone(),
            digest: plugin.info.digest.clone(),
            fuel: used.fuel,
            peak_memory_bytes: used.memory_bytes,
            elapsed_us,
            lookups: traces.lookups,
            log: traces.log,
        }
    }

    /// One strategy call. Panics pass through.
    pub(super) fn ask_strategy(
        &self,
        pre: &StrategyPluginPre<Guest>,
        grants: Grants,
        cx: &CallContext,
        case: &Case,
        lookup: Arc<dyn Lookup>,
    ) -> Asked<Verdict> {
        let _time = self.ticker.running();
        let (limits, ms) = (&cx.limits, cx.limits.timeout_ms);
        let mut store = self.store(limits, cx.now_ms);
        // Only who can ask for randomness pays for a seed.
        let seed = grants.wasi.then(|| Seed::of_case(cx, case));
        let (cx, conflict) = (convert::context(cx), convert::conflict(case));
        let outcome = match pre.instantiate(&mut store) {
            Err(error) => Err(start_failure(&error, store.data(), ms)),
            Ok(instance) => {
                store.data_mut().open(lookup, seed);
                match instance
                    .selaras_plugin_strategy()
                    .call_resolve(&mut store, &cx, &conflict)
                {
                    Err(error) => Err(call_failure(&error, store.data(), ms)),
                    Ok(Err(own)) => Err(convert::own_error(&own, self.limits.reason_bytes)),
                    Ok(Ok(verdict)) => self.verdict(limits, verdict),
                }
            }
        };
        Asked {
            outcome,
            used: used(&store),
            traces: store.data_mut().take_traces(&self.limits, limits),
        }
    }

    pub(super) fn verdict(&self, limits: &CallLimits, verdict: its::Verdict) -> Result<Verdict, Failure> {
        let decision = match verdict.decision {
            its::Decision::KeepLocal => Decision::KeepLocal,
            its::Decision::TakeCloud => Decision::TakeCloud,
            its::Decision::Merge(body) => {
                output::merged(limits, &body)?;
                Decision::Merge(body)
            }
            its::Decision::Delete => Decision::Delete,
            its::Decision::Defer => Decision::Defer,
        };
        Ok(Verdict {
            decision,
            reason: printable(&verdict.reason, self.limits.reason_bytes),
        })
    }
}

/// What one call gave and left.
pub(super) struct Asked<T> {
    pub(super) outcome: Result<T, Failure>,
    pub(super) used: Used,
    pub(super) traces: Traces,
}

impl<T> Asked<T> {
    pub(super) fn nothing(failure: Failure) -> Self {
        Self {
            outcome: Err(failure),
            used: Used::default(),
            traces: Traces::default(),
        }
    }
}

impl Decided {
    /// A decision that could not even be asked for.
    pub(super) fn without(plugin: &str, failure: Failure) -> Self {
        Self {
            outcome: Err(failure),
            plugin: plugin.to_owned(),
            digest: String::new(),
            fuel: 0,
            peak_memory_bytes: 0,
            elapsed_us: 0,
            lookups: Vec::new(),
            log: Vec::new(),
        }
    }
}

/// Runs `call`; a panic in the host's own code becomes a failure of this call alone.
pub(super) fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Failure> {
    // The store and instance of a call that panicked are dropped with it; the rest is atomics and locks.
    catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let said = panic_words(panic.as_ref());
        tracing::error!(said, "a plugin call panicked in the host");
        Failure::trap(format!("the call broke off inside the host: {said}"))
    })
}

/// What was used so far.
pub(super) fn used(store: &Store<Guest>) -> Used {
    let left = store.get_fuel().expect("invariant: the engine measures fuel");
    Used {
        fuel: FULL_TANK - left,
        memory_bytes: store.data().meter.memory_used() as u64,
    }
}

pub(super) fn not_a(kind: Kind, name: &str) -> Failure {
    Failure::missing(format!("the plugin `{name}` is not a {kind}"))
}

/// Why an instance did not start.
pub(super) fn start_failure(error: &wasmtime::Error, guest: &Guest, ms: u64) -> Failure {
    if error.is::<PoolConcurrencyLimitError>() {
        return Failure {
            retryable: true,
            ..Failure::trap("no room for another instance at this moment")
        };
    }
    trap_failure(error, guest, ms)
        .unwrap_or_else(|| Failure::trap(format!("it could not be started: {error:#}{}", because(guest))))
}

/// Why a call gave no answer.
pub(super) fn call_failure(error: &wasmtime::Error, guest: &Guest, ms: u64) -> Failure {
    // What is neither a trap nor ended by the host is an answer that the interface's types do not allow:
    // broken UTF-8, a pointer outside, an unknown case, more bytes than are lifted.
    trap_failure(error, guest, ms)
        .unwrap_or_else(|| Failure::invalid_output(format!("it breaks the interface: {error:#}")))
}

fn trap_failure(error: &wasmtime::Error, guest: &Guest, ms: u64) -> Option<Failure> {
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt) => Some(Failure::timeout(format!("it did not answer within {ms} ms"))),
        Some(trap) => Some(Failure::trap(format!("it trapped: {trap}{}", because(guest)))),
        None => error
            .downcast_ref::<Ended>()
            .map(|Ended(why)| Failure::trap(why.as_str())),
    }
}

/// What it was refused before, which is why it failed.
fn because(guest: &Guest) -> String {
    guest
        .meter
        .refused()
        .map(|refused| format!(" ({refused})"))
        .unwrap_or_default()
}
