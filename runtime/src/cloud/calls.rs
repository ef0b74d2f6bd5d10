//! The calls of the cloud API, one method each. No retries, no state: what an answer means is the engine's.

use super::address::{escape, segment};
use super::answer;
use super::batch::{self, DocumentResult, ItemResult, PushItem, quote};
use super::client::Client;
use super::error::LinkError;
use super::json::Json;
use super::page::{Page, read_page};
use super::send::{Answer, Reply, read_with};
use super::traffic::Way;

/// How a conflict was decided, to be told to the cloud.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// The cloud's id of the conflict.
    pub conflict_id: String,
    /// The contract's word: `cloud_wins`, `local_wins`, …
    pub strategy: String,
    /// Who decided.
    pub resolved_by: String,
    /// Why.
    pub notes: String,
}

/// What the cloud answers to a resolution.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConflictAnswer {
    /// Whether it now counts as resolved there.
    pub resolved: Option<bool>,
    /// The JSON text of the value it took.
    pub applied_value: Option<String>,
    /// The entity's new version there.
    pub new_version: Option<u64>,
    /// When, as sent.
    pub resolved_at: Option<String>,
}

impl Client {
    /// Whether the cloud is there and lets this outlet in.
    ///
    /// # Errors
    /// As every call: see [`LinkError`].
    pub async fn ping(&self) -> Result<Answer<()>, LinkError> {
        acknowledged(&self.get(Way::Push, "ping").await?)
    }

    /// Sends a batch. The results come as the cloud gives them: in any order, more or fewer than the items.
    /// `sync_timestamp` is RFC 3339.
    ///
    /// # Errors
    /// When the answer decides nothing; some, all or none of the items may then be applied.
    pub async fn push_batch<'i>(
        &self,
        items: impl IntoIterator<Item = &'i PushItem> + Clone,
        sync_timestamp: &str,
    ) -> Result<Answer<Vec<ItemResult>>, LinkError> {
        let inner = &self.inner;
        let body = batch::request_body(&inner.outlet_id, &inner.outlet_code, sync_timestamp, items);
        let reply = self.post(&self.outlet_path("sync/batch"), body).await?;
        read_with(reply, batch::read_results).await
    }

    /// Sends one document (a JSON object's text) by the route of its kind: `orders`, `transactions`, `products`.
    ///
    /// # Errors
    /// When the answer decides nothing; the document may then be applied or not.
    pub async fn push_document(&self, route: &str, data: &str) -> Result<Answer<DocumentResult>, LinkError> {
        let route = carried(route, "a route")?;
        let reply = self
            .post(&self.outlet_path(&route), data.as_bytes().to_vec())
            .await?;
        read_with(reply, batch::read_document_result).await
    }

    /// Asks for what changed at the cloud since a checkpoint. `limit` is a wish.
    ///
    /// # Errors
    /// [`LinkError::Gone`] when the checkpoint is too old.
    pub async fn updates(&self, since: &str, limit: Option<u32>) -> Result<Answer<Page>, LinkError> {
        let mut call = format!("updates?since={}", escape(since));
        if let Some(limit) = limit {
            call.push_str(&format!("&limit={limit}"));
        }
        let reply = self.get(Way::Pull, &self.outlet_path(&call)).await?;
        read_with(reply, read_page).await
    }

    /// Tells the cloud how one of its conflicts was decided.
    ///
    /// # Errors
    /// As every call: see [`LinkError`].
    pub async fn resolve_conflict(
        &self,
        resolution: &Resolution,
    ) -> Result<Answer<ConflictAnswer>, LinkError> {
        let conflict = carried(&resolution.conflict_id, "a conflict_id")?;
        let mut body = Vec::new();
        let fields = [
            ("{\"strategy\":", &resolution.strategy),
            (",\"resolved_by\":", &resolution.resolved_by),
            (",\"notes\":", &resolution.notes),
        ];
        for (name, value) in fields {
            body.extend_from_slice(name.as_bytes());
            quote(&mut body, value);
        }
        body.push(b'}');
        let reply = self
            .post(&self.outlet_path(&format!("conflicts/{conflict}/resolve")), body)
            .await?;
        read_with(reply, read_conflict_answer).await
    }

    /// Sends a day's figures (a JSON object's text in the contract's shape).
    ///
    /// # Errors
    /// As every call: see [`LinkError`].
    pub async fn analytics_daily(&self, body: &str) -> Result<Answer<()>, LinkError> {
        acknowledged(
            &self
                .post(&self.outlet_path("analytics/daily"), body.as_bytes().to_vec())
                .await?,
        )
    }

    fn outlet_path(&self, call: &str) -> String {
        format!("outlets/{}/{call}", self.inner.outlet_segment)
    }
}

fn acknowledged(reply: &Reply) -> Result<Answer<()>, LinkError> {
    answer::acknowledgement(&reply.body)?;
    Ok(Answer {
        value: (),
        timing: reply.timing,
    })
}

/// Text as a path segment. What no path can carry, no cloud can know.
fn carried(text: &str, what: &str) -> Result<String, LinkError> {
    segment(text).ok_or_else(|| LinkError::NotFound(format!("\"{text}\" cannot be {what} in an address")))
}

fn read_conflict_answer(body: &str) -> Result<ConflictAnswer, LinkError> {
    let data = answer::payload(body)?;
    Ok(ConflictAnswer {
        resolved: data.get("resolved").and_then(Json::truth),
        applied_value: data.get("applied_value").map(|v| v.text().to_owned()),
        new_version: data.get("new_version").and_then(Json::whole),
        resolved_at: data.get("resolved_at").and_then(Json::word),
    })
}

#[cfg(test)]
mod tests;
