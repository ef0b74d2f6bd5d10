//! Recorded conflicts are run again, with their own strategy (promise 10) or with another, on exactly what is on record.
//! Changes nothing, and does not count in what is told of a plugin.
//!
//! One simulation runs at a time, one call after another, so that decisions wait for at most one call of it; rows are read on
//! blocking threads. A page ends by its length, its bytes or its time, and says where to go on.

mod lookup;

use self::lookup::RecordedLookup;
use crate::engine::Engine;
use crate::engine::api::{Outcome, SimulateError, SimulateRequest, SimulatedCase, Simulation, Unavailable};
use crate::engine::case::case;
use crate::engine::decide::decision;
use crate::engine::plugins::unsigned;
use crate::engine::view::decision_word;
use crate::plugin::{CallContext, Case, Decided, Kind};
use crate::store::{Direction, keys};
use selaras_core::conflict::{Conflict, Sides};
use selaras_core::id::EntityKey;
use selaras_core::payload::same_state;
use selaras_core::settle::Decision;
use std::sync::Arc;

/// Conflicts read at a time: each holds up to seven documents.
const STEP: usize = 4;
/// Conflicts looked at for one page; a page of few that are wanted is short, its cursor goes on.
const MOST_SCANNED: usize = 5_000;
/// Bytes of documents in one page.
const MOST_BYTES: usize = 8 << 20;
/// Time that one page may take before it ends where it is.
const MOST_MS: u64 = 10_000;

impl Engine {
    /// Runs recorded conflicts again, newest first.
    ///
    /// # Errors
    /// See [`SimulateError`].
    pub async fn simulate(&self, request: SimulateRequest) -> Result<Simulation, SimulateError> {
        self.check_simulation(&request).await?;
        let _turn = self.inner.simulating.lock().await;
        let begun = self.mono_ms();
        let (from, end) = keys::all(keys::CONFLICT);
        let mut to = match &request.page.after {
            Some(cursor) if cursor.len() == 9 && cursor[0] == keys::CONFLICT => cursor.clone(),
            Some(_) => return Err(SimulateError::BadCursor),
            None => end,
        };
        let mut cases = Vec::new();
        let (mut scanned, mut bytes) = (0, 0);
        loop {
            let rows = self.conflicts_before(from.clone(), to.clone()).await?;
            let last = rows.len() < STEP;
            for (row, conflict) in rows {
                let late = scanned > 0 && self.mono_ms().saturating_sub(begun) > MOST_MS;
                if cases.len() == request.page.limit || scanned == MOST_SCANNED || bytes > MOST_BYTES || late
                {
                    return Ok(Simulation {
                        cases,
                        next: Some(to),
                    });
                }
                to = row;
                scanned += 1;
                let wanted = request
                    .entity_type
                    .as_ref()
                    .is_none_or(|t| t.as_str() == conflict.entity_type)
                    && request.since.is_none_or(|since| conflict.created_at >= since);
                if wanted && let Ok(key) = EntityKey::parse(&conflict.entity_type, &conflict.entity_id) {
                    let case = self.run_again(key, &conflict, &request).await;
                    bytes += weight(&case);
                    cases.push(case);
                }
            }
            if last {
                return Ok(Simulation { cases, next: None });
            }
        }
    }

    async fn check_simulation(&self, request: &SimulateRequest) -> Result<(), SimulateError> {
        let Some(name) = &request.strategy else {
            return Ok(());
        };
        match self.inner.host.kind_of(name) {
            Some(Kind::Strategy) => {}
            Some(Kind::Mapper) => return Err(SimulateError::Mapper(name.clone())),
            None => return Err(SimulateError::UnknownStrategy(name.clone())),
        }
        let Some(settings) = &request.settings else {
            return Ok(());
        };
        let problem = self
            .inner
            .host
            .settings_problem(name, settings.clone().into_text())
            .await;
        problem.map_or(Ok(()), |failure| {
            let field = failure.own.and_then(|own| own.field);
            Err(SimulateError::Settings {
                field: field.map_or("settings".to_owned(), |field| format!("settings.{field}")),
                problem: failure.message,
            })
        })
    }

    async fn conflicts_before(
        &self,
        from: Vec<u8>,
        to: Vec<u8>,
    ) -> Result<Vec<(Vec<u8>, Conflict)>, Unavailable> {
        let rows = self.inner.rows.clone();
        let read = move || rows.page((&from, &to), Direction::Backward, STEP);
        match tokio::task::spawn_blocking(read).await {
            Ok(read) => Ok(read?),
            Err(died) => Err(Unavailable::Store(format!("conflicts were not read: {died}"))),
        }
    }

    /// One conflict, by the strategy asked for or by its own.
    async fn run_again(
        &self,
        key: EntityKey,
        conflict: &Conflict,
        request: &SimulateRequest,
    ) -> SimulatedCase {
        let replayed = request.strategy.is_none();
        let strategy = request.strategy.as_ref().unwrap_or(&conflict.strategy);
        let mut simulated = SimulatedCase {
            conflict_id: conflict.id.clone(),
            strategy: strategy.clone(),
            same_plugin: false,
            old_outcome: on_record(conflict, replayed),
            new_outcome: None,
            same: None,
            error: None,
            fuel: 0,
            key,
        };
        if let Some(why) = cannot_run(conflict, replayed) {
            simulated.error = Some(why.to_owned());
            return simulated;
        }
        let sides = if replayed {
            conflict.asked_sides()
        } else {
            conflict.sides()
        };
        let lookup = Arc::new(RecordedLookup::of(&conflict.lookups));
        let cx = self.recorded_context(conflict, request);
        let question = self.recorded_case(&simulated.key, conflict, &sides);
        let decided = self
            .inner
            .host
            .rehearse(strategy, cx, question, lookup.clone())
            .await;
        simulated.same_plugin = conflict.plugin_digest.as_deref().unwrap_or_default() == decided.digest;
        simulated.fuel = decided.fuel;
        let (outcome, error) = outcome(decided);
        let same_error = !replayed || error == conflict.error;
        simulated.same = Some(same_error && same(&simulated.old_outcome, &outcome));
        simulated.error = error.or_else(|| lookup.missed().then(|| "lookup-not-recorded".to_owned()));
        simulated.new_outcome = Some(outcome);
        simulated
    }

    fn recorded_context(&self, conflict: &Conflict, request: &SimulateRequest) -> CallContext {
        let settings = request.settings.as_ref().unwrap_or(&conflict.settings);
        // A version that did not note the outlet had the one of today.
        let (outlet_id, outlet_code) = match &conflict.question {
            Some(question) => (question.outlet_id.clone(), question.outlet_code.clone()),
            None => {
                let outlet = &self.settings().outlet;
                (outlet.outlet_id.clone(), outlet.outlet_code.clone())
            }
        };
        CallContext {
            outlet_id,
            outlet_code,
            now_ms: unsigned(conflict.asked_at),
            settings: settings.clone().into_text(),
            limits: self.binding(conflict.entity_type.as_str()).limits.into(),
        }
    }

    fn recorded_case(&self, key: &EntityKey, conflict: &Conflict, sides: &Sides) -> Case {
        let cloud_id = conflict.cloud_id.as_deref();
        let local = match &conflict.question {
            Some(question) => question.local_cloud_id.as_deref(),
            None => cloud_id,
        };
        case(key, local, cloud_id, sides)
    }
}

/// What is on record. Replayed, a conflict that came to an agreement while it was open stands as it was decided: deferred.
fn on_record(conflict: &Conflict, replayed: bool) -> Outcome {
    let decision = match &conflict.question {
        Some(question) if replayed => decision_word(&question.verdict),
        None if replayed && conflict.decision == "agreed" => "defer",
        _ => decision_word(&conflict.decision),
    };
    Outcome {
        decision,
        data: conflict.result.clone().filter(|_| decision == "merge"),
        reason: conflict.reason.clone(),
    }
}

/// Why a conflict cannot be run.
fn cannot_run(conflict: &Conflict, replayed: bool) -> Option<&'static str> {
    if conflict.error.as_deref() == Some("mapper-skips") {
        return Some("mapper-skips");
    }
    if !replayed || conflict.question.is_some() || conflict.plugin_digest.is_some() {
        return None;
    }
    Some(match conflict.resolved_by {
        Some(_) => "decided-by-a-person",
        None => "nobody-asked",
    })
}

/// What a strategy's answer would do; a failure defers.
fn outcome(decided: Decided) -> (Outcome, Option<String>) {
    match decided.outcome {
        Ok(verdict) => {
            let decision = decision(verdict.decision);
            let word = decision.as_str();
            let outcome = Outcome {
                decision: word,
                data: match decision {
                    Decision::Merge(doc) => Some(doc),
                    _ => None,
                },
                reason: verdict.reason,
            };
            (outcome, None)
        }
        Err(failure) => {
            let outcome = Outcome {
                decision: Decision::Defer.as_str(),
                data: None,
                reason: failure.message,
            };
            (outcome, Some(failure.code.as_str().to_owned()))
        }
    }
}

fn same(old: &Outcome, new: &Outcome) -> bool {
    old.decision == new.decision && same_state(old.data.as_ref(), new.data.as_ref())
}

/// About what a case takes in an answer.
fn weight(case: &SimulatedCase) -> usize {
    let of = |outcome: &Outcome| outcome.reason.len() + outcome.data.as_ref().map_or(0, |doc| doc.len());
    512 + of(&case.old_outcome) + case.new_outcome.as_ref().map_or(0, of)
}

#[cfg(test)]
mod tests;
