//! `GET /metrics`: the outlet in numbers, for Prometheus. Who may read it is in `http/scrape.rs`.

pub(crate) mod about;

use crate::http::Shared;
use crate::metrics::Form;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, header};

/// All of it, in Prometheus's own form unless OpenMetrics is asked for.
pub(crate) async fn get(State(http): State<Shared>, headers: HeaderMap) -> Response {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let mut accepted = accepted.filter_map(|value| value.to_str().ok());
    let form = if accepted.any(|types| types.contains("application/openmetrics-text")) {
        Form::OpenMetrics
    } else {
        Form::Classic
    };
    let mut response = Response::new(Body::from(http.engine.metrics_text(form)));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(form.content_type()),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    response
}
