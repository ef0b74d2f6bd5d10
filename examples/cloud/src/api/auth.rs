//! Who calls: the outlet behind a key. The path and `X-Outlet-ID` must name the same one.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::app::Shared;
use crate::clock;
use crate::error::{ApiError, ApiResult, success};
use crate::store::outlets::Outlet;

/// The outlet that calls, within its rate.
pub struct Caller(pub Arc<Outlet>);

impl FromRequestParts<Shared> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, cloud: &Shared) -> Result<Self, ApiError> {
        let outlet = bearer(parts)
            .and_then(|key| cloud.outlet_of(key))
            .ok_or_else(ApiError::unauthorized)?;
        if let Err(wait_s) = cloud.limiter.take(outlet.row, clock::mono_ms()) {
            return Err(ApiError::rate_limited(cloud.limiter.per_minute(), wait_s));
        }
        let header = parts.headers.get("x-outlet-id");
        if header.is_some_and(|id| id.as_bytes() != outlet.outlet_id.as_bytes()) {
            return Err(ApiError::forbidden(
                "X-Outlet-ID names another outlet than the key's",
            ));
        }
        let path = RawPathParams::from_request_parts(parts, cloud).await;
        let path = path.map_err(|_| ApiError::malformed("the path is not UTF-8"))?;
        let elsewhere = |(name, id): (&str, &str)| name == "outlet_id" && id != outlet.outlet_id;
        if path.iter().any(elsewhere) {
            return Err(ApiError::forbidden(
                "the path names another outlet than the key's",
            ));
        }
        Ok(Self(outlet))
    }
}

/// The token of `Authorization: Bearer …`.
pub fn bearer(parts: &Parts) -> Option<&str> {
    let (scheme, token) = parts.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// `GET /api/v1/ping`: the cloud is there and knows the key.
pub async fn ping(Caller(outlet): Caller) -> ApiResult {
    #[derive(serde::Serialize)]
    struct Pong<'a> {
        outlet_id: &'a str,
        time: String,
    }
    Ok(success(
        StatusCode::OK,
        &Pong {
            outlet_id: &outlet.outlet_id,
            time: clock::now(),
        },
    ))
}
