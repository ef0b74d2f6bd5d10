//! Logs and decided conflicts go when they are old.

use super::sweep::PAGE;
use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::engine::tell::Hint;
use crate::store::keys;
use crate::store::rows::LogRow;
use selaras_core::conflict::{Conflict, Phase};
use selaras_core::id::EntityKey;
use selaras_core::stamp::Millis;
use tokio_util::sync::CancellationToken;

/// Conflicts read at a time: each holds up to four documents.
const CONFLICTS: usize = 50;

impl Engine {
    pub(super) async fn tidy_logs(
        &self,
        before: Millis,
        stop: &CancellationToken,
    ) -> Result<u64, Unavailable> {
        self.sweep(keys::LOG, PAGE, stop, |row: &LogRow| Ok(row.started_at < before))
            .await
    }

    /// Never open ones, nor those whose decision the cloud is still to be told.
    pub(super) async fn tidy_conflicts(
        &self,
        before: Millis,
        stop: &CancellationToken,
    ) -> Result<u64, Unavailable> {
        self.sweep(keys::CONFLICT, CONFLICTS, stop, |conflict: &Conflict| {
            let decided = conflict.phase == Phase::Resolved;
            let old = conflict.resolved_at.unwrap_or(conflict.created_at) < before;
            Ok(decided && old && !self.is_to_be_told(conflict)?)
        })
        .await
    }

    fn is_to_be_told(&self, conflict: &Conflict) -> Result<bool, Unavailable> {
        let (Some(told), Ok(key)) = (
            &conflict.cloud_conflict_id,
            EntityKey::parse(&conflict.entity_type, &conflict.entity_id),
        ) else {
            return Ok(false);
        };
        let hint: Option<Hint> = self.inner.rows.get(&keys::entity(keys::HINT, &key))?;
        Ok(hint.is_some_and(|hint| hint.conflict_id == *told))
    }
}
