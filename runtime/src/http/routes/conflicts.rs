//! Conflicts, open and decided, and a person's decision.

pub(crate) mod about;

use crate::engine::api::{ConflictView, ResolveRequest, SideView};
use crate::http::auth::Caller;
use crate::http::extract::{
    ListKind, MAX_COMMAND_BYTES, NamePath, Params, encode_cursor, entity_type, json_body, object,
};
use crate::http::reply::{self, Raw};
use crate::http::{ApiError, Shared};
use axum::extract::{Request, State};
use axum::response::Response;
use http::Uri;
use schemars::JsonSchema;
use serde::Serialize;

/// Room for a document beside the rest of the body.
const MAX_RESOLVE_BYTES: usize = 16 * MAX_COMMAND_BYTES;
const MAX_NOTES_BYTES: usize = 4096;

#[derive(Serialize, JsonSchema)]
struct SideBody<'a> {
    version: u64,
    modified_at: Option<String>,
    modified_by: Option<&'a str>,
    deleted: bool,
    data: Option<Raw<'a>>,
}

impl<'a> From<&'a SideView> for SideBody<'a> {
    fn from(side: &'a SideView) -> Self {
        Self {
            version: side.version,
            modified_at: side.modified_at.map(|at| at.to_rfc3339()),
            modified_by: side.modified_by.as_deref(),
            deleted: side.data.is_none(),
            data: side.data.as_ref().map(Raw::from),
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct ConflictBody<'a> {
    id: &'a str,
    entity_type: &'a str,
    entity_id: &'a str,
    cloud_id: Option<&'a str>,
    status: &'static str,
    rev: u64,
    base: Option<SideBody<'a>>,
    local: SideBody<'a>,
    cloud: SideBody<'a>,
    result: Option<Raw<'a>>,
    decision: &'static str,
    strategy: &'a str,
    plugin_digest: Option<&'a str>,
    reason: &'a str,
    error: Option<&'a str>,
    resolved_by: Option<&'a str>,
    notes: Option<&'a str>,
    created_at: String,
    resolved_at: Option<String>,
}

impl<'a> From<&'a ConflictView> for ConflictBody<'a> {
    fn from(conflict: &'a ConflictView) -> Self {
        Self {
            id: &conflict.id,
            entity_type: conflict.key.entity_type.as_str(),
            entity_id: conflict.key.id.as_str(),
            cloud_id: conflict.cloud_id.as_deref(),
            status: if conflict.open { "open" } else { "resolved" },
            rev: conflict.rev,
            base: conflict.base.as_ref().map(SideBody::from),
            local: SideBody::from(&conflict.local),
            cloud: SideBody::from(&conflict.cloud),
            result: conflict.result.as_ref().map(Raw::from),
            decision: conflict.decision,
            strategy: &conflict.strategy,
            plugin_digest: conflict.plugin_digest.as_deref(),
            reason: &conflict.reason,
            error: conflict.error.as_deref(),
            resolved_by: conflict.resolved_by.as_deref(),
            notes: conflict.notes.as_deref(),
            created_at: conflict.created_at.to_rfc3339(),
            resolved_at: conflict.resolved_at.map(|at| at.to_rfc3339()),
        }
    }
}

/// `GET …/conflicts`: newest first; filters `status` (open, resolved) and `entity_type`.
pub(crate) async fn list(State(http): State<Shared>, uri: Uri) -> Result<Response, ApiError> {
    let params = Params::of(&uri)?;
    let open = params.one_of("status", &[("open", true), ("resolved", false)])?;
    let of_type = params
        .get("entity_type")
        .map(|text| entity_type("entity_type", text))
        .transpose()?;
    let page = http
        .engine
        .conflicts(open, of_type.as_ref(), params.page(ListKind::Conflicts)?)?;
    let bodies: Vec<ConflictBody<'_>> = page.items.iter().map(ConflictBody::from).collect();
    let next = page
        .next
        .map(|position| encode_cursor(ListKind::Conflicts, &position));
    Ok(reply::list("conflicts", &bodies, next))
}

/// `GET …/conflicts/{id}`.
pub(crate) async fn get(State(http): State<Shared>, NamePath(id): NamePath) -> Result<Response, ApiError> {
    let conflict = http.engine.conflict(&id)?;
    Ok(reply::ok("conflict", ConflictBody::from(&conflict)))
}

/// `POST …/resolve/{id}`.
pub(crate) async fn resolve(
    State(http): State<Shared>,
    caller: Caller,
    NamePath(id): NamePath,
    request: Request,
) -> Result<Response, ApiError> {
    let doc = json_body(&http, request, MAX_RESOLVE_BYTES).await?;
    let mut fields = object(&doc);
    let strategy = fields.required_text("strategy");
    let data = fields.optional("data");
    let notes = fields.short("notes", MAX_NOTES_BYTES);
    let rev = fields.optional("rev");
    if strategy == "merged" && fields.raw("data").is_none() {
        fields.problem(
            "data",
            "is missing: merged needs the document that both sides shall have",
        );
    }
    fields.finish()?;
    let decision = ResolveRequest {
        strategy,
        data,
        notes,
        rev,
    };
    let conflict = http.engine.resolve(&id, decision, &caller.actor).await?;
    Ok(reply::ok("resolved", ConflictBody::from(&conflict)))
}
