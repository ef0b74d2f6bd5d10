//! The table of routes: the one place that says which method and path exist, who may use them and what they
//! reach. The router is built from it, and so is the OpenAPI document: nothing can be reached that is not in both.

mod analytics;
mod audit;
mod broadcasts;
mod changes;
mod config;
mod conflicts;
mod entities;
mod health;
mod login;
mod metrics;
mod openapi;
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

use crate::http::auth::{ADMIN, Guarded, OPERATORS, READERS, WRITERS, Who};
use crate::http::describe::About;
use crate::http::{ApiError, Shared, dashboard, webhooks};
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
    /// What it says of itself.
    pub(crate) about: fn() -> About,
    route: MethodRouter<Shared>,
}

/// All routes there are.
#[rustfmt::skip] // a table
pub(crate) fn table() -> Vec<Endpoint> {
    let (get, put, post, patch, delete) = (Method::GET, Method::PUT, Method::POST, Method::PATCH, Method::DELETE);
    let e = |method: &Method, path, who| Row { method: method.clone(), path, who };
    vec![
        e(&get,    "/",                                     Who::Anyone).to(dashboard::page, dashboard::about::page),
        e(&get,    "/healthz",                              Who::Anyone).to(health::live, health::about::live),
        e(&get,    "/readyz",                               Who::Anyone).to(health::ready, health::about::ready),
        e(&get,    "/metrics",                              Who::Scraper).to(metrics::get, metrics::about::get),
        e(&get,    "/api/v1/openapi.json",                  Who::Anyone).to(openapi::get, openapi::about),
        e(&post,   "/api/v1/auth/login",                    Who::Anyone).to(login::login, login::about::login),
        e(&post,   "/api/v1/auth/logout",                   Who::Themselves).to(login::logout, login::about::logout),
        e(&post,   "/api/v1/auth/password",                 Who::Themselves).to(login::password, login::about::password),
        e(&get,    "/api/v1/users",                         ADMIN).to(users::list, users::about::list),
        e(&post,   "/api/v1/users",                         ADMIN).to(users::create, users::about::create),
        e(&put,    "/api/v1/users/{id}",                    ADMIN).to(users::update, users::about::update),
        e(&delete, "/api/v1/users/{id}",                    ADMIN).to(users::delete, users::about::delete),
        e(&get,    "/api/v1/tokens",                        ADMIN).to(tokens::list, tokens::about::list),
        e(&post,   "/api/v1/tokens",                        ADMIN).to(tokens::create, tokens::about::create),
        e(&delete, "/api/v1/tokens/{id}",                   ADMIN).to(tokens::delete, tokens::about::delete),

        e(&get,    "/api/v1/entities/{type}",               READERS).to(entities::list, entities::about::list),
        e(&get,    "/api/v1/entities/{type}/{id}",          READERS).to(entities::get, entities::about::get),
        e(&put,    "/api/v1/entities/{type}/{id}",          WRITERS).to(entities::put, entities::about::put),
        e(&patch,  "/api/v1/entities/{type}/{id}",          WRITERS).to(entities::patch, entities::about::patch),
        e(&delete, "/api/v1/entities/{type}/{id}",          WRITERS).to(entities::delete, entities::about::delete),
        e(&post,   "/api/v1/changes",                       WRITERS).to(changes::post, changes::about::post),
        e(&get,    "/api/v1/changes",                       READERS).to(changes::feed, changes::about::feed),
        e(&get,    "/api/v1/changes/stream",                READERS).to(stream::stream, stream::about::stream),
        e(&get,    "/api/v1/broadcasts",                    READERS).to(broadcasts::list, broadcasts::about::list),
        e(&get,    "/api/v1/broadcasts/{id}",               READERS).to(broadcasts::get, broadcasts::about::get),
        e(&post,   "/api/v1/analytics/daily",               WRITERS).to(analytics::daily, analytics::about::daily),

        e(&get,    "/api/v1/sync/status",                   OPERATORS).to(sync::status, sync::about::status),
        e(&post,   "/api/v1/sync/trigger",                  OPERATORS).to(sync::trigger, sync::about::trigger),
        e(&get,    "/api/v1/sync/logs",                     OPERATORS).to(sync::logs, sync::about::logs),
        e(&get,    "/api/v1/sync/queue",                    OPERATORS).to(queue::queue, queue::about::queue),
        e(&get,    "/api/v1/sync/failed",                   OPERATORS).to(queue::failed, queue::about::failed),
        e(&post,   "/api/v1/sync/retry",                    OPERATORS).to(queue::retry_all, queue::about::retry_all),
        e(&post,   "/api/v1/sync/retry/{id}",               OPERATORS).to(queue::retry, queue::about::retry),
        e(&delete, "/api/v1/sync/queue/{id}",               ADMIN).to(queue::give_up, queue::about::give_up),
        e(&post,   "/api/v1/sync/push/{type}/{id}",         OPERATORS).to(push::push, push::about::push),
        e(&get,    "/api/v1/sync/parked",                   OPERATORS).to(parked::list, parked::about::list),
        e(&post,   "/api/v1/sync/parked/retry",             OPERATORS).to(parked::retry_all, parked::about::retry_all),
        e(&post,   "/api/v1/sync/parked/{id}/retry",        OPERATORS).to(parked::retry, parked::about::retry),
        e(&delete, "/api/v1/sync/parked/{id}",              ADMIN).to(parked::give_up, parked::about::give_up),
        e(&get,    "/api/v1/sync/conflicts",                OPERATORS).to(conflicts::list, conflicts::about::list),
        e(&get,    "/api/v1/sync/conflicts/{id}",           OPERATORS).to(conflicts::get, conflicts::about::get),
        e(&post,   "/api/v1/sync/resolve/{id}",             OPERATORS).to(conflicts::resolve, conflicts::about::resolve),
        e(&post,   "/api/v1/sync/simulate",                 OPERATORS).to(simulate::post, simulate::about::post),
        e(&post,   "/api/v1/sync/resync",                   OPERATORS).to(resync::resync, resync::about::resync),

        e(&get,    "/api/v1/config/outlet",                 ADMIN).to(config::outlet::get, config::outlet::about::get),
        e(&post,   "/api/v1/config/outlet",                 ADMIN).to(config::outlet::create, config::outlet::about::create),
        e(&put,    "/api/v1/config/outlet",                 ADMIN).to(config::outlet::update, config::outlet::about::update),
        e(&post,   "/api/v1/config/outlet/test",            ADMIN).to(config::outlet::test, config::outlet::about::test),
        e(&get,    "/api/v1/config/sync",                   ADMIN).to(config::get_sync, config::about::get_sync),
        e(&put,    "/api/v1/config/sync",                   ADMIN).to(config::put_sync, config::about::put_sync),
        e(&post,   "/api/v1/config/sync/toggle",            ADMIN).to(config::toggle, config::about::toggle),
        e(&get,    "/api/v1/config/entities/{type}",        ADMIN).to(config::binding::get, config::binding::about::get),
        e(&put,    "/api/v1/config/entities/{type}",        ADMIN).to(config::binding::put, config::binding::about::put),
        e(&get,    "/api/v1/audit",                         ADMIN).to(audit::list, audit::about::list),
        e(&get,    "/api/v1/audit/verify",                  ADMIN).to(audit::verify, audit::about::verify),
        e(&get,    "/api/v1/plugins",                       ADMIN).to(plugins::list, plugins::about::list),
        e(&post,   "/api/v1/plugins",                       ADMIN).to(plugins::change::install, plugins::change::about::install),
        e(&get,    "/api/v1/plugins/{name}",                ADMIN).to(plugins::get, plugins::about::get),
        e(&delete, "/api/v1/plugins/{name}",                ADMIN).to(plugins::change::remove, plugins::change::about::remove),
        e(&post,   "/api/v1/plugins/{name}/activate",       ADMIN).to(plugins::change::activate, plugins::change::about::activate),
        e(&post,   "/api/v1/plugins/{name}/rollback",       ADMIN).to(plugins::change::rollback, plugins::change::about::rollback),
        e(&put,    "/api/v1/plugins/{name}/shadow",         ADMIN).to(plugins::change::shadow, plugins::change::about::shadow),
        e(&delete, "/api/v1/plugins/{name}/shadow",         ADMIN).to(plugins::change::unshadow, plugins::change::about::unshadow),
        e(&get,    "/api/v1/plugins/{name}/history",        ADMIN).to(plugins::history, plugins::about::history),
        e(&get,    "/api/v1/plugins/{name}/differences",    ADMIN).to(plugins::differences, plugins::about::differences),
        e(&delete, "/api/v1/plugins/{name}/versions/{digest}", ADMIN).to(plugins::change::remove_version, plugins::change::about::remove_version),

        e(&post,   "/api/v1/webhooks/cloud/update",         Who::Cloud).to(webhooks::update, webhooks::about::update),
        e(&post,   "/api/v1/webhooks/cloud/delete",         Who::Cloud).to(webhooks::delete, webhooks::about::delete),
        e(&post,   "/api/v1/webhooks/cloud/conflict",       Who::Cloud).to(webhooks::conflict, webhooks::about::conflict),
        e(&post,   "/api/v1/webhooks/cloud/bulk-update",    Who::Cloud).to(webhooks::bulk, webhooks::about::bulk),
        e(&post,   "/api/v1/webhooks/cloud/broadcast",      Who::Cloud).to(webhooks::broadcast, webhooks::about::broadcast),
        e(&post,   "/api/v1/webhooks/cloud/config",         Who::Cloud).to(webhooks::config, webhooks::about::config),
    ]
}

/// A line of the table that does not yet say what it reaches.
struct Row {
    method: Method,
    path: &'static str,
    who: Who,
}

impl Row {
    fn to<H, T>(self, handler: H, about: fn() -> About) -> Endpoint
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
            about,
            route: on(filter, Guarded { path, who, handler }),
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
