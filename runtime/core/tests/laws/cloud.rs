//! A cloud with one entity, in several manners: it keeps what it is sent, remembers every state it ever announced, and
//! judges as the contract lets it.

use selaras_core::id::CloudId;
use selaras_core::item::Item;
use selaras_core::json::Doc;
use selaras_core::push::Outcome;
use selaras_core::record::Operation;
use selaras_core::stamp::Millis;
use selaras_core::update::Update;
use std::collections::BTreeMap;

/// What a cloud does and does not do.
#[derive(Clone, Debug)]
pub struct Manner {
    /// Its updates have numbers.
    pub numbers: bool,
    /// Its updates have stamps.
    pub stamps: bool,
    /// Its results state numbers.
    pub states_numbers: bool,
    /// It applies a change_id once.
    pub dedups: bool,
    /// It refuses changes that were made on another number.
    pub checks_base: bool,
    /// Its updates name the change that made them.
    pub names_changes: bool,
    /// What is created after a deletion is another entity, numbered anew.
    pub renames: bool,
}

impl Manner {
    /// Whether an update says when it came to be.
    pub fn is_ordered(&self) -> bool {
        self.numbers || self.stamps
    }
}

#[derive(Debug)]
pub struct Cloud {
    manner: Manner,
    doc: Option<Doc>,
    id: Option<CloudId>,
    ids: u32,
    version: u64,
    clock: i64,
    maker: Option<String>,
    /// What was answered to each change_id that was applied.
    applied: BTreeMap<String, Outcome>,
    /// Every state it announced.
    pub log: Vec<Update>,
    /// The numbers of the outlet's versions as they took effect.
    pub effects: Vec<u64>,
    /// Every number it stated in whatever way.
    pub stated: Vec<u64>,
}

impl Cloud {
    pub fn new(manner: Manner) -> Self {
        Self {
            manner,
            doc: None,
            id: None,
            ids: 0,
            version: 0,
            clock: 0,
            maker: None,
            applied: BTreeMap::new(),
            log: Vec::new(),
            effects: Vec::new(),
            stated: vec![0],
        }
    }

    pub fn doc(&self) -> Option<&Doc> {
        self.doc.as_ref()
    }

    /// Its state as it announces it; none before it knows the entity.
    pub fn current(&self) -> Option<&Update> {
        self.log.last()
    }

    /// Headquarters changes or deletes what is there.
    pub fn edit(&mut self, doc: Option<Doc>) {
        if self.id.is_some() && (self.doc.is_some() || doc.is_some()) {
            self.become_state(doc, None);
        }
    }

    /// A pushed item arrives. The answer, with the cloud's side where it is a conflict.
    pub fn push(&mut self, item: &Item) -> (Outcome, Option<Update>) {
        let sent = item.sent.as_ref().expect("it was sent");
        if self.manner.dedups
            && let Some(answer) = self.applied.get(&item.change_id)
        {
            return (answer.clone(), None);
        }
        if self.manner.checks_base && self.id.is_some() && sent.base_version != self.version {
            return (Outcome::Conflict, self.log.last().cloned());
        }
        let begins = item.operation == Operation::Create && self.doc.is_none();
        if self.id.is_none() || (begins && self.manner.renames) {
            self.ids += 1;
            self.id = Some(CloudId::parse(&format!("c-{}", self.ids)).expect("an id"));
            self.version = 0;
        }
        self.become_state(item.snapshot.clone(), Some(item.change_id.clone()));
        self.effects.push(item.version);
        let version = Some(self.version).filter(|_| self.manner.states_numbers && self.manner.numbers);
        self.stated.extend(version);
        let cloud_id = self.id.clone();
        let answer = Outcome::Success { cloud_id, version };
        self.applied.insert(item.change_id.clone(), answer.clone());
        (answer, None)
    }

    fn become_state(&mut self, doc: Option<Doc>, maker: Option<String>) {
        self.doc = doc;
        self.maker = maker;
        self.version += 1;
        self.clock += 10;
        if self.manner.numbers {
            self.stated.push(self.version);
        }
        self.log.push(Update {
            cloud_id: self.id.clone(),
            version: Some(self.version).filter(|_| self.manner.numbers),
            stamp: Some(Millis(self.clock)).filter(|_| self.manner.stamps),
            by: None,
            change_id: self.maker.clone().filter(|_| self.manner.names_changes),
            body: self.doc.clone(),
        });
    }
}
