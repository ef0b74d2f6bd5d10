//! The queue: what waits to be pushed, what failed, putting back and giving up.

pub(crate) mod about;

use crate::engine::api::{Page, QueueFilter, QueueStatus, QueueView};
use crate::http::auth::Caller;
use crate::http::extract::{
    ListKind, NamePath, Params, encode_cursor, entity_type, object, optional_json_body,
};
use crate::http::reply::{self, Raw};
use crate::http::{ApiError, Shared};
use axum::extract::{Request, State};
use axum::response::Response;
use http::Uri;
use schemars::JsonSchema;
use serde::Serialize;

/// A reason fits a sentence or two.
const MAX_REASON_BYTES: usize = 1024;

#[derive(Serialize, JsonSchema)]
struct QueueBody<'a> {
    id: &'a str,
    entity_type: &'a str,
    entity_id: &'a str,
    operation: &'static str,
    status: &'static str,
    retry_count: u32,
    max_retries: u32,
    error_message: Option<&'a str>,
    created_at: String,
    next_attempt_at: Option<String>,
    payload: Option<Raw<'a>>,
}

impl<'a> From<&'a QueueView> for QueueBody<'a> {
    fn from(item: &'a QueueView) -> Self {
        Self {
            id: &item.id,
            entity_type: item.key.entity_type.as_str(),
            entity_id: item.key.id.as_str(),
            operation: item.operation.as_str(),
            status: item.status.as_str(),
            retry_count: item.retry_count,
            max_retries: item.max_retries,
            error_message: item.error_message.as_deref(),
            created_at: item.created_at.to_rfc3339(),
            next_attempt_at: item.next_attempt_at.map(|at| at.to_rfc3339()),
            payload: item.payload.as_ref().map(Raw::from),
        }
    }
}

/// `GET …/queue`: in order; filters `status`, `entity_type`, `entity_id`.
pub(crate) async fn queue(State(http): State<Shared>, uri: Uri) -> Result<Response, ApiError> {
    let params = Params::of(&uri)?;
    let page = http
        .engine
        .queue(&filter(&params)?, params.page(ListKind::Queue)?)?;
    Ok(page_reply("queue", page))
}

/// `GET …/failed`: the queue's items that are out of retries.
pub(crate) async fn failed(State(http): State<Shared>, uri: Uri) -> Result<Response, ApiError> {
    let params = Params::of(&uri)?;
    let filter = QueueFilter {
        status: Some(QueueStatus::Failed),
        ..filter(&params)?
    };
    let page = http.engine.queue(&filter, params.page(ListKind::Queue)?)?;
    Ok(page_reply("failed items", page))
}

fn page_reply(message: &str, page: Page<QueueView>) -> Response {
    let bodies: Vec<QueueBody<'_>> = page.items.iter().map(QueueBody::from).collect();
    let next = page
        .next
        .map(|position| encode_cursor(ListKind::Queue, &position));
    reply::list(message, &bodies, next)
}

fn filter(params: &Params) -> Result<QueueFilter, ApiError> {
    let words = [
        QueueStatus::Pending,
        QueueStatus::Attempted,
        QueueStatus::Failed,
        QueueStatus::Held,
    ]
    .map(|status| (status.as_str(), status));
    Ok(QueueFilter {
        status: params.one_of("status", &words)?,
        entity_type: params
            .get("entity_type")
            .map(|text| entity_type("entity_type", text))
            .transpose()?,
        entity_id: params.get("entity_id").map(str::to_owned),
    })
}

#[derive(Serialize, JsonSchema)]
struct Retried<'a> {
    id: &'a str,
    status: &'static str,
}

/// `POST …/retry/{id}`: puts one failed item back and starts a run.
pub(crate) async fn retry(
    State(http): State<Shared>,
    caller: Caller,
    NamePath(id): NamePath,
) -> Result<Response, ApiError> {
    http.engine.retry(&id, &caller.actor).await?;
    Ok(reply::ok(
        "put back: a run is on its way",
        Retried {
            id: &id,
            status: QueueStatus::Pending.as_str(),
        },
    ))
}

#[derive(Serialize, JsonSchema)]
struct RetriedAll {
    retried: u64,
}

/// `POST …/retry`: puts all failed items back, or those that the filter names in the query or the body.
pub(crate) async fn retry_all(
    State(http): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let params = Params::of(request.uri())?;
    let mut filter = QueueFilter {
        status: Some(QueueStatus::Failed),
        ..filter(&params)?
    };
    let doc = optional_json_body(&http, request).await?;
    let mut fields = object(&doc);
    if let Some(text) = fields.optional::<String>("entity_type") {
        filter.entity_type = Some(entity_type("entity_type", &text)?);
    }
    filter.entity_id = fields.optional("entity_id").or(filter.entity_id);
    fields.finish()?;
    let retried = http.engine.retry_all(&filter, &caller.actor).await?;
    let message = if retried == 0 {
        "nothing had failed"
    } else {
        "put back: a run is on its way"
    };
    Ok(reply::ok(message, RetriedAll { retried }))
}

#[derive(Serialize, JsonSchema)]
struct GivenUp<'a> {
    id: &'a str,
}

/// `DELETE …/queue/{id}`: gives an item up, with a reason in the body or the query.
pub(crate) async fn give_up(
    State(http): State<Shared>,
    caller: Caller,
    NamePath(id): NamePath,
    request: Request,
) -> Result<Response, ApiError> {
    // Many clients send no body with a DELETE.
    let in_query = Params::of(request.uri())?.get("reason").map(str::to_owned);
    let doc = optional_json_body(&http, request).await?;
    let mut fields = object(&doc);
    let reason = fields
        .optional::<String>("reason")
        .or(in_query)
        .unwrap_or_default();
    if reason.trim().is_empty() {
        fields.problem(
            "reason",
            "is missing: say why the change is given up; it is kept with it",
        );
    } else if reason.len() > MAX_REASON_BYTES {
        fields.problem("reason", format!("must be at most {MAX_REASON_BYTES} bytes long"));
    }
    fields.finish()?;
    http.engine.give_up(&id, &reason, &caller.actor).await?;
    Ok(reply::ok(
        "given up: the entity is fetched again",
        GivenUp { id: &id },
    ))
}
