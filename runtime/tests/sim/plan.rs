//! What a seed decides: the world as it begins, and the steps that happen in it. A plan can be cut down: outlets,
//! steps and kinds of faults can be taken out, and what is left happens as before.

use crate::dice::{Dice, of};
use crate::disk::Cut;

/// The types whose entities apps and headquarters change; each has a strategy of its own.
pub const TYPES: [&str; 3] = ["product", "order", "customer"];
/// The type that may have a mapper.
pub const MAPPED: &str = TYPES[2];
const STRATEGIES: [&str; 4] = ["cloud_wins", "local_wins", "newest_wins", "manual"];

/// What the cloud does beside what it must.
#[derive(Clone, Debug)]
pub struct Manner {
    /// A change_id takes effect once.
    pub dedups: bool,
    /// A change made on another version than the newest is a conflict.
    pub checks_base: bool,
    /// Results state the new version.
    pub states_versions: bool,
    /// Results and updates name the change.
    pub names_changes: bool,
    /// What is created after its deletion is another entity.
    pub renames: bool,
    /// Checkpoints are timestamps, and changes become visible late.
    pub stamps_checkpoints: bool,
    /// Elements in a page at most.
    pub page: usize,
    /// Updates are listed under their type's plural.
    pub plurals: bool,
    /// Changes are also told by webhook.
    pub hooks: bool,
    /// The end of a full listing is told.
    pub completes: bool,
    /// Documents of the type [`MAPPED`] have another shape there.
    pub maps: bool,
}

/// What may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// No connection.
    Unreachable,
    /// The request is lost on its way.
    LostRequest,
    /// The cloud acts, its answer is lost.
    LostAnswer,
    /// The request comes twice, the second time late.
    Twice,
    /// It takes long, perhaps longer than anybody waits.
    Slow,
    /// 401, 403 or 404.
    Refused,
    /// 429.
    TooMany,
    /// 5xx, before or after the cloud acted.
    Server,
    /// 400, 413 or 422.
    Blamed,
    /// Another answer than the contract's, after the cloud acted.
    Nonsense,
    /// The cloud fails single items.
    Failed,
    /// Results are missing, shuffled, doubled.
    Garbled,
    /// The cloud no longer knows the checkpoint.
    Gone,
}

/// All of them.
pub const FAULTS: [Fault; 13] = [
    Fault::Unreachable,
    Fault::LostRequest,
    Fault::LostAnswer,
    Fault::Twice,
    Fault::Slow,
    Fault::Refused,
    Fault::TooMany,
    Fault::Server,
    Fault::Blamed,
    Fault::Nonsense,
    Fault::Failed,
    Fault::Garbled,
    Fault::Gone,
];

/// Something that happens.
#[derive(Clone, Debug)]
pub enum Event {
    /// An app makes changes at an outlet, in one request: which entity (own ones by number, any by lot), and whether
    /// it is deleted.
    Change {
        outlet: usize,
        what: Vec<(Target, bool)>,
    },
    /// Headquarters makes, changes or deletes an entity; by lot.
    Headquarters { lot: u64, make: bool, delete: bool },
    /// An outlet's line gets bad: which faults, and how often (in 100 requests).
    Weather {
        outlet: usize,
        faults: Vec<Fault>,
        percent: u64,
    },
    /// All lines are good.
    Calm,
    /// The power fails at an outlet, now or at a commit to come; it comes back after a while.
    PowerCut {
        outlet: usize,
        at: Option<Cut>,
        dark_ms: u64,
    },
    /// Somebody sets an outlet's clock.
    SetClock { outlet: usize, skew_ms: i64 },
    /// Somebody wants a run now.
    Trigger { outlet: usize },
    /// A person decides an open conflict, by lot.
    Decide { outlet: usize, lot: u64 },
    /// A person retries what failed.
    Retry { outlet: usize },
    /// The next new document of an outlet is one the cloud cannot bear.
    Poison { outlet: usize },
    /// A person has everything fetched again.
    Resync { outlet: usize },
    /// Nothing, for long.
    Rest { ms: u64 },
}

/// Which entity is meant.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    /// One that the outlet's app names: of a type, by number.
    Own(usize, u64),
    /// Any that the outlet knows.
    Any(u64),
}

/// An event and the time before it.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its number in the plan; stays when others are taken out.
    pub number: usize,
    pub after_ms: u64,
    pub event: Event,
}

/// A run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub manner: Manner,
    /// Clock errors; as many as outlets.
    pub skews: Vec<i64>,
    /// The longest that a commit takes at each outlet.
    pub slowness: Vec<u64>,
    /// Strategy of each type.
    pub strategies: Vec<&'static str>,
    pub coalesce: bool,
    pub batch_size: u32,
    pub faults: Vec<Fault>,
    pub steps: Vec<Step>,
}

impl Plan {
    /// What this seed decides.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::of(seed, &[of::PLAN]);
        let outlets = 1 + dice.index(3);
        let extensions = dice.chance(2, 3);
        let manner = Manner {
            dedups: extensions || dice.chance(1, 3),
            checks_base: extensions && dice.chance(2, 3),
            states_versions: extensions && dice.chance(2, 3),
            names_changes: extensions && dice.chance(1, 2),
            renames: false,
            stamps_checkpoints: dice.chance(1, 3),
            page: dice.pick(&[2, 5, 100]),
            plurals: dice.chance(1, 2),
            hooks: dice.chance(1, 2),
            completes: false,
            maps: false,
        };
        let manner = Manner {
            renames: manner.dedups && manner.checks_base && dice.chance(1, 4),
            ..manner
        };
        let mut more = Dice::of(seed, &[of::MORE]);
        let manner = Manner {
            completes: !manner.stamps_checkpoints && more.chance(1, 2),
            maps: more.chance(1, 2),
            ..manner
        };
        let skews = (0..outlets).map(|_| skew(&mut dice)).collect();
        let slowness = (0..outlets).map(|_| dice.pick(&[0, 3, 40])).collect();
        let strategies = TYPES.iter().map(|_| dice.pick(&STRATEGIES)).collect();
        let mut faults = FAULTS.to_vec();
        faults.retain(|_| dice.chance(1, 2));
        // Against such a cloud what comes late or twice takes effect once more (rule 19).
        faults.retain(|fault| manner.dedups || !matches!(fault, Fault::Twice | Fault::Slow));
        let coalesce = dice.chance(4, 5);
        let batch_size = dice.pick(&[1, 3, 100]);
        let count = 15 + dice.index(45);
        let steps = (0..count)
            .map(|number| step(seed, number, outlets, &faults))
            .collect();
        Self {
            seed,
            manner,
            skews,
            slowness,
            strategies,
            coalesce,
            batch_size,
            faults,
            steps,
        }
    }

    /// The plan without some of its steps, outlets and faults.
    pub fn without(&self, steps: &[usize], outlets: usize, faults: &[Fault]) -> Self {
        let mut plan = self.clone();
        plan.skews.truncate(outlets);
        plan.slowness.truncate(outlets);
        plan.faults.retain(|fault| !faults.contains(fault));
        plan.steps.retain(|step| !steps.contains(&step.number));
        for step in &mut plan.steps {
            match &mut step.event {
                Event::Change { outlet, .. }
                | Event::PowerCut { outlet, .. }
                | Event::SetClock { outlet, .. }
                | Event::Trigger { outlet }
                | Event::Decide { outlet, .. }
                | Event::Poison { outlet }
                | Event::Resync { outlet }
                | Event::Retry { outlet } => *outlet %= outlets,
                Event::Weather {
                    outlet, faults: bad, ..
                } => {
                    *outlet %= outlets;
                    bad.retain(|fault| !faults.contains(fault));
                }
                Event::Headquarters { .. } | Event::Calm | Event::Rest { .. } => {}
            }
        }
        plan
    }

    /// How many outlets there are.
    pub fn outlets(&self) -> usize {
        self.skews.len()
    }
}

fn skew(dice: &mut Dice) -> i64 {
    dice.pick(&[
        0,
        0,
        1_500,
        -90_000,
        3_600_000,
        -86_400_000 * 400,
        86_400_000 * 30,
    ])
}

fn step(seed: u64, number: usize, outlets: usize, faults: &[Fault]) -> Step {
    let mut dice = Dice::of(seed, &[of::STEP, number as u64]);
    let outlet = dice.index(outlets);
    let event = match dice.below(100) {
        0..40 => {
            let many = dice.pick(&[1, 1, 1, 2, 3]);
            let mut what: Vec<(Target, bool)> = Vec::new();
            for _ in 0..many {
                let target = if dice.chance(2, 3) {
                    Target::Own(dice.index(TYPES.len()), dice.below(3))
                } else {
                    Target::Any(dice.next())
                };
                what.push((target, dice.chance(1, 5)));
            }
            Event::Change { outlet, what }
        }
        40..58 => Event::Headquarters {
            lot: dice.next(),
            make: dice.chance(1, 5),
            delete: dice.chance(1, 5),
        },
        58..70 if !faults.is_empty() => {
            let mut bad = Vec::new();
            for _ in 0..=dice.index(3) {
                bad.push(dice.pick(faults));
            }
            let percent = dice.pick(&[15, 40, 80, 100]);
            Event::Weather {
                outlet,
                faults: bad,
                percent,
            }
        }
        70..74 => Event::Calm,
        74..83 => Event::PowerCut {
            outlet,
            at: match dice.below(5) {
                0 => None,
                1 | 2 => Some(Cut::Before(1 + dice.below(8))),
                _ => Some(Cut::After(1 + dice.below(8))),
            },
            dark_ms: dice.pick(&[1_000, 20_000, 600_000]),
        },
        83..86 => Event::SetClock {
            outlet,
            skew_ms: skew(&mut dice),
        },
        86..91 => Event::Trigger { outlet },
        91..94 => Event::Decide {
            outlet,
            lot: dice.next(),
        },
        94..96 => Event::Retry { outlet },
        96 => Event::Poison { outlet },
        97 => Event::Resync { outlet },
        _ => Event::Rest {
            ms: dice.pick(&[60_000, 400_000, 7_200_000]),
        },
    };
    Step {
        number,
        after_ms: dice.pick(&[0, 0, 1, 20, 300, 1_200, 8_000, 45_000]),
        event,
    }
}
