//! Parked documents: what a plugin could not handle, each way; trying again and giving up.

pub(crate) mod about;

use crate::engine::api::{ParkedFilter, ParkedRetried, ParkedView, ParkedWay};
use crate::http::auth::Caller;
use crate::http::extract::{
    ListKind, NamePath, Params, encode_cursor, entity_type, object, optional_json_body,
};
use crate::http::reply::{self, Raw};
use crate::http::{ApiError, Shared};
use axum::extract::{Request, State};
use axum::response::Response;
use http::Uri;
use schemars::JsonSchema;
use serde::Serialize;

/// A reason fits a sentence or two.
const MAX_REASON_BYTES: usize = 1024;
/// Codes are short words.
const MAX_CODE_BYTES: usize = 64;
/// Both ways.
const WAYS: [(&str, ParkedWay); 2] = [("to_local", ParkedWay::ToLocal), ("to_cloud", ParkedWay::ToCloud)];

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ParkedPlugin")]
struct PluginBody<'a> {
    name: &'a str,
    digest: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
struct ParkedBody<'a> {
    id: &'a str,
    direction: &'static str,
    entity_type: &'a str,
    entity_id: Option<&'a str>,
    cloud_id: Option<&'a str>,
    version: Option<u64>,
    operation: Option<&'static str>,
    error_code: &'a str,
    error: &'a str,
    plugin: Option<PluginBody<'a>>,
    at: String,
    document: Option<Raw<'a>>,
}

impl<'a> From<&'a ParkedView> for ParkedBody<'a> {
    fn from(parked: &'a ParkedView) -> Self {
        Self {
            id: &parked.id,
            direction: parked.way.as_str(),
            entity_type: &parked.entity_type,
            entity_id: parked.entity_id.as_deref(),
            cloud_id: parked.cloud_id.as_deref(),
            version: parked.version,
            operation: parked.operation.map(|operation| operation.as_str()),
            error_code: &parked.error_code,
            error: &parked.error,
            plugin: parked.plugin.as_deref().map(|name| PluginBody {
                name,
                digest: parked.digest.as_deref(),
            }),
            at: parked.at.to_rfc3339(),
            document: parked.document.as_deref().and_then(Raw::checked),
        }
    }
}

/// `GET …/parked`: newest first; filters `direction`, `entity_type`, `error_code`.
pub(crate) async fn list(State(http): State<Shared>, uri: Uri) -> Result<Response, ApiError> {
    let params = Params::of(&uri)?;
    let page = http
        .engine
        .parked(&filter(&params)?, params.page(ListKind::Parked)?)?;
    let bodies: Vec<ParkedBody<'_>> = page.items.iter().map(ParkedBody::from).collect();
    let next = page
        .next
        .map(|position| encode_cursor(ListKind::Parked, &position));
    Ok(reply::list("parked documents", &bodies, next))
}

fn filter(params: &Params) -> Result<ParkedFilter, ApiError> {
    Ok(ParkedFilter {
        way: params.one_of("direction", &WAYS)?,
        entity_type: params
            .get("entity_type")
            .map(|text| entity_type("entity_type", text))
            .transpose()?,
        error_code: params.get("error_code").map(str::to_owned),
    })
}

#[derive(Serialize, JsonSchema)]
struct ParkedRetriedBody<'a> {
    id: &'a str,
    direction: &'static str,
    entity_type: &'a str,
    entity_id: &'a str,
    outcome: &'static str,
    sync_status: &'static str,
    local_version: u64,
}

/// `POST …/parked/{id}/retry`: tries one again, and says what came of it.
pub(crate) async fn retry(
    State(http): State<Shared>,
    caller: Caller,
    NamePath(id): NamePath,
) -> Result<Response, ApiError> {
    let retried = http.engine.retry_parked(&id, &caller.actor).await?;
    let ParkedRetried {
        id,
        way,
        key,
        resolution,
        sync_status,
        local_version,
    } = &retried;
    let (message, outcome) = match resolution {
        Some(resolution) => ("tried again: it is parked no more", resolution.as_str()),
        None => ("its mapper can handle it: a run is on its way", "queued"),
    };
    Ok(reply::ok(
        message,
        ParkedRetriedBody {
            id,
            direction: way.as_str(),
            entity_type: key.entity_type.as_str(),
            entity_id: key.id.as_str(),
            outcome,
            sync_status: sync_status.as_str(),
            local_version: *local_version,
        },
    ))
}

#[derive(Serialize, JsonSchema)]
struct ParkedRetriedAll {
    taken: u64,
    queued: u64,
    still_parked: u64,
}

/// `POST …/parked/retry`: tries all again, or those that the filter names in the query or the body.
pub(crate) async fn retry_all(
    State(http): State<Shared>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let mut filter = filter(&Params::of(request.uri())?)?;
    let doc = optional_json_body(&http, request).await?;
    let mut fields = object(&doc);
    if let Some(text) = fields.optional::<String>("entity_type") {
        filter.entity_type = Some(entity_type("entity_type", &text)?);
    }
    filter.way = fields.word("direction", &WAYS).or(filter.way);
    filter.error_code = fields.short("error_code", MAX_CODE_BYTES).or(filter.error_code);
    fields.only(&["direction", "entity_type", "error_code"]);
    fields.finish()?;
    let tally = http.engine.retry_all_parked(&filter, &caller.actor).await?;
    let message = match (tally.taken + tally.queued, tally.still_parked) {
        (0, 0) => "nothing was parked",
        (_, 0) => "tried again",
        _ => "tried again: some stay parked",
    };
    let body = ParkedRetriedAll {
        taken: tally.taken,
        queued: tally.queued,
        still_parked: tally.still_parked,
    };
    Ok(reply::ok(message, body))
}

#[derive(Serialize, JsonSchema)]
struct Dropped<'a> {
    id: &'a str,
    direction: &'static str,
    entity_type: &'a str,
    entity_id: Option<&'a str>,
}

/// `DELETE …/parked/{id}`: gives one up, perhaps with a reason in the body or the query.
pub(crate) async fn give_up(
    State(http): State<Shared>,
    caller: Caller,
    NamePath(id): NamePath,
    request: Request,
) -> Result<Response, ApiError> {
    // Many clients send no body with a DELETE.
    let in_query = Params::of(request.uri())?.get("reason").map(str::to_owned);
    let doc = optional_json_body(&http, request).await?;
    let mut fields = object(&doc);
    let reason = fields
        .optional::<String>("reason")
        .or(in_query)
        .unwrap_or_default();
    if reason.len() > MAX_REASON_BYTES {
        fields.problem("reason", format!("must be at most {MAX_REASON_BYTES} bytes long"));
    }
    fields.only(&["reason"]);
    fields.finish()?;
    let dropped = http.engine.drop_parked(&id, &reason, &caller.actor).await?;
    let message = match dropped.way {
        ParkedWay::ToLocal => {
            "given up: the entity stays as it is here until the cloud sends its next version of it"
        }
        ParkedWay::ToCloud => {
            "given up: the cloud is not told of the change, and the entity counts as diverged"
        }
    };
    let body = Dropped {
        id: &id,
        direction: dropped.way.as_str(),
        entity_type: &dropped.entity_type,
        entity_id: dropped.entity_id.as_deref(),
    };
    Ok(reply::ok(message, body))
}
