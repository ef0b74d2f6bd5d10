//! `healthz` and `readyz`: for supervisors, without a token and without secrets.

pub(crate) mod about;

use crate::http::observed::Asked;
use crate::http::{Detail, Shared, reply};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

#[derive(Serialize, JsonSchema)]
struct Live {
    status: &'static str,
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

/// The envelope, as of every refusal.
#[derive(Serialize, JsonSchema)]
struct Not<'a> {
    #[schemars(extend("const" = false))]
    success: bool,
    error: &'a str,
    message: &'a str,
    request_id: &'a str,
    details: Vec<Detail>,
}

/// The process works; 503 when only a restart helps.
pub(crate) async fn live(State(http): State<Shared>, Extension(asked): Extension<Asked>) -> Response {
    match http.engine.alive() {
        Ok(()) => reply::ok("up", Live { status: "ok" }),
        Err(problem) => {
            let message = "the process does not work any more: restart it";
            not(&asked, "not_alive", message, &[("process", problem)])
        }
    }
}

/// The store is open and the plugins are loaded; 503 with what is not, and while it is being stopped. A plugin file that was
/// refused is named here, and keeps nothing else from working. A disk that is full does not either.
pub(crate) async fn ready(State(http): State<Shared>, Extension(asked): Extension<Asked>) -> Response {
    if let Err(reasons) = http.engine.ready() {
        return not(&asked, "not_ready", "not ready: see details", &reasons);
    }
    let problems = http.engine.plugin_problems();
    let plugin_problems = problems
        .iter()
        .map(|(plugin, problem)| Refused { plugin, problem })
        .collect();
    let data = Ready {
        status: "ready",
        plugin_problems,
    };
    reply::ok("ready", data)
}

/// The envelope of a 503 that is no failure of the request: it is asked for every few seconds, and the log would be full of it.
fn not(asked: &Asked, error: &str, message: &str, reasons: &[(&'static str, String)]) -> Response {
    let details = reasons.iter().map(|(field, problem)| Detail {
        field: (*field).to_owned(),
        problem: problem.clone(),
    });
    let body = Not {
        success: false,
        error,
        message,
        request_id: asked.id(),
        details: details.collect(),
    };
    reply::json(StatusCode::SERVICE_UNAVAILABLE, &body)
}
