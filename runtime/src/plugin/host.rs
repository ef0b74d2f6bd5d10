//! The handle that the rest of the runtime holds: load, list, call.
//!
//! Calls are async and go to the plugin threads. Loading is synchronous and takes milliseconds to compile; an async
//! caller brings it to a blocking thread.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::cache::Cache;
use super::call::{Machine, Plugin, guarded};
use super::engine;
use super::error::{Failure, HostError, Refusal, RefusalCode};
use super::gate::{self, Gate, PluginInfo};
use super::limits::Limits;
use super::registry::{PluginStatus, Registry, Source};
use super::shape::Kind;
use super::threads::Threads;
use super::ticker::Ticker;
use super::values::{CallContext, Case, Decided, Direction, Document, Lookup, Mapped};

/// Components that pass the gate at the same time: an outlet box has two cores.
const GATES: usize = 2;

/// Room for the compiler, whose recursion follows the component's nesting.
const GATE_STACK: usize = 8 << 20;

/// Each thread may hold an instance, and each instance takes 32 GiB of address space.
const MAX_THREADS: usize = 64;

/// Calls at a time where they run on their callers' threads.
const MAX_CALLERS: usize = 16;

/// What the host needs to know.
#[derive(Clone)]
pub struct HostConfig {
    /// Where compiled code is kept; `None` compiles at each start.
    pub cache_dir: Option<PathBuf>,
    /// Key of the cache's MAC. Secret, and the same over restarts.
    pub cache_key: [u8; 32],
    /// Threads that calls run on, at most 64. 0: each call runs to its end where it is made, as a simulation wants it,
    /// whose time stands still meanwhile.
    pub threads: usize,
    /// Limits of every plugin.
    pub limits: Limits,
    /// A monotonic clock in microseconds, from any start.
    pub monotonic_us: fn() -> u64,
}

/// A component to be loaded.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The component's bytes.
    pub bytes: Cow<'static, [u8]>,
    /// The name to give it; `None`: what it says of itself.
    pub name: Option<String>,
    /// Where it comes from.
    pub source: Source,
}

/// The plugin host. Clones share everything.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    machine: Arc<Machine>,
    gate: Gate,
    /// Held while loading, so that instances at the gate never take the slots of calls.
    turn: Mutex<()>,
    registry: Registry,
    /// None: calls run where they are made.
    threads: Option<Threads>,
    stopping: Arc<AtomicBool>,
}

impl Host {
    /// Sets up the engine, the threads and the cache. A cache that cannot be had is logged and done without.
    ///
    /// # Errors
    ///
    /// When WebAssembly cannot run here at all.
    pub fn start(config: HostConfig) -> Result<Self, HostError> {
        let HostConfig {
            cache_dir,
            cache_key,
            threads,
            limits,
            monotonic_us,
        } = config;
        let threads = threads.min(MAX_THREADS);
        let callers = if threads == 0 { MAX_CALLERS } else { threads };
        let slots = u32::try_from(callers + GATES).unwrap_or(u32::MAX);
        let engine = engine::start(slots, &limits)?;
        let cache = cache_dir.and_then(|dir| {
            Cache::open(&dir, cache_key, engine::compatibility(&engine))
                .inspect_err(
                    |error| tracing::warn!(dir = %dir.display(), %error, "no cache for compiled plugins"),
                )
                .ok()
        });
        let ticker = Ticker::start(engine.clone()).map_err(HostError::Thread)?;
        let machine = Arc::new(Machine {
            engine,
            limits,
            ticker,
            monotonic_us,
        });
        let gate = Gate::new(&machine, cache).map_err(HostError::Link)?;
        Ok(Self(Arc::new(Inner {
            machine,
            gate,
            turn: Mutex::new(()),
            registry: Registry::default(),
            threads: (threads > 0).then(|| Threads::start(threads)).transpose()?,
            stopping: Arc::default(),
        })))
    }

    /// Takes a component through the gate and registers it. Blocks for as long as compiling takes.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it; the list shows it as refused.
    pub fn load(&self, bytes: &[u8], name: Option<&str>, source: Source) -> Result<PluginInfo, Refusal> {
        let admitted = self
            .at_the_gate(&[(bytes, name)])
            .pop()
            .expect("invariant: one answer each");
        self.register(admitted, name, source)
    }

    /// Loads several, two at a time; registers them in their order, so that the first of a name keeps it.
    /// One answer each. Blocks.
    pub fn load_all(&self, candidates: &[Candidate]) -> Vec<Result<PluginInfo, Refusal>> {
        let asked: Vec<_> = candidates
            .iter()
            .map(|c| (c.bytes.as_ref(), c.name.as_deref()))
            .collect();
        let admitted = self.at_the_gate(&asked);
        let pairs = admitted.into_iter().zip(candidates);
        pairs
            .map(|(result, c)| self.register(result, c.name.as_deref(), c.source.clone()))
            .collect()
    }

    /// Would this component be accepted? The whole gate, without registering. Blocks.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it.
    pub fn check(&self, bytes: &[u8]) -> Result<PluginInfo, Refusal> {
        let admitted = self
            .at_the_gate(&[(bytes, None)])
            .pop()
            .expect("invariant: one answer each");
        admitted.map(|plugin| plugin.info)
    }

    fn register(
        &self,
        admitted: Result<Plugin, Refusal>,
        name: Option<&str>,
        source: Source,
    ) -> Result<PluginInfo, Refusal> {
        let registered = admitted.and_then(|plugin| self.0.registry.register(plugin, source.clone()));
        if let Err(refusal) = &registered {
            self.0.registry.refuse(name, source, refusal);
        }
        registered
    }

    /// Runs the gate on threads of its own: the compiler wants stack, and a panic must not travel.
    fn at_the_gate(&self, asked: &[(&[u8], Option<&str>)]) -> Vec<Result<Plugin, Refusal>> {
        let _turn = self.0.turn.lock();
        let next = AtomicUsize::new(0);
        let answers: Vec<_> = asked.iter().map(|_| Mutex::new(None)).collect();
        let pass = || {
            while let Some((n, (bytes, name))) = {
                let n = next.fetch_add(1, Ordering::Relaxed);
                asked.get(n).map(|asked| (n, asked))
            } {
                let admitted = guarded(|| self.0.gate.admit(&self.0.machine, bytes, *name));
                *answers[n].lock() = Some(admitted.unwrap_or_else(|failure| Err(internal(&failure.message))));
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..GATES.min(asked.len()) {
                let builder = std::thread::Builder::new()
                    .name("plugin-gate".into())
                    .stack_size(GATE_STACK);
                if let Err(error) = builder.spawn_scoped(scope, pass) {
                    tracing::error!(%error, "no thread to load plugins on");
                }
            }
        });
        let unanswered = || Err(internal("there is no thread to load it on"));
        answers
            .into_iter()
            .map(|answer| answer.into_inner().unwrap_or_else(unanswered))
            .collect()
    }

    /// Every plugin: the active ones by name, then the refused.
    #[must_use]
    pub fn list(&self) -> Vec<PluginStatus> {
        self.0.registry.list()
    }

    /// The active plugin of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<PluginStatus> {
        self.0.registry.get(name)
    }

    /// The kind of the active plugin of this name.
    #[must_use]
    pub fn kind_of(&self, name: &str) -> Option<Kind> {
        self.0.registry.find(name).map(|plugin| plugin.door.kind())
    }

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
        let Some(plugin) = self.0.registry.find(name) else {
            return all(no_plugin(name));
        };
        let (machine, stopping) = (self.0.machine.clone(), self.0.stopping.clone());
        let decide = move || {
            let one = |case: &Case| {
                if stopping.load(Ordering::Relaxed) {
                    return Decided::without(&plugin.info.name, Failure::shutting_down());
                }
                machine.decide(&plugin, &cx, case, &lookup)
            };
            cases.iter().map(one).collect()
        };
        self.on_a_thread(decide).await.unwrap_or_else(all)
    }

    /// Asks a strategy like [`Host::resolve`], for a trial: the call does not count in what is told of the plugin.
    pub async fn rehearse(
        &self,
        name: &str,
        cx: CallContext,
        case: Case,
        lookup: Arc<dyn Lookup>,
    ) -> Decided {
        let Some(plugin) = self.0.registry.find(name) else {
            return Decided::without(name, no_plugin(name));
        };
        let machine = self.0.machine.clone();
        let ask = move || machine.rehearse(&plugin, &cx, &case, &lookup);
        self.on_a_thread(ask)
            .await
            .unwrap_or_else(|failure| Decided::without(name, failure))
    }

    /// What a plugin says of settings that it cannot use, asked on a sample. None: nothing, or there is no such plugin.
    pub async fn settings_problem(&self, name: &str, settings: Arc<str>) -> Option<Failure> {
        let plugin = self.0.registry.find(name)?;
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
        let Some(plugin) = self.0.registry.find(name) else {
            return all(no_plugin(name));
        };
        let (machine, stopping) = (self.0.machine.clone(), self.0.stopping.clone());
        let translate = move || machine.translate(&plugin, direction, &cx, &documents, &lookup, &stopping);
        self.on_a_thread(translate).await.unwrap_or_else(all)
    }

    /// Takes no more calls, lets each running one end, and stops the threads. Blocks for at most one call's limit
    /// a thread; queued documents come back as retryable failures.
    pub fn shutdown(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
        if let Some(threads) = &self.0.threads {
            threads.stop();
        }
        self.0.machine.ticker.stop();
    }

    /// The ticker sleeps.
    #[cfg(test)]
    pub(super) fn time_stands_still(&self) -> bool {
        self.0.machine.ticker.is_asleep()
    }

    /// The active plugin of this name, and what its calls run on.
    pub(super) fn found(&self, name: &str) -> Result<(Arc<Plugin>, Arc<Machine>), Failure> {
        let plugin = self.0.registry.find(name).ok_or_else(|| no_plugin(name))?;
        Ok((plugin, self.0.machine.clone()))
    }

    pub(super) async fn on_a_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let Some(threads) = &self.0.threads else {
            return guarded(work);
        };
        let (done, answer) = oneshot::channel();
        let job = move || {
            // Nobody waits any more when the caller was cancelled.
            let _ = done.send(work());
        };
        threads.run(job).await.map_err(|_| Failure::shutting_down())?;
        answer
            .await
            .map_err(|_| Failure::trap("the call broke off inside the host"))
    }
}

fn no_plugin(name: &str) -> Failure {
    Failure::missing(format!("there is no plugin `{name}`"))
}

fn internal(message: &str) -> Refusal {
    Refusal::new(RefusalCode::Internal, message)
}
