//! Failures as the contract shows them: `{"success":false,"error":"machine_code","message":"…"}` with a status.
//! What went wrong inside is logged here and never told to the caller.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::store::StoreError;

/// A refusal or failure on its way out.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<u64>,
}

/// What every handler answers.
pub type ApiResult = Result<Response, ApiError>;

impl ApiError {
    /// Any status with its code; the message says what is wrong and what to do.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after: None,
        }
    }

    /// 400: the request cannot be read.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_request", message)
    }

    /// 422: readable, but a value is not acceptable.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_value", message)
    }

    /// 401: no key, or an unknown one.
    pub fn unauthorized() -> Self {
        let message = "send a known key as `Authorization: Bearer {api_key}`";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// 403: a known caller, but not for this.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// 404.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    /// 413.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message)
    }

    /// 429, with the seconds to wait.
    pub fn rate_limited(limit: u32, retry_after: u64) -> Self {
        let message = format!("more than {limit} requests a minute; wait {retry_after} s");
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message);
        error.retry_after = Some(retry_after);
        error
    }

    /// 503: this cloud was taken down on purpose.
    pub fn outage() -> Self {
        let message = "the cloud is down for now; try again later";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        let message = "the cloud could not store or read this; nothing was changed, try again";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            success: bool,
            error: &'a str,
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            retry_after: Option<u64>,
        }
        let Self {
            status,
            code,
            message,
            retry_after,
        } = self;
        let body = Body {
            success: false,
            error: code,
            message: &message,
            retry_after,
        };
        let mut response = respond(status, &body);
        if let Some(seconds) = retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A success with `data` in the contract's envelope.
pub fn success(status: StatusCode, data: &impl Serialize) -> Response {
    #[derive(Serialize)]
    struct Body<'a, T> {
        success: bool,
        data: &'a T,
    }
    respond(status, &Body { success: true, data })
}

/// An answer whose body is JSON text already.
pub fn json_text(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn respond(status: StatusCode, body: &impl Serialize) -> Response {
    let text = serde_json::to_string(body).expect("invariant: answers have text keys only");
    json_text(status, text)
}
