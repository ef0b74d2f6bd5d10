//! `POST /api/v1/changes`, many changes as one, and `GET /api/v1/changes`, the feed of everything that changed.

pub(crate) mod about;

use super::entities::AcceptedBody;
use crate::engine::api::{Change, Feed, FeedEntry, Intent, Precondition};
use crate::http::auth::Caller;
use crate::http::conditions;
use crate::http::error::{Asked, Detail};
use crate::http::extract::{Fields, FromField, Params, expect_json, read_body};
use crate::http::reply;
use crate::http::{ApiError, Shared};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{StatusCode, Uri};
use schemars::JsonSchema;
use selaras_core::id::{EntityId, EntityKey, EntityType};
use selaras_core::json::Doc;
use selaras_core::record::Operation;
use serde::Serialize;
use serde_json::value::RawValue;
use std::time::Duration;

/// The contract's limit of one request.
const MAX_CHANGES: usize = 1000;
/// Problems told at a time.
const MAX_PROBLEMS: usize = 20;
/// The contract's limit of an id.
const MAX_ID_BYTES: usize = 128;
/// The longest poll.
const MAX_WAIT_SECONDS: u64 = 60;

#[derive(Serialize, JsonSchema)]
struct ChangesBody<'a> {
    success: bool,
    message: &'a str,
    data: &'a [AcceptedBody<'a>],
    count: usize,
}

/// All or nothing; 201 with a result each, in order.
pub(crate) async fn post(
    State(http): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    expect_json(request.headers(), false)?;
    let (parts, body) = request.into_parts();
    let payload = read_body(&http, body, http.limits.max_body_bytes).await?;
    let changes = parse(&payload.doc()?)?;
    for change in &changes {
        caller.may_use(&change.key.entity_type)?;
    }
    let idempotency =
        conditions::idempotency(&parts.headers, &parts.method, parts.uri.path(), payload.bytes())?;
    drop(payload);
    let accepted = http
        .engine
        .changes(changes, idempotency, &caller.actor)
        .await
        .map_err(|error| ApiError::from_change(error, Asked::List))?;
    let bodies: Vec<AcceptedBody<'_>> = accepted.iter().map(AcceptedBody::from).collect();
    let body = ChangesBody {
        success: true,
        message: "accepted",
        count: bodies.len(),
        data: &bodies,
    };
    Ok(reply::json(StatusCode::CREATED, &body))
}

/// Reads the whole request, or says everything that is wrong with it.
fn parse(body: &Doc) -> Result<Vec<Change>, ApiError> {
    let elements: Option<Vec<&RawValue>> = body.get("changes").and_then(|raw| serde_json::from_str(raw).ok());
    let Some(elements) = elements else {
        return Err(ApiError::invalid("changes", "must be an array of changes"));
    };
    if elements.is_empty() || elements.len() > MAX_CHANGES {
        let problem = format!("must hold 1 to {MAX_CHANGES} changes, not {}", elements.len());
        return Err(ApiError::invalid("changes", problem));
    }
    let mut changes = Vec::with_capacity(elements.len());
    let mut problems = Vec::new();
    for (index, element) in elements.into_iter().enumerate() {
        match parse_change(index, element.get()) {
            Ok(change) => changes.push(change),
            Err(mut found) => problems.append(&mut found),
        }
        if problems.len() >= MAX_PROBLEMS {
            break;
        }
    }
    if problems.is_empty() {
        Ok(changes)
    } else {
        Err(ApiError::invalid_fields(problems))
    }
}

fn parse_change(index: usize, raw: &str) -> Result<Change, Vec<Detail>> {
    let path = format!("changes[{index}]");
    let Some(element) = Doc::from_json(raw) else {
        return Err(vec![Detail {
            field: path,
            problem: Doc::EXPECTED.to_owned(),
        }]);
    };
    let mut fields = Fields::new(&element, path);
    let entity_type: String = fields.required("entity_type");
    let entity_type = EntityType::parse(&entity_type)
        .map_err(|error| fields.present_problem("entity_type", error.to_string()))
        .ok();
    let id: String = fields.required("entity_id");
    let id = EntityId::parse(&id)
        .map_err(|error| fields.present_problem("entity_id", error.to_string()))
        .ok();
    let words = [
        ("create", Operation::Create),
        ("update", Operation::Update),
        ("delete", Operation::Delete),
    ];
    if fields.raw("operation").is_none() {
        fields.problem("operation", "is missing: must be one of create, update, delete");
    }
    let operation = fields.word("operation", &words);
    let data: Option<Doc> = fields.optional("data");
    let intent = match (operation, data) {
        (Some(Operation::Delete), _) => Some(Intent::Delete { strict: false }),
        // One that is no object is named by `optional` already.
        (Some(_), None) => {
            if fields.raw("data").is_none() {
                fields.problem("data", "is missing: must be the whole document, a JSON object");
            }
            None
        }
        // A create over a living entity is taken as an update: the app may not know that it lives.
        (Some(Operation::Create | Operation::Update), Some(doc)) => Some(Intent::Put(doc)),
        (None, _) => None,
    };
    let updated_at = fields.optional("updated_at");
    let change_id = fields.short("change_id", MAX_ID_BYTES);
    if change_id.as_deref() == Some("") {
        fields.problem("change_id", "is empty: leave it away to be given one");
    }
    let problems = fields.into_problems();
    match (entity_type, id, intent) {
        (Some(entity_type), Some(id), Some(intent)) if problems.is_empty() => Ok(Change {
            key: EntityKey { entity_type, id },
            intent,
            precondition: Precondition::None,
            updated_at,
            change_id,
        }),
        _ => Err(problems),
    }
}

#[derive(Serialize, JsonSchema)]
struct FeedBody<'a> {
    success: bool,
    message: &'a str,
    data: Vec<EntryBody<'a>>,
    count: usize,
    epoch: &'a str,
    /// The newest entry there is.
    head: u64,
    /// What to send as `since` next.
    next_since: u64,
}

/// An entry of the feed, in a page or as an event of a stream.
#[derive(Serialize, JsonSchema)]
pub(super) struct EntryBody<'a> {
    epoch: &'a str,
    seq: u64,
    entity_type: &'a str,
    entity_id: &'a str,
    version: u64,
    deleted: bool,
    origin: &'a str,
    token_id: Option<&'a str>,
    change_id: Option<&'a str>,
}

impl<'a> EntryBody<'a> {
    pub(super) fn new(epoch: &'a str, entry: &'a FeedEntry) -> Self {
        Self {
            epoch,
            seq: entry.seq,
            entity_type: &entry.entity_type,
            entity_id: &entry.entity_id,
            version: entry.version,
            deleted: entry.deleted,
            origin: entry.origin,
            token_id: entry.token_id.as_deref(),
            change_id: entry.change_id.as_deref(),
        }
    }
}

/// What changed after `since`; with `wait` it answers when something does, or after so many seconds with nothing.
pub(crate) async fn feed(State(http): State<Shared>, caller: Caller, uri: Uri) -> Result<Response, ApiError> {
    let params = Params::of(&uri)?;
    let since = params.number("since", 0, u64::MAX)?.unwrap_or(0);
    let limit = params.limit()?;
    let wait = Duration::from_secs(params.number("wait", 0, MAX_WAIT_SECONDS)?.unwrap_or(0));
    let _waiting = if wait.is_zero() {
        None
    } else {
        Some(http.waiters.try_acquire().map_err(|_none_left| {
            let most = http.limits.max_feed_waiters;
            let message =
                format!("{most} calls already wait for the feed: ask without wait, or again in a moment");
            ApiError::unavailable("too_many_waiters", message).retry_after(5)
        })?)
    };
    let _waits = (!wait.is_zero()).then(|| http.engine.metrics().feed_waits());
    let feed = tokio::select! {
        feed = http.engine.feed(since, limit, wait, &caller.scope) => feed?,
        () = http.stop.cancelled(), if !wait.is_zero() => {
            http.engine.feed(since, limit, Duration::ZERO, &caller.scope).await?
        }
    };
    if !wait.is_zero() {
        caller.may_stay(&http)?;
    }
    Ok(feed_reply(&feed))
}

fn feed_reply(feed: &Feed) -> Response {
    let data: Vec<EntryBody<'_>> = feed
        .entries
        .iter()
        .map(|entry| EntryBody::new(&feed.epoch, entry))
        .collect();
    reply::json(
        StatusCode::OK,
        &FeedBody {
            success: true,
            message: "changes",
            count: data.len(),
            next_since: feed.read_to,
            epoch: &feed.epoch,
            head: feed.head,
            data,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(body: &str) -> Vec<String> {
        let error = parse(&Doc::parse(body).unwrap()).unwrap_err();
        assert_eq!(error.status(), 422);
        error
            .details()
            .iter()
            .map(|detail| detail.field.clone())
            .collect()
    }

    #[test]
    fn a_change_keeps_its_document_byte_for_byte() {
        let data = r#"{ "price":9.80000019,"n":12345678901234567890 }"#;
        let body = format!(
            r#"{{"changes":[{{"entity_type":"product","entity_id":"p-1","operation":"update","data":{data}}}]}}"#
        );
        let changes = parse(&Doc::parse(&body).unwrap()).unwrap();
        let Intent::Put(doc) = &changes[0].intent else {
            panic!("not a put")
        };
        assert_eq!(doc.as_str(), data);
    }

    #[test]
    fn every_wrong_field_of_every_change_is_named() {
        let body = r#"{"changes":[
            {"entity_type":"product","entity_id":"p-1","operation":"delete"},
            {"entity_type":"No Such","entity_id":"","operation":"upsert"},
            7,
            {"entity_type":"product","entity_id":"p-1","operation":"create"},
            {"entity_id":7,"operation":"create","data":[],"updated_at":"yesterday","change_id":""}]}"#;
        assert_eq!(
            problems(body),
            [
                "changes[1].entity_type",
                "changes[1].entity_id",
                "changes[1].operation",
                "changes[2]",
                "changes[3].data",
                "changes[4].entity_type",
                "changes[4].entity_id",
                "changes[4].data",
                "changes[4].updated_at",
                "changes[4].change_id",
            ]
        );
    }

    #[test]
    fn no_changes_or_too_many_are_refused() {
        assert_eq!(problems("{}"), ["changes"]);
        assert_eq!(problems(r#"{"changes":[]}"#), ["changes"]);
        let many = vec!["{}"; 1001].join(",");
        assert_eq!(problems(&format!(r#"{{"changes":[{many}]}}"#)), ["changes"]);
    }
}
