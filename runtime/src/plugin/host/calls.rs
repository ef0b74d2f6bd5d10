//! Calls of registered plugins, each brought to a plugin thread.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::super::call::guarded;
use super::super::error::Failure;
use super::super::gate;
use super::super::registry::Found;
use super::super::shadow::{Asked, Remembering, Said};
use super::super::values::{CallContext, Case, Decided, Direction, Document, Lookup, Mapped};
use super::super::watch::judged;
use super::{Called, Host};

impl Host {
    /// Asks a strategy to decide a conflict, in a fresh instance. Whatever happens is in the answer.
    ///
    /// Cancel-safe: a dropped call still ends within its time limit, its answer is dropped.
    pub async fn resolve(&self, name: &str, cx: CallContext, case: Case, lookup: Arc<dyn Lookup>) -> Decided {
        let mut decided = self.resolve_many(name, cx, vec![case], lookup).await;
        decided.pop().expect("invariant: one answer each")
    }

    /// Asks a strategy about several conflicts, in order, each in a fresh instance, on one thread. One answer each.
    pub async fn resolve_many(
        &self,
        name: &str,
        cx: CallContext,
        cases: Vec<Case>,
        lookup: Arc<dyn Lookup>,
    ) -> Vec<Decided> {
        let count = cases.len();
        let all = |failure: Failure| vec![Decided::without(name, failure); count];
        let found = match self.0.registry.find(name) {
            Ok(found) => found,
            Err(failure) => return all(failure),
        };
        let (plugin, machine, stopping) = (
            found.plugin.clone(),
            self.0.machine.clone(),
            self.0.stopping.clone(),
        );
        let lookup = beside(&found, lookup);
        let again = found
            .shadow
            .is_some()
            .then(|| (cx.clone(), cases.clone(), lookup.clone()));
        let tell = self.0.on_call.get().cloned();
        let decide = move || {
            let one = |case: &Case| {
                if stopping.load(Ordering::Relaxed) {
                    return Decided::without(&plugin.info.name, Failure::shutting_down());
                }
                let decided = machine.decide(&plugin, &cx, case, &lookup);
                if let Some(tell) = &tell {
                    tell(Called {
                        plugin: &decided.plugin,
                        call: "resolve",
                        took_us: decided.elapsed_us,
                        error: decided.outcome.as_ref().err().map(|failure| failure.code),
                    });
                }
                decided
            };
            cases.iter().map(one).collect()
        };
        let decided = self.on_a_thread(decide).await.unwrap_or_else(all);
        self.0
            .watch(&found, decided.iter().filter_map(|one| judged(&one.outcome)));
        if let Some((cx, cases, lookup)) = again {
            let said = decided.iter().map(Said::of_case);
            let asked = Asked::Cases(cases.into_iter().zip(said).collect());
            self.compare(&found, cx, lookup, asked);
        }
        decided
    }

    /// Asks a strategy like [`Host::resolve`], for a trial: the call does not count in what is told of the plugin.
    pub async fn rehearse(
        &self,
        name: &str,
        cx: CallContext,
        case: Case,
        lookup: Arc<dyn Lookup>,
    ) -> Decided {
        let plugin = match self.0.registry.find(name) {
            Ok(found) => found.plugin,
            Err(failure) => return Decided::without(name, failure),
        };
        let machine = self.0.machine.clone();
        let ask = move || machine.rehearse(&plugin, &cx, &case, &lookup);
        self.on_a_thread(ask)
            .await
            .unwrap_or_else(|failure| Decided::without(name, failure))
    }

    /// What a plugin says of settings that it cannot use, asked on a sample. None: nothing, or there is no such plugin.
    pub async fn settings_problem(&self, name: &str, settings: Arc<str>) -> Option<Failure> {
        let plugin = self.0.registry.find(name).ok()?.plugin;
        let machine = self.0.machine.clone();
        let ask = move || gate::settings_problem(&machine, &plugin, &settings);
        self.on_a_thread(ask).await.ok().flatten()
    }

    /// Translates a batch with a mapper. One result each, in order; a document that breaks the mapper fails alone.
    ///
    /// Cancel-safe like [`Host::resolve`].
    pub async fn map(
        &self,
        name: &str,
        direction: Direction,
        cx: CallContext,
        documents: Vec<Document>,
        lookup: Arc<dyn Lookup>,
    ) -> Vec<Result<Mapped, Failure>> {
        let count = documents.len();
        let all = |failure: Failure| vec![Err(failure); count];
        let found = match self.0.registry.find(name) {
            Ok(found) => found,
            Err(failure) => return all(failure),
        };
        let (plugin, machine, stopping) = (
            found.plugin.clone(),
            self.0.machine.clone(),
            self.0.stopping.clone(),
        );
        let lookup = beside(&found, lookup);
        let again = found
            .shadow
            .is_some()
            .then(|| (cx.clone(), documents.clone(), lookup.clone()));
        let tell = self.0.on_call.get().cloned();
        let translate = move || {
            let asked = (direction, &cx, &*documents);
            machine.translate(&plugin, asked, &lookup, &stopping, tell.as_ref())
        };
        let mapped = self.on_a_thread(translate).await.unwrap_or_else(all);
        self.0.watch(&found, mapped.iter().filter_map(judged));
        if let Some((cx, documents, lookup)) = again {
            let said = mapped.iter().map(Said::of_document);
            let asked = Asked::Documents(direction, documents.into_iter().zip(said).collect());
            self.compare(&found, cx, lookup, asked);
        }
        mapped
    }

    pub(in crate::plugin) async fn on_a_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let Some(threads) = &self.0.threads else {
            return guarded(work);
        };
        let (done, answer) = oneshot::channel();
        let span = tracing::Span::current();
        let job = move |busy| {
            // What is logged of it belongs to what it was asked for.
            let given = span.in_scope(work);
            drop(busy);
            // Nobody waits any more when the caller was cancelled.
            let _ = done.send(given);
        };
        threads.run(job).await.map_err(|_| Failure::shutting_down())?;
        answer
            .await
            .map_err(|_| Failure::trap("the call broke off inside the host"))
    }
}

/// The look-ups of a call that is made again beside it.
fn beside(found: &Found, lookup: Arc<dyn Lookup>) -> Arc<dyn Lookup> {
    match found.shadow {
        Some(_) => Arc::new(Remembering::new(lookup)),
        None => lookup,
    }
}
