//! A cloud of the test's own: it keeps entities, remembers applied change_ids or not, refuses what was made on another
//! version or not, and reports what changed. Every effect on it is kept for the checks. It knows bytes of requests
//! and answers, and no outlet's inside.

use crate::plan::{MAPPED, Manner};
use crate::time::WorldTime;
use crate::trace::Trace;
use selaras_core::checkpoint::BEGINNING;
use selaras_core::stamp::Millis;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a document's number is called in another shape.
pub const CLOUD_NUMBER: &str = "number";

/// Fields of `data` that are not the document's.
const ENVELOPE: [&str; 7] = [
    "id",
    "local_id",
    "cloud_id",
    "version",
    "updated_at",
    "outlet_id",
    "outlet_code",
];

/// A state of an entity.
#[derive(Clone, Debug)]
pub struct State {
    pub entity: usize,
    pub entity_type: String,
    pub cloud_id: String,
    /// None: deleted.
    pub doc: Option<Value>,
    pub version: u64,
    pub stamp_ms: i64,
    /// The change that made it.
    pub maker: Option<String>,
    /// From when on it is listed.
    pub visible_ms: i64,
}

/// A pushed change that took effect.
#[derive(Clone, Debug)]
pub struct Effect {
    pub outlet: usize,
    pub entity_type: String,
    pub local_id: String,
    /// The outlet's version.
    pub version: u64,
    /// The number of the document; none: a delete.
    pub n: Option<u64>,
}

/// An outlet's id of an entity.
type LocalName = (usize, String, String);

/// The cloud.
pub struct Cloud {
    manner: Manner,
    time: WorldTime,
    trace: Arc<Trace>,
    /// Every state there ever was, in order.
    pub log: Vec<State>,
    /// The newest state of each entity, by its place in the log.
    pub newest: Vec<usize>,
    by_cloud_id: BTreeMap<(String, String), usize>,
    by_local_id: BTreeMap<LocalName, usize>,
    applied: BTreeMap<String, Value>,
    pub effects: Vec<Effect>,
    /// How often an entity was said to be at fault.
    pub blames: BTreeMap<LocalName, u32>,
    /// The numbers of all documents it ever had.
    pub held: BTreeSet<u64>,
    /// Documents it cannot bear.
    pub poison: BTreeSet<u64>,
}

/// What of an answer is to be spoilt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spoil {
    /// Every second item fails.
    pub fail: bool,
    /// Results are shuffled, doubled and missing.
    pub garble: bool,
}

impl Cloud {
    /// An empty one.
    pub fn new(manner: Manner, time: WorldTime, trace: Arc<Trace>) -> Self {
        Self {
            manner,
            time,
            trace,
            log: Vec::new(),
            newest: Vec::new(),
            by_cloud_id: BTreeMap::new(),
            by_local_id: BTreeMap::new(),
            applied: BTreeMap::new(),
            effects: Vec::new(),
            blames: BTreeMap::new(),
            held: BTreeSet::new(),
            poison: BTreeSet::new(),
        }
    }

    /// The newest state of each entity.
    pub fn states(&self) -> impl Iterator<Item = &State> {
        self.newest.iter().map(|at| &self.log[*at])
    }

    /// The outlet's own id of an entity, as it was told here.
    pub fn local_id(&self, outlet: usize, entity: usize) -> Option<&str> {
        let mut names = self.by_local_id.iter();
        names
            .find(|((at, _, _), named)| *at == outlet && **named == entity)
            .map(|((_, _, id), _)| id.as_str())
    }

    /// Headquarters changes, makes or deletes an entity.
    pub fn edit(&mut self, lot: u64, make: bool, delete: bool, entity_type: &str, n: u64) {
        let entity = if make || self.newest.is_empty() {
            self.begin(entity_type)
        } else {
            usize::try_from(lot % self.newest.len() as u64).expect("below a length")
        };
        let lives = self
            .newest
            .get(entity)
            .is_some_and(|at| self.log[*at].doc.is_some());
        if !lives && !make && self.manner.renames {
            // What is gone stays gone; what comes after it has another name.
            return;
        }
        let field = self.number(&self.log[self.newest[entity]].entity_type);
        let doc = Some(json!({field: n, "by": "hq"})).filter(|_| !delete || !lives);
        let late = if self.manner.stamps_checkpoints {
            i64::try_from(lot % 40_000).expect("a small number")
        } else {
            0
        };
        self.become_state(entity, doc, None, late);
    }

    /// The field that holds a document's number.
    fn number(&self, entity_type: &str) -> &'static str {
        if self.manner.maps && entity_type == MAPPED {
            CLOUD_NUMBER
        } else {
            "n"
        }
    }

    /// A state's document in the outlets' shape.
    pub fn at_outlet(&self, state: &State) -> Option<Value> {
        let mut doc = state.doc.clone()?;
        let fields = doc.as_object_mut().expect("a document is an object");
        if let Some(n) = fields.remove(self.number(&state.entity_type)) {
            fields.insert("n".to_owned(), n);
        }
        Some(doc)
    }

    fn begin(&mut self, entity_type: &str) -> usize {
        let entity = self.newest.len();
        let cloud_id = format!("c-{entity}");
        self.by_cloud_id
            .insert((entity_type.to_owned(), cloud_id.clone()), entity);
        self.newest.push(self.log.len());
        // Its first state follows at once.
        self.log.push(State {
            entity,
            entity_type: entity_type.to_owned(),
            cloud_id,
            doc: None,
            version: 0,
            stamp_ms: self.next_stamp(),
            maker: None,
            visible_ms: i64::MAX,
        });
        entity
    }

    fn next_stamp(&self) -> i64 {
        let last = self.log.last().map_or(0, |state| state.stamp_ms + 1);
        self.time.wall_ms().max(last)
    }

    fn become_state(&mut self, entity: usize, doc: Option<Value>, maker: Option<String>, late_ms: i64) {
        let stamp_ms = self.next_stamp();
        let before = self.log[self.newest[entity]].clone();
        let line = format!(
            "cloud: {} {} is {} v{}",
            before.entity_type,
            before.cloud_id,
            doc.as_ref()
                .map_or_else(|| "deleted".to_owned(), Value::to_string),
            before.version + 1
        );
        self.trace.note(self.time.ms(), &line);
        self.newest[entity] = self.log.len();
        let field = self.number(&before.entity_type);
        self.held.extend(doc.as_ref().and_then(|doc| doc[field].as_u64()));
        self.log.push(State {
            doc,
            version: before.version + 1,
            stamp_ms,
            maker,
            visible_ms: self.time.wall_ms() + late_ms,
            ..before
        });
    }

    /// A batch comes. None: it breaks over a document in it (500).
    pub fn batch(&mut self, outlet: usize, body: &[u8], spoil: Spoil) -> Option<Value> {
        let request: Value = serde_json::from_slice(body).expect("the outlet sends JSON");
        let items = request["items"].as_array().expect("a batch has items");
        if items.iter().any(|item| self.is_poison(item)) {
            return None;
        }
        let mut results = Vec::new();
        for (place, item) in items.iter().enumerate() {
            let mut result = if spoil.fail && place % 2 == 0 {
                self.blame(outlet, item);
                json!({"status": "failed", "error": "try again"})
            } else {
                self.push(outlet, item)
            };
            result["entity_type"] = item["entity_type"].clone();
            result["local_id"] = item["data"]["local_id"].clone();
            if self.manner.names_changes {
                result["change_id"] = item["change_id"].clone();
            }
            results.push(result);
        }
        if spoil.garble {
            self.garble(outlet, items, &mut results);
        }
        let count = results.len();
        Some(json!({"success": true, "data": {"processed": count, "results": results}}))
    }

    fn garble(&mut self, outlet: usize, items: &[Value], results: &mut Vec<Value>) {
        self.blame(outlet, &items[0]);
        results.remove(0);
        results.reverse();
        if let Some(first) = results.first().cloned() {
            results.push(first);
        }
        results.push(json!({"entity_type": "product", "local_id": "nobody's", "status": "success"}));
    }

    /// The documents of a refused request are at fault, as far as it carries one alone.
    pub fn blame_request(&mut self, outlet: usize, body: &[u8]) {
        let Ok(request) = serde_json::from_slice::<Value>(body) else {
            return;
        };
        if let Some([item]) = request["items"].as_array().map(Vec::as_slice) {
            self.blame(outlet, item);
        }
    }

    fn blame(&mut self, outlet: usize, item: &Value) {
        *self.blames.entry(local_name(outlet, item)).or_default() += 1;
    }

    fn is_poison(&self, item: &Value) -> bool {
        let entity_type = item["entity_type"].as_str().unwrap_or_default();
        item["data"][self.number(entity_type)]
            .as_u64()
            .is_some_and(|n| self.poison.contains(&n))
    }

    fn push(&mut self, outlet: usize, item: &Value) -> Value {
        let name = local_name(outlet, item);
        let change_id = item["change_id"].as_str().map(str::to_owned);
        self.trace.count("pushes");
        if self.manner.dedups
            && let Some(id) = &change_id
            && let Some(answer) = self.applied.get(id)
        {
            self.trace.count("pushes of known changes");
            return answer.clone();
        }
        let data = &item["data"];
        let doc = (item["operation"] != "delete").then(|| document(data));
        let named = data["cloud_id"]
            .as_str()
            .map(|id| (name.1.clone(), id.to_owned()));
        let known = match named.and_then(|named| self.by_cloud_id.get(&named)) {
            Some(entity) => Some(*entity),
            None => self.by_local_id.get(&name).copied(),
        };
        let Some(entity) = known.or_else(|| doc.is_some().then(|| self.begin(&name.1))) else {
            return json!({"status": "success"});
        };
        let newest = &self.log[self.newest[entity]];
        let base = item["base_version"].as_u64().unwrap_or(0);
        if self.manner.checks_base && newest.version > 0 && base != newest.version {
            self.trace.count("conflicts seen by the cloud");
            return json!({"status": "conflict", "cloud": {
                "cloud_id": newest.cloud_id, "version": newest.version, "data": newest.doc,
                "deleted": newest.doc.is_none(), "updated_at": Millis(newest.stamp_ms).to_rfc3339(),
            }});
        }
        let begins = newest.doc.is_none() && newest.version > 0 && item["operation"] == "create";
        let entity = if begins && self.manner.renames {
            self.begin(&name.1)
        } else {
            entity
        };
        self.by_local_id.insert(name.clone(), entity);
        let field = self.number(&name.1);
        let n = doc.as_ref().and_then(|doc| doc[field].as_u64());
        self.become_state(entity, doc, change_id.clone(), 0);
        self.effects.push(Effect {
            outlet,
            entity_type: name.1,
            local_id: name.2,
            version: data["version"].as_u64().unwrap_or(0),
            n,
        });
        let newest = &self.log[self.newest[entity]];
        let mut answer = json!({"status": "success", "cloud_id": newest.cloud_id});
        if self.manner.states_versions {
            answer["version"] = newest.version.into();
        }
        if let Some(id) = change_id {
            self.applied.insert(id, answer.clone());
        }
        answer
    }

    /// What changed since a checkpoint. None: it is none of its own (410).
    pub fn updates(&self, outlet: usize, since: &str) -> Option<Value> {
        let now = self.time.wall_ms();
        let from = self.place(since)?;
        let mut places: Vec<usize> = self.newest.clone();
        places.retain(|at| *at >= from || (self.manner.stamps_checkpoints && self.is_after(*at, since)));
        places.retain(|at| self.log[*at].visible_ms <= now);
        places.sort_unstable();
        let more = places.len() > self.manner.page;
        places.truncate(self.manner.page);
        let mut data = Map::new();
        let mut deleted = Vec::new();
        for state in places.iter().map(|at| &self.log[*at]) {
            let mut element = self.element(outlet, state);
            let stamp = Millis(state.stamp_ms).to_rfc3339();
            let (list, key) = match &state.doc {
                None => {
                    element["deleted_at"] = stamp.into();
                    deleted.push(element);
                    continue;
                }
                Some(doc) if self.manner.plurals => {
                    let fields = doc.as_object().expect("a document is an object").clone();
                    let all = element.as_object_mut().expect("an element is an object");
                    all.extend(fields);
                    all.remove("entity_type");
                    (format!("{}s", state.entity_type), element)
                }
                Some(doc) => {
                    element["data"] = doc.clone();
                    ("items".to_owned(), element)
                }
            };
            let mut element = key;
            element["updated_at"] = stamp.into();
            let array = data.entry(list).or_insert_with(|| json!([]));
            array.as_array_mut().expect("made as an array").push(element);
        }
        data.insert("deleted".to_owned(), deleted.into());
        if let Some(last) = places.last() {
            let checkpoint = if self.manner.stamps_checkpoints {
                Millis(self.log[*last].stamp_ms).to_rfc3339()
            } else {
                // A listing from the beginning is told apart until it ends.
                let whole = more && (since == BEGINNING || since.starts_with("whole "));
                format!("{} {}", if whole { "whole" } else { "place" }, last + 1)
            };
            data.insert("sync_checkpoint".to_owned(), checkpoint.into());
        }
        data.insert("has_more".to_owned(), more.into());
        if self.manner.completes && !more && (since == BEGINNING || since.starts_with("whole ")) {
            data.insert("complete".to_owned(), true.into());
        }
        Some(json!({"success": true, "data": data}))
    }

    fn element(&self, outlet: usize, state: &State) -> Value {
        let mut element = json!({
            "entity_type": state.entity_type, "cloud_id": state.cloud_id, "version": state.version,
        });
        if let Some(id) = self.local_id(outlet, state.entity) {
            element["local_id"] = id.into();
        }
        if self.manner.names_changes
            && !self.manner.plurals
            && let Some(maker) = &state.maker
        {
            element["change_id"] = maker.as_str().into();
        }
        element
    }

    /// The place in the log that a checkpoint names.
    fn place(&self, since: &str) -> Option<usize> {
        if since == BEGINNING {
            return Some(0);
        }
        if self.manner.stamps_checkpoints {
            return Some(usize::MAX);
        }
        place_of(since)
    }

    fn is_after(&self, at: usize, since: &str) -> bool {
        Millis::parse_rfc3339(since).is_some_and(|since| self.log[at].stamp_ms > since.0)
    }
}

/// The place that a checkpoint names.
pub fn place_of(checkpoint: &str) -> Option<usize> {
    let place = checkpoint.strip_prefix("place ");
    place
        .or_else(|| checkpoint.strip_prefix("whole "))
        .and_then(|place| place.parse().ok())
}

fn document(data: &Value) -> Value {
    let mut doc = data.as_object().expect("data is an object").clone();
    for name in ENVELOPE {
        doc.remove(name);
    }
    Value::Object(doc)
}

fn local_name(outlet: usize, item: &Value) -> LocalName {
    let word = |value: &Value| value.as_str().expect("a name").to_owned();
    (
        outlet,
        word(&item["entity_type"]),
        word(&item["data"]["local_id"]),
    )
}
