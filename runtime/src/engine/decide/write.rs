//! Decisions become durable: the entities, the records of conflicts, what is parked, and what the feed tells.

use super::Settled;
use crate::engine::Engine;
use crate::engine::api::{Resolution, Unavailable};
use crate::engine::settings::Settings;
use crate::engine::tell::note_decision;
use crate::engine::tx::{Tx, TxError, feed_row};
use crate::store::rows::{Rows, put};
use crate::store::{Counter, keys};
use selaras_core::conflict::{Conflict, Phase};
use selaras_core::id::EntityKey;

impl Engine {
    /// Commits all together; when one entity changed meanwhile it is looked at again, and the others are tried again.
    pub(super) async fn write(
        &self,
        settings: &Settings,
        settled: Vec<Settled>,
        done: &mut Vec<(EntityKey, Resolution)>,
        again: &mut Vec<EntityKey>,
    ) -> Result<(), Unavailable> {
        let mut left = settled;
        while !left.is_empty() {
            let mut tx = Tx::new(&self.inner.rows, settings);
            for one in &left {
                self.add(&mut tx, settings, one)?;
            }
            match tx.commit().await {
                Ok(_) => {
                    self.inner.feed_moved();
                    for one in &left {
                        self.count_conflict(one);
                    }
                    done.extend(left.drain(..).map(|one| (one.before.key, one.resolution)));
                }
                Err(TxError::Raced(key)) => {
                    left.retain(|one| one.before.key != key);
                    again.push(key);
                }
                Err(TxError::Refused) => unreachable!("deciding adds no precondition of its own"),
                Err(TxError::Unavailable(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Counts what was decided. A conflict that is open already, and only got another side, was counted then.
    fn count_conflict(&self, settled: &Settled) {
        let was_open = settled.before.record.conflict.is_some();
        let decided = settled.conflict.as_ref();
        if let Some(conflict) = decided.filter(|conflict| !was_open || conflict.phase == Phase::Resolved) {
            let verdict = match conflict.decision.as_str() {
                "agreed" => "agreed",
                _ => settled.resolution.as_str(),
            };
            self.metrics().conflict(&conflict.strategy, verdict);
        }
    }

    fn add(&self, tx: &mut Tx<'_>, settings: &Settings, settled: &Settled) -> Result<(), Unavailable> {
        tx.track(settled.before.clone(), settled.after.clone());
        let (before, key) = (&settled.before.record, &settled.before.key);
        match (&settled.parked, &before.inbox) {
            (Some((update, failure)), _) => {
                self.park(tx, settings, (key, before.version), (update, failure), None)?;
            }
            (None, Some(update)) if settled.after.record.inbox.is_none() => {
                self.unpark(tx, key, update, None)?;
            }
            (None, _) => {}
        }
        if let Some(conflict) = &settled.conflict {
            let was_open = settled.before.record.conflict.is_some();
            write_conflict(&self.inner.rows, tx, &mut conflict.clone(), was_open)?;
            if conflict.phase == Phase::Resolved {
                tracing::info!(
                    key = %settled.before.key, conflict = conflict.id, decision = conflict.decision,
                    strategy = conflict.strategy, reason = conflict.reason, "a conflict was decided"
                );
            }
        }
        if settled.synced > 0 {
            tx.batch.count(Counter::Synced, i64::from(settled.synced));
        }
        if let Some(origin) = settled.origin {
            let row = feed_row(&settled.after, origin, self.now());
            tx.feed(&row);
        }
        Ok(())
    }
}

/// Writes a conflict's record, keeps the list of open ones, and notes a decision the cloud may want to hear of.
pub(in crate::engine) fn write_conflict(
    rows: &Rows,
    tx: &mut Tx<'_>,
    conflict: &mut Conflict,
    was_open: bool,
) -> Result<(), Unavailable> {
    let Ok(number) = conflict.id.parse() else {
        return Ok(());
    };
    note_decision(rows, tx, conflict)?;
    put(&mut tx.batch, keys::numbered(keys::CONFLICT, number), conflict);
    match conflict.phase {
        Phase::Open => {
            tx.batch
                .put(keys::numbered(keys::OPEN_CONFLICT, number), Vec::new());
        }
        Phase::Resolved => {
            if was_open {
                tx.batch.delete(keys::numbered(keys::OPEN_CONFLICT, number));
            }
            tx.batch.count(Counter::ResolvedConflicts, 1);
        }
    }
    Ok(())
}
