//! The table of routes: the one place that says which method and path exist, who may use them and what they
//! reach. The router is built from it, so nothing can be reached that is not in it.

mod analytics;
mod audit;
mod broadcasts;
mod changes;
mod config;
mod conflicts;
mod entities;
mod health;
mod login;
mod parked;
mod plugins;
mod push;
mod queue;
mod resync;
mod simulate;
mod stream;
mod sync;
mod tokens;
mod users;

pub(crate) use stream::MAX_STREAMS;

use crate::http::auth::{ADMIN, Guarded, OPERATORS, READERS, WRITERS, Who};
use crate::http::{ApiError, Shared, webhooks};
pub(crate) use push::report as push_report;

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;
use http::Uri;

/// One entry.
pub(crate) struct Endpoint {
    /// The method; `GET` answers `HEAD` too.
    pub(crate) method: Method,
    /// The path with its placeholders.
    pub(crate) path: &'static str,
    /// Who may.
    pub(crate) who: Who,
    route: MethodRouter<Shared>,
}

/// All routes there are.
#[rustfmt::skip] // a table
pub(crate) fn table() -> Vec<Endpoint> {
    let (get, put, post, patch, delete) = (Method::GET, Method::PUT, Method::POST, Method::PATCH, Method::DELETE);
    let e = |method: &Method, path, who| Row { method: method.clone(), path, who };
    vec![
        e(&get,    "/healthz",                              Who::Anyone).to(health::live),
        e(&get,    "/readyz",                               Who::Anyone).to(health::ready),
        e(&post,   "/api/v1/auth/login",                    Who::Anyone).to(login::login),
        e(&post,   "/api/v1/auth/logout",                   Who::Themselves).to(login::logout),
        e(&post,   "/api/v1/auth/password",                 Who::Themselves).to(login::password),
        e(&get,    "/api/v1/users",                         ADMIN).to(users::list),
        e(&post,   "/api/v1/users",                         ADMIN).to(users::create),
        e(&put,    "/api/v1/users/{id}",                    ADMIN).to(users::update),
        e(&delete, "/api/v1/users/{id}",                    ADMIN).to(users::delete),
        e(&get,    "/api/v1/tokens",                        ADMIN).to(tokens::list),
        e(&post,   "/api/v1/tokens",                        ADMIN).to(tokens::create),
        e(&delete, "/api/v1/tokens/{id}",                   ADMIN).to(tokens::delete),

        e(&get,    "/api/v1/entities/{type}",               READERS).to(entities::list),
        e(&get,    "/api/v1/entities/{type}/{id}",          READERS).to(entities::get),
        e(&put,    "/api/v1/entities/{type}/{id}",          WRITERS).to(entities::put),
        e(&patch,  "/api/v1/entities/{type}/{id}",          WRITERS).to(entities::patch),
        e(&delete, "/api/v1/entities/{type}/{id}",          WRITERS).to(entities::delete),
        e(&post,   "/api/v1/changes",                       WRITERS).to(changes::post),
        e(&get,    "/api/v1/changes",                       READERS).to(changes::feed),
        e(&get,    "/api/v1/changes/stream",                READERS).to(stream::stream),
        e(&get,    "/api/v1/broadcasts",                    READERS).to(broadcasts::list),
        e(&get,    "/api/v1/broadcasts/{id}",               READERS).to(broadcasts::get),
        e(&post,   "/api/v1/analytics/daily",               WRITERS).to(analytics::daily),

        e(&get,    "/api/v1/sync/status",                   OPERATORS).to(sync::status),
        e(&post,   "/api/v1/sync/trigger",                  OPERATORS).to(sync::trigger),
        e(&get,    "/api/v1/sync/logs",                     OPERATORS).to(sync::logs),
        e(&get,    "/api/v1/sync/queue",                    OPERATORS).to(queue::queue),
        e(&get,    "/api/v1/sync/failed",                   OPERATORS).to(queue::failed),
        e(&post,   "/api/v1/sync/retry",                    OPERATORS).to(queue::retry_all),
        e(&post,   "/api/v1/sync/retry/{id}",               OPERATORS).to(queue::retry),
        e(&delete, "/api/v1/sync/queue/{id}",               ADMIN).to(queue::give_up),
        e(&post,   "/api/v1/sync/push/{type}/{id}",         OPERATORS).to(push::push),
        e(&get,    "/api/v1/sync/parked",                   OPERATORS).to(parked::list),
        e(&post,   "/api/v1/sync/parked/retry",             OPERATORS).to(parked::retry_all),
        e(&post,   "/api/v1/sync/parked/{id}/retry",        OPERATORS).to(parked::retry),
        e(&delete, "/api/v1/sync/parked/{id}",              ADMIN).to(parked::give_up),
        e(&get,    "/api/v1/sync/conflicts",                OPERATORS).to(conflicts::list),
        e(&get,    "/api/v1/sync/conflicts/{id}",           OPERATORS).to(conflicts::get),
        e(&post,   "/api/v1/sync/resolve/{id}",             OPERATORS).to(conflicts::resolve),
        e(&post,   "/api/v1/sync/simulate",                 OPERATORS).to(simulate::post),
        e(&post,   "/api/v1/sync/resync",                   OPERATORS).to(resync::resync),

        e(&get,    "/api/v1/config/outlet",                 ADMIN).to(config::outlet::get),
        e(&post,   "/api/v1/config/outlet",                 ADMIN).to(config::outlet::create),
        e(&put,    "/api/v1/config/outlet",                 ADMIN).to(config::outlet::update),
        e(&post,   "/api/v1/config/outlet/test",            ADMIN).to(config::outlet::test),
        e(&get,    "/api/v1/config/sync",                   ADMIN).to(config::get_sync),
        e(&put,    "/api/v1/config/sync",                   ADMIN).to(config::put_sync),
        e(&post,   "/api/v1/config/sync/toggle",            ADMIN).to(config::toggle),
        e(&get,    "/api/v1/config/entities/{type}",        ADMIN).to(config::binding::get),
        e(&put,    "/api/v1/config/entities/{type}",        ADMIN).to(config::binding::put),
        e(&get,    "/api/v1/audit",                         ADMIN).to(audit::list),
        e(&get,    "/api/v1/audit/verify",                  ADMIN).to(audit::verify),
        e(&get,    "/api/v1/plugins",                       ADMIN).to(plugins::list),
        e(&post,   "/api/v1/plugins",                       ADMIN).to(plugins::change::install),
        e(&get,    "/api/v1/plugins/{name}",                ADMIN).to(plugins::get),
        e(&delete, "/api/v1/plugins/{name}",                ADMIN).to(plugins::change::remove),
        e(&post,   "/api/v1/plugins/{name}/activate",       ADMIN).to(plugins::change::activate),
        e(&post,   "/api/v1/plugins/{name}/rollback",       ADMIN).to(plugins::change::rollback),
        e(&put,    "/api/v1/plugins/{name}/shadow",         ADMIN).to(plugins::change::shadow),
        e(&delete, "/api/v1/plugins/{name}/shadow",         ADMIN).to(plugins::change::unshadow),
        e(&get,    "/api/v1/plugins/{name}/history",        ADMIN).to(plugins::history),
        e(&get,    "/api/v1/plugins/{name}/differences",    ADMIN).to(plugins::differences),
        e(&delete, "/api/v1/plugins/{name}/versions/{digest}", ADMIN).to(plugins::change::remove_version),

        e(&post,   "/api/v1/webhooks/cloud/update",         Who::Cloud).to(webhooks::update),
        e(&post,   "/api/v1/webhooks/cloud/delete",         Who::Cloud).to(webhooks::delete),
        e(&post,   "/api/v1/webhooks/cloud/conflict",       Who::Cloud).to(webhooks::conflict),
        e(&post,   "/api/v1/webhooks/cloud/bulk-update",    Who::Cloud).to(webhooks::bulk),
        e(&post,   "/api/v1/webhooks/cloud/broadcast",      Who::Cloud).to(webhooks::broadcast),
        e(&post,   "/api/v1/webhooks/cloud/config",         Who::Cloud).to(webhooks::config),
    ]
}

/// A line of the table that does not yet say what it reaches.
struct Row {
    method: Method,
    path: &'static str,
    who: Who,
}

impl Row {
    fn to<H, T>(self, handler: H) -> Endpoint
    where
        H: Handler<T, Shared>,
        T: 'static,
    {
        let Self { method, path, who } = self;
        let filter =
            MethodFilter::try_from(method.clone()).expect("invariant: the table names usual methods");
        Endpoint {
            method,
            path,
            who,
            route: on(filter, Guarded { who, handler }),
        }
    }
}

/// The router of the table.
pub(crate) fn router(shared: Shared) -> Router {
    let mut router = Router::new();
    for entry in table() {
        tracing::trace!(method = %entry.method, path = entry.path, who = ?entry.who, "route");
        router = router.route(entry.path, entry.route);
    }
    router
        .method_not_allowed_fallback(wrong_method)
        .fallback(unknown)
        .with_state(shared)
}

async fn unknown(uri: Uri) -> ApiError {
    ApiError::not_found(
        "route_not_found",
        format!("there is no {}: check the path", cut(uri.path())),
    )
}

async fn wrong_method(method: Method, uri: Uri) -> ApiError {
    ApiError::method_not_allowed(format!(
        "{} does not take {}: the Allow header lists what it takes",
        cut(uri.path()),
        cut(method.as_str())
    ))
}

/// A client's text, short enough to be told back.
fn cut(text: &str) -> &str {
    let end = (0..=text.len().min(200))
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests;
