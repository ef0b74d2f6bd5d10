//! Applying headquarters' edits and telling outlets of them: the webhooks are put out in the transaction of the
//! edits; `?notify=false` leaves it to the outlets' next pull.

use axum::extract::{Query, State};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Headquarters;
use super::edit::{self, Action, Edit};
use crate::api::limits::MAX_ITEMS;
use crate::api::request::{Body, check_name};
use crate::app::Shared;
use crate::clock;
use crate::error::{ApiError, ApiResult, success};
use crate::store::entities::Entity;
use crate::store::{outbox, outlets};
use crate::webhooks::body;

/// What every edit takes in its query.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Notify {
    #[serde(default = "yes")]
    notify: bool,
}

fn yes() -> bool {
    true
}

/// An entity as headquarters sees it.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    entity_type: &'a str,
    cloud_id: &'a str,
    local_id: Option<&'a str>,
    version: u64,
    updated_at: &'a str,
    updated_by: &'a str,
    deleted: bool,
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Many<'a> {
    #[serde(borrow)]
    changes: Vec<One<'a>>,
}

#[derive(Deserialize)]
struct One<'a> {
    entity_type: String,
    id: Option<String>,
    operation: String,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    if_version: Option<u64>,
}

#[derive(Serialize)]
struct Changed<'a> {
    count: usize,
    items: Vec<Shown<'a>>,
}

/// `POST /hq/changes` `{changes:[{entity_type, id, operation: put, patch or delete, data, if_version}]}`: all of them
/// or none. Outlets are told by `bulk-update`.
///
/// # Errors
/// 400, 412, 413 or 422 naming the place of the first bad one, 500 when the store fails.
pub async fn change_many(
    State(cloud): State<Shared>,
    hq: Headquarters,
    Query(notify): Query<Notify>,
    body: Body,
) -> ApiResult {
    let many: Many<'_> = serde_json::from_str(body.text()?)
        .map_err(|error| ApiError::malformed(format!("the body is not a list of `changes`: {error}")))?;
    if many.changes.len() > MAX_ITEMS {
        return Err(ApiError::too_large(format!(
            "one request takes {MAX_ITEMS} changes at most"
        )));
    }
    let edits = many.changes.into_iter().enumerate().map(|(at, one)| {
        one.edit()
            .map_err(|problem| ApiError::invalid(format!("changes[{at}]: {problem}")))
    });
    let changed = apply(&cloud, &hq, notify, edits.collect::<Result<_, _>>()?).await?;
    let items: Vec<_> = changed.iter().map(shown).collect();
    Ok(success(
        StatusCode::OK,
        &Changed {
            count: items.len(),
            items,
        },
    ))
}

impl One<'_> {
    fn edit(self) -> Result<Edit, &'static str> {
        let data = self.data.map(|data| data.get().to_owned());
        let action = match (self.operation.as_str(), data) {
            ("put", Some(data)) => Action::Put(data),
            ("patch", Some(data)) => Action::Patch(data),
            ("put" | "patch", None) => return Err("data is missing"),
            ("delete", _) => Action::Delete,
            _ => return Err("operation takes put, patch or delete"),
        };
        Ok(Edit {
            entity_type: self.entity_type,
            id: self.id,
            action,
            if_version: self.if_version,
        })
    }
}

/// Applies edits, all or none, and puts out the webhooks that tell of them.
pub(super) async fn apply(
    cloud: &Shared,
    hq: &Headquarters,
    notify: Notify,
    edits: Vec<Edit>,
) -> Result<Vec<Entity>, ApiError> {
    for edit in &edits {
        check_name("entity_type", &edit.entity_type).map_err(ApiError::invalid)?;
        edit.id
            .as_ref()
            .map_or(Ok(()), |id| check_name("id", id))
            .map_err(ApiError::invalid)?;
    }
    let (by, edited_at) = (hq.name.clone(), hq.edited_at.clone());
    let tell = cloud.webhooks && notify.notify;
    let changed = cloud
        .store
        .write_unless_refused(move |tx| {
            let now_ms = clock::now_ms();
            let now = clock::stamp(now_ms);
            let mut changed = Vec::with_capacity(edits.len());
            for edit in &edits {
                match edit::apply(tx, edit, &by, edited_at.as_ref().unwrap_or(&now))? {
                    Ok(entity) => changed.push(entity),
                    Err(refusal) => return Ok(Err(refusal)),
                }
            }
            if tell {
                let hooks = body::edits(&changed, &now);
                for outlet in outlets::all(tx)? {
                    for hook in &hooks {
                        outbox::enqueue(tx, &outlet, hook, now_ms)?;
                    }
                }
            }
            Ok(Ok(changed))
        })
        .await??;
    if tell {
        cloud.postman.wake();
    }
    Ok(changed)
}

/// An entity as headquarters sees it.
pub(super) fn shown(entity: &Entity) -> Shown<'_> {
    Shown {
        entity_type: &entity.entity_type,
        cloud_id: &entity.cloud_id,
        local_id: entity.local_id.as_deref(),
        version: entity.version,
        updated_at: &entity.updated_at,
        updated_by: &entity.updated_by,
        deleted: entity.deleted,
        data: entity.doc.as_deref().map(body::raw),
    }
}
