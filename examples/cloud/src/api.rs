//! The cloud API that outlets call: who may call, in which shape, and what they are told. What a change means is
//! decided by `rules` and `store`.

pub mod analytics;
pub mod auth;
pub mod batch;
pub mod conflicts;
pub mod documents;
pub mod limits;
pub mod request;
pub mod updates;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{Method, StatusCode, Uri};

use crate::app::Shared;
use crate::error::ApiError;

/// The routes of `/api/v1`.
pub fn router(cloud: &Shared) -> Router {
    let outlet = Router::new()
        .route("/sync/batch", post(batch::push))
        .route("/orders", post(documents::order))
        .route("/transactions", post(documents::transaction))
        .route("/products", post(documents::product))
        .route("/updates", get(updates::pull))
        .route("/conflicts/{conflict_id}/resolve", post(conflicts::resolve))
        .route("/analytics/daily", post(analytics::daily));
    Router::new()
        .route("/api/v1/ping", get(auth::ping))
        .nest("/api/v1/outlets/{outlet_id}", outlet)
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .with_state(Arc::clone(cloud))
        .layer(from_fn_with_state(Arc::clone(cloud), gate))
}

/// Answers 503 while the cloud plays dead, and writes a line for each request.
async fn gate(State(cloud): State<Shared>, request: Request, next: Next) -> Response {
    if cloud.is_down() {
        return ApiError::outage().into_response();
    }
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let response = next.run(request).await;
    tracing::debug!(%method, path = uri.path(), status = response.status().as_u16(), "request");
    response
}

/// 404 for any path nobody knows.
pub async fn unknown_route(method: Method, uri: Uri) -> ApiError {
    ApiError::not_found(format!("there is no {method} {}", uri.path()))
}

/// 405 for a known path.
pub async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    let message = format!("{} does not take {method}", uri.path());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
}
