//! From the bytes of a request to checked values: bodies within their limits, paths, queries, fields.
//!
//! Every refusal here names the field and says what to do. Nothing here changes anything.

mod body;
mod cursor;
mod fields;
mod params;

pub(crate) use body::{BodyBudget, MAX_COMMAND_BYTES, Payload, expect_json, expect_wasm, read_body};
pub(crate) use cursor::{ListKind, encode as encode_cursor};
pub(crate) use fields::{Fields, FromField, Text, object};
pub(crate) use params::Params;

use crate::http::auth::Caller;
use crate::http::{ApiError, Shared};
use axum::extract::{FromRequestParts, Path, Request};
use http::request::Parts;
use selaras_core::id::{EntityId, EntityKey, EntityType};
use selaras_core::json::Doc;

/// The JSON object that a request brings.
pub(crate) async fn json_body(state: &Shared, request: Request, limit: usize) -> Result<Doc, ApiError> {
    body::expect_json(request.headers(), false)?;
    read_body(state, request.into_body(), limit).await?.doc()
}

/// The JSON object that a request may bring; an empty body is an empty object.
pub(crate) async fn optional_json_body(state: &Shared, request: Request) -> Result<Doc, ApiError> {
    let headers = request.headers().clone();
    let payload = read_body(state, request.into_body(), MAX_COMMAND_BYTES).await?;
    if payload.is_empty() {
        return Ok(Doc::from_trusted("{}".to_owned()));
    }
    body::expect_json(&headers, false)?;
    payload.doc()
}

/// `{type}` of a path; the caller may use it.
pub(crate) struct TypePath(pub(crate) EntityType);

/// `{type}/{id}` of a path; the caller may use this type.
pub(crate) struct EntityPath(pub(crate) EntityKey);

/// The one placeholder of a path, whatever its name.
pub(crate) struct NamePath(pub(crate) String);

/// The two placeholders of a path, whatever their names.
pub(crate) struct NamesPath(pub(crate) String, pub(crate) String);

/// Reads a type, naming `field` where it is none.
pub(crate) fn entity_type(field: &str, text: &str) -> Result<EntityType, ApiError> {
    EntityType::parse(text).map_err(|error| ApiError::invalid(field, error.to_string()))
}

impl FromRequestParts<Shared> for TypePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let NamePath(text) = NamePath::from_request_parts(parts, state).await?;
        let entity_type = entity_type("entity_type", &text)?;
        may_use(parts, &entity_type)?;
        Ok(Self(entity_type))
    }
}

impl FromRequestParts<Shared> for EntityPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let Path((kind, id)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(bad_path)?;
        let entity_type = entity_type("entity_type", &kind)?;
        may_use(parts, &entity_type)?;
        let id = EntityId::parse(&id).map_err(|error| ApiError::invalid("entity_id", error.to_string()))?;
        Ok(Self(EntityKey { entity_type, id }))
    }
}

impl FromRequestParts<Shared> for NamePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(bad_path)?;
        Ok(Self(text))
    }
}

impl FromRequestParts<Shared> for NamesPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let Path((first, second)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(bad_path)?;
        Ok(Self(first, second))
    }
}

fn may_use(parts: &Parts, entity_type: &EntityType) -> Result<(), ApiError> {
    match parts.extensions.get::<Caller>() {
        Some(caller) => caller.may_use(entity_type),
        None => Ok(()),
    }
}

/// Percent-encoding that is no UTF-8; nothing else can fail, since routes and extractors agree.
#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn bad_path(rejection: axum::extract::rejection::PathRejection) -> ApiError {
    ApiError::bad_request("invalid_path", "the path must be percent-encoded UTF-8")
        .detail("path", "is not percent-encoded UTF-8")
        .cause(rejection.body_text())
}
