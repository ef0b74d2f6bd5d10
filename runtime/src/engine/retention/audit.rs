//! The audit log's oldest records go by age. The last that went is remembered with its digest, so that what is left is
//! still a chain that can be verified.

use super::sweep::PAGE;
use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::engine::audit::view;
use crate::store::chain::{self, Walk};
use crate::store::{Batch, Direction, keys};
use selaras_core::stamp::Millis;
use tokio_util::sync::CancellationToken;

impl Engine {
    /// Removes records from before `before`, from the oldest on; the newest always stays. What does not verify stays, too:
    /// a person is to see it.
    pub(in crate::engine) async fn trim_audit(
        &self,
        before: Millis,
        stop: &CancellationToken,
    ) -> Result<u64, Unavailable> {
        let mut removed = 0;
        let (from, to) = keys::all(keys::AUDIT);
        while !stop.is_cancelled() {
            let begin = self
                .audit_place(&chain::anchor_key())?
                .unwrap_or(chain::BEGINNING);
            let mut walk = Walk { at: begin };
            let rows = self.audit_rows(&from, &to, Direction::Forward, PAGE)?;
            let mut batch = Batch::new();
            // All but the last that was read: the newest of all is never removed.
            for (key, row) in &rows[..rows.len().saturating_sub(1)] {
                if view(key, row).is_none_or(|view| view.at >= before) {
                    break;
                }
                if let Err((id, problem)) = walk.step(keys::number(key).unwrap_or(0), row) {
                    tracing::error!(
                        id,
                        problem,
                        "the audit log is not as it was written: nothing of it is removed"
                    );
                    break;
                }
                batch.delete(key.clone());
            }
            if batch.changes_nothing() {
                break;
            }
            batch.put(chain::anchor_key(), walk.at.encode());
            removed += self.delete(batch).await?;
            self.give_way(stop).await;
        }
        Ok(removed)
    }
}
