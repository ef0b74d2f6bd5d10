//! The audit log: who did what to settings, users, tokens, plugins, conflicts, the queue and parked documents. A record is
//! in the commit of what it tells of ([`Engine::record`]), so neither is there without the other; the store chains them.
//!
//! It is apart from the sync log, and holds no secret.

mod logins;

pub(super) use logins::Logins;

use crate::engine::Engine;
use crate::engine::api::{
    AuditFilter, AuditPlace, AuditVerdict, AuditView, Event, LoginRefusal, Page, PageRequest, QueryError,
    Unavailable,
};
use crate::store::chain::{self, End, Sealed, Walk};
use crate::store::rows::RowError;
use crate::store::{Batch, Direction, Entry as Row, keys};
use selaras_core::json::Doc;
use selaras_core::stamp::Millis;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::net::IpAddr;

/// Records looked at together.
const PAGE: usize = 500;

/// What a record says, as JSON in this order: it is what is sealed.
#[derive(Serialize)]
struct Entry<'a> {
    at: String,
    actor: &'a str,
    action: &'a str,
    target: &'a str,
    details: &'a serde_json::Map<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct Kept<'a> {
    at: String,
    actor: String,
    action: String,
    target: String,
    #[serde(borrow)]
    details: &'a RawValue,
}

impl Engine {
    /// Writes into the commit of what was done that it was done.
    pub(super) fn record(&self, batch: &mut Batch, event: &Event) {
        batch.append_audit(entry(event, self.now()));
    }

    /// The log, newest first.
    ///
    /// # Errors
    /// When the cursor is not of this list, or the store cannot be read.
    pub fn audit(&self, filter: &AuditFilter, page: PageRequest) -> Result<Page<AuditView>, QueryError> {
        self.newest_rows(keys::AUDIT, page, |key, row| {
            Ok(view(key, row).filter(|view| fits(filter, view)))
        })
    }

    /// Goes along the whole log and says whether it is as it was written.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn verify_audit(&self) -> Result<AuditVerdict, Unavailable> {
        let engine = self.clone();
        let work = tokio::task::spawn_blocking(move || {
            loop {
                let verdict = engine.verify_audit_now()?;
                // Records that went for their age meanwhile are no holes.
                let anchor = engine.audit_place(&chain::anchor_key())?.map(place);
                if verdict.broken.is_none() || anchor == verdict.anchor {
                    return Ok(verdict);
                }
            }
        });
        work.await
            .unwrap_or_else(|died| Err(Unavailable::Store(format!("the log was not verified: {died}"))))
    }

    fn verify_audit_now(&self) -> Result<AuditVerdict, Unavailable> {
        // First: records that come meanwhile are behind it.
        let end = self.audit_place(&chain::end_key())?.unwrap_or(chain::BEGINNING);
        let anchor = self.audit_place(&chain::anchor_key())?;
        let begin = anchor.unwrap_or(chain::BEGINNING);
        let mut walk = Walk { at: begin };
        let (mut from, _) = keys::all(keys::AUDIT);
        let to = keys::numbered(keys::AUDIT, end.id.saturating_add(1));
        let broken = 'whole: loop {
            let rows = self.audit_rows(&from, &to, Direction::Forward, PAGE)?;
            let Some((last, _)) = rows.last() else {
                break walk.finish(&end).err();
            };
            from.clone_from(last);
            from.push(0);
            for (key, row) in rows {
                if let Err(broken) = walk.step(keys::number(&key).unwrap_or(0), &row) {
                    break 'whole Some(broken);
                }
            }
        };
        Ok(AuditVerdict {
            records: walk.at.id - begin.id,
            head: place(walk.at),
            anchor: anchor.map(place),
            broken: broken.map(|(id, problem)| (id, format!("record {id} {problem}"))),
        })
    }

    /// A login was refused. Never fails: who tries to log in learns nothing of it.
    pub async fn login_refused(&self, username: &str, address: Option<IpAddr>, refusal: LoginRefusal) {
        let Some(unrecorded) = self.inner.logins.lock().take(self.mono_ms()) else {
            return;
        };
        // Some type their password for their name, so only names that exist are written down.
        let known = self
            .users()
            .is_ok_and(|users| users.iter().any(|user| user.username == username));
        let target = if known { username } else { "(unknown)" };
        let action = match refusal {
            LoginRefusal::Wrong => "login.failed",
            LoginRefusal::Locked { .. } => "login.locked",
        };
        let mut event = Event::new("anonymous", action, target)
            .with("address", address.map(|address| address.to_string()));
        if let LoginRefusal::Locked { seconds } = refusal {
            event = event.with("seconds", seconds);
        }
        if unrecorded > 0 {
            event = event.with("unrecorded_before", unrecorded);
        }
        let mut batch = Batch::new();
        self.record(&mut batch, &event);
        if let Err(error) = self.inner.rows.store().commit(batch).await {
            tracing::warn!(%error, "a refused login could not be written to the audit log");
        }
    }

    /// A store that was put together from what could be read of another may lack the row that says where the log ends: it
    /// goes on after the last record there is.
    pub(super) async fn find_audit_end(&self) -> Result<(), Unavailable> {
        let (from, to) = keys::all(keys::AUDIT);
        let last = self.audit_rows(&from, &to, Direction::Backward, 1)?;
        let last = last.first().and_then(|(key, row)| {
            let id = keys::number(key)?;
            let hash = Sealed::decode(row)?.hash;
            Some(End { id, hash })
        });
        let known = self.audit_place(&chain::end_key())?;
        let Some(last) = last.filter(|last| known.is_none_or(|known| known.id < last.id)) else {
            return Ok(());
        };
        tracing::error!(
            id = last.id,
            "the end of the audit log was not known: it goes on after the last record there is"
        );
        let mut batch = Batch::new();
        batch.put(chain::end_key(), last.encode());
        self.inner.rows.store().commit(batch).await?;
        Ok(())
    }

    pub(super) fn audit_place(&self, key: &[u8]) -> Result<Option<End>, Unavailable> {
        let row = self.inner.rows.store().get(key).map_err(RowError::from)?;
        Ok(row.as_deref().and_then(End::decode))
    }

    pub(super) fn audit_rows(
        &self,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Row>, Unavailable> {
        let rows = self.inner.rows.store().scan(from, to, direction, limit);
        Ok(rows.map_err(RowError::from)?)
    }
}

/// What is sealed of an event.
pub(super) fn entry(event: &Event, at: Millis) -> Vec<u8> {
    let entry = Entry {
        at: at.to_rfc3339(),
        actor: &event.actor,
        action: event.action,
        target: &event.target,
        details: &event.details,
    };
    serde_json::to_vec(&entry).expect("invariant: words and numbers are JSON")
}

fn place(end: End) -> AuditPlace {
    AuditPlace {
        id: end.id,
        hash: end.hash,
    }
}

/// A record as shown. None: it is not one; verifying names it.
pub(super) fn view(key: &[u8], row: &[u8]) -> Option<AuditView> {
    let sealed = Sealed::decode(row)?;
    let kept: Kept<'_> = serde_json::from_slice(sealed.entry).ok()?;
    Some(AuditView {
        id: keys::number(key)?,
        at: Millis::parse_rfc3339(&kept.at)?,
        actor: kept.actor,
        action: kept.action,
        target: kept.target,
        details: Doc::parse(kept.details.get()).ok()?,
        prev_hash: sealed.prev,
        hash: sealed.hash,
    })
}

fn fits(filter: &AuditFilter, view: &AuditView) -> bool {
    let actor = filter.actor.as_ref().is_none_or(|actor| *actor == view.actor);
    let action = filter
        .action
        .as_ref()
        .is_none_or(|action| match action.ends_with('.') {
            true => view.action.starts_with(action.as_str()),
            false => view.action == *action,
        });
    actor && action
}

#[cfg(test)]
mod tests;
