//! `GET /metrics`: the outlet in numbers, for Prometheus. Who may read it is in `http/scrape.rs`.

use crate::http::Shared;
use crate::metrics::CONTENT_TYPE;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderValue, header};

/// All of it.
pub(crate) async fn get(State(http): State<Shared>) -> Response {
    let mut response = Response::new(Body::from(http.engine.metrics_text()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
