//! A version that runs beside the active one: it is asked the same, after the active one has answered, and only where a
//! thread has nothing to do. What it says is compared, counted, and never used.
//!
//! A real call that comes meanwhile waits for one of its calls at most: the rest of what it was to be asked is dropped.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use selaras_core::json::same_json;

use super::call::{Machine, Plugin};
use super::error::Failure;
use super::stats::Usage;
use super::threads::Room;
use super::values::{CallContext, Case, Decided, Decision, Direction, Document, Lookup, Mapped, Verdict};

/// A version beside the active one.
pub(super) struct Shadow {
    plugin: Arc<Plugin>,
    compared: AtomicU64,
    differed: AtomicU64,
    dropped: AtomicU64,
}

/// How a version does beside the active one, since it began or the process started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowStatus {
    /// SHA-256 of its component.
    pub digest: String,
    /// What it says of itself.
    pub version: String,
    /// Questions that it was asked, too.
    pub compared: u64,
    /// Of which it answered otherwise.
    pub differed: u64,
    /// Questions that it was not asked, since there was something to do.
    pub dropped: u64,
    /// What its calls have cost.
    pub usage: Usage,
}

/// What one version said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// `keep_local`, `take_cloud`, `merge`, `delete` or `defer`; of a mapper `put` or `skip`; `failed`.
    pub outcome: &'static str,
    /// The merged or translated document.
    pub data: Option<String>,
    /// Why; of a failure, its code and words.
    pub reason: String,
}

/// A question that two versions answered differently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The plugin's name.
    pub name: String,
    /// The digest of the one that counts.
    pub active: String,
    /// The digest of the one beside it.
    pub shadow: String,
    /// `resolve`, `to_cloud` or `to_local`.
    pub call: &'static str,
    /// The entity's type.
    pub entity_type: String,
    /// The entity's id.
    pub entity_id: String,
    /// What counted.
    pub active_said: Said,
    /// What did not.
    pub shadow_said: Said,
}

/// Questions that an active version has answered, for its shadow.
pub(super) enum Asked {
    Cases(Vec<(Case, Said)>),
    Documents(Direction, Vec<(Document, Said)>),
}

/// All that a comparison needs.
pub(super) struct Comparison {
    pub(super) name: String,
    pub(super) active: String,
    pub(super) cx: CallContext,
    pub(super) lookup: Arc<dyn Lookup>,
    pub(super) asked: Asked,
}

impl Shadow {
    pub(super) fn of(plugin: Arc<Plugin>) -> Self {
        Self {
            plugin,
            compared: AtomicU64::new(0),
            differed: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }
    }

    pub(super) fn digest(&self) -> &str {
        &self.plugin.info.digest
    }

    pub(super) fn status(&self) -> ShadowStatus {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ShadowStatus {
            digest: self.plugin.info.digest.clone(),
            version: self.plugin.info.version.clone(),
            compared: read(&self.compared),
            differed: read(&self.differed),
            dropped: read(&self.dropped),
            usage: self.plugin.stats.usage(),
        }
    }

    /// So many questions are not asked.
    pub(super) fn drop_some(&self, count: usize) {
        self.dropped.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Asks the same, one question at a time, for as long as nobody else wants the thread. Differences go to `tell`.
    pub(super) fn compare(
        &self,
        machine: &Machine,
        comparison: Comparison,
        room: &Room,
        stopping: &AtomicBool,
        tell: impl Fn(Difference),
    ) {
        let Comparison {
            name,
            active,
            cx,
            lookup,
            asked,
        } = comparison;
        let wanted = || room.is_wanted() || stopping.load(Ordering::Relaxed);
        let note =
            |call, (entity_type, entity_id): (String, String), active_said: Said, shadow_said: Said| {
                self.compared.fetch_add(1, Ordering::Relaxed);
                if !active_said.is_as(&shadow_said) {
                    self.differed.fetch_add(1, Ordering::Relaxed);
                    tell(Difference {
                        name: name.clone(),
                        active: active.clone(),
                        shadow: self.digest().to_owned(),
                        call,
                        entity_type,
                        entity_id,
                        active_said,
                        shadow_said,
                    });
                }
            };
        match asked {
            Asked::Cases(cases) => {
                let mut left = cases.len();
                for (case, said) in cases {
                    if wanted() {
                        return self.drop_some(left);
                    }
                    let decided = machine.decide(&self.plugin, &cx, &case, &lookup);
                    note("resolve", key_of(case.local), said, Said::of_case(&decided));
                    left -= 1;
                }
            }
            Asked::Documents(direction, documents) => {
                let call = direction.as_str();
                let mut left = documents.len();
                for (document, said) in documents {
                    if wanted() {
                        return self.drop_some(left);
                    }
                    let one = std::slice::from_ref(&document);
                    let mut mapped =
                        machine.translate(&self.plugin, (direction, &cx, one), &lookup, stopping, None);
                    let mapped = mapped.pop().expect("invariant: one answer each");
                    note(call, key_of(document), said, Said::of_document(&mapped));
                    left -= 1;
                }
            }
        }
    }
}

fn key_of(document: Document) -> (String, String) {
    (document.entity_type, document.id)
}

impl Said {
    /// What a strategy said.
    pub(super) fn of_case(decided: &Decided) -> Self {
        let Verdict { decision, reason } = match &decided.outcome {
            Ok(verdict) => verdict,
            Err(failure) => return Self::failed(failure),
        };
        let (outcome, data) = match decision {
            Decision::KeepLocal => ("keep_local", None),
            Decision::TakeCloud => ("take_cloud", None),
            Decision::Merge(body) => ("merge", Some(body.clone())),
            Decision::Delete => ("delete", None),
            Decision::Defer => ("defer", None),
        };
        Self {
            outcome,
            data,
            reason: reason.clone(),
        }
    }

    /// What a mapper said.
    pub(super) fn of_document(mapped: &Result<Mapped, Failure>) -> Self {
        match mapped {
            Ok(Mapped::Put(body)) => Self {
                outcome: "put",
                data: Some(body.clone()),
                reason: String::new(),
            },
            Ok(Mapped::Skip(reason)) => Self {
                outcome: "skip",
                data: None,
                reason: reason.clone(),
            },
            Err(failure) => Self::failed(failure),
        }
    }

    fn failed(failure: &Failure) -> Self {
        Self {
            outcome: "failed",
            data: None,
            reason: failure.to_string(),
        }
    }

    /// Whether both come to the same; words aside.
    fn is_as(&self, other: &Self) -> bool {
        let same_data = match (&self.data, &other.data) {
            (Some(a), Some(b)) => same_json(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        self.outcome == other.outcome && same_data
    }
}

/// Reads that are answered the second time as the first time: what the active version's answer leads to must not make
/// the shadow's another one.
pub(super) struct Remembering {
    inner: Arc<dyn Lookup>,
    answers: Mutex<Answers>,
}

#[derive(Default)]
struct Answers {
    documents: HashMap<(String, String), Option<Document>>,
    local_ids: HashMap<(String, String), Option<String>>,
    cloud_ids: HashMap<(String, String), Option<String>>,
}

impl Remembering {
    pub(super) fn new(inner: Arc<dyn Lookup>) -> Self {
        Self {
            inner,
            answers: Mutex::default(),
        }
    }

    fn ask<T: Clone>(
        &self,
        (entity_type, id): (&str, &str),
        of: impl Fn(&mut Answers) -> &mut HashMap<(String, String), Option<T>>,
        ask: impl Fn(&dyn Lookup) -> Option<T>,
    ) -> Option<T> {
        let key = (entity_type.to_owned(), id.to_owned());
        if let Some(answer) = of(&mut self.answers.lock()).get(&key) {
            return answer.clone();
        }
        let answer = ask(&*self.inner);
        of(&mut self.answers.lock()).insert(key, answer.clone());
        answer
    }
}

impl Lookup for Remembering {
    fn get(&self, entity_type: &str, id: &str) -> Option<Document> {
        let ask = |inner: &dyn Lookup| inner.get(entity_type, id);
        self.ask((entity_type, id), |answers| &mut answers.documents, ask)
    }

    fn local_id(&self, entity_type: &str, cloud_id: &str) -> Option<String> {
        let ask = |inner: &dyn Lookup| inner.local_id(entity_type, cloud_id);
        self.ask((entity_type, cloud_id), |answers| &mut answers.local_ids, ask)
    }

    fn cloud_id(&self, entity_type: &str, id: &str) -> Option<String> {
        let ask = |inner: &dyn Lookup| inner.cloud_id(entity_type, id);
        self.ask((entity_type, id), |answers| &mut answers.cloud_ids, ask)
    }
}
