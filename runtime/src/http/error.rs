//! What a request is refused with: the contract's failure envelope, and how the engine's refusals become it.
//!
//! Owns the statuses and the machine codes. It must not hold anything secret: `message` and `details` go to
//! the client, `cause` only to the log.

mod engine;

pub(crate) use engine::Asked;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;

/// One field that is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Detail {
    /// The field, with its path: `changes[3].entity_type`.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

/// A refusal. Only made by the constructors below, so its status is always a 4xx or 5xx.
#[derive(Clone, Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Vec<Detail>,
    data: Option<Box<serde_json::Value>>,
    headers: Vec<(HeaderName, HeaderValue)>,
    cause: Option<Box<str>>,
}

/// The failure envelope of the contract.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(crate) struct Envelope<'a> {
    #[schemars(extend("const" = false))]
    success: bool,
    /// The machine code.
    error: &'a str,
    /// What is wrong and what to do.
    message: &'a str,
    /// As in X-Request-ID and the log.
    request_id: &'a str,
    /// The fields that are wrong.
    #[serde(skip_serializing_if = "<[Detail]>::is_empty")]
    details: &'a [Detail],
    /// What the client needs to go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a serde_json::Value>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            details: Vec::new(),
            data: None,
            headers: Vec::new(),
            cause: None,
        }
    }

    /// 400: the request cannot be read.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 401: who asks is not known.
    pub fn unauthorized(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, message)
    }

    /// 401 for a bearer token, with the challenge that RFC 6750 asks for.
    pub fn bad_token(code: &'static str, message: impl Into<String>) -> Self {
        Self::unauthorized(code, message).header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 403: who asks may not.
    pub fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// 404.
    pub fn not_found(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, message)
    }

    /// 405; the router adds `Allow`.
    pub fn method_not_allowed(message: impl Into<String>) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message)
    }

    /// 408: the body did not arrive in time.
    pub fn request_timeout(message: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", message)
            .header(header::CONNECTION, HeaderValue::from_static("close"))
    }

    /// 409: the state of things forbids it.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// 410: it was here once.
    pub fn gone(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, code, message)
    }

    /// 412: `If-Match` or `If-None-Match` did not hold. `current` is the version there is (0: none).
    pub fn version_mismatch(message: impl Into<String>, current: u64) -> Self {
        let error = Self::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", message);
        if current == 0 {
            error
        } else {
            error.header(header::ETAG, crate::http::conditions::etag(current))
        }
    }

    /// 413.
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", message)
    }

    /// 415.
    pub fn unsupported_media_type(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            message,
        )
    }

    /// 422: it can be read, but not used.
    pub fn unprocessable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    /// 422 for one field.
    pub fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::invalid_fields(vec![Detail {
            field: field.into(),
            problem: problem.into(),
        }])
    }

    /// 422 for these fields.
    pub fn invalid_fields(details: Vec<Detail>) -> Self {
        let message = summary("these values cannot be used", &details);
        let mut error = Self::unprocessable("invalid_value", message);
        error.details = details;
        error
    }

    /// 400 that names each missing field.
    pub fn missing_fields(details: Vec<Detail>) -> Self {
        let message = summary("these fields are missing", &details);
        let mut error = Self::bad_request("missing_fields", message);
        error.details = details;
        error
    }

    /// 429, with the seconds to wait.
    pub fn too_many(code: &'static str, message: impl Into<String>, retry_after_seconds: u64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, code, message).retry_after(retry_after_seconds)
    }

    /// 500. `cause` goes to the log only.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_error",
            "something went wrong here; the log has it under this request_id",
        )
        .cause(cause)
    }

    /// 503: not now.
    pub fn unavailable(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
    }

    /// 507.
    pub fn disk_full() -> Self {
        Self::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "disk_full",
            "the outlet's disk is full: nothing was stored. What is queued goes on to the cloud; free some space and send this again",
        )
    }

    /// For a status that somebody else (the router) answered without an envelope.
    pub(crate) fn bare(status: StatusCode) -> Self {
        let message = status
            .canonical_reason()
            .unwrap_or("the request was refused")
            .to_lowercase();
        let code = if status.is_server_error() {
            "internal_error"
        } else {
            "bad_request"
        };
        Self::new(status, code, message)
    }

    /// Adds one field's problem.
    #[must_use]
    pub fn detail(mut self, field: impl Into<String>, problem: impl Into<String>) -> Self {
        self.details.push(Detail {
            field: field.into(),
            problem: problem.into(),
        });
        self
    }

    /// Adds what the client needs to go on.
    #[must_use]
    pub fn data(mut self, data: serde_json::Value) -> Self {
        self.data = Some(Box::new(data));
        self
    }

    /// Adds `Retry-After`.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Adds what the log should know and the client should not.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into().into_boxed_str());
        self
    }

    /// The status, 4xx or 5xx.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The machine code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What is wrong and what to do.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The fields that are wrong.
    pub fn details(&self) -> &[Detail] {
        &self.details
    }

    /// What only the log may know.
    pub(crate) fn internal_cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The envelope's JSON.
    pub(crate) fn render(&self, request_id: &str) -> Vec<u8> {
        let envelope = Envelope {
            success: false,
            error: self.code,
            message: &self.message,
            request_id,
            details: &self.details,
            data: self.data.as_deref(),
        };
        serde_json::to_vec(&envelope).expect("invariant: an envelope of strings is JSON")
    }
}

impl IntoResponse for ApiError {
    /// A response without a body: [`crate::http::App`] knows the request's id and writes the envelope.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        for (name, value) in &self.headers {
            response.headers_mut().insert(name, value.clone());
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// `these values cannot be used: limit (…), cursor (…)`, so that the message alone names the fields.
fn summary(what: &str, details: &[Detail]) -> String {
    let fields: Vec<String> = details
        .iter()
        .take(5)
        .map(|d| format!("{}: {}", d.field, d.problem))
        .collect();
    let more = details.len().saturating_sub(5);
    let tail = if more > 0 {
        format!("; and {more} more")
    } else {
        String::new()
    };
    format!("{what}: {}{tail}", fields.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_names_the_code_the_fields_and_the_request() {
        let error = ApiError::invalid("limit", "must be a whole number from 1 to 500");
        let json: serde_json::Value = serde_json::from_slice(&error.render("r-1")).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "success": false,
                "error": "invalid_value",
                "message": "these values cannot be used: limit: must be a whole number from 1 to 500",
                "request_id": "r-1",
                "details": [{"field": "limit", "problem": "must be a whole number from 1 to 500"}],
            })
        );
    }

    #[test]
    fn an_internal_cause_stays_out_of_the_envelope() {
        let text = String::from_utf8(ApiError::internal("/var/lib/secret path").render("r")).unwrap();
        assert!(!text.contains("secret"), "{text}");
    }

    #[test]
    fn an_envelope_without_details_has_no_such_member() {
        let text = String::from_utf8(ApiError::disk_full().render("r")).unwrap();
        assert!(!text.contains("details"), "{text}");
    }
}
