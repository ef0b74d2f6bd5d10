//! What headquarters tell outlets about no entity: a broadcast to everybody there, and a change of their configuration.
//! Both travel as webhooks, durably; whether an outlet takes them is its own affair.

use axum::extract::State;
use http::StatusCode;
use serde::Serialize;

use super::Headquarters;
use crate::api::request::Body;
use crate::app::Shared;
use crate::clock;
use crate::error::{ApiError, ApiResult, success};
use crate::json::{Object, push_text, write_object};
use crate::store::outbox::{self, Hook};
use crate::store::outlets;

#[derive(Serialize)]
struct Told {
    /// How many outlets take webhooks, and will get it.
    outlets: usize,
}

/// `POST /hq/broadcast` `{message, level?, data?, outlet_id?}`: to one outlet, or to all.
///
/// # Errors
/// 400 or 422 for a bad body, 404 for an unknown outlet, 500 when the store fails.
pub async fn broadcast(State(cloud): State<Shared>, _: Headquarters, body: Body) -> ApiResult {
    let text = body.text()?;
    let asked = read(text)?;
    if asked.text("message").is_none_or(|message| message.is_empty()) {
        return Err(ApiError::invalid("message takes a text"));
    }
    tell(&cloud, "broadcast", &asked, &["message", "level", "data"]).await
}

/// `POST /hq/config` `{config:{outlet_name, sync_interval_minutes, sync_enabled, profile fields}, outlet_id?}`.
///
/// # Errors
/// As [`broadcast`].
pub async fn config(State(cloud): State<Shared>, _: Headquarters, body: Body) -> ApiResult {
    let text = body.text()?;
    let asked = read(text)?;
    if asked
        .get("config")
        .is_none_or(|config| !config.get().starts_with('{'))
    {
        return Err(ApiError::invalid("config takes an object"));
    }
    tell(&cloud, "config", &asked, &["config"]).await
}

fn read(text: &str) -> Result<Object<'_>, ApiError> {
    Object::parse(text).map_err(|error| ApiError::malformed(format!("the body is {error}")))
}

/// Puts the webhook out, its members as they were asked for, with the time.
async fn tell(cloud: &Shared, kind: &'static str, asked: &Object<'_>, members: &[&str]) -> ApiResult {
    let now_ms = clock::now_ms();
    let mut timestamp = String::new();
    push_text(&mut timestamp, &clock::stamp(now_ms));
    let given = members
        .iter()
        .filter_map(|name| Some((*name, asked.get(name)?.get())));
    let body = write_object(std::iter::once(("timestamp", timestamp.as_str())).chain(given));
    let hook = Hook { kind, body };
    let only = asked.text("outlet_id");
    let named = only.is_some();
    let (found, told) = cloud
        .store
        .write(move |tx| {
            let mut all = outlets::all(tx)?;
            all.retain(|outlet| only.as_ref().is_none_or(|id| *id == outlet.outlet_id));
            for outlet in &all {
                outbox::enqueue(tx, outlet, &hook, now_ms)?;
            }
            let told = all.iter().filter(|outlet| outlet.hook().is_some()).count();
            Ok((all.len(), told))
        })
        .await?;
    if named && found == 0 {
        return Err(ApiError::not_found("there is no such outlet"));
    }
    cloud.postman.wake();
    Ok(success(StatusCode::OK, &Told { outlets: told }))
}
