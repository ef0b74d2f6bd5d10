//! The success envelope. Documents go into it as the very text they were stored in.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use selaras_core::json::Doc;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// A document inside an answer: its text, not its meaning.
#[derive(Clone, Copy)]
pub(crate) struct Raw<'a>(pub(crate) &'a str);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // One scan without building anything: the text is checked to be JSON and then copied.
        let raw: &RawValue = serde_json::from_str(self.0).map_err(S::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl JsonSchema for Raw<'_> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Json".into()
    }

    /// Any JSON: the serialiser above copies text, which no derive can look into.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({"description": "Any JSON, as it was written."})
    }
}

/// What was done is all that there is to say of it.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Nothing {}

/// What it was done to.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Named<'a> {
    /// Its id.
    pub(crate) id: &'a str,
}

impl<'a> Raw<'a> {
    /// A text that may be no JSON; none then.
    pub(crate) fn checked(text: &'a str) -> Option<Self> {
        serde_json::from_str::<&RawValue>(text).ok().map(|_| Self(text))
    }
}

impl<'a> From<&'a Doc> for Raw<'a> {
    fn from(doc: &'a Doc) -> Self {
        Self(doc.as_str())
    }
}

/// `{success, message, data}`.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Success<'a, T> {
    #[schemars(extend("const" = true))]
    success: bool,
    message: &'a str,
    data: T,
}

/// The same with a page of a list.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct List<'a, T> {
    #[schemars(extend("const" = true))]
    success: bool,
    message: &'a str,
    data: &'a [T],
    count: usize,
    next_cursor: Option<String>,
}

/// The same with a page that has more to say than its elements.
#[derive(Serialize, JsonSchema)]
#[schemars(inline)]
pub(crate) struct Page<'a, T> {
    #[schemars(extend("const" = true))]
    success: bool,
    message: &'a str,
    data: T,
    count: usize,
    next_cursor: Option<String>,
}

/// 200 with `data`.
pub(crate) fn ok(message: &str, data: impl Serialize) -> Response {
    with_status(StatusCode::OK, message, data)
}

/// Another success with `data`.
pub(crate) fn with_status(status: StatusCode, message: &str, data: impl Serialize) -> Response {
    json(
        status,
        &Success {
            success: true,
            message,
            data,
        },
    )
}

/// 200 with one page of a list.
pub(crate) fn list<T: Serialize>(message: &str, data: &[T], next_cursor: Option<String>) -> Response {
    json(
        StatusCode::OK,
        &List {
            success: true,
            message,
            count: data.len(),
            data,
            next_cursor,
        },
    )
}

/// 200 with one page of a list that has more to say than its elements.
pub(crate) fn page(
    message: &str,
    data: impl Serialize,
    count: usize,
    next_cursor: Option<String>,
) -> Response {
    json(
        StatusCode::OK,
        &Page {
            success: true,
            message,
            data,
            count,
            next_cursor,
        },
    )
}

/// Any JSON body. What cannot be written (a stored document that is no JSON) is an internal error.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    use axum::response::IntoResponse;
    match serde_json::to_vec(body) {
        Ok(bytes) => bytes_response(status, bytes),
        Err(error) => {
            crate::http::ApiError::internal(format!("an answer cannot be written: {error}")).into_response()
        }
    }
}

/// A response of JSON bytes.
pub(crate) fn bytes_response(status: StatusCode, bytes: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_comes_out_byte_for_byte() {
        let text = r#"{ "a":12345678901234567890, "b":0.10,"c":1e400 }"#;
        let body = Success {
            success: true,
            message: "m",
            data: Raw(text),
        };
        assert_eq!(
            serde_json::to_string(&body).unwrap(),
            format!(r#"{{"success":true,"message":"m","data":{text}}}"#)
        );
    }

    #[test]
    fn a_stored_text_that_is_no_json_is_an_internal_error_and_no_broken_answer() {
        assert_eq!(
            ok("m", Raw("{\"a\":")).status(),
            StatusCode::INTERNAL_SERVER_ERROR
        );
    }
}
