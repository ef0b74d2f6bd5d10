//! One edit of an entity by headquarters, applied within a transaction.

use rusqlite::Transaction;

use crate::clock::Stamp;
use crate::error::ApiError;
use crate::json::{self, Object};
use crate::store::StoreError;
use crate::store::entities::{self, Entity, NewState};

/// What to do.
#[derive(Debug, Clone)]
pub enum Action {
    /// Store this document; makes the entity where it is missing.
    Put(String),
    /// Apply this merge patch to what is there.
    Patch(String),
    /// Remove it.
    Delete,
}

/// An edit, read and checked.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The type.
    pub entity_type: String,
    /// A cloud_id or local_id; none makes a new entity that has no local_id.
    pub id: Option<String>,
    /// What to do.
    pub action: Action,
    /// Only if the entity is at this version.
    pub if_version: Option<u64>,
}

/// Applies an edit made at `at`; a refusal leaves everything as it was. An edit that changes nothing makes no new
/// version.
///
/// # Errors
/// When the store fails.
pub fn apply(
    tx: &Transaction<'_>,
    edit: &Edit,
    by: &str,
    at: &Stamp,
) -> Result<Result<Entity, ApiError>, StoreError> {
    let found = match &edit.id {
        Some(id) => entities::by_any_id(tx, &edit.entity_type, id)?,
        None => None,
    };
    let live = found.as_ref().filter(|entity| !entity.deleted);
    if edit
        .if_version
        .is_some_and(|version| live.map(|entity| entity.version) != Some(version))
    {
        let message = "the entity is at another version; read it again";
        return Ok(Err(ApiError::new(
            http::StatusCode::PRECONDITION_FAILED,
            "version_mismatch",
            message,
        )));
    }
    let doc = match (&edit.action, live) {
        (Action::Put(text), _) => content(text).map(Some),
        (Action::Patch(patch), Some(entity)) => patched(entity, patch).map(Some),
        (Action::Delete, Some(_)) => Ok(None),
        (_, None) => Err(ApiError::not_found("there is no such entity")),
    };
    let doc = match doc {
        Ok(doc) => doc,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some(entity) = live.filter(|entity| entity.doc == doc) {
        return Ok(Ok(entity.clone()));
    }
    let state = NewState {
        doc: doc.as_deref(),
        updated_at: at,
        updated_by: by,
        change_id: None,
    };
    let written = match &found {
        Some(entity) => entities::replace(tx, entity, &state)?,
        None => entities::insert(tx, &edit.entity_type, edit.id.as_deref(), &state)?,
    };
    Ok(Ok(written))
}

fn content(text: &str) -> Result<String, ApiError> {
    let object =
        Object::parse(text).map_err(|error| ApiError::malformed(format!("the document is {error}")))?;
    Ok(object.content())
}

fn patched(entity: &Entity, patch: &str) -> Result<String, ApiError> {
    let before = entity.doc.as_deref().unwrap_or("{}");
    let merged = json::merge_patch(before, patch);
    content(&merged.map_err(|error| ApiError::malformed(format!("the patch is {error}")))?)
}
