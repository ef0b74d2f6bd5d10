//! Calls for those who try a plugin out: they tell what each cost, and count in nothing that is told of the plugin.
//!
//! The same limits and checks as everywhere; only what comes back is more.

use std::sync::Arc;

use super::bindings::strategy::StrategyPluginPre;
use super::call::{Asked, Door, Machine, Plugin, call_failure, guarded, not_a, start_failure, used};
use super::convert;
use super::error::Failure;
use super::grants::Grants;
use super::guest::Guest;
use super::host::Host;
use super::map::{Question, seed};
use super::shape::Kind;
use super::ticker::ticks;
use super::values::{CallContext, Case, Direction, Document, Level, Lookup, LookupAnswer, Mapped, Verdict};
use super::wasi::Seed;

/// What one call gave and cost.
#[derive(Debug, Clone)]
pub struct Trial<T> {
    /// The answer, or why there is none.
    pub outcome: Result<T, Failure>,
    /// Fuel used, about one a WebAssembly instruction.
    pub fuel: u64,
    /// Wall time, with the start of the instance if it was started for this call.
    pub elapsed_us: u64,
    /// Bytes of the instance's memories after the call. They never shrink, so this is also their peak.
    pub memory_bytes: u64,
    /// Every read of the outlet's records, in order.
    pub lookups: Vec<LookupAnswer>,
    /// What it logged, cut to the limits.
    pub log: Vec<(Level, String)>,
}

/// Which instance answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instances {
    /// A new one each time, as an outlet asks a strategy.
    Fresh,
    /// One for all, as an outlet asks a mapper about a batch. After a trap the next call gets a new one.
    Shared,
}

impl<T> Trial<T> {
    /// A call that could not even be made.
    pub(super) fn without(failure: Failure) -> Self {
        Self::of(Asked::nothing(failure), 0)
    }

    fn of(asked: Asked<T>, elapsed_us: u64) -> Self {
        Self {
            outcome: asked.outcome,
            fuel: asked.used.fuel,
            elapsed_us,
            memory_bytes: asked.used.memory_bytes,
            lookups: asked.traces.lookups,
            log: asked.traces.log,
        }
    }
}

impl Host {
    /// Asks a strategy about several conflicts. One answer each, in order.
    pub async fn try_strategy(
        &self,
        name: &str,
        cx: CallContext,
        cases: Vec<Case>,
        lookup: Arc<dyn Lookup>,
        instances: Instances,
    ) -> Vec<Trial<Verdict>> {
        let count = cases.len();
        let all = |failure: Failure| vec![Trial::without(failure); count];
        match self.inner().registry.find(name) {
            Err(failure) => all(failure),
            Ok(found) => {
                let machine = self.inner().machine.clone();
                let ask = move || machine.try_cases(&found.plugin, &cx, &cases, &lookup, instances);
                self.on_a_thread(ask).await.unwrap_or_else(all)
            }
        }
    }

    /// Has a mapper translate several documents. One answer each, in order.
    pub async fn try_mapper(
        &self,
        name: &str,
        direction: Direction,
        cx: CallContext,
        documents: Vec<Document>,
        lookup: Arc<dyn Lookup>,
        instances: Instances,
    ) -> Vec<Trial<Mapped>> {
        let count = documents.len();
        let all = |failure: Failure| vec![Trial::without(failure); count];
        match self.inner().registry.find(name) {
            Err(failure) => all(failure),
            Ok(found) => {
                let machine = self.inner().machine.clone();
                let ask = move || {
                    machine.try_documents(&found.plugin, direction, &cx, &documents, &lookup, instances)
                };
                self.on_a_thread(ask).await.unwrap_or_else(all)
            }
        }
    }
}

impl Machine {
    /// Asks about each case, in order.
    fn try_cases(
        &self,
        plugin: &Plugin,
        cx: &CallContext,
        cases: &[Case],
        lookup: &Arc<dyn Lookup>,
        instances: Instances,
    ) -> Vec<Trial<Verdict>> {
        let Door::Strategy(pre) = &plugin.door else {
            let failure = not_a(Kind::Strategy, &plugin.info.name);
            return vec![Trial::without(failure); cases.len()];
        };
        if instances == Instances::Shared {
            return guarded(|| self.ask_together(pre, plugin.info.grants, cx, cases, lookup))
                .unwrap_or_else(|failure| vec![Trial::without(failure); cases.len()]);
        }
        let grants = plugin.info.grants;
        let one =
            |case: &Case| self.timed(|| guarded(|| self.ask_strategy(pre, grants, cx, case, lookup.clone())));
        cases.iter().map(one).collect()
    }

    /// Translates each document, in order.
    fn try_documents(
        &self,
        plugin: &Plugin,
        direction: Direction,
        cx: &CallContext,
        documents: &[Document],
        lookup: &Arc<dyn Lookup>,
        instances: Instances,
    ) -> Vec<Trial<Mapped>> {
        let Door::Mapper(pre) = &plugin.door else {
            let failure = not_a(Kind::Mapper, &plugin.info.name);
            return vec![Trial::without(failure); documents.len()];
        };
        let its_cx = convert::context(cx);
        let mut open = None;
        let one = |document: &Document| {
            let asked = Question {
                direction,
                cx: &its_cx,
                limits: &cx.limits,
                seed: seed(plugin.info.grants, cx, document),
                document,
                lookup,
            };
            self.timed(|| {
                guarded(|| {
                    let (answer, still) = self.ask_mapper(pre, open.take(), &asked);
                    open = still.filter(|_| instances == Instances::Shared);
                    answer
                })
            })
        };
        documents.iter().map(one).collect()
    }

    fn timed<T>(&self, call: impl FnOnce() -> Result<Asked<T>, Failure>) -> Trial<T> {
        let started = (self.monotonic_us)();
        let asked = call().unwrap_or_else(Asked::nothing);
        Trial::of(asked, (self.monotonic_us)().saturating_sub(started))
    }

    /// Several conflicts in one instance, which no outlet does: a plugin that remembers answers differently here.
    /// Panics pass through.
    fn ask_together(
        &self,
        pre: &StrategyPluginPre<Guest>,
        grants: Grants,
        cx: &CallContext,
        cases: &[Case],
        lookup: &Arc<dyn Lookup>,
    ) -> Vec<Trial<Verdict>> {
        let _time = self.ticker.running();
        let (its_cx, limits, ms) = (convert::context(cx), &cx.limits, cx.limits.timeout_ms);
        let mut open = None;
        let mut one = |case: &Case| {
            let (mut store, instance) = match open.take() {
                Some(open) => open,
                None => {
                    let mut store = self.store(limits, cx.now_ms);
                    match pre.instantiate(&mut store) {
                        Ok(instance) => {
                            store.data_mut().open(lookup.clone(), None);
                            (store, instance)
                        }
                        Err(error) => return Asked::nothing(start_failure(&error, store.data(), ms)),
                    }
                }
            };
            let before = used(&store).fuel;
            store.data_mut().ask(grants.wasi.then(|| Seed::of_case(cx, case)));
            store.set_epoch_deadline(ticks(ms + self.limits.grace_ms));
            let conflict = convert::conflict(case);
            let called = instance
                .selaras_plugin_strategy()
                .call_resolve(&mut store, &its_cx, &conflict);
            let (outcome, alive) = match called {
                Ok(Ok(verdict)) => (self.verdict(limits, verdict), true),
                Ok(Err(own)) => (Err(convert::own_error(&own, self.limits.reason_bytes)), true),
                Err(error) => (Err(call_failure(&error, store.data(), ms)), false),
            };
            let mut used = used(&store);
            used.fuel -= before;
            let traces = store.data_mut().take_traces(&self.limits, limits);
            open = alive.then_some((store, instance));
            Asked {
                outcome,
                used,
                traces,
            }
        };
        cases.iter().map(|case| self.timed(|| Ok(one(case)))).collect()
    }
}
