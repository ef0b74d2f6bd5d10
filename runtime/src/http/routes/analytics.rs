//! `POST /api/v1/analytics/daily`: an app hands over a day's summary for the cloud.

pub(crate) mod about;

use super::entities::AcceptedBody;
use crate::engine::api::Precondition;
use crate::http::auth::Caller;
use crate::http::conditions;
use crate::http::error::{Asked, Detail};
use crate::http::extract::{MAX_COMMAND_BYTES, expect_json, read_body};
use crate::http::reply;
use crate::http::{ApiError, Shared};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{StatusCode, header};
use selaras_core::daily;
use selaras_core::json::Doc;

/// What the outlet fills in: an app may say it too, and then it must be so.
const OUTLET: [&str; 2] = ["outlet_id", "outlet_code"];

/// 201 when it is durable; sent later, in the place of an earlier one of the same date.
pub(crate) async fn daily(
    State(http): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    expect_json(request.headers(), false)?;
    let (parts, body) = request.into_parts();
    let payload = read_body(&http, body, MAX_COMMAND_BYTES).await?;
    let doc = payload.doc()?;
    let mut problems = strangers(&http, &doc);
    let day = daily::read(&doc, &OUTLET).map_err(|found| {
        problems.extend(
            found
                .into_iter()
                .map(|(field, problem)| Detail { field, problem }),
        );
    });
    let Ok(day) = day.and_then(|day| if problems.is_empty() { Ok(day) } else { Err(()) }) else {
        return Err(ApiError::invalid_fields(problems));
    };
    let idempotency =
        conditions::idempotency(&parts.headers, &parts.method, parts.uri.path(), payload.bytes())?;
    let accepted = http
        .engine
        .daily_summary(day, idempotency, &caller.actor)
        .await
        .map_err(|error| ApiError::from_change(error, Asked::Single(&Precondition::None)))?;
    let mut response = reply::with_status(
        StatusCode::CREATED,
        "accepted: it is sent to the cloud",
        AcceptedBody::from(&accepted),
    );
    response
        .headers_mut()
        .insert(header::ETAG, conditions::etag(accepted.version));
    Ok(response)
}

/// What the body says of an outlet that is not this one.
fn strangers(http: &Shared, doc: &Doc) -> Vec<Detail> {
    let outlet = http.engine.outlet().map(|view| view.outlet).unwrap_or_default();
    let own = [outlet.outlet_id, outlet.outlet_code];
    OUTLET
        .into_iter()
        .zip(own)
        .filter(|(name, own)| doc.get(name).is_some() && doc.get_string(name).as_ref() != Some(own))
        .map(|(name, _)| Detail {
            field: name.to_owned(),
            problem: "is not this outlet's: leave it away, it is filled in here".to_owned(),
        })
        .collect()
}
