//! A cloud in this process, over real sockets: it keeps entities as the contract says, records every request, and
//! misbehaves on command. It knows the wire only; nothing of the runtime's own code for it is used.

mod batch;
mod fault;
mod feed;
mod quota;
mod serve;
mod state;

pub use fault::{Call, Fault};
pub use feed::CHECKPOINT_ZERO;
pub use state::{Entity, State};

use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Which call.
    pub call: Call,
    /// `GET`, `POST`.
    pub method: String,
    /// As sent, escapes and all.
    pub path: String,
    /// As sent, without the `?`.
    pub query: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Recorded {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

/// Whether the cloud knows the contract's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Dedup by change_id, versions checked, opaque checkpoints, pages.
    Extended,
    /// None of it: upserts by id, flat documents in plural arrays, a timestamp for a checkpoint.
    Plain,
}

/// A running cloud. Dropping it stops it, and fails the test if the outlet ever broke the contract.
pub struct ScriptedCloud {
    shared: Arc<Shared>,
    url: String,
    task: JoinHandle<()>,
}

/// What the connections share.
struct Shared {
    kind: Kind,
    state: Mutex<State>,
    script: Mutex<fault::Script>,
    quota: Mutex<quota::Quota>,
    recorded: Mutex<Vec<Recorded>>,
    /// What the outlet sent that the contract does not allow.
    violations: Mutex<Vec<String>>,
    /// False while calls that hang shall go on hanging.
    released: watch::Sender<bool>,
}

impl ScriptedCloud {
    /// A cloud with every extension.
    pub async fn start() -> Self {
        Self::of(Kind::Extended).await
    }

    /// A cloud that knows no extension.
    pub async fn plain() -> Self {
        Self::of(Kind::Plain).await
    }

    async fn of(kind: Kind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound address"));
        let shared = Arc::new(Shared {
            kind,
            state: Mutex::default(),
            script: Mutex::default(),
            quota: Mutex::default(),
            recorded: Mutex::default(),
            violations: Mutex::default(),
            released: watch::Sender::new(false),
        });
        let task = tokio::spawn(serve::accept(listener, Arc::clone(&shared)));
        Self { shared, url, task }
    }

    /// Its base address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it holds. Do not keep it over an `.await`.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared
            .state
            .lock()
            .expect("no test panics while it holds the state")
    }

    /// What it does with the next such call that no earlier fault is waiting for.
    pub fn next(&self, call: Call, fault: Fault) {
        self.script().queue(call, fault);
    }

    /// What it does with every such call until [`Self::behave`].
    pub fn always(&self, call: Call, fault: Fault) {
        self.script().standing(call, fault);
    }

    /// Drops every connection without a word until [`Self::behave`].
    pub fn go_down(&self) {
        for call in Call::ALL {
            self.always(call, Fault::DropBefore);
        }
    }

    /// Answers more than so many requests in any minute with 429, from now on.
    pub fn allow(&self, requests: usize) {
        *self.quota() = quota::Quota::of(requests);
    }

    /// How many requests were over what is allowed.
    pub fn refusals(&self) -> usize {
        self.quota().refusals()
    }

    /// Ends every fault, also those that are queued.
    pub fn behave(&self) {
        *self.script() = fault::Script::default();
    }

    /// Lets calls that hang go on.
    pub fn release(&self) {
        self.shared.released.send_replace(true);
    }

    /// How many faults are still queued.
    pub fn faults_left(&self) -> usize {
        self.script().queued()
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Recorded> {
        self.recorded().clone()
    }

    /// The requests of one call.
    pub fn calls(&self, call: Call) -> Vec<Recorded> {
        self.requests().into_iter().filter(|r| r.call == call).collect()
    }

    /// How many requests of one call came since the start, or since they were forgotten.
    pub fn count(&self, call: Call) -> usize {
        let recorded = self.recorded();
        recorded.iter().filter(|r| r.call == call).count()
    }

    /// Lets go of the requests so far.
    pub fn forget_requests(&self) {
        self.recorded().clear();
    }

    fn recorded(&self) -> MutexGuard<'_, Vec<Recorded>> {
        self.shared
            .recorded
            .lock()
            .expect("no test panics while it holds the records")
    }

    fn quota(&self) -> MutexGuard<'_, quota::Quota> {
        self.shared
            .quota
            .lock()
            .expect("no test panics while it holds the quota")
    }

    fn script(&self) -> MutexGuard<'_, fault::Script> {
        self.shared
            .script
            .lock()
            .expect("no test panics while it holds the script")
    }
}

impl Drop for ScriptedCloud {
    fn drop(&mut self) {
        self.task.abort();
        if let Ok(violations) = self.shared.violations.lock()
            && !std::thread::panicking()
        {
            assert!(
                violations.is_empty(),
                "the outlet broke the contract: {violations:#?}"
            );
        }
    }
}
