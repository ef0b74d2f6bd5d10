//! An outlet with one entity: what the engine does around the rules, without store, plugins and network. Every step
//! checks the laws that hold at any time.

use crate::cloud::Cloud;
use selaras_core::accept::{Incoming, accept};
use selaras_core::doubt::doubt;
use selaras_core::echo::settle_echo;
use selaras_core::entity::Entity;
use selaras_core::id::{CloudId, EntityKey};
use selaras_core::item::{Item, ItemState, Parked};
use selaras_core::json::Doc;
use selaras_core::payload::same_state;
use selaras_core::push::{Attempt, Outcome, Policy, absorb, attempt, give_up, retry};
use selaras_core::receive::{Received, is_stale, receive, supersedes};
use selaras_core::record::{Operation, Standing};
use selaras_core::settle::{Decision, Means, settle};
use selaras_core::stamp::Millis;
use selaras_core::update::{Seen, Update};
use std::collections::{BTreeMap, BTreeSet};

const NOW: Millis = Millis(1_000_000);

/// What an item said when it was sent first.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    operation: Operation,
    snapshot: Option<Doc>,
    base_version: u64,
    updated_at: Millis,
}

/// A request under way.
struct Flight {
    change_id: String,
    outcome: Outcome,
    update: Option<Update>,
}

pub struct Outlet {
    pub entity: Entity,
    coalesce: bool,
    count: u64,
    flight: Option<Flight>,
    said: BTreeMap<String, Said>,
    /// All names under which the entity was ever known, as the store's index keeps them.
    names: BTreeSet<CloudId>,
    /// Updates that were taken into account.
    taken: Vec<Update>,
    /// What apps saw as each version, whatever became of the store.
    seen: BTreeMap<u64, Option<Doc>>,
    /// The store as it was once.
    copy: Option<Copied>,
}

/// What a copy of the store holds, with what belongs to it.
#[derive(Clone)]
struct Copied {
    entity: Entity,
    said: BTreeMap<String, Said>,
    names: BTreeSet<CloudId>,
    taken: Vec<Update>,
}

impl Outlet {
    pub fn new(coalesce: bool) -> Self {
        Self {
            entity: Entity::new(EntityKey::parse("product", "p-1").expect("a key")),
            coalesce,
            count: 0,
            flight: None,
            said: BTreeMap::new(),
            names: BTreeSet::new(),
            taken: Vec::new(),
            seen: BTreeMap::new(),
            copy: None,
        }
    }

    /// Copies the store.
    pub fn copy(&mut self) {
        self.copy = Some(Copied {
            entity: self.entity.clone(),
            said: self.said.clone(),
            names: self.names.clone(),
            taken: self.taken.clone(),
        });
    }

    /// The process ends and starts again on the copy. False: there is none.
    pub fn rewind(&mut self) -> bool {
        let Some(copy) = self.copy.clone() else {
            return false;
        };
        let floor = self.entity.version_floor;
        self.flight = None;
        self.entity = copy.entity;
        self.said = copy.said;
        self.names = copy.names;
        self.taken = copy.taken;
        // Whenever it was copied: a store that went back is ahead of all that was given out, each time anew.
        self.entity.version_floor = floor + 1_000_000;
        self.commit(doubt);
        true
    }

    /// One commit, with the laws that hold over every one.
    fn commit<T>(&mut self, does: impl FnOnce(&mut Entity) -> T) -> T {
        let before = self.entity.clone();
        let answer = does(&mut self.entity);
        if before != self.entity {
            self.entity.seal(&before, 0);
        }
        let (old, new) = (&before.record, &self.entity.record);
        assert!(new.version >= old.version, "versions never fall");
        let changed = !same_state(old.doc.as_ref(), new.doc.as_ref());
        assert!(
            !changed || new.version > old.version,
            "version grows with every change of the document"
        );
        assert_eq!(new.waiting as usize, self.entity.items.len());
        let behind = self.entity.items.iter().skip(1);
        assert!(
            behind
                .clone()
                .all(|item| item.state == ItemState::Pending || item.doubted),
            "only the head is sent"
        );
        if new.version > 0 {
            let shown = self.seen.entry(new.version).or_insert_with(|| new.doc.clone());
            assert!(
                same_state(shown.as_ref(), new.doc.as_ref()),
                "rule 3: a version has one document, also when the store went back in time"
            );
        }
        let orders: Vec<u64> = self.entity.items.iter().map(|item| item.order).collect();
        assert!(
            orders.is_sorted(),
            "items stay in the order of acceptance: {orders:?}"
        );
        self.names.extend(new.cloud_id.clone());
        answer
    }

    pub fn change(&mut self, doc: Option<Doc>) {
        if doc.is_none() && self.entity.record.doc.is_none() {
            return;
        }
        self.count += 1;
        let incoming = Incoming {
            doc,
            stamp: NOW.plus_ms(self.count as i64).into(),
            by: None,
            change_id: format!("ch-{}", self.count),
            order: self.count,
            now: NOW,
        };
        let attempted = self
            .entity
            .head()
            .filter(|head| head.state == ItemState::Attempted);
        let attempted = attempted.cloned();
        let coalesce = self.coalesce;
        self.commit(|entity| accept(entity, incoming, coalesce));
        if let Some(attempted) = attempted {
            assert_eq!(
                self.entity.head(),
                Some(&attempted),
                "rule 1: an attempted item stays as it was"
            );
        }
    }

    /// Sends the head. `arrives`: whether it reaches the cloud.
    pub fn send(&mut self, cloud: &mut Cloud, arrives: bool) {
        if self.flight.is_some() || self.entity.record.slot.is_none() {
            return;
        }
        if self.commit(|entity| attempt(entity, NOW)) == Attempt::Needless {
            return;
        }
        let head = self.entity.head().expect("it was attempted").clone();
        self.remember(&head);
        if arrives {
            let (outcome, update) = cloud.push(&head);
            self.flight = Some(Flight {
                change_id: head.change_id,
                outcome,
                update,
            });
        }
    }

    /// The cloud refuses the head without looking at it.
    pub fn refused(&mut self, cloud: &Cloud, retryable: bool) {
        let applied = self
            .entity
            .head()
            .is_some_and(|head| cloud.remembers(&head.change_id));
        if self.flight.is_some() || self.entity.record.slot.is_none() || applied {
            return;
        }
        if self.commit(|entity| attempt(entity, NOW)) == Attempt::First {
            let head = self.entity.head().expect("it was attempted").clone();
            self.remember(&head);
        }
        let error = "no".to_owned();
        self.absorb(Outcome::Failed { error, retryable });
    }

    /// The mapper cannot translate the head.
    pub fn parked(&mut self, retryable: bool) {
        if self.flight.is_none() && self.entity.record.slot.is_some() {
            let error = "plugin-trap".to_owned();
            let by = Parked {
                code: error.clone(),
                plugin: "m".to_owned(),
                digest: None,
                under: String::new(),
                at: Millis(0),
            };
            self.absorb(Outcome::Parked { error, retryable, by });
        }
    }

    fn remember(&mut self, head: &Item) {
        let sent = head.sent.as_ref().expect("it was attempted");
        let said = Said {
            operation: head.operation,
            snapshot: head.snapshot.clone(),
            base_version: sent.base_version,
            updated_at: sent.updated_at,
        };
        let first = self
            .said
            .entry(head.change_id.clone())
            .or_insert_with(|| Said { ..said });
        let again = Said {
            operation: head.operation,
            snapshot: head.snapshot.clone(),
            base_version: sent.base_version,
            updated_at: sent.updated_at,
        };
        assert_eq!(*first, again, "rule 1: a change_id says one thing for life");
    }

    fn absorb(&mut self, outcome: Outcome) {
        let Some(head) = self.entity.head() else { return };
        let change_id = head.change_id.clone();
        self.absorb_for(&change_id, outcome, None);
    }

    fn absorb_for(&mut self, change_id: &str, outcome: Outcome, update: Option<Update>) {
        self.count += 1;
        let policy = Policy {
            max_retries: 2,
            retry_at: NOW,
            coalesce: self.coalesce,
            new_change_id: format!("re-{}", self.count),
        };
        self.commit(|entity| {
            absorb(entity, change_id, outcome, &policy);
            if let Some(update) = update {
                put_in_inbox(entity, &update);
            }
        });
    }

    /// The answer to the request under way comes, is lost, or does not speak of the item.
    pub fn answer(&mut self, fate: Fate) {
        let Some(flight) = self.flight.take() else { return };
        match fate {
            Fate::Comes => self.absorb_for(&flight.change_id, flight.outcome, flight.update),
            Fate::Lost => {}
            Fate::Silent => self.absorb_for(&flight.change_id, Outcome::Missing, None),
        }
    }

    /// Whether an update speaks of this entity (rule 9).
    fn is_meant(&self, update: &Update) -> bool {
        let record = &self.entity.record;
        update.cloud_id.as_ref().is_some_and(|id| self.names.contains(id))
            || record.version == 0
            || self.entity.answers_to_local_id()
    }

    /// An update arrives by pull or webhook.
    pub fn arrive(&mut self, update: &Update) {
        if !self.is_meant(update) || is_stale(&self.entity, update) {
            return;
        }
        self.commit(|entity| settle_echo(entity, update, &seen(update)));
        let record = &self.entity.record;
        if !self.entity.items.is_empty() || record.conflict.is_some() || record.inbox.is_some() {
            return self.commit(|entity| put_in_inbox(entity, update));
        }
        self.take(update);
    }

    /// The same for an update that may have been here before: then it must change nothing, now or when it is decided.
    pub fn arrive_late(&mut self, update: &Update) {
        let healthy = self.entity.record.standing != Standing::Diverged;
        if healthy && self.taken.contains(update) && self.is_meant(update) {
            let mut after = self.entity.clone();
            let received = receive(&mut after, update, &seen(update));
            let (before, after) = (&self.entity.record, &after.record);
            assert!(
                same_state(before.doc.as_ref(), after.doc.as_ref()),
                "promise 7: what was taken into account before changes nothing: {received:?}"
            );
            assert_ne!(received, Received::Contested, "a repeat is no conflict");
        }
        self.arrive(update);
    }

    fn take(&mut self, update: &Update) -> Received {
        let before = self.entity.clone();
        let received = self.commit(|entity| {
            entity.record.inbox = None;
            let received = receive(entity, update, &seen(update));
            if matches!(received, Received::Contested | Received::Waits) {
                entity.record.inbox = Some(update.clone());
            }
            received
        });
        // What is in doubt may turn out to be at the cloud, with what followed it there.
        if before.is_unsynced() && !before.items.iter().any(|item| item.doubted) {
            assert!(
                same_state(before.record.doc.as_ref(), self.entity.record.doc.as_ref()),
                "promise 4: an unsynced document is not replaced without a verdict: {received:?}"
            );
        }
        if !matches!(received, Received::Contested | Received::Waits) {
            self.taken.push(update.clone());
        }
        received
    }

    /// Decides the inbox, by `decision` where both sides changed.
    pub fn decide(&mut self, decision: &Decision) {
        if !self.entity.is_decidable() {
            return;
        }
        let update = self.entity.record.inbox.clone().expect("it is decidable");
        if self.take(&update) == Received::Contested {
            self.settle(&update, decision);
        }
    }

    /// A person decides the open conflict.
    pub fn resolve(&mut self, decision: &Decision) {
        if self.entity.record.conflict.is_some() {
            let update = self
                .entity
                .record
                .inbox
                .clone()
                .expect("a conflict has its update");
            self.settle(&update, decision);
        }
    }

    fn settle(&mut self, update: &Update, decision: &Decision) {
        self.count += 1;
        let count = self.count;
        let means = Means {
            change_ids: (0..self.entity.items.len().max(1))
                .map(|n| format!("v-{count}-{n}"))
                .collect(),
            order: count,
            conflict_id: "1".to_owned(),
            stamp: NOW.plus_ms(count as i64).into(),
            now: NOW,
        };
        let before = self.entity.record.doc.clone();
        self.commit(|entity| settle(entity, update, &seen(update), decision, means));
        let after = self.entity.record.doc.as_ref();
        let meant = match decision {
            Decision::KeepLocal | Decision::Defer => before.as_ref(),
            Decision::TakeCloud => update.body.as_ref(),
            Decision::Merge(doc) => Some(doc),
            Decision::Delete => None,
        };
        assert!(same_state(after, meant), "the verdict is carried out");
        if *decision != Decision::Defer {
            self.taken.push(update.clone());
        }
    }

    /// A person puts a failed head back.
    pub fn retry(&mut self) {
        if let Some(order) = self.entity.head().map(|head| head.order) {
            self.commit(|entity| retry(entity, order));
        }
    }

    /// An admin gives the head up.
    pub fn give_up(&mut self) {
        if let Some(order) = self.entity.head().map(|head| head.order) {
            self.commit(|entity| give_up(entity, order));
        }
    }

    /// Whether nothing is left to do.
    pub fn is_calm(&self) -> bool {
        let record = &self.entity.record;
        self.entity.items.is_empty() && record.inbox.is_none() && record.conflict.is_none()
    }
}

/// What becomes of an answer.
#[derive(Clone, Copy, Debug)]
pub enum Fate {
    Comes,
    Lost,
    Silent,
}

fn put_in_inbox(entity: &mut Entity, update: &Update) {
    if entity
        .record
        .inbox
        .as_ref()
        .is_none_or(|waiting| supersedes(update, waiting))
    {
        entity.record.inbox = Some(update.clone());
    }
}

fn seen(update: &Update) -> Seen {
    update.body.clone().map_or(Seen::Deleted, Seen::Doc)
}
