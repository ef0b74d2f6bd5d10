//! Headquarters as its back office sees it: the reference cloud's own endpoints.

use std::collections::BTreeMap;

use anyhow::Context;
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::doc;
use crate::outlet::Outlet;
use crate::peer::Peer;

/// Headquarters.
#[derive(Debug)]
pub struct Headquarters {
    /// How to call it.
    pub peer: Peer,
}

/// Whether outlets are told of an edit at once, or find it when they pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tell {
    /// By webhook.
    AtOnce,
    /// When they pull.
    WhenTheyPull,
}

/// An entity as it is shown.
#[derive(Debug, Deserialize)]
pub struct Entity {
    /// The cloud's id.
    pub cloud_id: String,
    /// The outlets' id.
    pub local_id: Option<String>,
    /// Its version.
    pub version: u64,
    /// It is a tombstone.
    pub deleted: bool,
    /// The document.
    pub data: Option<Box<RawValue>>,
}

/// `GET /hq/stats`.
#[derive(Debug, Deserialize)]
pub struct Stats {
    /// Living entities by type.
    pub entities: BTreeMap<String, usize>,
    /// Webhooks.
    pub webhooks: Webhooks,
}

/// Webhooks by what became of them.
#[derive(Debug, Deserialize)]
pub struct Webhooks {
    /// Waiting.
    pub pending: usize,
    /// Taken by their outlet.
    pub delivered: usize,
}

#[derive(Deserialize)]
struct List {
    items: Vec<Entity>,
    next_cursor: Option<String>,
}

impl Tell {
    fn query(self) -> &'static str {
        if self == Self::AtOnce { "" } else { "?notify=false" }
    }
}

impl Headquarters {
    /// How it stands; also the way to see whether the cloud is up.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn stats(&self) -> anyhow::Result<Stats> {
        self.peer.call(Method::GET, "/hq/stats", None).await?.data()
    }

    /// Says where an outlet takes webhooks.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn register(&self, outlet: &Outlet) -> anyhow::Result<()> {
        let body = json!({
            "outlet_id": outlet.id,
            "code": outlet.code,
            "webhook_url": outlet.peer.base,
            "webhook_secret": outlet.webhook_secret,
        });
        self.peer
            .send::<serde_json::Value>(Method::POST, "/hq/outlets", body.to_string())
            .await?;
        Ok(())
    }

    /// Applies a merge patch; `at` says when the edit was made, if not now.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn patch(
        &self,
        entity_type: &str,
        id: &str,
        patch: &str,
        at: Option<&str>,
        tell: Tell,
    ) -> anyhow::Result<Entity> {
        let path = format!("/hq/entities/{entity_type}/{id}{}", tell.query());
        let headers: Vec<_> = at.map(|at| ("x-edited-at", at)).into_iter().collect();
        let answer = self
            .peer
            .call_with(Method::PATCH, &path, &headers, Some(patch.to_owned()))
            .await?;
        answer.data().with_context(|| format!("PATCH {path}"))
    }

    /// Applies merge patches to many entities of a type, as one edit.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn patch_many(
        &self,
        entity_type: &str,
        patches: &[(String, String)],
        tell: Tell,
    ) -> anyhow::Result<()> {
        let changes = patches.iter().map(|(id, patch)| {
            let head = json!({"entity_type": entity_type, "id": id, "operation": "patch"}).to_string();
            format!(r#"{},"data":{patch}}}"#, head.trim_end_matches('}'))
        });
        let body = format!(r#"{{"changes":[{}]}}"#, changes.collect::<Vec<_>>().join(","));
        let path = format!("/hq/changes{}", tell.query());
        self.peer
            .send::<serde_json::Value>(Method::POST, &path, body)
            .await?;
        Ok(())
    }

    /// Deletes an entity.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn delete(
        &self,
        entity_type: &str,
        id: &str,
        at: Option<&str>,
        tell: Tell,
    ) -> anyhow::Result<()> {
        let path = format!("/hq/entities/{entity_type}/{id}{}", tell.query());
        let headers: Vec<_> = at.map(|at| ("x-edited-at", at)).into_iter().collect();
        let answer = self.peer.call_with(Method::DELETE, &path, &headers, None).await?;
        answer
            .data::<serde_json::Value>()
            .with_context(|| format!("DELETE {path}"))?;
        Ok(())
    }

    /// The document of a living entity, or `None`.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn doc(&self, entity_type: &str, id: &str) -> anyhow::Result<Option<String>> {
        let answer = self
            .peer
            .call(Method::GET, &format!("/hq/entities/{entity_type}/{id}"), None)
            .await?;
        if answer.status == 404 {
            return Ok(None);
        }
        let entity: Entity = answer.data()?;
        Ok(entity
            .data
            .filter(|_| !entity.deleted)
            .map(|data| data.get().to_owned()))
    }

    /// The contents of all living entities of a type, by the outlets' id.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn contents(&self, entity_type: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let mut found = BTreeMap::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/hq/entities/{entity_type}?limit=500{cursor}");
            let page: List = self.peer.call(Method::GET, &path, None).await?.data()?;
            for entity in page.items {
                let Some(data) = entity.data else { continue };
                let id = entity.local_id.unwrap_or(entity.cloud_id);
                let content = doc::content(data.get()).with_context(|| format!("{entity_type} {id}"))?;
                found.insert(id, content);
            }
            match page.next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(found),
            }
        }
    }

    /// Lets the cloud play dead for the outlets, or live again.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn outage(&self, on: bool) -> anyhow::Result<()> {
        let body = json!({"on": on}).to_string();
        self.peer
            .send::<serde_json::Value>(Method::POST, "/hq/outage", body)
            .await?;
        Ok(())
    }
}
