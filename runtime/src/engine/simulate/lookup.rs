//! Look-ups as a recorded conflict's strategy was answered, for when it is asked again. Reads no store.

use crate::plugin::{Document, Lookup, LookupAnswer};
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// Answers look-ups as they were answered: each question its answers in their order, the last one from then on.
pub(super) struct RecordedLookup {
    left: Mutex<Vec<LookupAnswer>>,
    missed: AtomicBool,
}

impl RecordedLookup {
    pub(super) fn of(lookups: &str) -> Self {
        let recorded: Vec<LookupAnswer> = serde_json::from_str(lookups).unwrap_or_else(|error| {
            tracing::warn!(%error, "the look-ups of a recorded conflict cannot be read");
            Vec::new()
        });
        Self {
            left: Mutex::new(recorded),
            missed: false.into(),
        }
    }

    /// Whether something was asked that is not on record.
    pub(super) fn missed(&self) -> bool {
        self.missed.load(Ordering::Relaxed)
    }

    fn answer<T: Clone>(&self, answer: impl Fn(&LookupAnswer) -> Option<&Option<T>>) -> Option<T> {
        let mut left = self.left.lock();
        let mut found = (0..left.len()).filter(|at| left.get(*at).and_then(&answer).is_some());
        let (first, more) = (found.next(), found.next().is_some());
        drop(found);
        let Some(at) = first else {
            self.missed.store(true, Ordering::Relaxed);
            return None;
        };
        let given = left.get(at).and_then(&answer).cloned().flatten();
        if more {
            left.remove(at);
        }
        given
    }
}

impl Lookup for RecordedLookup {
    fn get(&self, entity_type: &str, id: &str) -> Option<Document> {
        self.answer(|recorded| match recorded {
            LookupAnswer::Get {
                entity_type: t,
                id: i,
                answer,
            } if t == entity_type && i == id => Some(answer),
            _ => None,
        })
    }

    fn local_id(&self, entity_type: &str, cloud_id: &str) -> Option<String> {
        self.answer(|recorded| match recorded {
            LookupAnswer::LocalId {
                entity_type: t,
                cloud_id: c,
                answer,
            } if t == entity_type && c == cloud_id => Some(answer),
            _ => None,
        })
    }

    fn cloud_id(&self, entity_type: &str, id: &str) -> Option<String> {
        self.answer(|recorded| match recorded {
            LookupAnswer::CloudId {
                entity_type: t,
                id: i,
                answer,
            } if t == entity_type && i == id => Some(answer),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local_id(cloud_id: &str, answer: Option<&str>) -> LookupAnswer {
        LookupAnswer::LocalId {
            entity_type: "category".to_owned(),
            cloud_id: cloud_id.to_owned(),
            answer: answer.map(str::to_owned),
        }
    }

    fn recorded(answers: &[LookupAnswer]) -> RecordedLookup {
        RecordedLookup::of(&serde_json::to_string(answers).unwrap())
    }

    #[test]
    fn the_same_question_gets_its_answers_in_their_order() {
        let lookup = recorded(&[
            local_id("c-1", None),
            local_id("c-2", Some("b")),
            local_id("c-1", Some("a")),
        ]);
        assert_eq!(lookup.local_id("category", "c-1"), None);
        assert_eq!(lookup.local_id("category", "c-1").as_deref(), Some("a"));
        assert_eq!(lookup.local_id("category", "c-1").as_deref(), Some("a"));
        assert_eq!(lookup.local_id("category", "c-2").as_deref(), Some("b"));
        assert!(!lookup.missed());
    }

    #[test]
    fn a_question_that_is_not_on_record_is_noticed() {
        for ask in [
            |lookup: &RecordedLookup| lookup.local_id("product", "c-1").is_none(),
            |lookup: &RecordedLookup| lookup.cloud_id("category", "c-1").is_none(),
            |lookup: &RecordedLookup| lookup.get("category", "c-1").is_none(),
        ] {
            let lookup = recorded(&[local_id("c-1", Some("a"))]);
            assert!(ask(&lookup));
            assert!(lookup.missed());
        }
    }
}
