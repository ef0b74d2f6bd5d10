//! The audit log: who did what. It is only read here.

pub(crate) mod about;

use crate::engine::api::{AuditFilter, AuditPlace, AuditVerdict, AuditView};
use crate::http::extract::{ListKind, Params, encode_cursor};
use crate::http::reply::{self, Raw};
use crate::http::{ApiError, Shared};
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
struct RecordBody<'a> {
    id: u64,
    at: String,
    actor: &'a str,
    action: &'a str,
    target: &'a str,
    details: Raw<'a>,
    prev_hash: String,
    hash: String,
}

impl<'a> From<&'a AuditView> for RecordBody<'a> {
    fn from(view: &'a AuditView) -> Self {
        Self {
            id: view.id,
            at: view.at.to_rfc3339(),
            actor: &view.actor,
            action: &view.action,
            target: &view.target,
            details: Raw::from(&view.details),
            prev_hash: hex::encode(view.prev_hash),
            hash: hex::encode(view.hash),
        }
    }
}

/// A record by its number and digest.
#[derive(Serialize, JsonSchema)]
struct PlaceBody {
    id: u64,
    hash: String,
}

impl From<AuditPlace> for PlaceBody {
    fn from(place: AuditPlace) -> Self {
        Self {
            id: place.id,
            hash: hex::encode(place.hash),
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct BrokenBody<'a> {
    id: u64,
    problem: &'a str,
}

#[derive(Serialize, JsonSchema)]
struct VerdictBody<'a> {
    intact: bool,
    records: u64,
    head: PlaceBody,
    anchor: Option<PlaceBody>,
    broken: Option<BrokenBody<'a>>,
}

impl<'a> From<&'a AuditVerdict> for VerdictBody<'a> {
    fn from(verdict: &'a AuditVerdict) -> Self {
        Self {
            intact: verdict.broken.is_none(),
            records: verdict.records,
            head: verdict.head.into(),
            anchor: verdict.anchor.map(PlaceBody::from),
            broken: verdict
                .broken
                .as_ref()
                .map(|(id, problem)| BrokenBody { id: *id, problem }),
        }
    }
}

/// `GET /api/v1/audit`: newest first; filters `actor` and `action`.
pub(crate) async fn list(State(http): State<Shared>, uri: Uri) -> Result<Response, ApiError> {
    let params = Params::of(&uri)?;
    let filter = AuditFilter {
        actor: params.get("actor").map(str::to_owned),
        action: params.get("action").map(str::to_owned),
    };
    let page = http.engine.audit(&filter, params.page(ListKind::Audit)?)?;
    let bodies: Vec<RecordBody<'_>> = page.items.iter().map(RecordBody::from).collect();
    let next = page
        .next
        .map(|position| encode_cursor(ListKind::Audit, &position));
    Ok(reply::list("audit log", &bodies, next))
}

/// `GET /api/v1/audit/verify`: goes along the whole chain.
pub(crate) async fn verify(State(http): State<Shared>) -> Result<Response, ApiError> {
    let verdict = http.engine.verify_audit().await?;
    let message = match verdict.broken {
        None => "every record is as it was written",
        Some(_) => "the log is not as it was written: see broken",
    };
    Ok(reply::ok(message, VerdictBody::from(&verdict)))
}
