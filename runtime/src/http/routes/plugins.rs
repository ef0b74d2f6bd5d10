//! The plugins that are loaded or were refused.

use crate::engine::api::PluginView;
use crate::http::extract::NamePath;
use crate::http::{ApiError, Shared, reply};
use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

#[derive(Serialize)]
struct PluginBody<'a> {
    name: &'a str,
    kind: Option<&'static str>,
    version: &'a str,
    description: &'a str,
    digest: &'a str,
    state: &'static str,
    problem: Option<&'a str>,
    source: &'a str,
    bound_types: &'a [String],
    calls: u64,
    errors: u64,
    p50_us: u64,
    p99_us: u64,
    fuel: u64,
    peak_memory_bytes: u64,
    grants: &'a [&'static str],
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
            bound_types: &plugin.bound_types,
            calls: plugin.calls,
            errors: plugin.errors,
            p50_us: plugin.p50_us,
            p99_us: plugin.p99_us,
            fuel: plugin.fuel,
            peak_memory_bytes: plugin.peak_memory_bytes,
            grants: &plugin.grants,
        }
    }
}

/// `GET /api/v1/plugins`: all of them, there are few.
pub(crate) async fn list(State(http): State<Shared>) -> Response {
    let plugins = http.engine.plugins();
    let bodies: Vec<PluginBody<'_>> = plugins.iter().map(PluginBody::from).collect();
    reply::list("plugins", &bodies, None)
}

/// `GET /api/v1/plugins/{name}`.
pub(crate) async fn get(State(http): State<Shared>, NamePath(name): NamePath) -> Result<Response, ApiError> {
    let plugins = http.engine.plugins();
    match plugins.iter().find(|plugin| plugin.name == name) {
        Some(plugin) => Ok(reply::ok("plugin", PluginBody::from(plugin))),
        None => Err(ApiError::not_found(
            "plugin_not_found",
            "there is no such plugin: GET /api/v1/plugins lists them",
        )
        .detail("name", "is none of the loaded plugins")),
    }
}
