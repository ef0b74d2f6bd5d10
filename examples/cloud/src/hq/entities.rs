//! Reading and editing one entity, and lists. What an edit does and who is told is in `changes`.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use super::Headquarters;
use super::changes::{Notify, Shown, apply, shown};
use super::edit::{Action, Edit};
use crate::api::request::Body;
use crate::app::Shared;
use crate::error::{ApiError, ApiResult, success};
use crate::store::entities::{self as stored};

/// Entities in a list when the caller does not say.
const DEFAULT_LIMIT: u32 = 50;
/// And at most.
const MAX_LIMIT: u32 = 500;

/// What a list takes in its query.
#[derive(Debug, Deserialize)]
pub struct Window {
    limit: Option<u32>,
    cursor: Option<String>,
    #[serde(default)]
    deleted: bool,
}

#[derive(Serialize)]
struct List<'a> {
    items: Vec<Shown<'a>>,
    count: usize,
    next_cursor: Option<String>,
}

/// `GET /hq/entities/{type}`: a page, in the order of creation.
///
/// # Errors
/// 422 for a bad limit or cursor, 500 when the store fails.
pub async fn list(
    State(cloud): State<Shared>,
    _: Headquarters,
    Path(kind): Path<String>,
    Query(window): Query<Window>,
) -> ApiResult {
    let limit = window.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(ApiError::invalid(format!(
            "limit takes a number from 1 to {MAX_LIMIT}"
        )));
    }
    let after = window.cursor.map_or(Ok(0), |cursor| cursor.parse());
    let after = after.map_err(|_| ApiError::invalid("cursor takes a next_cursor of this list"))?;
    let mut page = cloud
        .store
        .read(move |tx| stored::list(tx, &kind, after, limit + 1, window.deleted))
        .await?;
    let more = page.len() > limit as usize;
    page.truncate(limit as usize);
    let next_cursor = page.last().filter(|_| more).map(|last| last.id.to_string());
    let items: Vec<_> = page.iter().map(shown).collect();
    Ok(success(
        StatusCode::OK,
        &List {
            count: items.len(),
            items,
            next_cursor,
        },
    ))
}

/// `GET /hq/entities/{type}/{id}`; also shows tombstones.
///
/// # Errors
/// 404 when there is none, 500 when the store fails.
pub async fn read(
    State(cloud): State<Shared>,
    _: Headquarters,
    Path((kind, id)): Path<(String, String)>,
) -> ApiResult {
    let found = cloud
        .store
        .read(move |tx| stored::by_any_id(tx, &kind, &id))
        .await?;
    let entity = found.ok_or_else(|| ApiError::not_found("there is no such entity"))?;
    Ok(success(StatusCode::OK, &shown(&entity)))
}

/// `POST /hq/entities/{type}`: a new entity, named by the cloud alone.
///
/// # Errors
/// 400 or 422 for a bad document, 500 when the store fails.
pub async fn create(
    State(cloud): State<Shared>,
    hq: Headquarters,
    Path(kind): Path<String>,
    Query(notify): Query<Notify>,
    body: Body,
) -> ApiResult {
    let action = Action::Put(body.text()?.to_owned());
    let edit = Edit {
        entity_type: kind,
        id: None,
        action,
        if_version: None,
    };
    change_one(&cloud, &hq, notify, edit).await
}

/// `PUT /hq/entities/{type}/{id}`: stores the document; a missing entity is made with `id` as its local_id.
///
/// # Errors
/// 400 or 422 for a bad document, 412 when `If-Match` does not hold, 500 when the store fails.
pub async fn put(
    State(cloud): State<Shared>,
    hq: Headquarters,
    Path((kind, id)): Path<(String, String)>,
    Query(notify): Query<Notify>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult {
    let action = Action::Put(body.text()?.to_owned());
    let edit = Edit {
        entity_type: kind,
        id: Some(id),
        action,
        if_version: if_match(&headers)?,
    };
    change_one(&cloud, &hq, notify, edit).await
}

/// `PATCH /hq/entities/{type}/{id}`: an RFC 7396 merge patch.
///
/// # Errors
/// As for [`put`], and 404 when there is none.
pub async fn patch(
    State(cloud): State<Shared>,
    hq: Headquarters,
    Path((kind, id)): Path<(String, String)>,
    Query(notify): Query<Notify>,
    headers: HeaderMap,
    body: Body,
) -> ApiResult {
    let action = Action::Patch(body.text()?.to_owned());
    let edit = Edit {
        entity_type: kind,
        id: Some(id),
        action,
        if_version: if_match(&headers)?,
    };
    change_one(&cloud, &hq, notify, edit).await
}

/// `DELETE /hq/entities/{type}/{id}`: leaves a tombstone, which outlets pull.
///
/// # Errors
/// 404 when there is none, 412 when `If-Match` does not hold, 500 when the store fails.
pub async fn delete(
    State(cloud): State<Shared>,
    hq: Headquarters,
    Path((kind, id)): Path<(String, String)>,
    Query(notify): Query<Notify>,
    headers: HeaderMap,
) -> ApiResult {
    let edit = Edit {
        entity_type: kind,
        id: Some(id),
        action: Action::Delete,
        if_version: if_match(&headers)?,
    };
    change_one(&cloud, &hq, notify, edit).await
}

async fn change_one(
    cloud: &Shared,
    hq: &Headquarters,
    notify: Notify,
    edit: Edit,
) -> Result<Response, ApiError> {
    let changed = apply(cloud, hq, notify, vec![edit]).await?;
    let entity = changed
        .first()
        .ok_or_else(|| ApiError::not_found("there is no such entity"))?;
    Ok(success(StatusCode::OK, &shown(entity)))
}

fn if_match(headers: &HeaderMap) -> Result<Option<u64>, ApiError> {
    let Some(value) = headers.get(http::header::IF_MATCH) else {
        return Ok(None);
    };
    let version = value
        .to_str()
        .ok()
        .and_then(|text| text.trim_matches('"').parse().ok());
    version
        .map(Some)
        .ok_or_else(|| ApiError::invalid("If-Match takes a version in quotes"))
}
