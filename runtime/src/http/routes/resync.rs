//! `POST /api/v1/sync/resync`: fetching again, and how status shows it.

pub(crate) mod about;

use crate::engine::api::ResyncView;
use crate::http::extract::{Params, entity_type, object, optional_json_body};
use crate::http::reply;
use crate::http::{ApiError, Shared};
use axum::extract::{Request, State};
use axum::response::Response;
use schemars::JsonSchema;
use selaras_core::id::{EntityId, EntityKey};
use selaras_core::resync::Scope;
use serde::Serialize;

/// What is fetched: everything, whole types, or entities by name.
#[derive(Serialize, JsonSchema)]
struct ScopeBody<'a> {
    everything: bool,
    entity_types: Vec<&'a str>,
    entities: Vec<NameBody<'a>>,
}

#[derive(Serialize, JsonSchema)]
struct NameBody<'a> {
    entity_type: &'a str,
    entity_id: &'a str,
}

impl<'a> From<&'a Scope> for ScopeBody<'a> {
    fn from(scope: &'a Scope) -> Self {
        let name = |key: &'a EntityKey| NameBody {
            entity_type: key.entity_type.as_str(),
            entity_id: key.id.as_str(),
        };
        Self {
            everything: scope.everything,
            entity_types: scope.types.iter().map(|name| name.as_str()).collect(),
            entities: scope.entities.iter().map(name).collect(),
        }
    }
}

/// Fetching again as status shows it.
#[derive(Serialize, JsonSchema)]
pub(super) struct ResyncBody<'a> {
    scope: ScopeBody<'a>,
    state: &'static str,
    asked_at: String,
    started_at: Option<String>,
    pages: u64,
    seen: u64,
    applied: u64,
    removed: u64,
    restarts: u32,
    error: Option<&'a str>,
    next: Option<ScopeBody<'a>>,
}

impl<'a> From<&'a ResyncView> for ResyncBody<'a> {
    fn from(view: &'a ResyncView) -> Self {
        Self {
            scope: ScopeBody::from(&view.scope),
            state: view.state.as_str(),
            asked_at: view.asked_at.to_rfc3339(),
            started_at: view.started_at.map(|at| at.to_rfc3339()),
            pages: view.pages,
            seen: view.seen,
            applied: view.applied,
            removed: view.removed,
            restarts: view.restarts,
            error: view.error.as_deref(),
            next: view.next.as_ref().map(ScopeBody::from),
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct Resynced<'a> {
    joined: bool,
    resync: Option<ResyncBody<'a>>,
}

/// Everything, one type, or one entity. Durable when it answers.
pub(crate) async fn resync(State(http): State<Shared>, request: Request) -> Result<Response, ApiError> {
    Params::of(request.uri())?;
    let doc = optional_json_body(&http, request).await?;
    let mut fields = object(&doc);
    fields.only(&["entity_type", "entity_id"]);
    let named = fields.optional::<String>("entity_type");
    let id = fields.optional::<String>("entity_id");
    if named.is_none() && id.is_some() {
        fields.problem("entity_type", "is missing: an id belongs to a type");
    }
    let id = id.and_then(|text| match EntityId::parse(&text) {
        Ok(id) => Some(id),
        Err(error) => {
            fields.problem("entity_id", error.to_string());
            None
        }
    });
    fields.finish()?;
    let entity_type = named.map(|text| entity_type("entity_type", &text)).transpose()?;
    let scope = match (entity_type, id) {
        (Some(entity_type), Some(id)) => Scope::of_entity(EntityKey { entity_type, id }),
        (Some(entity_type), None) => Scope::of_type(entity_type),
        (None, _) => Scope::everything(),
    };
    let answer = http.engine.resync(scope).await?;
    let message = if answer.joined {
        "this is being fetched again already"
    } else {
        "it is fetched again: a run is on its way"
    };
    Ok(reply::ok(
        message,
        Resynced {
            joined: answer.joined,
            resync: answer.resync.as_ref().map(ResyncBody::from),
        },
    ))
}
