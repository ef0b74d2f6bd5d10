//! One entity, and the entities of one type.

pub(crate) mod about;

use crate::engine::api::{Accepted, Change, EntityView, Intent};
use crate::http::auth::Caller;
use crate::http::conditions;
use crate::http::describe::Document;
use crate::http::error::Asked;
use crate::http::extract::{
    EntityPath, ListKind, Params, Payload, TypePath, encode_cursor, expect_json, read_body,
};
use crate::http::reply::{self, Raw};
use crate::http::{ApiError, Shared};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use schemars::JsonSchema;
use selaras_core::id::EntityKey;
use serde::Serialize;

/// What was accepted, as every change's answer tells it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct AcceptedBody<'a> {
    entity_type: &'a str,
    entity_id: &'a str,
    version: u64,
    queue_id: Option<&'a str>,
    change_id: Option<&'a str>,
    sync_status: &'static str,
}

impl<'a> From<&'a Accepted> for AcceptedBody<'a> {
    fn from(accepted: &'a Accepted) -> Self {
        Self {
            entity_type: accepted.key.entity_type.as_str(),
            entity_id: accepted.key.id.as_str(),
            version: accepted.version,
            queue_id: accepted.queue_id.as_deref(),
            change_id: accepted.change_id.as_deref(),
            sync_status: accepted.sync_status.as_str(),
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct EntityBody<'a> {
    entity_type: &'a str,
    entity_id: &'a str,
    cloud_id: Option<&'a str>,
    version: u64,
    cloud_version: u64,
    sync_status: &'static str,
    updated_at: String,
    deleted: bool,
    #[schemars(with = "Option<Document>")]
    data: Option<Raw<'a>>,
}

impl<'a> From<&'a EntityView> for EntityBody<'a> {
    fn from(view: &'a EntityView) -> Self {
        Self {
            entity_type: view.key.entity_type.as_str(),
            entity_id: view.key.id.as_str(),
            cloud_id: view.cloud_id.as_deref(),
            version: view.version,
            cloud_version: view.cloud_version,
            sync_status: view.sync_status.as_str(),
            updated_at: view.updated_at.to_rfc3339(),
            deleted: view.data.is_none(),
            data: view.data.as_ref().map(Raw::from),
        }
    }
}

/// `GET …/{type}`: in the order of ids, tombstones included.
pub(crate) async fn list(
    State(http): State<Shared>,
    TypePath(entity_type): TypePath,
    uri: Uri,
) -> Result<Response, ApiError> {
    let page = Params::of(&uri)?.page(ListKind::Entities)?;
    let page = http.engine.entities(&entity_type, page)?;
    let bodies: Vec<EntityBody<'_>> = page.items.iter().map(EntityBody::from).collect();
    let next = page
        .next
        .map(|position| encode_cursor(ListKind::Entities, &position));
    Ok(reply::list("entities", &bodies, next))
}

/// `GET …/{type}/{id}`: a tombstone too, as long as it is kept; 304 when `If-None-Match` names its version.
pub(crate) async fn get(
    State(http): State<Shared>,
    EntityPath(key): EntityPath,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let Some(view) = http.engine.entity(&key)? else {
        return Err(ApiError::not_found(
            "entity_not_found",
            format!("there is no {key} here"),
        ));
    };
    let mut response = if conditions::is_unchanged(&headers, view.version)? {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        reply::ok("entity", EntityBody::from(&view))
    };
    response
        .headers_mut()
        .insert(header::ETAG, conditions::etag(view.version));
    Ok(response)
}

/// `PUT …/{type}/{id}`: the body is the whole document.
pub(crate) async fn put(
    State(http): State<Shared>,
    caller: Caller,
    EntityPath(key): EntityPath,
    request: Request,
) -> Result<Response, ApiError> {
    expect_json(request.headers(), false)?;
    let (parts, payload) = document(&http, &key, request).await?;
    let intent = Intent::Put(payload.doc()?);
    change(&http, &caller, key, intent, &parts, payload.bytes()).await
}

/// `PATCH …/{type}/{id}`: the body is an RFC 7396 merge patch.
pub(crate) async fn patch(
    State(http): State<Shared>,
    caller: Caller,
    EntityPath(key): EntityPath,
    request: Request,
) -> Result<Response, ApiError> {
    expect_json(request.headers(), true)?;
    let (parts, payload) = document(&http, &key, request).await?;
    let intent = Intent::Patch(payload.doc()?);
    change(&http, &caller, key, intent, &parts, payload.bytes()).await
}

/// `DELETE …/{type}/{id}`: 404 when it does not live.
pub(crate) async fn delete(
    State(http): State<Shared>,
    caller: Caller,
    EntityPath(key): EntityPath,
    request: Request,
) -> Result<Response, ApiError> {
    let (parts, _) = request.into_parts();
    change(&http, &caller, key, Intent::Delete { strict: true }, &parts, b"").await
}

/// A body of at most the type's limit, apart from the rest.
async fn document(
    http: &Shared,
    key: &EntityKey,
    request: Request,
) -> Result<(http::request::Parts, Payload), ApiError> {
    let (parts, body) = request.into_parts();
    let limit = http.engine.max_document_bytes(&key.entity_type);
    Ok((
        parts,
        read_body(http, body, limit.min(http.limits.max_body_bytes)).await?,
    ))
}

async fn change(
    http: &Shared,
    caller: &Caller,
    key: EntityKey,
    intent: Intent,
    parts: &http::request::Parts,
    body: &[u8],
) -> Result<Response, ApiError> {
    let precondition = conditions::precondition(&parts.headers)?;
    let change = Change {
        key,
        intent,
        precondition: precondition.clone(),
        updated_at: None,
        change_id: None,
    };
    let idempotency = conditions::idempotency(&parts.headers, &parts.method, parts.uri.path(), body)?;
    let accepted = http
        .engine
        .change(change, idempotency, &caller.actor)
        .await
        .map_err(|error| ApiError::from_change(error, Asked::Single(&precondition)))?;
    let (status, message) = match (parts.method == Method::DELETE, accepted.created) {
        (true, _) => (StatusCode::OK, "deleted"),
        (false, true) => (StatusCode::CREATED, "created"),
        (false, false) => (StatusCode::OK, "updated"),
    };
    let mut response = reply::with_status(status, message, AcceptedBody::from(&accepted));
    response
        .headers_mut()
        .insert(header::ETAG, conditions::etag(accepted.version));
    Ok(response)
}
