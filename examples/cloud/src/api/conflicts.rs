//! `POST …/conflicts/{id}/resolve`: the outlet says how it decided.

use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::auth::Caller;
use super::request::Body;
use crate::app::Shared;
use crate::clock;
use crate::error::{ApiError, ApiResult, success};
use crate::store::conflicts::{self, Resolution};
use crate::webhooks::body;

#[derive(Deserialize)]
struct Asked {
    strategy: String,
    resolved_by: Option<String>,
    notes: Option<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    resolved: bool,
    applied_value: Option<&'a RawValue>,
    new_version: Option<u64>,
    resolved_at: Option<&'a str>,
}

/// Closes a conflict; see [`conflicts::resolve`].
///
/// # Errors
/// 400 or 422 for a bad body, 404 for a conflict that is not this outlet's, 500 when the store fails.
pub async fn resolve(
    State(cloud): State<Shared>,
    Caller(outlet): Caller,
    Path((_, conflict_id)): Path<(String, String)>,
    body: Body,
) -> ApiResult {
    let Asked {
        strategy,
        resolved_by,
        notes,
    } = body.json()?;
    if strategy.is_empty() || strategy.len() > 128 {
        return Err(ApiError::invalid(
            "strategy takes 1 to 128 bytes, e.g. local_wins or cloud_wins",
        ));
    }
    let resolution = Resolution {
        strategy,
        resolved_by,
        notes,
    };
    let now = clock::now();
    let resolved = cloud
        .store
        .write(move |tx| conflicts::resolve(tx, &outlet, &conflict_id, &resolution, &now))
        .await?;
    let Some((conflict, entity)) = resolved else {
        return Err(ApiError::not_found("there is no such conflict of this outlet"));
    };
    let doc = entity.doc.as_deref().map(body::raw);
    let answer = Answer {
        resolved: true,
        applied_value: doc.and_then(|doc| body::field_of(doc, &conflict.field)),
        new_version: conflict.new_version,
        resolved_at: conflict.resolved_at.as_deref(),
    };
    Ok(success(StatusCode::OK, &answer))
}
