//! The cloud's webhooks on their way: late, in any order, twice, and again until they are taken. Each carries the state
//! as it was when it was sent, so old states arrive after new ones.

use crate::dice::{Dice, of};
use crate::line::Net;
use crate::outlet::Outlet;
use crate::plan::Plan;
use crate::promises::{self, Broken};
use selaras::engine::api::{Hook, HookUpdate};
use selaras_core::json::Doc;
use selaras_core::stamp::Millis;
use std::sync::{Arc, Mutex};

/// What is on its way.
pub struct Post {
    seed: u64,
    sends: bool,
    /// Whether updates name the change that made them.
    names_changes: bool,
    /// Of the cloud's log, so many are posted.
    posted: usize,
    letters: Vec<Letter>,
}

struct Letter {
    outlet: usize,
    /// Its number in the cloud's log, which names it.
    number: usize,
    due_ms: i64,
    /// How often it comes, though it is taken the first time.
    times: u64,
    /// Taken before: whoever takes it again is wrong.
    taken: Arc<Mutex<bool>>,
    hook: HookUpdate,
}

impl Post {
    /// Nothing is on its way.
    pub fn new(plan: &Plan) -> Self {
        Self {
            seed: plan.seed,
            sends: plan.manner.hooks,
            names_changes: plan.manner.names_changes,
            posted: 0,
            letters: Vec::new(),
        }
    }

    /// When the next one is due.
    pub fn next_ms(&self) -> Option<i64> {
        self.letters.iter().map(|letter| letter.due_ms).min()
    }

    /// Posts what is new at the cloud and brings what is due to outlets that have power.
    pub async fn deliver(&mut self, outlets: &[Outlet], net: &Net) -> Result<(), Broken> {
        self.post(outlets.len(), net);
        let now = net.time.ms();
        let mut left = Vec::new();
        for mut letter in std::mem::take(&mut self.letters) {
            if letter.due_ms > now {
                left.push(letter);
                continue;
            }
            let Some(engine) = outlets[letter.outlet].engine().cloned() else {
                letter.due_ms = now + 30_000;
                left.push(letter);
                continue;
            };
            net.trace.count("webhooks");
            let line = format!("webhook {} comes to outlet {}", letter.number, letter.outlet);
            net.trace.note(now, &line);
            let mut name = [0; 32];
            name[..8].copy_from_slice(&(letter.number as u64).to_be_bytes());
            let (taken, hook, times) = (letter.taken.clone(), letter.hook.clone(), letter.times);
            if *taken.lock().expect("no panic holds it") && times == 0 {
                continue;
            }
            letter.times = times.saturating_sub(1);
            letter.due_ms = now + 45_000;
            let before = *taken.lock().expect("no panic holds it");
            let brought = tokio::spawn(async move { engine.hook(Hook::Update(hook), &[name]).await });
            // The cloud waits a while; who does not answer gets it again.
            let answer = tokio::time::timeout(std::time::Duration::from_secs(5), brought).await;
            if let Ok(Ok(Ok(outcome))) = answer {
                if before && !outcome.duplicate {
                    return Err(promises::twice(letter.outlet, letter.number));
                }
                *taken.lock().expect("no panic holds it") = true;
            }
            left.push(letter);
        }
        self.letters.extend(left);
        Ok(())
    }

    fn post(&mut self, outlets: usize, net: &Net) {
        let cloud = net.cloud.lock().expect("no panic holds it");
        while self.posted < cloud.log.len() {
            let number = self.posted;
            let state = &cloud.log[number];
            self.posted += 1;
            if !self.sends || state.version == 0 {
                continue;
            }
            for outlet in 0..outlets {
                let mut dice = Dice::of(self.seed, &[of::HOOK, outlet as u64, number as u64]);
                if dice.chance(1, 4) {
                    continue;
                }
                let due = dice.pick(&[10, 500, 4_000, 90_000, 2_000_000]);
                let doc = state
                    .doc
                    .as_ref()
                    .map(|doc| Doc::parse(&doc.to_string()).expect("a document"));
                self.letters.push(Letter {
                    outlet,
                    number,
                    due_ms: net.time.ms() + due,
                    times: dice.below(3),
                    taken: Arc::default(),
                    hook: HookUpdate {
                        cloud_type: state.entity_type.clone(),
                        cloud_id: Some(state.cloud_id.clone()),
                        local_id: cloud.local_id(outlet, state.entity).map(str::to_owned),
                        version: Some(state.version),
                        stamp: Some(Millis(state.stamp_ms)),
                        updated_by: None,
                        change_id: state.maker.clone().filter(|_| self.names_changes),
                        data: doc,
                    },
                });
            }
        }
    }
}
