//! The cloud's webhooks: from bytes that anyone can send to a hook that the engine may believe.
//!
//! The order of the checks is the contract's: size → secret → signature → outlet → JSON → age → dedup. The last
//! is the engine's, in the commit of the effect. Nothing of a body is looked at before its signature holds.

pub(crate) mod about;
mod body;
mod dedup;
mod fresh;
mod notice;
mod signature;

pub(crate) use signature::Keys;
use signature::Proof;

use crate::engine::api::{Hook, HookOutcome, HookResult, Resolution};
use crate::http::RequestLimits;
use crate::http::extract::{MAX_COMMAND_BYTES, read_body};
use crate::http::{ApiError, Shared, reply};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderName, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

/// Whom a webhook is for.
const X_OUTLET_ID: HeaderName = HeaderName::from_static("x-outlet-id");

/// The hooks there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// `…/update`
    Update,
    /// `…/delete`
    Delete,
    /// `…/conflict`
    Conflict,
    /// `…/bulk-update`
    Bulk,
    /// `…/broadcast`
    Broadcast,
    /// `…/config`
    Config,
}

impl Path {
    /// The last part of the path.
    fn as_str(self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Conflict => "conflict",
            Self::Bulk => "bulk-update",
            Self::Broadcast => "broadcast",
            Self::Config => "config",
        }
    }

    /// The largest body.
    fn max_bytes(self, limits: &RequestLimits) -> usize {
        match self {
            Self::Update | Self::Delete | Self::Conflict | Self::Bulk => limits.max_body_bytes,
            Self::Broadcast | Self::Config => MAX_COMMAND_BYTES,
        }
    }
}

/// `POST …/update`.
pub(crate) async fn update(State(http): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let (_, outcome) = receive(&http, request, Path::Update).await?;
    Ok(single("update", &outcome))
}

/// `POST …/delete`.
pub(crate) async fn delete(State(http): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let (_, outcome) = receive(&http, request, Path::Delete).await?;
    Ok(single("deletion", &outcome))
}

#[derive(Serialize, JsonSchema)]
struct ConflictAnswer<'a> {
    success: bool,
    message: &'a str,
    conflict_id: Option<&'a str>,
    resolution: &'static str,
    #[serde(skip_serializing_if = "is_false")]
    duplicate: bool,
}

/// `POST …/conflict`.
pub(crate) async fn conflict(State(http): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let (named, outcome) = receive(&http, request, Path::Conflict).await?;
    let body = ConflictAnswer {
        success: true,
        message: if outcome.duplicate {
            DUPLICATE
        } else {
            "conflict taken in: the entity is fetched"
        },
        conflict_id: outcome.conflict_id.as_deref().or(named.as_deref()),
        resolution: resolution(outcome.results.first()).as_str(),
        duplicate: outcome.duplicate,
    };
    Ok(reply::json(StatusCode::OK, &body))
}

#[derive(Serialize, JsonSchema)]
struct BulkAnswer<'a> {
    success: bool,
    message: &'a str,
    success_count: usize,
    failed_count: usize,
    results: Vec<ElementBody<'a>>,
    #[serde(skip_serializing_if = "is_false")]
    duplicate: bool,
}

/// `POST …/bulk-update`: one bad element fails alone.
pub(crate) async fn bulk(State(http): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let (_, outcome) = receive(&http, request, Path::Bulk).await?;
    let failed_count = outcome
        .results
        .iter()
        .filter(|result| result.error.is_some())
        .count();
    let body = BulkAnswer {
        success: true,
        message: match (outcome.duplicate, failed_count) {
            (true, _) => DUPLICATE,
            (false, 0) => "updates taken in",
            (false, _) => "updates taken in; those that failed are kept for a person: see results",
        },
        success_count: outcome.results.len() - failed_count,
        failed_count,
        results: outcome
            .results
            .iter()
            .enumerate()
            .map(ElementBody::from)
            .collect(),
        duplicate: outcome.duplicate,
    };
    Ok(reply::json(StatusCode::OK, &body))
}

/// `POST …/broadcast`.
pub(crate) async fn broadcast(State(http): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let (_, outcome) = receive(&http, request, Path::Broadcast).await?;
    Ok(notice::broadcast_reply(&outcome))
}

/// `POST …/config`.
pub(crate) async fn config(State(http): State<Shared>, request: Request) -> Result<Response, ApiError> {
    let (_, outcome) = receive(&http, request, Path::Config).await?;
    Ok(notice::config_reply(&outcome))
}

const DUPLICATE: &str = "this came before: nothing was done again";

#[derive(Serialize, JsonSchema)]
struct ElementBody<'a> {
    index: usize,
    success: bool,
    entity_type: Option<&'a str>,
    local_id: Option<&'a str>,
    local_version: u64,
    resolution: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl<'a> From<(usize, &'a HookResult)> for ElementBody<'a> {
    fn from((index, result): (usize, &'a HookResult)) -> Self {
        Self {
            index,
            success: result.error.is_none(),
            entity_type: result.key.as_ref().map(|key| key.entity_type.as_str()),
            local_id: result.key.as_ref().map(|key| key.id.as_str()),
            local_version: result.local_version,
            resolution: result.resolution.as_str(),
            error: result.error.as_deref(),
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct EntityAnswer<'a> {
    success: bool,
    message: &'a str,
    local_version: u64,
    applied_at: String,
    resolution: &'static str,
    #[serde(skip_serializing_if = "is_false")]
    duplicate: bool,
}

/// The answer of a hook about one entity.
fn single(what: &str, outcome: &HookOutcome) -> Response {
    let result = outcome.results.first();
    let message = if outcome.duplicate {
        DUPLICATE.to_owned()
    } else {
        format!("{what} taken in")
    };
    let body = EntityAnswer {
        success: true,
        message: &message,
        local_version: result.map_or(0, |result| result.local_version),
        applied_at: outcome.applied_at.to_rfc3339(),
        resolution: resolution(result).as_str(),
        duplicate: outcome.duplicate,
    };
    reply::json(StatusCode::OK, &body)
}

/// What became of it; a duplicate has no result of its own and changes nothing, as what is stale.
fn resolution(result: Option<&HookResult>) -> Resolution {
    result.map_or(Resolution::Stale, |result| result.resolution)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde wants")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Takes a webhook in, and counts what became of it.
async fn receive(
    http: &Shared,
    request: Request,
    path: Path,
) -> Result<(Option<String>, HookOutcome), ApiError> {
    let received = take_in(http, request, path).await;
    let became = match &received {
        Ok((_, outcome)) if outcome.duplicate => "duplicate",
        Ok((_, outcome)) if matches!(path, Path::Bulk) => {
            let failed = outcome.results.iter().any(|result| result.error.is_some());
            if failed { "partial" } else { "applied" }
        }
        Ok((_, outcome)) => outcome
            .results
            .first()
            .map_or("applied", |result| result.resolution.as_str()),
        Err(error) => error.code(),
    };
    http.engine.metrics().webhook(path.as_str(), became);
    received
}

/// The way of every webhook, check by check. Also answers the conflict's id that the cloud named.
async fn take_in(
    http: &Shared,
    request: Request,
    path: Path,
) -> Result<(Option<String>, HookOutcome), ApiError> {
    let (parts, body) = request.into_parts();
    let payload = read_body(http, body, path.max_bytes(&http.limits)).await?;
    let keys = http.webhooks.configured()?;
    let proof = keys.verify(&parts.headers, payload.bytes())?;
    check_form(http, &proof)?;
    check_outlet(&parts.headers, http.engine.outlet_id().as_deref())?;
    let doc = payload.doc()?;
    let read = body::read(&doc, path)?;
    fresh::check(
        &proof,
        read.timestamp,
        http.engine.now(),
        http.engine.webhook_floor(),
    )?;
    if matches!(proof, Proof::Standard { .. }) {
        http.engine.standard_webhook_came().await?;
    }
    let names = dedup::names(&proof, &parts.headers, path, &read, payload.bytes());
    let hook = read.into_hook(&doc)?;
    let named = match &hook {
        Hook::Conflict(conflict) => conflict.conflict_id.clone(),
        Hook::Update(_) | Hook::Bulk(_) | Hook::Broadcast(_) | Hook::Config(_) => None,
    };
    Ok((named, http.engine.hook(hook, &names).await?))
}

/// Once the cloud has signed in the standard's way, the older one, which covers the body alone, may be refused.
fn check_form(http: &Shared, proof: &Proof) -> Result<(), ApiError> {
    if *proof != Proof::Body || !http.refuse_legacy_webhooks || !http.engine.standard_webhooks_came() {
        return Ok(());
    }
    let problem = "is of the older form, and this cloud has signed as Standard Webhooks before: send webhook-id, webhook-timestamp \
                   and webhook-signature, or unset WEBHOOK_REFUSE_LEGACY";
    Err(
        ApiError::unauthorized("legacy_signature", format!("the signature {problem}"))
            .detail("X-Cloud-Signature", problem),
    )
}

fn check_outlet(headers: &HeaderMap, own: Option<&str>) -> Result<(), ApiError> {
    let Some(meant) = headers.get(X_OUTLET_ID) else {
        return Ok(());
    };
    if own.is_some_and(|own| own.as_bytes() == meant.as_bytes()) {
        return Ok(());
    }
    Err(ApiError::forbidden(
        "wrong_outlet",
        "this webhook is for another outlet: check where X-Outlet-ID is registered",
    )
    .detail("X-Outlet-ID", "is not this outlet's id"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_webhook_for_another_outlet_is_403_and_one_for_none_in_particular_passes() {
        let meant = |id: &str| HeaderMap::from_iter([(X_OUTLET_ID, HeaderValue::from_str(id).unwrap())]);
        check_outlet(&HeaderMap::new(), None).unwrap();
        check_outlet(&meant("o-1"), Some("o-1")).unwrap();
        assert_eq!(
            check_outlet(&meant("o-2"), Some("o-1")).unwrap_err().status(),
            403
        );
        assert_eq!(check_outlet(&meant("o-1"), None).unwrap_err().status(), 403);
    }
}
