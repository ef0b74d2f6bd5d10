//! An outlet as its app and its admin see it: the outlet API over HTTP.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::doc;
use crate::peer::{Answer, Peer};
use crate::secret;

/// Changes in one request, and entities in one page.
const MANY: usize = 500;

/// One outlet.
#[derive(Debug)]
pub struct Outlet {
    /// How it is called in the account.
    pub name: &'static str,
    /// Its `OUTLET_ID`.
    pub id: String,
    /// Its `OUTLET_CODE`.
    pub code: &'static str,
    /// What its webhooks are signed with.
    pub webhook_secret: String,
    /// Its admin's password.
    pub password: String,
    /// How to call it.
    pub peer: Peer,
}

/// A change as an app makes it.
#[derive(Debug, Clone)]
pub struct Change<'a> {
    /// The type.
    pub entity_type: &'a str,
    /// The id.
    pub id: &'a str,
    /// The whole document as text; `None` deletes.
    pub doc: Option<&'a str>,
    /// When the app says it happened; now when it says nothing.
    pub at: Option<&'a str>,
}

/// An entity as it is shown.
#[derive(Debug, Deserialize)]
pub struct Entity {
    /// Its id here.
    pub entity_id: String,
    /// `pending`, `synced`…
    pub sync_status: String,
    /// It is a tombstone.
    pub deleted: bool,
    /// The document.
    pub data: Option<Box<RawValue>>,
}

/// `GET /sync/status`, as far as it is looked at.
#[derive(Debug, Deserialize)]
pub struct Status {
    /// Changes that wait.
    pub pending_count: usize,
    /// Changes that were given up.
    pub failed_count: usize,
    /// Conflicts that wait for a person.
    pub conflict_count: usize,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// What a run did.
#[derive(Debug, Deserialize)]
pub struct Run {
    /// `success`, `partial` or `failed`.
    pub status: String,
    /// Changes pushed.
    pub pushed: usize,
    /// Updates pulled.
    pub pulled: usize,
    /// What went wrong.
    pub error: Option<String>,
}

/// A conflict on record.
#[derive(Debug, Deserialize)]
pub struct Conflict {
    /// Its id.
    pub id: String,
    /// The type.
    pub entity_type: String,
    /// The entity.
    pub entity_id: String,
    /// `open` or `resolved`.
    pub status: String,
    /// Guards a person's decision.
    pub rev: u64,
    /// Who decided.
    pub strategy: String,
    /// What was decided.
    #[serde(default)]
    pub decision: String,
    /// Why.
    pub reason: Option<String>,
}

#[derive(Deserialize)]
struct List<T> {
    data: Vec<T>,
    next_cursor: Option<String>,
}

impl Outlet {
    /// Whether it answers and has everything open.
    pub async fn is_ready(&self) -> bool {
        matches!(
            self.peer.call(Method::GET, "/readyz", None).await,
            Ok(Answer { status: 200, .. })
        )
    }

    /// Logs the admin in.
    ///
    /// # Errors
    /// When it does not work.
    pub async fn login(&mut self) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Session {
            token: String,
        }
        let body = json!({"username": "admin", "password": self.password}).to_string();
        let session: Session = self.peer.send(Method::POST, "/api/v1/auth/login", body).await?;
        self.peer.token = Some(session.token);
        Ok(())
    }

    /// Says how a type is synced.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn bind(&self, entity_type: &str, binding: &serde_json::Value) -> anyhow::Result<()> {
        let path = format!("/api/v1/config/entities/{entity_type}");
        self.peer
            .send::<serde_json::Value>(Method::PUT, &path, binding.to_string())
            .await?;
        Ok(())
    }

    /// Changes settings of the sync.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn set_sync(&self, settings: &serde_json::Value) -> anyhow::Result<()> {
        let path = "/api/v1/config/sync";
        self.peer
            .send::<serde_json::Value>(Method::PUT, path, settings.to_string())
            .await?;
        Ok(())
    }

    /// Hands over changes, in as many requests as it takes.
    ///
    /// # Errors
    /// When one is refused.
    pub async fn change(&self, changes: &[Change<'_>]) -> anyhow::Result<()> {
        for chunk in changes.chunks(MANY) {
            let items: Vec<String> = chunk.iter().map(|change| change.text()).collect();
            let body = format!(r#"{{"changes":[{}]}}"#, items.join(","));
            let answer = self
                .peer
                .call(Method::POST, "/api/v1/changes", Some(body))
                .await?;
            ensure!(
                answer.status == 201,
                "{} refused changes: {} {}",
                self.name,
                answer.status,
                answer.text
            );
        }
        Ok(())
    }

    /// Applies a merge patch.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn patch(&self, entity_type: &str, id: &str, patch: &str) -> anyhow::Result<()> {
        let path = format!("/api/v1/entities/{entity_type}/{id}");
        self.peer
            .send::<serde_json::Value>(Method::PATCH, &path, patch.to_owned())
            .await?;
        Ok(())
    }

    /// The document of a living entity, or `None`.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn doc(&self, entity_type: &str, id: &str) -> anyhow::Result<Option<String>> {
        let path = format!("/api/v1/entities/{entity_type}/{id}");
        let answer = self.peer.call(Method::GET, &path, None).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let entity: Entity = answer.data()?;
        Ok(entity
            .data
            .filter(|_| !entity.deleted)
            .map(|data| data.get().to_owned()))
    }

    /// The contents of all living entities of a type, by id. Fails when one of them is not in step with the cloud.
    ///
    /// # Errors
    /// When there is no answer, or something still waits.
    pub async fn contents(&self, entity_type: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/api/v1/entities/{entity_type}?limit={MANY}{cursor}");
            let page: List<Entity> = self.peer.get(&path).await?;
            for entity in page.data {
                let Some(data) = entity.data.filter(|_| !entity.deleted) else {
                    continue;
                };
                let id = entity.entity_id;
                let status = entity.sync_status;
                ensure!(
                    status == "synced",
                    "{}: {entity_type} {id} is {status}",
                    self.name
                );
                let content = doc::content(data.get()).with_context(|| format!("{entity_type} {id}"))?;
                found.insert(id, content);
            }
            match page.next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(found),
            }
        }
    }

    /// Where it stands.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn status(&self) -> anyhow::Result<Status> {
        self.peer
            .call(Method::GET, "/api/v1/sync/status", None)
            .await?
            .data()
    }

    /// Starts a run and waits for its end.
    ///
    /// # Errors
    /// When there is no answer; a failed run is an answer.
    pub async fn run(&self) -> anyhow::Result<Run> {
        self.peer
            .call(Method::POST, "/api/v1/sync/trigger?wait=true", None)
            .await?
            .data()
    }

    /// The newest conflicts.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn conflicts(&self) -> anyhow::Result<Vec<Conflict>> {
        let page: List<Conflict> = self
            .peer
            .get(&format!("/api/v1/sync/conflicts?limit={MANY}"))
            .await?;
        Ok(page.data)
    }

    /// Decides an open conflict as a person.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn resolve(&self, conflict: &Conflict, strategy: &str, notes: &str) -> anyhow::Result<()> {
        let body = json!({"strategy": strategy, "notes": notes, "rev": conflict.rev}).to_string();
        let path = format!("/api/v1/sync/resolve/{}", conflict.id);
        self.peer
            .send::<serde_json::Value>(Method::POST, &path, body)
            .await?;
        Ok(())
    }

    /// Sends it an `update` webhook with a signature.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn webhook(&self, body: &str, signature: &str) -> anyhow::Result<Answer> {
        let headers = [
            ("x-cloud-signature", signature),
            ("x-outlet-id", self.id.as_str()),
        ];
        let mut stranger = self.peer.clone();
        stranger.token = None;
        let path = "/api/v1/webhooks/cloud/update";
        stranger
            .call_with(Method::POST, path, &headers, Some(body.to_owned()))
            .await
    }

    /// The signature that it accepts for a body.
    pub fn sign(&self, body: &str) -> String {
        secret::signature(&self.webhook_secret, body)
    }
}

impl Change<'_> {
    fn text(&self) -> String {
        let head = json!({"entity_type": self.entity_type, "entity_id": self.id}).to_string();
        let head = head.trim_end_matches('}');
        let at = self
            .at
            .map(|at| format!(r#","updated_at":"{at}""#))
            .unwrap_or_default();
        match self.doc {
            Some(doc) => format!(r#"{head},"operation":"update"{at},"data":{doc}}}"#),
            None => format!(r#"{head},"operation":"delete"{at}}}"#),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_carries_its_document_byte_for_byte() {
        let change = Change {
            entity_type: "product",
            id: "p-1",
            doc: Some(r#"{ "price":9.80000019 }"#),
            at: Some("2026-01-27T10:00:00Z"),
        };
        assert_eq!(
            change.text(),
            r#"{"entity_id":"p-1","entity_type":"product","operation":"update","updated_at":"2026-01-27T10:00:00Z","data":{ "price":9.80000019 }}"#
        );
        let delete = Change {
            doc: None,
            at: None,
            ..change
        };
        assert_eq!(
            delete.text(),
            r#"{"entity_id":"p-1","entity_type":"product","operation":"delete"}"#
        );
    }
}
