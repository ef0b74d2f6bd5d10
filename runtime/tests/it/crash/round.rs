//! A round: everybody works, the strike comes, the outlet starts again, everything acknowledged is looked for, and both
//! sides come to hold the same.

use crate::crash::actors::{Admin, Headquarters, Person, Step, Watcher, make_conflicts};
use crate::crash::aim::{Aim, Ground, end, moment};
use crate::crash::check::{FeedReader, Snapshot};
use crate::crash::integrator::Integrator;
use crate::crash::writer::Writer;
use crate::harness::dice::Dice;
use crate::harness::json_text::{content, number_at};
use crate::harness::wait;
use crate::outlet::{Outlet, Session, Setup};
use crate::scripted_cloud::{Call, Fault, ScriptedCloud};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Apps that write at once.
const WRITERS: usize = 8;
/// Conflicts a person has before them.
const CONFLICTS: usize = 4;
/// Answers to apps before a strike: from, to.
const ENOUGH: (usize, usize) = (30, 250);

/// How far a round is.
#[derive(Clone)]
struct Clockwork {
    /// Answers to apps in this round.
    answered: watch::Sender<usize>,
    /// The strike has begun: what is answered from now on need not be a success.
    struck: CancellationToken,
}

impl Clockwork {
    /// Goes on with steps until the strike. `every`: answers to apps between two steps.
    async fn go_on(&self, every: usize, mut step: impl AsyncFnMut() -> Step) {
        let mut answered = self.answered.subscribe();
        while !self.struck.is_cancelled() && self.goes_on(step().await) {
            let next = *answered.borrow() + every;
            tokio::select! {
                () = self.struck.cancelled() => return,
                _ = answered.wait_for(|n| *n >= next) => {}
            }
        }
    }

    /// An app's steps until the strike, each counted.
    async fn write(&self, writer: &mut Writer, session: &Session) {
        while !self.struck.is_cancelled() && self.goes_on(writer.step(session).await) {
            self.answered.send_modify(|n| *n += 1);
        }
    }

    /// Whether there is a next step after this one. One that is not taken before anything happened is a failure.
    fn goes_on(&self, step: Step) -> bool {
        match step {
            Ok(()) => true,
            Err(_) if self.struck.is_cancelled() => false,
            Err(reply) => panic!("not taken, and nothing had happened: {reply:?}"),
        }
    }

    async fn wait_for(&self, enough: usize) {
        let look = || *self.answered.borrow() >= enough;
        wait::until_true("enough changes", look).await;
    }
}

/// Everybody, the outlet and what is known of it.
pub struct Shop {
    cloud: Arc<ScriptedCloud>,
    outlet: Option<Outlet>,
    writers: Vec<Writer>,
    headquarters: Headquarters,
    admin: Admin,
    person: Person,
    watcher: Watcher,
    integrator: Integrator,
    feed: FeedReader,
    rounds: usize,
    answers: usize,
    opening_ms: usize,
    /// The version of each entity that took effect last at the cloud.
    applied: HashMap<String, i64>,
}

impl Shop {
    /// Opens it with a first start.
    pub async fn open(cloud: Arc<ScriptedCloud>, setup: Setup, dice: &mut Dice) -> Self {
        let outlet = setup.start().await;
        outlet.bind("contested", r#"{"strategy":"manual"}"#).await;
        Self {
            headquarters: Headquarters::new(Arc::clone(&cloud), dice.fork()),
            cloud,
            outlet: Some(outlet),
            writers: (0..WRITERS).map(|n| Writer::new(n, dice.fork())).collect(),
            admin: Admin::new(),
            person: Person::default(),
            watcher: Watcher::new(WRITERS, dice.fork()),
            integrator: Integrator::new(),
            feed: FeedReader::default(),
            rounds: 0,
            answers: 0,
            opening_ms: 100,
            applied: HashMap::new(),
        }
    }

    /// What was gone through.
    pub fn account(&self) -> String {
        let entities: usize = self.writers.iter().map(Writer::entities).sum();
        format!("{} answers to apps, {entities} entities", self.answers)
    }

    /// One strike.
    pub async fn round(&mut self, ground: &Ground, aim: Aim, dice: &mut Dice) {
        self.rounds += 1;
        let outlet = self.outlet.take().expect("invariant: an outlet between rounds");
        let conflicts = make_conflicts(&outlet, &self.cloud, self.rounds, CONFLICTS).await;
        self.person.give(conflicts);
        let setup = self.work(outlet, ground, aim, dice).await;
        self.strike_again(&setup, ground, aim, dice).await;
        // Nothing moves while it is looked at.
        self.cloud.behave();
        self.cloud.go_down();
        let began = Instant::now();
        let outlet = setup.start().await;
        self.opening_ms = began.elapsed().as_millis() as usize;
        self.check(&outlet).await;
        self.cloud.behave();
        self.come_together(&outlet).await;
        self.outlet = Some(outlet);
    }

    /// Everybody works until the strike; the outlet is gone afterwards.
    async fn work(&mut self, outlet: Outlet, ground: &Ground, aim: Aim, dice: &mut Dice) -> Setup {
        let clockwork = Clockwork {
            answered: watch::Sender::new(0),
            struck: CancellationToken::new(),
        };
        for _ in 0..3 {
            let fault = dice.pick(&[
                Fault::DropAfter,
                Fault::DropBefore,
                Fault::Truncated,
                Fault::NoResults,
            ]);
            self.cloud.next(Call::Batch, fault);
        }
        let enough = dice.between(ENOUGH.0, ENOUGH.1);
        let (session, beside) = (outlet.session(), outlet.beside());
        let writers = std::mem::take(&mut self.writers);
        let writers = at_work(writers, &clockwork, &session);
        let (headquarters, admin, person, watcher, integrator) = (
            &mut self.headquarters,
            &mut self.admin,
            &mut self.person,
            &mut self.watcher,
            &mut self.integrator,
        );
        let (cloud, clockwork, session) = (&self.cloud, &clockwork, &session);
        let others = async {
            tokio::join!(
                clockwork.go_on(2, async || headquarters.step(session).await),
                clockwork.go_on(5, async || admin.step(session).await),
                clockwork.go_on(15, async || person.step(session).await),
                clockwork.go_on(1, async || watcher.step(session).await),
                clockwork.go_on(20, async || integrator.step(session).await),
            )
        };
        let strike = async {
            clockwork.wait_for(enough).await;
            let backup = match aim {
                Aim::Push => {
                    wait_for_a_batch(cloud, dice).await;
                    None
                }
                Aim::Backup => {
                    let file = ground.place().join("backup");
                    let begun = beside.command(&["backup", file.to_str().expect("a path in UTF-8")]);
                    moment(dice, 250).await;
                    Some(begun)
                }
                _ => None,
            };
            clockwork.struck.cancel();
            ground.strike();
            backup
        };
        let (_, backup) = tokio::join!(others, async {
            let backup = strike.await;
            // Without power an outlet lives on for a while; without a process nobody gets an answer.
            match ground {
                Ground::Disk(_) => (backup, Err(outlet)),
                Ground::Process(_) => (backup, Ok(outlet.kill().await)),
            }
        });
        self.answers += *clockwork.answered.borrow();
        self.writers = writers.join_all().await;
        let (backup, setup) = backup;
        let setup = match setup {
            Ok(setup) => setup,
            Err(outlet) => outlet.kill().await,
        };
        if let Some(backup) = backup {
            end(backup).await;
        }
        ground.heal().await;
        setup
    }

    /// The second strike of those aims that need a start of their own.
    async fn strike_again(&self, setup: &Setup, ground: &Ground, aim: Aim, dice: &mut Dice) {
        match aim {
            Aim::Load | Aim::Push => {}
            Aim::Opening => {
                let begun = setup.begin();
                moment(dice, self.opening_ms).await;
                ground.strike();
                begun.kill().await;
                ground.heal().await;
            }
            Aim::Compaction => {
                let store = ground.place().join("data/store");
                ground
                    .strike_command(setup.command(&["compact"]), &store, dice)
                    .await;
            }
            Aim::Backup => self.check_backup(setup, ground).await,
            Aim::FirstStart => self.first_start(setup, ground, dice).await,
        }
    }

    /// A backup that was struck is not there, or whole.
    async fn check_backup(&self, setup: &Setup, ground: &Ground) {
        let file = ground.place().join("backup");
        if !file.exists() {
            return;
        }
        let other = ground.place().join("restored");
        let setup = setup
            .clone()
            .env("DATA_DIR", other.to_str().expect("a path in UTF-8"));
        let mut restore = setup.command(&["restore", file.to_str().expect("a path in UTF-8")]);
        assert_eq!(restore.wait().await, 0, "a backup by half: {}", restore.log());
        std::fs::remove_dir_all(other).expect("it can be removed");
        std::fs::remove_file(file).expect("it can be removed");
    }

    /// A first start that is struck leaves a directory in which the next start works.
    async fn first_start(&self, setup: &Setup, ground: &Ground, dice: &mut Dice) {
        let dir = ground.place().join("first");
        let setup = setup
            .clone()
            .env("DATA_DIR", dir.to_str().expect("a path in UTF-8"));
        let begun = setup.begin();
        wait::until_true("the directory to be made", || dir.exists()).await;
        moment(dice, self.opening_ms).await;
        ground.strike();
        begun.kill().await;
        ground.heal().await;
        // What this outlet takes is not to reach the other one.
        self.cloud.go_down();
        let outlet = setup.start().await;
        outlet.put("thing", "first", r#"{"n":1}"#).await.expect(201);
        outlet.kill().await;
        std::fs::remove_dir_all(dir).expect("it can be removed");
    }

    /// Everything that was acknowledged is there, and nothing by half.
    async fn check(&mut self, outlet: &Outlet) {
        let snapshot = Snapshot::of(outlet).await;
        snapshot.is_not_rewound();
        snapshot.agrees_with_its_queue(outlet).await;
        let mut told = Vec::new();
        for writer in &mut self.writers {
            writer.check(&snapshot);
            told.append(&mut writer.told);
        }
        self.feed.check(outlet, &snapshot, &told).await;
        self.headquarters.check(&snapshot);
        self.admin.check(outlet).await;
        self.person.check(outlet).await;
        self.integrator.check(outlet).await;
        self.watcher.check(&snapshot);
        let session = outlet.session();
        for writer in &mut self.writers {
            writer.repeat(&session).await;
        }
        self.headquarters.repeat(&session).await;
    }

    /// The line is back: what waits is decided and sent, each change once and in order, and both sides are equal.
    async fn come_together(&mut self, outlet: &Outlet) {
        self.person.finish(&outlet.session()).await;
        outlet.settle().await;
        let mut state = self.cloud.state();
        for writer in &self.writers {
            for (id, document) in writer.contents() {
                let there = state.content("thing", id);
                assert_eq!(there, document.map(|d| content(&d)), "{id} at the cloud");
            }
        }
        for applied in state.applied.drain(..) {
            let version = number_at(&applied.data, "version").expect("a version");
            let key = format!("{}/{}", applied.entity_type, applied.local_id);
            let before = self.applied.insert(key, version);
            assert!(
                before.is_none_or(|b| b < version),
                "twice, or out of order: {applied:?}"
            );
        }
        drop(state);
        self.cloud.forget_requests();
    }
}

/// Sets the writers to work.
fn at_work(writers: Vec<Writer>, clockwork: &Clockwork, session: &Session) -> JoinSet<Writer> {
    let mut apps = JoinSet::new();
    for mut writer in writers {
        let (clockwork, session) = (clockwork.clone(), session.clone());
        apps.spawn(async move {
            clockwork.write(&mut writer, &session).await;
            writer
        });
    }
    apps
}

/// The next batch is at the cloud, done or not, and its answer does not come.
async fn wait_for_a_batch(cloud: &ScriptedCloud, dice: &mut Dice) {
    cloud.behave();
    let before = cloud.count(Call::Batch);
    cloud.next(Call::Batch, dice.pick(&[Fault::HangBefore, Fault::HangAfter]));
    wait::until_true("a batch to arrive", || cloud.count(Call::Batch) > before).await;
}
