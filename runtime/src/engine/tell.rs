//! Telling the cloud how its conflicts were decided (rule 13): what the `conflict` webhook asked for is kept durably,
//! and the cloud's `resolve` is called once the deciding push is through. A merge is told as `local_wins`.

use crate::cloud::{Client, LinkError, Resolution};
use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::engine::push::Trouble;
use crate::engine::run::Stop;
use crate::engine::tx::Tx;
use crate::store::rows::{Rows, put};
use crate::store::{Batch, Direction, keys};
use selaras_core::conflict::Conflict;
use selaras_core::id::EntityKey;
use serde::{Deserialize, Serialize};

/// Calls made in one run; the rest is the next run's.
const MOST: usize = 200;

/// What the cloud told of a conflict of an entity.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hint {
    /// The cloud's id of it.
    pub conflict_id: String,
    /// Whether it waits to be told the decision.
    pub required: bool,
    /// Whether the outlet had changes waiting when it was told.
    pub unsynced: bool,
    /// How it was decided, once it was: a word of the `resolve` call, who, and why.
    pub decided: Option<(String, String, String)>,
}

impl Engine {
    /// Tells the decisions whose entities have nothing left to push.
    pub(crate) async fn tell(&self, cloud: &Client, stop: &Stop) -> Result<(), Trouble> {
        let (from, to) = keys::all(keys::HINT);
        let hints: Vec<(Vec<u8>, Hint)> = self
            .inner
            .rows
            .page((&from, &to), Direction::Forward, MOST)
            .map_err(Unavailable::from)?;
        for (row, hint) in hints {
            if stop.is_set() {
                return Ok(());
            }
            let Some(resolution) = self.due_resolution(&row, &hint)? else {
                continue;
            };
            if hint.required {
                let halt = stop.child();
                let Some(answer) = self.ask(&halt, cloud.resolve_conflict(&resolution)).await else {
                    return Ok(());
                };
                match answer {
                    Ok(answer) => self.heard(answer.timing),
                    // The cloud does not know this conflict, or not any more: nothing is left to be told.
                    Err(error @ (LinkError::NotFound(_) | LinkError::Gone | LinkError::Refused { .. })) => {
                        tracing::warn!(%error, conflict = hint.conflict_id, "the cloud does not take a decision");
                    }
                    Err(error) => {
                        self.link_failed(&error, 0);
                        return Err(Trouble::Link(error));
                    }
                }
            }
            let mut batch = Batch::new();
            batch.delete(row);
            let committed = self.inner.rows.store().commit(batch).await;
            committed.map_err(Unavailable::from)?;
        }
        Ok(())
    }

    /// What is to be told now; none while the decision or its push is still to come.
    fn due_resolution(&self, row: &[u8], hint: &Hint) -> Result<Option<Resolution>, Unavailable> {
        let Some(key) = keys::parse_entity(&row[1..]) else {
            return Ok(None);
        };
        let record = self.inner.rows.record(&key)?.unwrap_or_default();
        if record.waiting > 0 || record.inbox.is_some() || record.conflict.is_some() {
            return Ok(None);
        }
        let (strategy, resolved_by, notes) = hint.decided.clone().unwrap_or_else(|| {
            // It came to rest without a contest: what was unsynced went through, or there was nothing.
            let word = if hint.unsynced { "local_wins" } else { "cloud_wins" };
            (
                word.to_owned(),
                "system".to_owned(),
                "the two sides no longer differ".to_owned(),
            )
        });
        Ok(Some(Resolution {
            conflict_id: hint.conflict_id.clone(),
            strategy,
            resolved_by,
            notes,
        }))
    }
}

/// Writes down how a conflict was decided that the cloud may have told of, and names the cloud's conflict in its record.
pub fn note_decision(rows: &Rows, tx: &mut Tx<'_>, conflict: &mut Conflict) -> Result<(), Unavailable> {
    let Ok(key) = EntityKey::parse(&conflict.entity_type, &conflict.entity_id) else {
        return Ok(());
    };
    let row = keys::entity(keys::HINT, &key);
    let Some(mut hint) = rows.get::<Hint>(&row)? else {
        return Ok(());
    };
    conflict.cloud_conflict_id = Some(hint.conflict_id.clone());
    let word = match conflict.decision.as_str() {
        "take_cloud" | "agreed" => "cloud_wins",
        "defer" => return Ok(()),
        _ => "local_wins",
    };
    let by = conflict
        .resolved_by
        .clone()
        .unwrap_or_else(|| conflict.strategy.clone());
    let notes = conflict.notes.clone().unwrap_or_else(|| conflict.reason.clone());
    hint.decided = Some((word.to_owned(), by, notes));
    put(&mut tx.batch, row, &hint);
    Ok(())
}
