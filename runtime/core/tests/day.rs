//! An outlet's day in virtual time: 200,000 changes, eight hours of it without a line, and a cloud that takes 100 requests a
//! minute. The rules are the real ones; around them is the least engine there can be.

use selaras_core::accept::{Incoming, Queued, accept};
use selaras_core::entity::Entity;
use selaras_core::id::EntityKey;
use selaras_core::json::Doc;
use selaras_core::offset::Stamp;
use selaras_core::push::{Outcome, Policy, absorb, attempt};
use selaras_core::rate::Budget;
use selaras_core::record::Slot;
use selaras_core::share::{Pick, Turns, Waiting, default_priority};
use selaras_core::stamp::Millis;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

const CHANGES: usize = 200_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
const OUTAGE: std::ops::Range<u64> = 8 * HOUR_MS..16 * HOUR_MS;
/// Requests under way at once.
const WINDOW: usize = 3;

/// Steele, Lea and Flood's splitmix64: the same day each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }
}

struct Request {
    ends: u64,
    place: selaras_core::rate::Place,
    keys: Vec<EntityKey>,
    /// How long the cloud wants no request, when it refuses this one.
    refused: Option<u64>,
}

/// What a day came to.
#[derive(Debug, Default)]
struct Day {
    requests: usize,
    items: usize,
    refusals: usize,
    /// Requests and items from the end of the outage until nothing waited that was made in it.
    drain: (usize, usize),
    drained_at: u64,
    /// Most batches that were dealt between an order and the one it went with, and the same of any change.
    order_waited: u64,
    anything_waited: u64,
}

struct Outlet {
    entities: HashMap<EntityKey, Entity>,
    schedule: BTreeMap<(u8, u64), EntityKey>,
    /// In which batch's time an item was made, by its order.
    made: HashMap<u64, (u64, u64)>,
    /// The last version of each entity that the cloud has taken.
    taken: HashMap<EntityKey, u64>,
    budget: Budget,
    turns: Turns,
    batches: u64,
    orders: u64,
    day: Day,
}

impl Outlet {
    fn change(&mut self, key: &EntityKey, now: u64) {
        self.orders += 1;
        let before = self
            .entities
            .remove(key)
            .unwrap_or_else(|| Entity::new(key.clone()));
        let mut after = before.clone();
        let incoming = Incoming {
            doc: Some(Doc::parse(&format!(r#"{{"n":{}}}"#, self.orders)).expect("a document")),
            stamp: Stamp::from(Millis(now as i64)),
            by: None,
            change_id: self.orders.to_string(),
            order: self.orders,
            now: Millis(now as i64),
        };
        if let Queued::As(order, _) = accept(&mut after, incoming, true) {
            // What folds keeps the place of what it folds into.
            self.made.entry(order).or_insert((now, self.batches));
        }
        self.seal(&before, after);
    }

    fn seal(&mut self, before: &Entity, mut after: Entity) {
        let ready = |entity: &Entity| match entity.record.slot {
            Some(Slot::Ready { priority, order }) => Some((priority, order)),
            Some(Slot::Due { .. }) | None => None,
        };
        after.seal(before, default_priority(after.key.entity_type.as_str()));
        if let Some(slot) = ready(before) {
            self.schedule.remove(&slot);
        }
        if let Some(slot) = ready(&after) {
            self.schedule.insert(slot, after.key.clone());
        }
        self.entities.insert(after.key.clone(), after);
    }

    /// The keys of the next batch.
    fn deal(&mut self, busy: &HashSet<EntityKey>, now: u64) -> Vec<EntityKey> {
        let places = self.budget.batch_size(now, self.schedule.len(), 100, 1_000);
        let mut lines: BTreeMap<u8, VecDeque<EntityKey>> = BTreeMap::new();
        for ((class, _), key) in self.schedule.iter().filter(|(_, key)| !busy.contains(*key)) {
            lines.entry(*class).or_default().push_back(key.clone());
        }
        let mut waiting = Waiting::default();
        for (class, line) in &lines {
            waiting.ready[usize::from(*class)] = line.len().min(places);
        }
        if lines.is_empty() {
            return Vec::new();
        }
        self.batches += 1;
        let picks = self.turns.deal(places, waiting).into_iter();
        let keys = picks.filter_map(|pick| match pick {
            Pick::Oldest(class) => lines.get_mut(&(class as u8))?.pop_front(),
            Pick::Newest(class) => lines.get_mut(&(class as u8))?.pop_back(),
            Pick::Retry => unreachable!("nothing is in backoff"),
        });
        keys.collect()
    }

    fn send(&mut self, keys: &[EntityKey], now: u64) {
        for key in keys {
            let before = self.entities[key].clone();
            let mut after = before.clone();
            attempt(&mut after, Millis(now as i64));
            self.seal(&before, after);
        }
    }

    /// The cloud took a batch.
    fn absorb(&mut self, keys: &[EntityKey], batch_waited: &mut dyn FnMut(&EntityKey, u64)) {
        for key in keys {
            let before = self.entities[key].clone();
            let mut after = before.clone();
            let head = before.head().expect("a head").clone();
            let last = self.taken.insert(key.clone(), head.version);
            assert!(last.is_none_or(|last| last < head.version), "{key} went back");
            let outcome = Outcome::Success {
                cloud_id: None,
                version: None,
            };
            let policy = Policy {
                max_retries: 3,
                retry_at: Millis(0),
                coalesce: true,
                new_change_id: String::new(),
            };
            absorb(&mut after, &head.change_id, outcome, &policy);
            batch_waited(key, head.order);
            self.seal(&before, after);
        }
    }
}

/// A cloud that counts fixed minutes; how long it wants no request, when one is over its limit.
#[derive(Default)]
struct Cloud {
    minute: u64,
    taken: usize,
    times: VecDeque<u64>,
}

impl Cloud {
    fn over(&mut self, now: u64) -> Option<u64> {
        if now / 60_000 != self.minute {
            (self.minute, self.taken) = (now / 60_000, 0);
        }
        if self.taken == 100 {
            return Some(60_000 - now % 60_000);
        }
        self.taken += 1;
        self.times.push_back(now);
        None
    }
}

fn live(limit: u32) -> Day {
    let mut dice = Dice(42);
    let mut times: Vec<u64> = (0..CHANGES).map(|_| dice.below(DAY_MS)).collect();
    times.sort_unstable();
    let mut budget = Budget::default();
    budget.set(limit);
    let mut outlet = Outlet {
        entities: HashMap::new(),
        schedule: BTreeMap::new(),
        made: HashMap::new(),
        taken: HashMap::new(),
        budget,
        turns: Turns::default(),
        batches: 0,
        orders: 0,
        day: Day::default(),
    };
    let mut cloud = Cloud::default();
    let mut under_way: Vec<Request> = Vec::new();
    let mut busy = HashSet::new();
    let (mut now, mut next, mut quiet_until, mut last_order) = (0, 0, 0, 0);
    while now < DAY_MS + 2 * HOUR_MS {
        while next < CHANGES && times[next] <= now {
            let (entity_type, id) = match dice.below(20) {
                0 => ("order", next as u64),
                1..=9 => ("stock", dice.below(500)),
                _ => ("product", dice.below(50_000)),
            };
            let key = EntityKey::parse(entity_type, &id.to_string()).expect("a key");
            outlet.change(&key, times[next]);
            next += 1;
        }
        if now == OUTAGE.end {
            last_order = outlet.orders;
        }
        let mut left = Vec::new();
        for request in under_way {
            if request.ends > now {
                left.push(request);
                continue;
            }
            for key in &request.keys {
                busy.remove(key);
            }
            if let Some(pause) = request.refused {
                outlet.day.refusals += 1;
                outlet.budget.refused(request.place, now, pause);
                quiet_until = quiet_until.max(now + pause);
                continue;
            }
            outlet.budget.end(request.place, now);
            let mut waits = Vec::new();
            outlet.absorb(&request.keys, &mut |key, order| waits.push((key.clone(), order)));
            outlet.day.items += waits.len();
            for (key, order) in waits {
                let (made, dealt) = outlet.made.remove(&order).expect("made once, settled once");
                let waited = outlet.batches - dealt;
                let day = &mut outlet.day;
                day.anything_waited = day.anything_waited.max(waited);
                // Those that were made while others of its kind wait, too.
                if key.entity_type.as_str() == "order" && !OUTAGE.contains(&made) {
                    day.order_waited = day.order_waited.max(waited);
                }
                if order <= last_order {
                    day.drained_at = now;
                    day.drain.1 += 1;
                }
            }
        }
        under_way = left;
        let up = !OUTAGE.contains(&now) && now >= quiet_until;
        while up && under_way.len() < WINDOW {
            let Ok(place) = outlet.budget.begin(now) else {
                break;
            };
            let keys = outlet.deal(&busy, now);
            if keys.is_empty() {
                outlet.budget.cancel(place);
                break;
            }
            outlet.send(&keys, now);
            busy.extend(keys.iter().cloned());
            outlet.day.requests += 1;
            if last_order > 0 && outlet.made.keys().any(|order| *order <= last_order) {
                outlet.day.drain.0 += 1;
            }
            under_way.push(Request {
                ends: now + 1_000 + keys.len() as u64,
                place,
                keys,
                refused: cloud.over(now),
            });
        }
        now += 500;
    }
    assert_eq!(next, CHANGES);
    assert!(outlet.schedule.is_empty() && outlet.made.is_empty());
    // Whatever was made is at the cloud as it stands here.
    for (key, entity) in &outlet.entities {
        assert!(entity.items.is_empty(), "{key} waits");
        assert_eq!(outlet.taken[key], entity.record.version, "{key}");
    }
    let times = cloud.times.make_contiguous();
    if limit > 0 {
        assert!(times.windows(101).all(|times| times[100] - times[0] > 60_000));
    }
    outlet.day
}

#[test]
fn with_the_limit_set_a_day_with_an_outage_goes_out_without_a_refusal_or_waste() {
    let day = live(100);
    println!("{day:?}");
    assert_eq!(day.refusals, 0);
    // The backlog in full batches, and a few more for what was made meanwhile.
    assert!(day.drain.0 <= day.drain.1.div_ceil(1_000) + 6, "{day:?}");
    assert!(day.drained_at - OUTAGE.end < 120_000, "{day:?}");
    // Its own batch is the first that was dealt after it; two more may be dealt before its answer is here.
    assert!(day.order_waited <= WINDOW as u64, "{day:?}");
}

#[test]
fn a_limit_that_nobody_set_costs_a_refusal_now_and_then() {
    let day = live(0);
    println!("{day:?}");
    // The doubled limit is tried once an hour, by as many requests as are under way at once.
    assert!(day.refusals <= WINDOW * 24, "{day:?}");
    assert!(day.drained_at - OUTAGE.end < 240_000, "{day:?}");
}
