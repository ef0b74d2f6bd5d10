//! A conflict as it is kept: what it was decided on, by whom, and how (promise 10).

use crate::json::Doc;
use crate::stamp::Millis;
use serde::{Deserialize, Serialize};

/// One side's state, in the outlet's shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Side {
    /// That side's version.
    pub version: u64,
    /// When it was changed, corrected.
    pub modified_at: Option<Millis>,
    /// By whom.
    pub modified_by: Option<String>,
    /// The document; none: deleted.
    pub doc: Option<Doc>,
}

/// How a conflict stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// It waits for a person.
    Open,
    /// It is decided.
    Resolved,
}

/// A recorded conflict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// Its id: its place in the order of conflicts.
    pub id: String,
    /// The type of the entity.
    pub entity_type: String,
    /// Its id.
    pub entity_id: String,
    /// The cloud's id of it.
    pub cloud_id: Option<String>,
    /// Open or resolved.
    pub phase: Phase,
    /// The entity's `rev` when it was last written.
    pub rev: u64,
    /// What both sides last agreed on.
    pub base: Option<Side>,
    /// The outlet's side.
    pub local: Side,
    /// The cloud's side.
    pub cloud: Side,
    /// The document after the decision.
    pub result: Option<Doc>,
    /// `keep_local`, `take_cloud`, `merge`, `delete`, `defer` or `agreed`.
    pub decision: String,
    /// The strategy asked.
    pub strategy: String,
    /// SHA-256 of the component that was asked.
    pub plugin_digest: Option<String>,
    /// The settings it was given, a JSON object.
    pub settings: Doc,
    /// The time it was given.
    pub asked_at: Millis,
    /// What its look-ups were answered, a JSON array.
    pub lookups: String,
    /// Why, in the plugin's or the person's words.
    pub reason: String,
    /// The failure's code, when the plugin did not decide.
    pub error: Option<String>,
    /// The person who decided.
    pub resolved_by: Option<String>,
    /// Their notes.
    pub notes: Option<String>,
    /// When it was first seen.
    pub created_at: Millis,
    /// When it was decided.
    pub resolved_at: Option<Millis>,
    /// The cloud's id of the conflict, when it waits to be told the decision.
    pub cloud_conflict_id: Option<String>,
    /// What else the strategy was asked. None: nobody was, or by a version that did not note it.
    #[serde(default)]
    pub question: Option<Question>,
}

/// What a strategy was asked and said, as far as the record above does not keep it: with it the decision can be run again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// The outlet it was told of.
    pub outlet_id: String,
    /// Its code.
    pub outlet_code: String,
    /// The cloud's id that the base and the outlet's side had.
    pub local_cloud_id: Option<String>,
    /// What the strategy decided. An open conflict may have come to an agreement since.
    pub verdict: String,
    /// The sides it was asked about, once those of the record have moved on.
    pub sides: Option<Box<Sides>>,
}

/// The three states that a decision rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sides {
    /// What both agreed on.
    pub base: Option<Side>,
    /// The outlet's.
    pub local: Side,
    /// The cloud's.
    pub cloud: Side,
}

impl Conflict {
    /// The sides as they are now.
    pub fn sides(&self) -> Sides {
        Sides {
            base: self.base.clone(),
            local: self.local.clone(),
            cloud: self.cloud.clone(),
        }
    }

    /// The sides that the strategy was asked about.
    pub fn asked_sides(&self) -> Sides {
        let kept = self
            .question
            .as_ref()
            .and_then(|question| question.sides.as_deref());
        kept.cloned().unwrap_or_else(|| self.sides())
    }

    /// The same conflict with newer sides. Those that the strategy was asked about stay on record.
    #[must_use]
    pub fn with_sides(mut self, sides: Sides) -> Self {
        let before = self.sides();
        if let Some(question) = &mut self.question
            && before != sides
        {
            question.sides.get_or_insert_with(|| Box::new(before));
        }
        Self {
            base: sides.base,
            local: sides.local,
            cloud: sides.cloud,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn side(version: u64) -> Side {
        Side {
            version,
            modified_at: None,
            modified_by: None,
            doc: None,
        }
    }

    fn sides(version: u64) -> Sides {
        Sides {
            base: None,
            local: side(1),
            cloud: side(version),
        }
    }

    #[test]
    fn newer_sides_do_not_push_out_those_that_were_asked_about() {
        let asked = Conflict {
            id: "1".to_owned(),
            entity_type: "product".to_owned(),
            entity_id: "p-1".to_owned(),
            cloud_id: None,
            phase: Phase::Open,
            rev: 1,
            base: None,
            local: side(1),
            cloud: side(2),
            result: None,
            decision: "defer".to_owned(),
            strategy: "manual".to_owned(),
            plugin_digest: None,
            settings: Doc::from_trusted("{}".to_owned()),
            asked_at: Millis(0),
            lookups: "[]".to_owned(),
            reason: String::new(),
            error: None,
            resolved_by: None,
            notes: None,
            created_at: Millis(0),
            resolved_at: None,
            cloud_conflict_id: None,
            question: Some(Question {
                outlet_id: "o".to_owned(),
                outlet_code: "c".to_owned(),
                local_cloud_id: None,
                verdict: "defer".to_owned(),
                sides: None,
            }),
        };
        let same = asked.clone().with_sides(sides(2));
        assert_eq!(same, asked);
        let newer = same.with_sides(sides(3)).with_sides(sides(4));
        assert_eq!(newer.sides(), sides(4));
        assert_eq!(newer.asked_sides(), sides(2));
    }
}
