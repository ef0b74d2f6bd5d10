//! An app: one change after the other to entities of its own, each remembered with its answer. It knows of every entity
//! what it must hold, and of the one request that got no answer what it may hold instead.

use crate::crash::check::{Held, Snapshot};
use crate::harness::dice::Dice;
use crate::harness::json_text::{at, elements, number_at, string_at};
use crate::outlet::{Reply, Session};
use std::collections::BTreeMap;

/// Entities of one app.
const IDS: usize = 12;
/// Sizes of documents: in one piece, and in several.
const SIZES: [usize; 8] = [40, 60, 90, 200, 400, 900, 7_000, 30_000];

/// A document: its number is never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Document {
    number: u64,
    padding: usize,
}

impl Document {
    fn text(self) -> String {
        format!(
            r#"{{"n":{},"padding":"{}"}}"#,
            self.number,
            "x".repeat(self.padding)
        )
    }
}

/// What one request does to one entity; no document: it is deleted.
#[derive(Clone, Debug)]
struct Write {
    id: String,
    becomes: Option<Document>,
}

/// A request that can be sent again as it was.
#[derive(Clone, Debug)]
struct Request {
    method: &'static str,
    path: String,
    body: String,
    /// Makes a repeat harmless. A list of changes names its own change_ids instead.
    key: Option<String>,
    repeatable: bool,
    writes: Vec<Write>,
}

/// A change that was answered, as the feed must tell it.
#[derive(Clone, Debug)]
pub struct Told {
    pub change_id: String,
    pub id: String,
    pub version: i64,
    pub deleted: bool,
}

/// The app.
pub struct Writer {
    name: String,
    dice: Dice,
    next: u64,
    /// What each entity holds by the last answer; none: deleted.
    holds: BTreeMap<String, Option<Document>>,
    versions: BTreeMap<String, i64>,
    /// Sent, and not answered.
    open: Option<Request>,
    /// The last one that may be sent again, and its answer.
    last: Option<(Request, String)>,
    /// Answered since the last look at the feed.
    pub told: Vec<Told>,
}

impl Writer {
    /// The app of this number.
    pub fn new(number: usize, dice: Dice) -> Self {
        Self {
            name: format!("w{number}"),
            dice,
            next: 0,
            holds: BTreeMap::new(),
            versions: BTreeMap::new(),
            open: None,
            last: None,
            told: Vec::new(),
        }
    }

    /// Entities it has made.
    pub fn entities(&self) -> usize {
        self.holds.len()
    }

    /// Makes one change. False: it was not answered, or refused.
    pub async fn step(&mut self, session: &Session) -> Result<(), Option<Reply>> {
        let request = self.plan();
        self.open = Some(request.clone());
        let reply = send(session, &request).await.ok_or(None)?;
        if !(200..300).contains(&reply.status) {
            return Err(Some(reply));
        }
        self.open = None;
        self.take(request, &reply);
        Ok(())
    }

    fn plan(&mut self) -> Request {
        self.next += 1;
        let lives = |holds: &BTreeMap<String, Option<Document>>, id: &str| holds.get(id).copied().flatten();
        let id = format!("{}-{}", self.name, self.dice.below(IDS));
        let document = Document {
            number: self.next,
            padding: self.dice.pick(&SIZES),
        };
        let path = format!("/api/v1/entities/thing/{id}");
        let key = format!("{}-key-{}", self.name, self.next);
        let single = |method, body, key: Option<String>, becomes| Request {
            method,
            path,
            body,
            repeatable: key.is_some(),
            key,
            writes: vec![Write {
                id: id.clone(),
                becomes,
            }],
        };
        match (self.dice.below(10), lives(&self.holds, &id)) {
            (0..=1, Some(before)) => {
                let becomes = Document {
                    number: self.next,
                    ..before
                };
                let key = self.dice.below(2).eq(&0).then_some(key);
                single("PATCH", format!(r#"{{"n":{}}}"#, self.next), key, Some(becomes))
            }
            (2, Some(_)) => {
                let key = self.dice.below(2).eq(&0).then_some(key);
                single("DELETE", String::new(), key, None)
            }
            (3..=4, _) => self.plan_list(document.number, &key),
            (5..=6, _) => single("PUT", document.text(), Some(key), Some(document)),
            _ => single("PUT", document.text(), None, Some(document)),
        }
    }

    /// Some changes as one, to entities that differ.
    fn plan_list(&mut self, number: u64, key: &str) -> Request {
        let (first, count) = (self.dice.below(IDS), self.dice.between(2, 6));
        let mut writes = Vec::new();
        let mut changes = Vec::new();
        for place in 0..count {
            let id = format!("{}-{}", self.name, (first + place) % IDS);
            let lives = self.holds.get(&id).copied().flatten().is_some();
            let becomes = (!lives || self.dice.below(5) > 0).then(|| Document {
                number,
                padding: self.dice.pick(&SIZES),
            });
            let operation = match becomes {
                Some(document) => format!(r#""operation":"update","data":{}"#, document.text()),
                None => r#""operation":"delete""#.to_owned(),
            };
            changes.push(format!(
                r#"{{"entity_type":"thing","entity_id":"{id}",{operation},"change_id":"{key}-{place}"}}"#
            ));
            writes.push(Write { id, becomes });
        }
        Request {
            method: "POST",
            path: "/api/v1/changes".to_owned(),
            body: format!(r#"{{"changes":[{}]}}"#, changes.join(",")),
            key: self.dice.below(2).eq(&0).then(|| key.to_owned()),
            repeatable: true,
            writes,
        }
    }

    /// Takes an answer in.
    fn take(&mut self, request: Request, reply: &Reply) {
        for (write, answer) in request.writes.iter().zip(answers(&request, reply)) {
            let version = number_at(&answer, "version").expect("an answer names the version");
            self.holds.insert(write.id.clone(), write.becomes);
            self.versions.insert(write.id.clone(), version);
            self.told.push(Told {
                change_id: string_at(&answer, "change_id").expect("an answer names the change"),
                id: write.id.clone(),
                version,
                deleted: write.becomes.is_none(),
            });
        }
        if request.repeatable {
            self.last = Some((request, at(&reply.text, "data").expect("an answer has data")));
        }
    }

    /// Every entity holds what was answered last; only what an unanswered request would have written may be there in
    /// its place, and then all of it.
    pub fn check(&mut self, snapshot: &Snapshot) {
        let open = self.open.as_ref().map_or(&[][..], |request| &request.writes);
        for (id, document) in &self.holds {
            if open.iter().any(|write| write.id == *id) {
                continue;
            }
            let held = snapshot.thing(id);
            assert_eq!(
                holds(held),
                *document,
                "{id} does not hold what was acknowledged: {held:?}"
            );
            let version = held.map_or(0, |held| held.version);
            assert_eq!(version, self.versions[id], "{id}: {held:?}");
        }
        let became: Vec<bool> = open
            .iter()
            .map(|write| {
                let (held, before) = (holds(snapshot.thing(&write.id)), self.holds.get(&write.id));
                let before = before.copied().flatten();
                assert!(
                    held == write.becomes || held == before,
                    "{}: neither {before:?} nor {:?}: {held:?}",
                    write.id,
                    write.becomes
                );
                held == write.becomes
            })
            .collect();
        let done = became.first().copied().unwrap_or_default();
        assert!(
            became.iter().all(|one| *one == done),
            "half of a list of changes: {became:?} of {open:?}"
        );
        if done && let Some(request) = &self.open {
            for write in request.writes.clone() {
                let version = snapshot.thing(&write.id).map_or(0, |held| held.version);
                self.versions.insert(write.id.clone(), version);
                self.holds.insert(write.id, write.becomes);
            }
        }
    }

    /// Sends again what got no answer, where that is safe by contract, and what got one: it takes effect once.
    pub async fn repeat(&mut self, session: &Session) {
        if let Some(request) = self.open.take() {
            let known = self.versions.clone();
            let done = request
                .writes
                .iter()
                .all(|w| self.holds.get(&w.id).copied() == Some(w.becomes));
            if request.repeatable {
                let reply = send(session, &request).await.expect("an answer");
                assert!((200..300).contains(&reply.status), "a repeat: {}", reply.text);
                self.take(request.clone(), &reply);
                if done {
                    // The feed told of it at its first time.
                    self.told.truncate(self.told.len() - request.writes.len());
                }
                for write in request.writes.iter().filter(|_| done) {
                    assert_eq!(self.versions[&write.id], known[&write.id], "{} twice", write.id);
                }
            }
        }
        if let Some((request, answer)) = &self.last {
            let reply = send(session, request).await.expect("an answer");
            let again = at(&reply.text, "data").unwrap_or_else(|| panic!("{}", reply.text));
            assert_eq!(again, *answer, "a repeat gets the first answer");
        }
    }

    /// The content of each entity, by its id.
    pub fn contents(&self) -> impl Iterator<Item = (&String, Option<String>)> {
        self.holds
            .iter()
            .map(|(id, document)| (id, document.map(Document::text)))
    }
}

/// What an entity that is or is not there holds.
fn holds(held: Option<&Held>) -> Option<Document> {
    let data = held?.data.as_ref()?;
    Some(Document {
        number: number_at(data, "n")?.try_into().ok()?,
        padding: string_at(data, "padding")?.len(),
    })
}

fn answers(request: &Request, reply: &Reply) -> Vec<String> {
    let data = at(&reply.text, "data").unwrap_or_else(|| panic!("{}", reply.text));
    if request.method == "POST" {
        elements(&data)
    } else {
        vec![data]
    }
}

async fn send(session: &Session, request: &Request) -> Option<Reply> {
    let key = request.key.as_deref().map(|key| ("Idempotency-Key", key));
    session
        .ask(request.method, &request.path, &request.body, key.as_slice())
        .await
}
