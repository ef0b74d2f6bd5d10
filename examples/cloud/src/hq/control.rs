//! What headquarters sees of the whole, and the switch that lets the cloud play dead.

use std::collections::BTreeMap;

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Headquarters;
use crate::api::request::Body;
use crate::app::Shared;
use crate::error::{ApiResult, success};
use crate::store::{analytics as days, conflicts as recorded, entities, outbox};
use crate::webhooks::body;

/// Rows shown of a list without pages.
const SHOWN: u32 = 200;

#[derive(Serialize)]
struct Stats {
    entities: BTreeMap<String, u64>,
    changes: i64,
    webhooks: outbox::Counts,
    down: bool,
}

#[derive(Serialize)]
struct ShownConflict<'a> {
    conflict_id: &'a str,
    outlet_code: &'a str,
    entity_type: &'a str,
    cloud_id: &'a str,
    operation: &'a str,
    field: &'a str,
    local: Option<&'a RawValue>,
    cloud_version: u64,
    status: &'a str,
    strategy: Option<&'a str>,
    resolved_by: Option<&'a str>,
    notes: Option<&'a str>,
    opened_at: &'a str,
    resolved_at: Option<&'a str>,
    new_version: Option<u64>,
}

#[derive(Serialize)]
struct ShownDay<'a> {
    outlet_code: &'a str,
    date: &'a str,
    summary: &'a RawValue,
    received_at: &'a str,
}

#[derive(Serialize, Deserialize)]
struct Outage {
    on: bool,
}

/// `GET /hq/stats`.
///
/// # Errors
/// 500 when the store fails.
pub async fn stats(State(cloud): State<Shared>, _: Headquarters) -> ApiResult {
    let (counts, changes, webhooks) = cloud
        .store
        .read(|tx| Ok((entities::counts(tx)?, entities::head(tx)?, outbox::counts(tx)?)))
        .await?;
    let entities = counts.into_iter().collect();
    Ok(success(
        StatusCode::OK,
        &Stats {
            entities,
            changes,
            webhooks,
            down: cloud.is_down(),
        },
    ))
}

/// `GET /hq/conflicts`: the newest, with what the outlet wanted.
///
/// # Errors
/// 500 when the store fails.
pub async fn conflicts(State(cloud): State<Shared>, _: Headquarters) -> ApiResult {
    let newest = cloud.store.read(|tx| recorded::newest(tx, SHOWN)).await?;
    let shown = newest
        .iter()
        .map(|(conflict, [outlet_code, entity_type, cloud_id])| ShownConflict {
            conflict_id: &conflict.conflict_id,
            outlet_code,
            entity_type,
            cloud_id,
            operation: &conflict.operation,
            field: &conflict.field,
            local: conflict.local_doc.as_deref().map(body::raw),
            cloud_version: conflict.cloud_version,
            status: &conflict.status,
            strategy: conflict.strategy.as_deref(),
            resolved_by: conflict.resolved_by.as_deref(),
            notes: conflict.notes.as_deref(),
            opened_at: &conflict.opened_at,
            resolved_at: conflict.resolved_at.as_deref(),
            new_version: conflict.new_version,
        });
    Ok(success(StatusCode::OK, &shown.collect::<Vec<_>>()))
}

/// `GET /hq/analytics`: the newest days of all outlets.
///
/// # Errors
/// 500 when the store fails.
pub async fn analytics(State(cloud): State<Shared>, _: Headquarters) -> ApiResult {
    let newest = cloud.store.read(|tx| days::newest(tx, SHOWN)).await?;
    let shown = newest.iter().map(|day| ShownDay {
        outlet_code: &day.outlet_code,
        date: &day.date,
        summary: body::raw(&day.summary),
        received_at: &day.received_at,
    });
    Ok(success(StatusCode::OK, &shown.collect::<Vec<_>>()))
}

/// `GET /hq/outage`.
///
/// # Errors
/// None of its own.
pub async fn outage(State(cloud): State<Shared>, _: Headquarters) -> ApiResult {
    Ok(success(StatusCode::OK, &Outage { on: cloud.is_down() }))
}

/// `POST /hq/outage` `{on}`: everything but `/hq` answers 503 until it is switched off, and no webhook leaves.
///
/// # Errors
/// 400 for a bad body.
pub async fn set_outage(State(cloud): State<Shared>, _: Headquarters, body: Body) -> ApiResult {
    let asked: Outage = body.json()?;
    cloud.set_down(asked.on);
    tracing::warn!(on = asked.on, "the outage was switched");
    Ok(success(StatusCode::OK, &asked))
}
