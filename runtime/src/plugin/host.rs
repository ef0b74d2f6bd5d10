//! The handle that the rest of the runtime holds: load, list, call.
//!
//! Calls are async and go to the plugin threads. Loading is synchronous and takes milliseconds to compile; an async
//! caller brings it to a blocking thread.

mod calls;

use crate::secret::Secret;
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};
use selaras_core::health::Rule;
use tokio::sync::mpsc;

use super::cache::Cache;
use super::call::{Machine, Plugin, guarded};
use super::compile::Compiling;
use super::engine;
use super::error::{FailureCode, HostError, Refusal, RefusalCode};
use super::gate::{Entrant, Gate, PluginInfo};
use super::grants::Grants;
use super::life::{EVENTS, PluginEvent};
use super::limits::Limits;
use super::registry::{PluginState, PluginStatus, Registry, Source};
use super::shape::Kind;
use super::threads::Threads;
use super::ticker::Ticker;

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
    pub cache_key: Secret<[u8; 32]>,
    /// Threads that calls run on, at most 64. 0: each call runs to its end where it is made, as a simulation wants it,
    /// whose time stands still meanwhile.
    pub threads: usize,
    /// Limits of every plugin.
    pub limits: Limits,
    /// Where components of others are compiled. The binary's own are compiled in this process.
    pub compiling: Compiling,
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
    /// What it may have beyond what every plugin gets.
    pub grants: Grants,
}

impl Candidate {
    fn at_the_gate(&self) -> Entrant<'_> {
        Entrant {
            bytes: &self.bytes,
            name: self.name.as_deref(),
            grants: self.grants,
            ours: self.source == Source::Embedded,
        }
    }
}

/// The plugin host. Clones share everything.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

pub(super) struct Inner {
    pub(super) machine: Arc<Machine>,
    gate: Gate,
    /// Held while loading, so that instances at the gate never take the slots of calls.
    turn: Mutex<()>,
    pub(super) registry: Registry,
    /// None: calls run where they are made.
    pub(super) threads: Option<Threads>,
    pub(super) stopping: Arc<AtomicBool>,
    pub(super) on_call: OnceLock<OnCall>,
    /// When a plugin's failures are too many.
    pub(super) rule: RwLock<Rule>,
    pub(super) tell: mpsc::Sender<PluginEvent>,
    pub(super) events: Mutex<Option<mpsc::Receiver<PluginEvent>>>,
}

/// A call of a plugin that counts, as it ended: a mapper's for each document.
#[derive(Debug, Clone, Copy)]
pub struct Called<'a> {
    /// The plugin.
    pub plugin: &'a str,
    /// `resolve`, `to_cloud` or `to_local`.
    pub call: &'static str,
    /// With its instance, in microseconds.
    pub took_us: u64,
    /// Why it gave nothing that can be used.
    pub error: Option<FailureCode>,
}

/// Told of calls, on the threads that make them, so it must be quick.
pub type OnCall = Arc<dyn Fn(Called<'_>) + Send + Sync>;

/// Until it is told otherwise, the host judges nobody.
const NO_RULE: Rule = Rule {
    percent: 0,
    window: 0,
};

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
            compiling,
            monotonic_us,
        } = config;
        let threads = threads.min(MAX_THREADS);
        let callers = if threads == 0 { MAX_CALLERS } else { threads };
        let slots = u32::try_from(callers + GATES).unwrap_or(u32::MAX);
        let engine = engine::start(slots)?;
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
        let gate = Gate::new(&machine, cache, compiling).map_err(HostError::Link)?;
        let (tell, events) = mpsc::channel(EVENTS);
        Ok(Self(Arc::new(Inner {
            machine,
            gate,
            turn: Mutex::new(()),
            registry: Registry::default(),
            threads: (threads > 0).then(|| Threads::start(threads)).transpose()?,
            stopping: Arc::default(),
            on_call: OnceLock::new(),
            rule: RwLock::new(NO_RULE),
            tell,
            events: Mutex::new(Some(events)),
        })))
    }

    /// Has `tell` told of every call from now on. The first one stays.
    pub fn observe(&self, tell: OnCall) {
        // A second one is a mistake that costs figures and nothing else.
        let _ = self.0.on_call.set(tell);
    }

    /// Takes a component through the gate and registers it. Blocks for as long as compiling takes.
    ///
    /// # Errors
    ///
    /// Says what is wrong with it; the list shows it as refused.
    pub fn load(&self, bytes: &[u8], name: Option<&str>, source: Source) -> Result<PluginInfo, Refusal> {
        let entrant = Entrant {
            bytes,
            name,
            grants: Grants::default(),
            ours: source == Source::Embedded,
        };
        self.register(self.admit(entrant), name, source)
    }

    /// Loads several, two at a time; registers them in their order, so that the first of a name keeps it.
    /// One answer each. Blocks.
    pub fn load_all(&self, candidates: &[Candidate]) -> Vec<Result<PluginInfo, Refusal>> {
        let admit = |c: &Candidate| self.0.gate.admit(&self.0.machine, c.at_the_gate());
        let admitted = self.at_the_gate(candidates, admit);
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
    pub fn check(&self, bytes: &[u8], grants: Grants) -> Result<PluginInfo, Refusal> {
        let entrant = Entrant {
            bytes,
            name: None,
            grants,
            ours: false,
        };
        self.admit(entrant).map(|plugin| plugin.info)
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.0
    }

    /// One component through the gate.
    pub(super) fn admit(&self, entrant: Entrant<'_>) -> Result<Plugin, Refusal> {
        let admit = |entrant: &Entrant<'_>| self.0.gate.admit(&self.0.machine, *entrant);
        let mut answers = self.at_the_gate(&[entrant], admit);
        answers.pop().expect("invariant: one answer each")
    }

    /// The same by its digest and the compiled code that is kept. None: there is none.
    pub(super) fn recall_one(
        &self,
        digest: &[u8; 32],
        name: &str,
        grants: Grants,
    ) -> Option<Result<Plugin, Refusal>> {
        let recalled = Mutex::new(false);
        let admit = |digest: &&[u8; 32]| {
            let plugin = self.0.gate.recall(&self.0.machine, digest, name, grants);
            *recalled.lock() = plugin.is_some();
            plugin.unwrap_or_else(|| Err(internal("its compiled code is not kept")))
        };
        let answer = self.at_the_gate(&[digest], admit).pop();
        answer.filter(|_| *recalled.lock())
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
    fn at_the_gate<T: Sync>(
        &self,
        asked: &[T],
        admit: impl Fn(&T) -> Result<Plugin, Refusal> + Sync,
    ) -> Vec<Result<Plugin, Refusal>> {
        let _turn = self.0.turn.lock();
        let next = AtomicUsize::new(0);
        let answers: Vec<_> = asked.iter().map(|_| Mutex::new(None)).collect();
        let pass = || {
            while let Some((n, asked)) = {
                let n = next.fetch_add(1, Ordering::Relaxed);
                asked.get(n).map(|asked| (n, asked))
            } {
                let admitted = guarded(|| admit(asked));
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

    /// What has this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<PluginStatus> {
        self.0.registry.get(name)
    }

    /// The kind of the active plugin of this name.
    #[must_use]
    pub fn kind_of(&self, name: &str) -> Option<Kind> {
        match self.0.registry.get(name)?.state {
            PluginState::Active(info) => Some(info.kind),
            PluginState::Suspended(..) | PluginState::Refused(_) => None,
        }
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
}

fn internal(message: &str) -> Refusal {
    Refusal::new(RefusalCode::Internal, message)
}
