//! The plugins as shown: which there are, their versions, what was done with them, and what a version beside the active
//! one says. Changing them is beside.

pub(crate) mod about;
pub(crate) mod change;

use crate::engine::api::{
    DifferenceView, PluginAction, PluginDetail, PluginView, SaidView, ShadowView, VersionView,
};
use crate::http::extract::{ListKind, NamePath, Params, encode_cursor};
use crate::http::reply::{self, Raw};
use crate::http::{ApiError, Shared};
use axum::extract::State;
use axum::response::Response;
use http::Uri;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
struct PluginBody<'a> {
    name: &'a str,
    kind: Option<&'static str>,
    version: &'a str,
    description: &'a str,
    digest: &'a str,
    state: &'static str,
    problem: Option<&'a str>,
    source: &'a str,
    grants: &'a [&'static str],
    signed_by: Option<&'a str>,
    previous: Option<&'a str>,
    bound_types: &'a [String],
    calls: u64,
    errors: u64,
    p50_us: u64,
    p99_us: u64,
    fuel: u64,
    peak_memory_bytes: u64,
    recent_calls: usize,
    recent_errors: usize,
    fell_back: u32,
    shadow: Option<ShadowBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    versions: Option<Vec<VersionBody<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<ActionBody<'a>>>,
}

impl<'a> From<&'a PluginView> for PluginBody<'a> {
    fn from(plugin: &'a PluginView) -> Self {
        Self {
            name: &plugin.name,
            kind: plugin.kind,
            version: &plugin.version,
            description: &plugin.description,
            digest: &plugin.digest,
            state: plugin.state,
            problem: plugin.problem.as_deref(),
            source: &plugin.source,
            grants: &plugin.grants,
            signed_by: plugin.signed_by.as_deref(),
            previous: plugin.previous.as_deref(),
            bound_types: &plugin.bound_types,
            calls: plugin.calls,
            errors: plugin.errors,
            p50_us: plugin.p50_us,
            p99_us: plugin.p99_us,
            fuel: plugin.fuel,
            peak_memory_bytes: plugin.peak_memory_bytes,
            recent_calls: plugin.recent_calls,
            recent_errors: plugin.recent_errors,
            fell_back: plugin.fell_back,
            shadow: plugin.shadow.as_ref().map(ShadowBody::from),
            versions: None,
            history: None,
        }
    }
}

impl<'a> From<&'a PluginDetail> for PluginBody<'a> {
    fn from(detail: &'a PluginDetail) -> Self {
        Self {
            versions: Some(detail.versions.iter().map(VersionBody::from).collect()),
            history: Some(detail.history.iter().map(ActionBody::from).collect()),
            ..Self::from(&detail.plugin)
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct ShadowBody<'a> {
    digest: &'a str,
    version: &'a str,
    compared: u64,
    differed: u64,
    dropped: u64,
    errors: u64,
    p50_us: u64,
    p99_us: u64,
}

impl<'a> From<&'a ShadowView> for ShadowBody<'a> {
    fn from(shadow: &'a ShadowView) -> Self {
        Self {
            digest: &shadow.digest,
            version: &shadow.version,
            compared: shadow.compared,
            differed: shadow.differed,
            dropped: shadow.dropped,
            errors: shadow.errors,
            p50_us: shadow.p50_us,
            p99_us: shadow.p99_us,
        }
    }
}

#[derive(Serialize, JsonSchema)]
pub(super) struct VersionBody<'a> {
    name: &'a str,
    kind: &'static str,
    version: &'a str,
    digest: &'a str,
    state: &'static str,
    bytes: u64,
    grants: &'a [&'static str],
    signed_by: Option<&'a str>,
    signed_at: Option<String>,
    installed_by: &'a str,
    installed_at: String,
}

impl<'a> From<&'a VersionView> for VersionBody<'a> {
    fn from(version: &'a VersionView) -> Self {
        Self {
            name: &version.name,
            kind: version.kind,
            version: &version.version,
            digest: &version.digest,
            state: version.state,
            bytes: version.bytes,
            grants: &version.grants,
            signed_by: version.signed_by.as_deref(),
            signed_at: version.signed_at.map(|at| at.to_rfc3339()),
            installed_by: &version.installed_by,
            installed_at: version.installed_at.to_rfc3339(),
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct ActionBody<'a> {
    name: &'a str,
    action: &'a str,
    digest: Option<&'a str>,
    from_digest: Option<&'a str>,
    by: &'a str,
    at: String,
    reason: Option<&'a str>,
}

impl<'a> From<&'a PluginAction> for ActionBody<'a> {
    fn from(action: &'a PluginAction) -> Self {
        Self {
            name: &action.name,
            action: &action.action,
            digest: action.digest.as_deref(),
            from_digest: action.from_digest.as_deref(),
            by: &action.by,
            at: action.at.to_rfc3339(),
            reason: action.reason.as_deref(),
        }
    }
}

#[derive(Serialize, JsonSchema)]
struct DifferenceBody<'a> {
    id: &'a str,
    call: &'a str,
    entity_type: &'a str,
    entity_id: &'a str,
    at: String,
    active: SaidBody<'a>,
    shadow: SaidBody<'a>,
}

#[derive(Serialize, JsonSchema)]
struct SaidBody<'a> {
    digest: &'a str,
    outcome: &'a str,
    data: Option<Raw<'a>>,
    reason: &'a str,
}

impl<'a> From<&'a SaidView> for SaidBody<'a> {
    fn from(said: &'a SaidView) -> Self {
        Self {
            digest: &said.digest,
            outcome: &said.outcome,
            data: said.data.as_ref().map(Raw::from),
            reason: &said.reason,
        }
    }
}

impl<'a> From<&'a DifferenceView> for DifferenceBody<'a> {
    fn from(difference: &'a DifferenceView) -> Self {
        Self {
            id: &difference.id,
            call: &difference.call,
            entity_type: &difference.entity_type,
            entity_id: &difference.entity_id,
            at: difference.at.to_rfc3339(),
            active: SaidBody::from(&difference.active),
            shadow: SaidBody::from(&difference.shadow),
        }
    }
}

/// `GET /api/v1/plugins`: all of them, there are few.
pub(crate) async fn list(State(http): State<Shared>) -> Result<Response, ApiError> {
    let plugins = http.engine.plugins()?;
    let bodies: Vec<PluginBody<'_>> = plugins.iter().map(PluginBody::from).collect();
    Ok(reply::list("plugins", &bodies, None))
}

/// `GET /api/v1/plugins/{name}`: with its versions and the newest of its history.
pub(crate) async fn get(State(http): State<Shared>, NamePath(name): NamePath) -> Result<Response, ApiError> {
    let plugin = http.engine.plugin(&name)?;
    Ok(reply::ok("plugin", PluginBody::from(&plugin)))
}

/// `GET …/{name}/history`: newest first, also of a plugin that is gone.
pub(crate) async fn history(
    State(http): State<Shared>,
    NamePath(name): NamePath,
    uri: Uri,
) -> Result<Response, ApiError> {
    let page = Params::of(&uri)?.page(ListKind::PluginHistory)?;
    let page = http.engine.plugin_history(Some(&name), page)?;
    let bodies: Vec<ActionBody<'_>> = page.items.iter().map(ActionBody::from).collect();
    let next = page.next.map(|at| encode_cursor(ListKind::PluginHistory, &at));
    Ok(reply::list("plugin history", &bodies, next))
}

/// `GET …/{name}/differences`: where the version beside the active one answered otherwise, newest first.
pub(crate) async fn differences(
    State(http): State<Shared>,
    NamePath(name): NamePath,
    uri: Uri,
) -> Result<Response, ApiError> {
    let page = Params::of(&uri)?.page(ListKind::PluginDifferences)?;
    let page = http.engine.plugin_differences(&name, page)?;
    let bodies: Vec<DifferenceBody<'_>> = page.items.iter().map(DifferenceBody::from).collect();
    let next = page
        .next
        .map(|at| encode_cursor(ListKind::PluginDifferences, &at));
    Ok(reply::list("plugin differences", &bodies, next))
}
