//! Registering outlets and where their webhooks go. Keys and secrets go in and never come out.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Headquarters;
use crate::api::request::{Body, check_name};
use crate::app::Shared;
use crate::clock;
use crate::error::{ApiError, ApiResult, success};
use crate::store::outlets::{self as stored, Outlet, Registration, hash_key};

/// A key shorter than this could be guessed from its hash.
const MIN_KEY: usize = 16;

#[derive(Deserialize)]
struct Asked {
    outlet_id: String,
    code: String,
    api_key: Option<String>,
    webhook_url: Option<String>,
    webhook_secret: Option<String>,
}

#[derive(Serialize)]
struct Shown<'a> {
    outlet_id: &'a str,
    code: &'a str,
    webhook_url: Option<&'a str>,
    has_webhook_secret: bool,
}

/// `GET /hq/outlets`.
///
/// # Errors
/// 500 when the store fails.
pub async fn list(State(cloud): State<Shared>, _: Headquarters) -> ApiResult {
    let all = cloud.store.read(stored::all).await?;
    Ok(success(
        StatusCode::OK,
        &all.iter().map(shown).collect::<Vec<_>>(),
    ))
}

/// `POST /hq/outlets` `{outlet_id, code, api_key, webhook_url, webhook_secret}`: adds an outlet, or changes the one
/// of that id; what is left out of a change stays.
///
/// # Errors
/// 400 or 422 for a bad body, 409 for a missing or taken key, 500 when the store fails.
pub async fn register(State(cloud): State<Shared>, _: Headquarters, body: Body) -> ApiResult {
    let asked: Asked = body.json()?;
    check_name("outlet_id", &asked.outlet_id).map_err(ApiError::invalid)?;
    check_name("code", &asked.code).map_err(ApiError::invalid)?;
    if asked.api_key.as_ref().is_some_and(|key| key.len() < MIN_KEY) {
        return Err(ApiError::invalid(format!(
            "api_key takes at least {MIN_KEY} characters"
        )));
    }
    if asked
        .webhook_url
        .as_ref()
        .is_some_and(|url| !url.starts_with("http://") && !url.starts_with("https://"))
    {
        return Err(ApiError::invalid(
            "webhook_url takes the address of the outlet, e.g. https://shop-1.example",
        ));
    }
    let registration = Registration {
        outlet_id: asked.outlet_id,
        code: asked.code,
        key_hash: asked.api_key.as_deref().map(hash_key),
        webhook_url: asked.webhook_url,
        webhook_secret: asked.webhook_secret,
    };
    let id = registration.outlet_id.clone();
    let now = clock::now();
    if !cloud
        .store
        .write(move |tx| stored::register(tx, &registration, &now))
        .await?
    {
        let message = "a new outlet takes an api_key, and no two outlets the same one";
        return Err(ApiError::new(StatusCode::CONFLICT, "key_conflict", message));
    }
    cloud.reload_keys().await?;
    let all = cloud.store.read(stored::all).await?;
    let outlet = all.iter().find(|outlet| outlet.outlet_id == id);
    let outlet = outlet.ok_or_else(|| ApiError::not_found("the outlet is gone again"))?;
    Ok(success(StatusCode::OK, &shown(outlet)))
}

fn shown(outlet: &Outlet) -> Shown<'_> {
    Shown {
        outlet_id: &outlet.outlet_id,
        code: &outlet.code,
        webhook_url: outlet.webhook_url.as_deref(),
        has_webhook_secret: outlet.webhook_secret.is_some(),
    }
}
