//! `POST …/sync/batch`: an outlet's changes, applied in one transaction, answered one by one. An item that cannot be
//! read fails alone.

use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::auth::Caller;
use super::limits::MAX_ITEMS;
use super::request::{self, Body};
use crate::app::Shared;
use crate::clock::{self, Stamp};
use crate::error::{ApiError, ApiResult, success};
use crate::rules::Operation;
use crate::store::entities::Entity;
use crate::store::push::{self, Change, Context, Outcome};
use crate::store::{StoreError, outbox};
use crate::webhooks::body;

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Item<'a> {
    entity_type: String,
    operation: String,
    #[serde(borrow)]
    data: &'a RawValue,
    change_id: Option<String>,
    base_version: Option<u64>,
}

/// What an item that cannot be read still says of itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Named {
    entity_type: Option<String>,
    change_id: Option<String>,
}

/// An item, or why it is none.
enum Read {
    Change(Change),
    Bad { named: Named, error: String },
}

#[derive(Serialize)]
struct Answer<'a> {
    processed: usize,
    success: usize,
    failed: usize,
    synced_at: &'a str,
    results: Vec<Line<'a>>,
}

/// One line of the results.
#[derive(Serialize, Default)]
#[serde(rename_all = "snake_case")]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    entity_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    local_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud_id: Option<&'a str>,
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    change_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retryable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    conflict_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud: Option<Side<'a>>,
}

/// The cloud's side of a conflict.
#[derive(Serialize)]
struct Side<'a> {
    cloud_id: &'a str,
    version: u64,
    data: Option<&'a RawValue>,
    updated_at: &'a str,
    updated_by: &'a str,
    deleted: bool,
}

/// Takes a batch.
///
/// # Errors
/// 400 for a body that is no batch, 413 for too many items, 500 when the store fails.
pub async fn push(State(cloud): State<Shared>, Caller(outlet): Caller, body: Body) -> ApiResult {
    let reads = tokio::task::spawn_blocking(move || read(&body))
        .await
        .map_err(|_| ApiError::malformed("the batch could not be read"))??;
    let (mut changes, mut places) = (Vec::with_capacity(reads.len()), Vec::with_capacity(reads.len()));
    for read in reads {
        places.push(match read {
            Read::Change(change) => {
                changes.push(change);
                Ok(changes.len() - 1)
            }
            Read::Bad { named, error } => Err((named, error)),
        });
    }
    let now_ms = clock::now_ms();
    let cx = Context {
        outlet: (*outlet).clone(),
        now: clock::stamp(now_ms),
        now_ms,
    };
    let (now, hooks) = (cx.now.clone(), cloud.webhooks);
    let (changes, outcomes) = cloud
        .store
        .write(move |tx| {
            let outcomes = push::apply(tx, &cx, &changes)?;
            if hooks {
                tell_conflicts(tx, &cx, &changes, &outcomes)?;
            }
            Ok((changes, outcomes))
        })
        .await?;
    if outcomes
        .iter()
        .any(|outcome| matches!(outcome, Outcome::Conflict { opened: true, .. }))
    {
        cloud.postman.wake();
    }
    // Serialised from borrowed parts: documents are not copied again.
    let results = places.iter().map(|place| match place {
        Ok(at) => line(&changes[*at], &outcomes[*at]),
        Err((named, error)) => bad_line(named, error),
    });
    Ok(success(StatusCode::OK, &answer(results.collect(), &now)))
}

fn tell_conflicts(
    tx: &rusqlite::Transaction<'_>,
    cx: &Context,
    changes: &[Change],
    outcomes: &[Outcome],
) -> Result<(), StoreError> {
    for (change, outcome) in changes.iter().zip(outcomes) {
        if let Outcome::Conflict {
            entity,
            conflict,
            opened: true,
        } = outcome
        {
            let hook = body::conflict(entity, conflict, &change.local_id, &cx.now);
            outbox::enqueue(tx, &cx.outlet, &hook, cx.now_ms)?;
        }
    }
    Ok(())
}

fn read(body: &Body) -> Result<Vec<Read>, ApiError> {
    let batch: Batch<'_> = serde_json::from_str(body.text()?)
        .map_err(|error| ApiError::malformed(format!("the body is not a batch with `items`: {error}")))?;
    if batch.items.len() > MAX_ITEMS {
        return Err(ApiError::too_large(format!(
            "a batch takes {MAX_ITEMS} items at most; split it"
        )));
    }
    Ok(batch.items.into_iter().map(read_item).collect())
}

fn read_item(item: &RawValue) -> Read {
    let bad = |error: String| {
        let named = serde_json::from_str(item.get()).unwrap_or_default();
        Read::Bad { named, error }
    };
    let item: Item<'_> = match serde_json::from_str(item.get()) {
        Ok(item) => item,
        Err(error) => return bad(format!("the item cannot be read: {error}")),
    };
    let Some(operation) = Operation::parse(&item.operation) else {
        return bad("operation takes create, update or delete".to_owned());
    };
    match request::change(&item.entity_type, operation, item.data.get()) {
        Ok(change) => Read::Change(Change {
            change_id: item.change_id,
            base_version: item.base_version,
            ..change
        }),
        Err(error) => bad(error),
    }
}

fn answer<'a>(results: Vec<Line<'a>>, now: &'a Stamp) -> Answer<'a> {
    let success = results
        .iter()
        .filter(|line| matches!(line.status, "success" | "duplicate"))
        .count();
    Answer {
        processed: results.len(),
        success,
        failed: results.len() - success,
        synced_at: now,
        results,
    }
}

fn line<'a>(change: &'a Change, outcome: &'a Outcome) -> Line<'a> {
    let line = Line {
        entity_type: Some(&change.entity_type),
        local_id: Some(&change.local_id),
        change_id: change.change_id.as_deref(),
        ..Line::default()
    };
    match outcome {
        Outcome::Applied { entity, .. } => Line {
            status: "success",
            cloud_id: entity.as_ref().map(|entity| entity.cloud_id.as_str()),
            version: entity.as_ref().map(|entity| entity.version),
            ..line
        },
        Outcome::Duplicate { cloud_id, version } => Line {
            status: "duplicate",
            cloud_id: cloud_id.as_deref(),
            version: *version,
            ..line
        },
        Outcome::Conflict { entity, conflict, .. } => Line {
            status: "conflict",
            cloud_id: Some(&entity.cloud_id),
            error: Some("someone else changed this entity since base_version"),
            conflict_id: Some(&conflict.conflict_id),
            cloud: Some(side(entity)),
            ..line
        },
    }
}

fn side(entity: &Entity) -> Side<'_> {
    Side {
        cloud_id: &entity.cloud_id,
        version: entity.version,
        data: entity.doc.as_deref().map(body::raw),
        updated_at: &entity.updated_at,
        updated_by: &entity.updated_by,
        deleted: entity.deleted,
    }
}

fn bad_line<'a>(named: &'a Named, error: &'a str) -> Line<'a> {
    Line {
        entity_type: named.entity_type.as_deref(),
        change_id: named.change_id.as_deref(),
        status: "failed",
        error: Some(error),
        retryable: Some(false),
        ..Line::default()
    }
}
