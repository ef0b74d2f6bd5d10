//! Reading requests: a body within its limit, and a pushed document into a [`Change`].

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use http::header::CONTENT_LENGTH;
use serde::de::DeserializeOwned;

use super::limits::{MAX_BODY, MAX_ID};
use crate::clock;
use crate::error::ApiError;
use crate::json::Object;
use crate::rules::Operation;
use crate::store::push::Change;

/// A whole body of at most [`MAX_BODY`] bytes.
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let too_large = || ApiError::too_large(format!("a request takes {MAX_BODY} bytes at most; split it"));
        let length = request
            .headers()
            .get(CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: usize| length > MAX_BODY) {
            return Err(too_large());
        }
        to_bytes(request.into_body(), MAX_BODY)
            .await
            .map(Self)
            .map_err(|error| {
                let limit = std::error::Error::source(&error)
                    .is_some_and(|source| source.to_string().contains("length limit"));
                if limit {
                    too_large()
                } else {
                    ApiError::malformed("the body broke off")
                }
            })
    }
}

impl Body {
    /// The body as text.
    ///
    /// # Errors
    /// 400 when it is not UTF-8.
    pub fn text(&self) -> Result<&str, ApiError> {
        std::str::from_utf8(&self.0)
            .map_err(|error| ApiError::malformed(format!("the body is not UTF-8: {error}")))
    }

    /// The body as a typed value.
    ///
    /// # Errors
    /// 400 with the place of the mistake.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.0)
            .map_err(|error| ApiError::malformed(format!("the body is not what was expected: {error}")))
    }
}

/// Reads a pushed `data` object. The error says what is wrong with it.
pub fn change(entity_type: &str, operation: Operation, data: &str) -> Result<Change, String> {
    check_name("entity_type", entity_type)?;
    let data = Object::parse(data).map_err(|error| format!("data is {error}"))?;
    let local_id = data.text("local_id").or_else(|| data.text("id"));
    let local_id = local_id.ok_or("data holds neither local_id nor id as a string")?;
    check_name("local_id", &local_id)?;
    let updated_at = data
        .text("updated_at")
        .and_then(|text| clock::parse_ms(&text))
        .map(clock::stamp);
    Ok(Change {
        entity_type: entity_type.to_owned(),
        local_id,
        cloud_id: data.text("cloud_id"),
        operation,
        doc: if operation == Operation::Delete {
            String::new()
        } else {
            data.content()
        },
        updated_at,
        change_id: None,
        base_version: None,
    })
}

/// Checks an id or a type's name.
pub fn check_name(what: &str, name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > MAX_ID || name.chars().any(char::is_control) {
        return Err(format!(
            "{what} takes 1 to {MAX_ID} bytes without control characters"
        ));
    }
    Ok(())
}
