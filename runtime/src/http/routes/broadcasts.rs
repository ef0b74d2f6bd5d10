//! What the company told everybody at the outlet; the feed's entries of type `_broadcast` name these by their id.

pub(crate) mod about;

use crate::engine::api::BroadcastView;
use crate::http::extract::{ListKind, NamePath, Params, encode_cursor};
use crate::http::reply::{self, Raw};
use crate::http::{ApiError, Shared};
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
struct BroadcastBody<'a> {
    id: &'a str,
    message: &'a str,
    level: &'a str,
    data: Option<Raw<'a>>,
    timestamp: String,
    received_at: String,
}

impl<'a> From<&'a BroadcastView> for BroadcastBody<'a> {
    fn from(broadcast: &'a BroadcastView) -> Self {
        Self {
            id: &broadcast.id,
            message: &broadcast.message,
            level: &broadcast.level,
            data: broadcast.data.as_deref().map(Raw),
            timestamp: broadcast.sent_at.to_rfc3339(),
            received_at: broadcast.received_at.to_rfc3339(),
        }
    }
}

/// `GET …/broadcasts`: newest first.
pub(crate) async fn list(State(http): State<Shared>, uri: Uri) -> Result<Response, ApiError> {
    let page = Params::of(&uri)?.page(ListKind::Broadcasts)?;
    let page = http.engine.broadcasts(page)?;
    let bodies: Vec<BroadcastBody<'_>> = page.items.iter().map(BroadcastBody::from).collect();
    let next = page
        .next
        .map(|position| encode_cursor(ListKind::Broadcasts, &position));
    Ok(reply::list("broadcasts", &bodies, next))
}

/// `GET …/broadcasts/{id}`: 404 when it is no longer kept.
pub(crate) async fn get(State(http): State<Shared>, NamePath(id): NamePath) -> Result<Response, ApiError> {
    let broadcast = http.engine.broadcast(&id)?;
    Ok(reply::ok("broadcast", BroadcastBody::from(&broadcast)))
}
