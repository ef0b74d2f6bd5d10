//! Short ways to say what the tests of the rules are about: an entity, a change, an answer, an update. Tests only.

use crate::accept::{Incoming, Queued, accept};
use crate::entity::Entity;
use crate::id::{CloudId, EntityKey};
use crate::item::{Item, Parked};
use crate::json::Doc;
use crate::push::{Absorbed, Attempt, Outcome, Policy, absorb, attempt};
use crate::receive::{Received, receive};
use crate::settle::{Decision, Means, settle};
use crate::stamp::Millis;
use crate::update::{Seen, Update};

pub const NOW: Millis = Millis(1_000_000);
pub const RETRY_AT: Millis = Millis(2_000_000);

pub fn doc(text: &str) -> Doc {
    Doc::parse(text).unwrap()
}

/// A document that says this price.
pub fn price(text: &str) -> Doc {
    doc(&format!(r#"{{"price":{text}}}"#))
}

pub fn id(text: &str) -> CloudId {
    CloudId::parse(text).unwrap()
}

/// The cloud's entity `c-1` with this price and number; no stamp.
pub fn update(text: &str, version: u64) -> Update {
    Update {
        cloud_id: Some(id("c-1")),
        version: Some(version),
        body: Some(price(text)),
        ..Update::default()
    }
}

/// The cloud's deletion of `c-1`.
pub fn deletion(version: u64) -> Update {
    Update {
        cloud_id: Some(id("c-1")),
        version: Some(version),
        ..Update::default()
    }
}

pub fn unnumbered(update: Update, stamp: Option<i64>) -> Update {
    Update {
        version: None,
        stamp: stamp.map(Millis),
        ..update
    }
}

/// The update's own body, as without a mapper.
pub fn seen(update: &Update) -> Seen {
    update.body.clone().map_or(Seen::Deleted, Seen::Doc)
}

pub fn policy(coalesce: bool, change_id: &str) -> Policy {
    Policy {
        max_retries: 2,
        retry_at: RETRY_AT,
        coalesce,
        new_change_id: change_id.to_owned(),
    }
}

/// An entity under test; each step is sealed as the engine's commit would.
#[derive(Clone, Debug)]
pub struct Case {
    pub entity: Entity,
    pub coalesce: bool,
    count: u64,
}

impl Case {
    pub fn new() -> Self {
        let key = EntityKey::parse("product", "p-1").unwrap();
        Self {
            entity: Entity::new(key),
            coalesce: true,
            count: 0,
        }
    }

    pub fn without_coalescing() -> Self {
        Self {
            coalesce: false,
            ..Self::new()
        }
    }

    /// An entity that both sides know as price 1 at the cloud's number 3.
    pub fn synced() -> Self {
        let mut case = Self::new();
        assert_eq!(case.update(&update("1", 3)), Received::Applied);
        case
    }

    /// The same, deleted at the cloud by number 4 while price 2 waited here, which was decided for.
    pub fn kept_over_deletion() -> Self {
        let mut case = Self::synced();
        case.put("2");
        assert_eq!(case.update(&deletion(4)), Received::Contested);
        case.decide(&deletion(4), &Decision::KeepLocal);
        case
    }

    pub fn step<T>(&mut self, does: impl FnOnce(&mut Entity) -> T) -> T {
        let before = self.entity.clone();
        let answer = does(&mut self.entity);
        if before != self.entity {
            self.entity.seal(&before, 0);
        }
        answer
    }

    fn change(&mut self, doc: Option<Doc>) -> Queued {
        self.count += 1;
        let incoming = Incoming {
            doc,
            stamp: NOW.plus_ms(self.count as i64).into(),
            by: Some("app".to_owned()),
            change_id: format!("ch-{}", self.count),
            order: self.count,
            now: NOW,
        };
        let coalesce = self.coalesce;
        self.step(|entity| accept(entity, incoming, coalesce))
    }

    pub fn put(&mut self, text: &str) -> Queued {
        self.change(Some(price(text)))
    }

    pub fn delete(&mut self) -> Queued {
        self.change(None)
    }

    pub fn attempt(&mut self) -> Attempt {
        self.step(|entity| attempt(entity, NOW))
    }

    /// The cloud's answer for the head.
    pub fn answer(&mut self, outcome: Outcome) -> Absorbed {
        self.count += 1;
        let policy = policy(self.coalesce, &format!("re-{}", self.count));
        let change_id = self.head().change_id.clone();
        self.step(|entity| absorb(entity, &change_id, outcome, &policy))
    }

    /// The head is sent and applied.
    pub fn push(&mut self, cloud_id: Option<&str>, version: Option<u64>) -> Absorbed {
        assert_ne!(self.attempt(), Attempt::Needless);
        let cloud_id = cloud_id.map(id);
        self.answer(Outcome::Success { cloud_id, version })
    }

    pub fn refuse(&mut self, retryable: bool) -> Absorbed {
        let error = "no".to_owned();
        self.answer(Outcome::Failed { error, retryable })
    }

    pub fn park(&mut self, retryable: bool) -> Absorbed {
        let error = "plugin-trap".to_owned();
        let by = parked("old");
        self.answer(Outcome::Parked { error, retryable, by })
    }

    pub fn update(&mut self, update: &Update) -> Received {
        self.update_as(update, &seen(update))
    }

    pub fn update_as(&mut self, update: &Update, seen: &Seen) -> Received {
        self.step(|entity| receive(entity, update, seen))
    }

    pub fn decide(&mut self, update: &Update, decision: &Decision) {
        self.decide_as(update, &seen(update), decision);
    }

    pub fn decide_as(&mut self, update: &Update, seen: &Seen, decision: &Decision) {
        self.count += 1;
        let count = self.count;
        let ids = self.entity.items.len().max(1);
        let means = Means {
            change_ids: (0..ids).map(|n| format!("v-{count}-{n}")).collect(),
            order: count,
            conflict_id: "7".to_owned(),
            stamp: NOW.plus_ms(count as i64).into(),
            now: NOW,
        };
        self.step(|entity| settle(entity, update, seen, decision, means));
    }

    pub fn head(&self) -> &Item {
        self.entity.head().unwrap()
    }

    pub fn doc(&self) -> Option<&str> {
        self.entity.record.doc.as_ref().map(Doc::as_str)
    }

    pub fn waiting(&self) -> Vec<&str> {
        self.entity
            .items
            .iter()
            .map(|item| item.change_id.as_str())
            .collect()
    }
}

/// What a mapper's failure leaves, under settings of this name.
pub fn parked(under: &str) -> Parked {
    Parked {
        code: "plugin-trap".to_owned(),
        plugin: "m".to_owned(),
        digest: None,
        under: under.to_owned(),
        at: Millis(0),
    }
}
