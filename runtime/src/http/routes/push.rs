//! One entity's waiting changes, pushed now.

pub(crate) mod about;

use crate::engine::api::{EntityPush, PushedItem};
use crate::http::extract::EntityPath;
use crate::http::reply;
use crate::http::{ApiError, Shared};
use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
struct PushBody<'a> {
    entity_type: &'a str,
    entity_id: &'a str,
    pushed: u64,
    failed: u64,
    items: Vec<ItemBody<'a>>,
    sync_status: &'static str,
    error: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
struct ItemBody<'a> {
    id: &'a str,
    operation: Option<&'static str>,
    outcome: &'static str,
    error: Option<&'a str>,
    next_attempt_at: Option<String>,
}

impl<'a> From<&'a EntityPush> for PushBody<'a> {
    fn from(push: &'a EntityPush) -> Self {
        Self {
            entity_type: push.key.entity_type.as_str(),
            entity_id: push.key.id.as_str(),
            pushed: push.pushed,
            failed: push.failed,
            items: push.items.iter().map(ItemBody::from).collect(),
            sync_status: push.sync_status.as_str(),
            error: push.error.as_deref(),
        }
    }
}

impl<'a> From<&'a PushedItem> for ItemBody<'a> {
    fn from(item: &'a PushedItem) -> Self {
        Self {
            id: &item.id,
            operation: item.operation.map(|operation| operation.as_str()),
            outcome: item.outcome.as_str(),
            error: item.error.as_deref(),
            next_attempt_at: item.next_attempt_at.map(|at| at.to_rfc3339()),
        }
    }
}

/// What came of a push, also of one that broke off.
pub(crate) fn report(push: &EntityPush) -> serde_json::Value {
    serde_json::to_value(PushBody::from(push)).expect("invariant: words and numbers are JSON")
}

/// `POST …/push/{type}/{id}`: answers when it is done.
pub(crate) async fn push(
    State(http): State<Shared>,
    EntityPath(key): EntityPath,
) -> Result<Response, ApiError> {
    let push = http.engine.push_entity(&key).await?;
    let message = match (push.items.is_empty(), &push.error) {
        (true, _) => "nothing was waiting",
        (false, None) => "pushed",
        (false, Some(_)) => "pushed with trouble: see each item",
    };
    Ok(reply::ok(message, PushBody::from(&push)))
}
