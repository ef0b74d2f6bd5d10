//! A batch of documents through a mapper: one instance for all of them, until one of them breaks it.
//!
//! A document that traps or runs out of time takes down the instance, not the batch: it and the rest are asked again
//! one by one, each in a fresh instance, so that exactly the poison document fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use wasmtime::Store;

use super::bindings::mapper::exports::selaras::plugin::mapper as its;
use super::bindings::mapper::{MapperPlugin, MapperPluginPre};
use super::bindings::types;
use super::call::{Asked, Door, Machine, Plugin, call_failure, guarded, not_a, start_failure, used};
use super::convert;
use super::error::Failure;
use super::grants::Grants;
use super::guest::{Guest, Traces};
use super::host::{Called, OnCall};
use super::limits::CallLimits;
use super::output::{self, printable};
use super::shape::Kind;
use super::ticker::ticks;
use super::values::{CallContext, Direction, Document, Level, Lookup, Mapped, Tried};
use super::wasi::Seed;

/// Documents in a row that may run out of time before the rest of the batch is left for later: the thread is needed.
const MAX_TIMEOUTS: usize = 10;

/// An instance that serves document after document.
pub(super) struct Open {
    store: Store<Guest>,
    instance: MapperPlugin,
    served: bool,
}

impl Machine {
    /// Translates `documents`, in order, one result each. Stops early, with retryable failures, once `stopping`.
    pub(super) fn translate(
        &self,
        plugin: &Plugin,
        (direction, cx, documents): (Direction, &CallContext, &[Document]),
        lookup: &Arc<dyn Lookup>,
        stopping: &AtomicBool,
        tell: Option<&OnCall>,
    ) -> Vec<Result<Mapped, Failure>> {
        let Door::Mapper(pre) = &plugin.door else {
            let failure = not_a(Kind::Mapper, &plugin.info.name);
            return documents.iter().map(|_| Err(failure.clone())).collect();
        };
        let (limits, its_cx) = (&cx.limits, convert::context(cx));
        let mut results = Vec::with_capacity(documents.len());
        let mut shared = true;
        let mut open: Option<Open> = None;
        let mut timeouts = 0;
        for document in documents {
            if stopping.load(Ordering::Relaxed) {
                results.push(Err(Failure::shutting_down()));
                continue;
            }
            if timeouts >= MAX_TIMEOUTS {
                results.push(Err(Failure::timeout(
                    "not tried: the documents before it all ran out of time",
                )));
                continue;
            }
            let started = (self.monotonic_us)();
            let asked = Question {
                direction,
                cx: &its_cx,
                limits,
                seed: seed(plugin.info.grants, cx, document),
                document,
                lookup,
            };
            let mut result = self.step(pre, &mut open, &asked, plugin);
            if shared && matches!(&result, (Err(failure), true) if failure.lost_the_instance()) {
                // It may be the fault of a document before it: again, alone, and so for all that follow.
                shared = false;
                result = self.step(pre, &mut open, &asked, plugin);
            }
            if !shared {
                open = None;
            }
            let (outcome, _) = result;
            let timed_out = matches!(&outcome, Err(f) if f.code == super::FailureCode::Timeout);
            timeouts = if timed_out { timeouts + 1 } else { 0 };
            let took_us = (self.monotonic_us)().saturating_sub(started);
            plugin.stats.time(took_us, outcome.is_err());
            if let Some(tell) = tell {
                tell(Called {
                    plugin: &plugin.info.name,
                    call: direction.as_str(),
                    took_us,
                    error: outcome.as_ref().err().map(|failure| failure.code),
                });
            }
            results.push(outcome);
        }
        results
    }

    /// One document through the open instance, or a new one. Says also whether the instance had served others before;
    /// leaves none open when it broke.
    fn step(
        &self,
        pre: &MapperPluginPre<Guest>,
        open: &mut Option<Open>,
        asked: &Question<'_>,
        plugin: &Plugin,
    ) -> (Result<Mapped, Failure>, bool) {
        let had_served = open.as_ref().is_some_and(|open| open.served);
        let answer = guarded(|| {
            let (asked, opened) = self.ask_mapper(pre, open.take(), asked);
            *open = opened;
            asked
        });
        match answer {
            Ok(Asked {
                outcome,
                used,
                traces,
            }) => {
                plugin.stats.use_up(used);
                write_log(&plugin.info.name, traces);
                (outcome, had_served)
            }
            Err(failure) => (Err(failure), had_served),
        }
    }

    /// One mapper call, in `open` or a fresh instance, which comes back if it still works.
    /// Panics pass through.
    pub(super) fn ask_mapper(
        &self,
        pre: &MapperPluginPre<Guest>,
        open: Option<Open>,
        asked: &Question<'_>,
    ) -> (Asked<Mapped>, Option<Open>) {
        let _time = self.ticker.running();
        let (limits, ms) = (asked.limits, asked.limits.timeout_ms);
        let mut open = match open {
            Some(open) => open,
            None => {
                let mut store = self.store(limits, asked.cx.now_ms);
                match pre.instantiate(&mut store) {
                    Ok(instance) => {
                        store.data_mut().open(asked.lookup.clone(), None);
                        Open {
                            store,
                            instance,
                            served: false,
                        }
                    }
                    Err(error) => {
                        let failure = start_failure(&error, store.data(), ms);
                        let traces = store.data_mut().take_traces(&self.limits, limits);
                        return (
                            Asked {
                                outcome: Err(failure),
                                used: used(&store),
                                traces,
                            },
                            None,
                        );
                    }
                }
            }
        };
        let before = if open.served { used(&open.store).fuel } else { 0 };
        open.store.data_mut().ask(asked.seed);
        open.store.set_epoch_deadline(ticks(ms + self.limits.grace_ms));
        let mapper = open.instance.selaras_plugin_mapper();
        let document = convert::document(asked.document);
        let answer = match asked.direction {
            Direction::ToCloud => mapper.call_to_cloud(&mut open.store, asked.cx, &document),
            Direction::ToLocal => mapper.call_to_local(&mut open.store, asked.cx, &document),
        };
        open.served = true;
        let (outcome, alive) = match answer {
            Ok(Ok(outcome)) => (self.mapped(asked, outcome), true),
            Ok(Err(own)) => (Err(convert::own_error(&own, self.limits.reason_bytes)), true),
            // After an answer that could not be lifted the instance may not be entered again either.
            Err(error) => (Err(call_failure(&error, open.store.data(), ms)), false),
        };
        let mut used = used(&open.store);
        used.fuel -= before;
        let traces = open.store.data_mut().take_traces(&self.limits, limits);
        (
            Asked {
                outcome,
                used,
                traces,
            },
            alive.then_some(open),
        )
    }

    /// One document on its own, for a trial: it does not count in what is told of the plugin.
    pub(super) fn try_mapper(
        &self,
        door: &Door,
        grants: Grants,
        direction: Direction,
        cx: &CallContext,
        document: &Document,
        lookup: &Arc<dyn Lookup>,
    ) -> Tried {
        let started = (self.monotonic_us)();
        let asked = match door {
            Door::Mapper(pre) => guarded(|| {
                let question = Question {
                    direction,
                    cx: &convert::context(cx),
                    limits: &cx.limits,
                    seed: seed(grants, cx, document),
                    document,
                    lookup,
                };
                self.ask_mapper(pre, None, &question).0
            })
            .unwrap_or_else(Asked::nothing),
            Door::Strategy(_) => Asked::nothing(Failure::missing("it is not a mapper")),
        };
        Tried {
            outcome: asked.outcome,
            fuel: asked.used.fuel,
            peak_memory_bytes: asked.used.memory_bytes,
            elapsed_us: (self.monotonic_us)().saturating_sub(started),
            log: asked.traces.log,
        }
    }

    fn mapped(&self, asked: &Question<'_>, outcome: its::Outcome) -> Result<Mapped, Failure> {
        match outcome {
            its::Outcome::Put(answer) => {
                output::mapped(asked.limits, asked.direction, asked.document, &answer)?;
                Ok(Mapped::Put(answer.body))
            }
            its::Outcome::Skip(reason) => Ok(Mapped::Skip(printable(&reason, self.limits.reason_bytes))),
        }
    }
}

/// Only who can ask for randomness pays for a seed.
pub(super) fn seed(grants: Grants, cx: &CallContext, document: &Document) -> Option<Seed> {
    grants.wasi.then(|| Seed::of_document(cx, document))
}

/// What a mapper is asked.
pub(super) struct Question<'a> {
    pub(super) direction: Direction,
    pub(super) cx: &'a types::CallContext,
    pub(super) limits: &'a CallLimits,
    pub(super) seed: Option<Seed>,
    pub(super) document: &'a Document,
    pub(super) lookup: &'a Arc<dyn Lookup>,
}

/// A mapper's log lines go to the process's log; a strategy's go with its decision.
fn write_log(plugin: &str, traces: Traces) {
    for (level, line) in traces.log {
        match level {
            Level::Trace => tracing::trace!(target: "plugin", plugin, "{line}"),
            Level::Debug => tracing::debug!(target: "plugin", plugin, "{line}"),
            Level::Info => tracing::info!(target: "plugin", plugin, "{line}"),
            Level::Warn => tracing::warn!(target: "plugin", plugin, "{line}"),
            Level::Error => tracing::error!(target: "plugin", plugin, "{line}"),
        }
    }
}
