//! `GET /api/v1/openapi.json`: this API, described. Anyone may read it: clients fetch it before they have a token, and it
//! holds nothing of this outlet.

use crate::http::describe::{About, document};
use crate::http::reply;
use axum::response::Response;
use http::StatusCode;
use std::sync::LazyLock;

/// Made when it is first asked for.
static DOCUMENT: LazyLock<Vec<u8>> = LazyLock::new(|| document().to_string().into_bytes());

/// The document.
pub(crate) async fn get() -> Response {
    reply::bytes_response(StatusCode::OK, DOCUMENT.clone())
}

/// What it says of itself.
pub(crate) fn about() -> About {
    About::new("This document").any_answer(
        StatusCode::OK,
        "OpenAPI 3.1",
        "application/json",
        Some(|_| schemars::json_schema!({"type": "object", "required": ["openapi", "info", "paths"]})),
    )
}
