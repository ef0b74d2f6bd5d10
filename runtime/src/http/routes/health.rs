//! `healthz` and `readyz`: for supervisors, without a token and without secrets.

pub(crate) mod about;

use crate::http::{Shared, reply};
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
struct Live {
    status: &'static str,
}

/// The process is up.
pub(crate) async fn live() -> Response {
    reply::ok("up", Live { status: "ok" })
}

#[derive(Serialize, JsonSchema)]
struct NotReady<'a> {
    success: bool,
    error: &'a str,
    message: &'a str,
    problems: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct Refused<'a> {
    plugin: &'a str,
    problem: &'a str,
}

#[derive(Serialize, JsonSchema)]
struct Ready<'a> {
    status: &'static str,
    plugin_problems: Vec<Refused<'a>>,
}

/// The store is open and the plugins are loaded; 503 with what is not. A plugin file that was refused is named here,
/// and keeps nothing else from working.
pub(crate) async fn ready(State(http): State<Shared>) -> Response {
    match http.engine.ready() {
        Ok(()) => {
            let problems = http.engine.plugin_problems();
            let plugin_problems = problems
                .iter()
                .map(|(plugin, problem)| Refused { plugin, problem })
                .collect();
            reply::ok(
                "ready",
                Ready {
                    status: "ready",
                    plugin_problems,
                },
            )
        }
        Err(problems) => {
            let body = NotReady {
                success: false,
                error: "not_ready",
                message: "not ready: see problems",
                problems,
            };
            reply::json(StatusCode::SERVICE_UNAVAILABLE, &body)
        }
    }
}
