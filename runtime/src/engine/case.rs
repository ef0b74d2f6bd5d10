//! A contested entity: what a strategy is asked, what it or a person answered, and the record that is kept of it
//! (promises 4 and 10).

use crate::engine::api::Binding;
use crate::engine::decide::decision;
use crate::engine::plugins::{document, unsigned};
use crate::engine::time::Time;
use crate::plugin::{CallContext, Case, Decided};
use selaras_core::conflict::{Conflict, Phase, Question, Side, Sides};
use selaras_core::entity::Entity;
use selaras_core::id::{CloudId, EntityKey};
use selaras_core::json::Doc;
use selaras_core::settle::Decision;
use selaras_core::stamp::Millis;
use selaras_core::update::{Seen, Update};

/// An entity whose waiting changes meet an update.
pub struct Contest {
    /// The entity as loaded, whole.
    pub before: Entity,
    /// The update, in the cloud's shape.
    pub update: Update,
    /// Its state in the outlet's shape.
    pub seen: Seen,
    /// The conflict that is open already.
    pub open: Option<Conflict>,
    /// The three states that a decision rests on.
    pub sides: Sides,
}

/// Who was asked, on what, and what they said.
pub struct Asked {
    /// What they said.
    pub decision: Decision,
    strategy: String,
    digest: Option<String>,
    settings: Doc,
    at: Millis,
    lookups: String,
    reason: String,
    error: Option<String>,
    /// The outlet that a strategy was told of: its id and code.
    told: Option<(String, String)>,
    /// The person who decided.
    pub person: Option<String>,
    /// Their notes.
    pub notes: Option<String>,
}

impl Contest {
    /// The contest of an entity and an update.
    pub fn new(before: Entity, update: Update, seen: Seen, open: Option<Conflict>, time: &Time) -> Self {
        let sides = sides(&before, &update, &seen, time);
        Self {
            before,
            update,
            seen,
            open,
            sides,
        }
    }

    /// Whether a strategy can be asked: an update that the mapper skips has no document to decide on (rule 12).
    pub fn is_askable(&self) -> bool {
        !matches!(self.seen, Seen::Skipped(_))
    }

    /// The question as plugins see it.
    pub fn case(&self) -> Case {
        let name = |id: &Option<CloudId>| id.as_ref().map(ToString::to_string);
        let (local, cloud) = (name(&self.before.record.cloud_id), name(&self.update.cloud_id));
        case(&self.before.key, local.as_deref(), cloud.as_deref(), &self.sides)
    }

    /// The record of the decision. `after`: the entity as it leaves it.
    pub fn record(&self, id: String, asked: Asked, after: &Entity, now: Millis) -> Conflict {
        let sides = self.sides.clone();
        let open = asked.decision == Decision::Defer;
        let question = asked.told.map(|(outlet_id, outlet_code)| Question {
            outlet_id,
            outlet_code,
            local_cloud_id: self.before.record.cloud_id.as_ref().map(ToString::to_string),
            verdict: asked.decision.as_str().to_owned(),
            sides: None,
        });
        Conflict {
            id,
            entity_type: self.before.key.entity_type.to_string(),
            entity_id: self.before.key.id.to_string(),
            cloud_id: self.update.cloud_id.as_ref().map(ToString::to_string),
            phase: if open { Phase::Open } else { Phase::Resolved },
            rev: self.before.record.rev + 1,
            base: sides.base,
            local: sides.local,
            cloud: sides.cloud,
            result: if open { None } else { after.record.doc.clone() },
            decision: asked.decision.as_str().to_owned(),
            strategy: asked.strategy,
            plugin_digest: asked.digest,
            settings: asked.settings,
            asked_at: asked.at,
            lookups: asked.lookups,
            reason: asked.reason,
            error: asked.error,
            resolved_by: asked.person,
            notes: asked.notes,
            created_at: self.open.as_ref().map_or(now, |open| open.created_at),
            resolved_at: (!open).then_some(now),
            cloud_conflict_id: self.open.as_ref().and_then(|open| open.cloud_conflict_id.clone()),
            question,
        }
    }
}

/// The three states as they are kept.
fn sides(before: &Entity, update: &Update, seen: &Seen, time: &Time) -> Sides {
    let record = &before.record;
    Sides {
        base: record.base_doc().map(|doc| Side {
            version: record.cloud_version,
            modified_at: record.cloud_stamp,
            modified_by: None,
            doc: doc.cloned(),
        }),
        local: Side {
            version: record.version,
            modified_at: Some(time.resolve(&record.modified)),
            modified_by: record.modified_by.clone(),
            doc: record.doc.clone(),
        },
        cloud: Side {
            version: update.version.unwrap_or(0),
            modified_at: update.stamp,
            modified_by: update.by.clone(),
            doc: seen.doc().cloned(),
        },
    }
}

/// The question that these sides make: the same now, and when it is asked again.
pub fn case(key: &EntityKey, local_cloud_id: Option<&str>, cloud_id: Option<&str>, sides: &Sides) -> Case {
    let plugin_side = |side: &Side, cloud_id: Option<&str>| crate::plugin::Document {
        cloud_id: cloud_id.map(str::to_owned),
        version: side.version,
        modified_ms: side.modified_at.map(unsigned),
        modified_by: side.modified_by.clone(),
        ..document(key, side.doc.as_ref())
    };
    Case {
        base: sides.base.as_ref().map(|base| plugin_side(base, local_cloud_id)),
        local: plugin_side(&sides.local, local_cloud_id),
        cloud: plugin_side(&sides.cloud, cloud_id),
    }
}

impl Asked {
    /// The strategy's answer in the context it was asked in; what failed defers with its code.
    pub fn by_strategy(cx: &CallContext, decided: Decided, at: Millis) -> Self {
        let (decision, reason, error) = match decided.outcome {
            Ok(verdict) => (decision(verdict.decision), verdict.reason, None),
            Err(failure) => (
                Decision::Defer,
                failure.message,
                Some(failure.code.as_str().to_owned()),
            ),
        };
        Self {
            decision,
            strategy: decided.plugin,
            digest: Some(decided.digest).filter(|digest| !digest.is_empty()),
            settings: Doc::from_trusted(cx.settings.to_string()),
            at,
            lookups: serde_json::to_string(&decided.lookups).expect("invariant: answers are plain values"),
            reason,
            error,
            told: Some((cx.outlet_id.clone(), cx.outlet_code.clone())),
            person: None,
            notes: None,
        }
    }

    /// Nobody was asked: the mapper skips the cloud's side, or conflicts repeat too often.
    pub fn nobody(binding: &Binding, contest: &Contest, at: Millis) -> Self {
        let (error, reason) = match &contest.seen {
            Seen::Skipped(reason) => (
                "mapper-skips",
                format!("the mapper skips the cloud's document: {reason}"),
            ),
            _ => (
                "too-many-conflicts",
                "this entity's conflicts repeat without a success in between".to_owned(),
            ),
        };
        Self {
            error: Some(error.to_owned()),
            ..Self::words(binding, Decision::Defer, reason, at)
        }
    }

    /// A person's own decision.
    pub fn words(binding: &Binding, decision: Decision, reason: String, at: Millis) -> Self {
        Self {
            decision,
            strategy: binding.strategy.clone(),
            digest: None,
            settings: binding.settings.clone(),
            at,
            lookups: "[]".to_owned(),
            reason,
            error: None,
            told: None,
            person: None,
            notes: None,
        }
    }

    /// The same under another strategy's name.
    pub fn named(self, strategy: &str) -> Self {
        Self {
            strategy: strategy.to_owned(),
            ..self
        }
    }
}
