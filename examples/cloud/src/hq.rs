//! Headquarters' endpoints under `/hq`: reading and editing entities, registering outlets, and a few switches.
//! They stay open while the cloud plays dead for its outlets. A company replaces this room by its own back office.

pub mod changes;
pub mod control;
pub mod edit;
pub mod entities;
pub mod notices;
pub mod outlets;

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRequestParts;
use axum::routing::{get, post};
use http::request::Parts;

use crate::api::auth::bearer;
use crate::api::{unknown_route, wrong_method};
use crate::app::Shared;
use crate::clock::{self, Stamp};
use crate::error::ApiError;
use crate::store::outlets::hash_key;

/// The routes of `/hq`.
pub fn router(cloud: &Shared) -> Router {
    let one = get(entities::read)
        .put(entities::put)
        .patch(entities::patch)
        .delete(entities::delete);
    Router::new()
        .route("/entities/{type}", get(entities::list).post(entities::create))
        .route("/entities/{type}/{id}", one)
        .route("/changes", post(changes::change_many))
        .route("/outlets", get(outlets::list).post(outlets::register))
        .route("/broadcast", post(notices::broadcast))
        .route("/config", post(notices::config))
        .route("/conflicts", get(control::conflicts))
        .route("/analytics", get(control::analytics))
        .route("/stats", get(control::stats))
        .route("/outage", get(control::outage).post(control::set_outage))
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .with_state(Arc::clone(cloud))
}

/// Someone who holds headquarters' key.
pub struct Headquarters {
    /// How their edits are signed: `X-Edited-By`, or `hq`.
    pub name: String,
    /// When they made the edit, if they say so in `X-Edited-At` (a back office that hands over later); never ahead
    /// of now.
    pub edited_at: Option<Stamp>,
}

impl FromRequestParts<Shared> for Headquarters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, cloud: &Shared) -> Result<Self, ApiError> {
        let closed =
            || ApiError::forbidden("headquarters' endpoints are closed; start the cloud with --hq-key");
        let wanted = cloud.hq_key.ok_or_else(closed)?;
        // Hashes are compared, so that the time it takes says nothing of the key.
        if bearer(parts).map(hash_key) != Some(wanted) {
            return Err(ApiError::unauthorized());
        }
        let name = parts
            .headers
            .get("x-edited-by")
            .and_then(|name| name.to_str().ok());
        let name = name
            .filter(|name| (1..=128).contains(&name.len()))
            .unwrap_or("hq")
            .to_owned();
        let edited_at = match parts.headers.get("x-edited-at") {
            None => None,
            Some(text) => {
                let ms = text.to_str().ok().and_then(clock::parse_ms);
                let ms = ms.ok_or_else(|| ApiError::invalid("X-Edited-At takes a time as RFC 3339"))?;
                Some(clock::stamp(ms.min(clock::now_ms())))
            }
        };
        Ok(Self { name, edited_at })
    }
}
