//! `POST …/orders`, `/transactions`, `/products`: one document at a time, for clients that do not batch. It is
//! created or replaced; the last writer wins, because these calls carry no base_version.

use std::sync::Arc;

use axum::extract::State;
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use super::auth::Caller;
use super::request::{self, Body};
use crate::app::Shared;
use crate::clock;
use crate::error::{ApiError, ApiResult, success};
use crate::rules::Operation;
use crate::store::outlets::Outlet;
use crate::store::push::{self, Context, Outcome};

#[derive(Serialize)]
struct Answer<'a> {
    cloud_id: Option<&'a str>,
    local_id: &'a str,
    version: Option<u64>,
    synced_at: &'a str,
}

/// `POST …/orders`.
///
/// # Errors
/// 422 for a document that cannot be taken, 500 when the store fails.
pub async fn order(cloud: State<Shared>, caller: Caller, headers: HeaderMap, body: Body) -> ApiResult {
    put(&cloud, caller.0, "order", &headers, &body).await
}

/// `POST …/transactions`.
///
/// # Errors
/// As for [`order`].
pub async fn transaction(cloud: State<Shared>, caller: Caller, headers: HeaderMap, body: Body) -> ApiResult {
    put(&cloud, caller.0, "transaction", &headers, &body).await
}

/// `POST …/products`.
///
/// # Errors
/// As for [`order`].
pub async fn product(cloud: State<Shared>, caller: Caller, headers: HeaderMap, body: Body) -> ApiResult {
    put(&cloud, caller.0, "product", &headers, &body).await
}

async fn put(cloud: &Shared, outlet: Arc<Outlet>, kind: &str, headers: &HeaderMap, body: &Body) -> ApiResult {
    let text = body.text()?;
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        return Err(ApiError::malformed(format!("the body is not JSON: {error}")));
    }
    let mut change = request::change(kind, Operation::Update, text).map_err(ApiError::invalid)?;
    // A repeat of the same request must not take effect twice; its key plays the change_id's part.
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    change.change_id = key.map(|key| format!("{kind}:{key}"));
    let local_id = change.local_id.clone();
    let now_ms = clock::now_ms();
    let cx = Context {
        outlet: (*outlet).clone(),
        now: clock::stamp(now_ms),
        now_ms,
    };
    let now = cx.now.clone();
    let outcomes = cloud
        .store
        .write(move |tx| push::apply(tx, &cx, &[change]))
        .await?;
    let (status, cloud_id, version) = match outcomes.into_iter().next() {
        Some(Outcome::Applied {
            entity: Some(entity),
            created,
        }) => {
            let status = if created {
                StatusCode::CREATED
            } else {
                StatusCode::OK
            };
            (status, Some(entity.cloud_id), Some(entity.version))
        }
        Some(Outcome::Duplicate { cloud_id, version }) => (StatusCode::OK, cloud_id, version),
        _ => return Err(ApiError::invalid("the document could not be stored")),
    };
    let answer = Answer {
        cloud_id: cloud_id.as_deref(),
        local_id: &local_id,
        version,
        synced_at: &now,
    };
    Ok(success(status, &answer))
}
