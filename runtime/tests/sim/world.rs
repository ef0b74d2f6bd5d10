//! A run: outlets, lines and a cloud, and the steps of a plan played upon them; then all faults end, and everything
//! must come to rest. What must hold is in `promises`.

use crate::cloud::Cloud;
use crate::hooks;
use crate::line::{Net, Weather};
use crate::outlet::{Outlet, everything};
use crate::plan::{Event, Plan, Step, TYPES};
use crate::promises::{self, Broken};
use crate::time::{OutletClock, WorldTime};
use crate::trace::Trace;
use selaras::engine::api::{Actor, QueueFilter, ResolveRequest};
use selaras_core::resync::Scope;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Everything there is.
pub struct World {
    pub plan: Plan,
    pub time: WorldTime,
    pub trace: Arc<Trace>,
    pub net: Arc<Net>,
    pub outlets: Vec<Outlet>,
    /// When the power comes back at each outlet, while it is dark.
    dark_until: Vec<Option<i64>>,
    /// How long it will be dark after a cut to come.
    dark_for: Vec<u64>,
    hooks: hooks::Post,
    /// How far each outlet's disk was written when it was looked at last.
    looked_at: Vec<(u64, u64)>,
}

/// No longer without a look at what must hold at any time.
const LONGEST_LOOK_MS: i64 = 300_000;

/// What a run came to.
pub struct Outcome {
    pub trace: Arc<Trace>,
    pub broken: Option<Broken>,
}

/// Plays a plan, on a runtime of its own.
pub fn play(plan: &Plan, keep_trace: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let trace = Arc::new(Trace::new(keep_trace));
    let broken = runtime.block_on(async {
        let mut world = World::new(plan.clone(), trace.clone());
        world.run().await.err()
    });
    // Tasks of the dead are dropped here.
    drop(runtime);
    Outcome { trace, broken }
}

impl World {
    fn new(plan: Plan, trace: Arc<Trace>) -> Self {
        let time = WorldTime::start();
        let cloud = Cloud::new(plan.manner.clone(), time, trace.clone());
        let net = Arc::new(Net {
            seed: plan.seed,
            time,
            trace: trace.clone(),
            cloud: Arc::new(Mutex::new(cloud)),
            lines: Mutex::new(vec![(0, Weather::default()); plan.outlets()]),
        });
        let outlets: Vec<Outlet> = (0..plan.outlets())
            .map(|n| {
                let clock = OutletClock::new(time, plan.skews[n], plan.seed, n as u64);
                Outlet::new(n, clock, plan.slowness[n], net.clone())
            })
            .collect();
        Self {
            looked_at: vec![(0, 0); outlets.len()],
            dark_until: vec![None; outlets.len()],
            dark_for: vec![1_000; outlets.len()],
            hooks: hooks::Post::new(&plan),
            plan,
            time,
            trace,
            net,
            outlets,
        }
    }

    async fn run(&mut self) -> Result<(), Broken> {
        for outlet in &mut self.outlets {
            outlet.boot(&self.plan).await;
        }
        for step in self.plan.steps.clone() {
            self.pass(step.after_ms).await?;
            self.trace.count("steps");
            self.trace
                .note(self.time.ms(), &format!("step {}: {:?}", step.number, step.event));
            self.happen(&step).await?;
        }
        self.settle().await
    }

    /// Lets time pass, in pieces: the power fails and comes back meanwhile, webhooks are delivered.
    async fn pass(&mut self, ms: u64) -> Result<(), Broken> {
        let end = self.time.ms() + i64::try_from(ms).expect("a short time");
        loop {
            self.tend().await?;
            let left = end - self.time.ms();
            if left <= 0 {
                return Ok(());
            }
            let piece = u64::try_from(self.next_ms(left)).expect("above 0");
            let disks: Vec<_> = self.outlets.iter().filter_map(Outlet::dark).collect();
            let cuts = disks.iter().map(|disk| Box::pin(disk.dark.notified()));
            let cuts: Vec<_> = cuts.collect();
            if cuts.is_empty() {
                tokio::time::sleep(Duration::from_millis(piece)).await;
                continue;
            }
            tokio::select! {
                biased;
                () = first_of(cuts) => {}
                () = tokio::time::sleep(Duration::from_millis(piece)) => {}
            }
        }
    }

    /// Until something is due, at most `left`.
    fn next_ms(&self, left: i64) -> i64 {
        let due = self
            .dark_until
            .iter()
            .flatten()
            .copied()
            .chain(self.hooks.next_ms());
        let due = due.map(|at| at - self.time.ms()).min();
        due.unwrap_or(LONGEST_LOOK_MS).clamp(1, LONGEST_LOOK_MS).min(left)
    }

    /// What is due at this moment.
    async fn tend(&mut self) -> Result<(), Broken> {
        for n in 0..self.outlets.len() {
            if self.outlets[n].dark().is_some_and(|disk| disk.is_dark()) {
                self.trace.count("crashes");
                self.trace.note(self.time.ms(), &format!("outlet {n} is dark"));
                self.outlets[n].go_dark();
                let back = i64::try_from(self.dark_for[n]).expect("a short time");
                self.dark_until[n] = Some(self.time.ms() + back);
                promises::at_a_crash(&self.outlets[n], self)?;
            }
            if self.dark_until[n].is_some_and(|at| at <= self.time.ms()) {
                self.dark_until[n] = None;
                self.trace.note(self.time.ms(), &format!("outlet {n} starts"));
                self.outlets[n].boot(&self.plan).await;
            }
        }
        self.hooks.deliver(&self.outlets, &self.net).await?;
        for n in 0..self.outlets.len() {
            let commits = self.outlets[n].commits();
            if std::mem::replace(&mut self.looked_at[n], commits) != commits {
                promises::at_any_time(&self.outlets[n], self)?;
            }
        }
        Ok(())
    }

    async fn happen(&mut self, step: &Step) -> Result<(), Broken> {
        let first_n = 10 * (step.number as u64 + 1);
        match &step.event {
            Event::Change { outlet, what } => {
                self.outlets[*outlet].want(format!("k-{}", step.number), what, first_n);
            }
            Event::Headquarters { lot, make, delete } => {
                let kind = TYPES[usize::try_from(lot % 3).expect("small")];
                let mut cloud = self.net.cloud.lock().expect("no panic holds it");
                cloud.edit(lot >> 8, *make, *delete, kind, first_n);
            }
            Event::Weather {
                outlet,
                faults,
                percent,
            } => {
                let weather = Weather {
                    faults: faults.clone(),
                    percent: *percent,
                };
                self.net.lines.lock().expect("no panic holds it")[*outlet].1 = weather;
            }
            Event::Calm => self.calm(),
            Event::PowerCut { outlet, at, dark_ms } => {
                self.dark_for[*outlet] = *dark_ms;
                self.outlets[*outlet].cut(*at);
            }
            Event::SetClock { outlet, skew_ms } => self.outlets[*outlet].clock.set(*skew_ms),
            Event::Trigger { outlet } => {
                if let Some(engine) = self.outlets[*outlet].engine() {
                    engine.trigger();
                }
            }
            Event::Decide { outlet, lot } => self.decide(*outlet, *lot).await,
            Event::Retry { outlet } => self.retry(*outlet).await,
            Event::Resync { outlet } => self.resync(*outlet),
            Event::Poison { outlet } => {
                let newest = self.outlets[*outlet].newest_n();
                let mut cloud = self.net.cloud.lock().expect("no panic holds it");
                cloud.poison.extend(newest);
            }
            Event::Rest { ms } => self.pass(*ms).await?,
        }
        Ok(())
    }

    fn calm(&self) {
        for line in self.net.lines.lock().expect("no panic holds it").iter_mut() {
            line.1 = Weather::default();
        }
    }

    /// A person decides one of the open conflicts. The power may fail meanwhile.
    async fn decide(&self, outlet: usize, lot: u64) {
        let Some(engine) = self.outlets[outlet].engine().cloned() else {
            return;
        };
        let open = engine
            .conflicts(Some(true), None, everything())
            .expect("conflicts are listed");
        if open.items.is_empty() {
            return;
        }
        let at = usize::try_from(lot % open.items.len() as u64).expect("below a length");
        let request = ResolveRequest {
            strategy: ["cloud_wins", "local_wins"][usize::from(lot & 256 > 0)].to_owned(),
            data: None,
            notes: None,
            rev: None,
        };
        let id = open.items[at].id.clone();
        self.trace.note(
            self.time.ms(),
            &format!("a person decides {id} at outlet {outlet}"),
        );
        // What a person is refused, they try again.
        drop(tokio::spawn(async move {
            let person = Actor {
                id: "admin".to_owned(),
                token_id: None,
            };
            let _ = engine.resolve(&id, request, &person).await;
        }));
    }

    fn resync(&self, outlet: usize) {
        if let Some(engine) = self.outlets[outlet].engine().cloned() {
            drop(tokio::spawn(async move {
                let _ = engine.resync(Scope::everything()).await;
            }));
        }
    }

    async fn retry(&self, outlet: usize) {
        let Some(engine) = self.outlets[outlet].engine().cloned() else {
            return;
        };
        drop(tokio::spawn(async move {
            let person = Actor {
                id: "person".to_owned(),
                token_id: None,
            };
            let _ = engine.retry_all(&QueueFilter::default(), &person).await;
        }));
    }

    /// All faults end; everything must come to rest, first without a person, then with.
    async fn settle(&mut self) -> Result<(), Broken> {
        self.trace.note(self.time.ms(), "all faults end");
        self.calm();
        self.pass(4 * 3_600_000).await?;
        promises::without_a_person(self)?;
        self.net.cloud.lock().expect("no panic holds it").poison.clear();
        let mut calm = 0;
        for round in 0..40 {
            for n in 0..self.outlets.len() {
                let lot = self.plan.seed.wrapping_mul(31).wrapping_add(round * 77);
                self.decide(n, lot).await;
                self.retry(n).await;
            }
            self.pass(600_000).await?;
            // What one pushed last, the others pull in the next round.
            calm = if promises::is_calm(self) { calm + 1 } else { 0 };
            if calm == 3 {
                return promises::in_the_end(self).await;
            }
        }
        Err(promises::restless(self))
    }
}

/// Resolves with the first of them; in order, where several are ready.
async fn first_of<F: Future<Output = ()> + Unpin>(mut futures: Vec<F>) {
    std::future::poll_fn(|cx| {
        for future in &mut futures {
            if std::pin::Pin::new(future).poll(cx).is_ready() {
                return std::task::Poll::Ready(());
            }
        }
        std::task::Poll::Pending
    })
    .await;
}
