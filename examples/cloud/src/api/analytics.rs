//! `POST …/analytics/daily`: a day's summary, kept as it was sent. Sending a day again replaces it.

use axum::extract::State;
use http::StatusCode;
use serde::Serialize;

use super::auth::Caller;
use super::request::Body;
use crate::app::Shared;
use crate::clock;
use crate::error::{ApiError, ApiResult, success};
use crate::json::Object;
use crate::store::analytics;

#[derive(Serialize)]
struct Answer<'a> {
    date: &'a str,
    received_at: &'a str,
}

/// Takes a day.
///
/// # Errors
/// 400 for what is not an object, 422 for a bad date or summary, 500 when the store fails.
pub async fn daily(State(cloud): State<Shared>, Caller(outlet): Caller, body: Body) -> ApiResult {
    let text = body.text()?;
    let day = Object::parse(text).map_err(|error| ApiError::malformed(format!("the body is {error}")))?;
    let date = day.text("date").filter(|date| is_date(date));
    let date = date.ok_or_else(|| ApiError::invalid("date takes a day as YYYY-MM-DD"))?;
    let summary = day.get("summary").map(|summary| summary.get().to_owned());
    let summary = summary.filter(|summary| summary.starts_with('{'));
    let summary = summary.ok_or_else(|| ApiError::invalid("summary takes an object"))?;
    let now = clock::now();
    let answer = (date.clone(), now.clone());
    let new = cloud
        .store
        .write(move |tx| analytics::put(tx, outlet.row, &date, &summary, &now))
        .await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(success(
        status,
        &Answer {
            date: &answer.0,
            received_at: &answer.1,
        },
    ))
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && clock::parse_ms(&format!("{text}T00:00:00Z")).is_some()
}
