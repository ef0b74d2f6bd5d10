//! The HTTP face of the outlet: apps, admins and the cloud's webhooks (the wire contract's sections 2 and 3).
//!
//! It turns requests into calls of the engine's handle, and answers into the contract's JSON. It knows no
//! store, no plugin and no cloud client, and decides nothing about data.

mod auth;
mod conditions;
mod dashboard;
mod describe;
mod door;
mod error;
mod extract;
mod flight;
mod limits;
mod observed;
mod panics;
mod reply;
mod request_id;
mod routes;
mod scrape;
mod server;
#[cfg(test)]
mod testing;
mod webhooks;

pub use door::{Door, Times};
pub use error::{ApiError, Detail};
pub use limits::{Limits, RequestLimits};
pub use scrape::Scrape;
pub use server::{Server, Tls, TlsError, TlsFiles};

use crate::engine::Engine;
use crate::secret::Secret;
use auth::{LoginThrottle, Tokens};
use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use dashboard::Dashboard;
use extract::BodyBudget;
use flight::Flights;
use http::{HeaderValue, Method, Request, StatusCode, Uri, header};
use observed::Asked;
use parking_lot::Mutex;
use request_id::{RequestIds, X_REQUEST_ID};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::Service;
use tracing::Instrument;

/// What the HTTP face is told at start.
pub struct Settings {
    /// What login tokens are signed with, at least 32 bytes; then, while it is rotated, what they were signed with.
    pub jwt_secrets: Vec<Secret<Vec<u8>>>,
    /// This installation's id, the audience of its tokens.
    pub install_id: String,
    /// The secrets that webhooks may be signed with: current, then previous. None: webhooks are closed.
    pub webhook_secrets: Vec<Secret>,
    /// Refuses the older form of signature once the cloud has used Standard Webhooks.
    pub refuse_legacy_webhooks: bool,
    /// What requests may take.
    pub limits: RequestLimits,
    /// Who may read the metrics besides admins.
    pub scrape: Scrape,
    /// Cancelled when the process stops: calls that wait (long polls) answer at once.
    pub stop: CancellationToken,
}

impl fmt::Debug for Settings {
    /// Without the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("install_id", &self.install_id)
            .finish_non_exhaustive()
    }
}

/// What all handlers share.
pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) tokens: Tokens,
    pub(crate) throttle: Mutex<LoginThrottle>,
    pub(crate) webhooks: webhooks::Keys,
    pub(crate) refuse_legacy_webhooks: bool,
    pub(crate) bodies: BodyBudget,
    /// One permit for each request that is all here and not answered yet.
    pub(crate) flights: Flights,
    /// One permit for each call that waits for the feed to go on.
    pub(crate) waiters: Arc<Semaphore>,
    pub(crate) scrape: Scrape,
    pub(crate) dashboard: Dashboard,
    /// One permit for each stream of the feed.
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) limits: RequestLimits,
    pub(crate) stop: CancellationToken,
}

/// The handlers' state.
pub(crate) type Shared = Arc<Inner>;

/// The address that a request came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The routes over an engine. Cheap to clone.
#[derive(Clone)]
pub struct App {
    router: Router,
    shared: Shared,
    ids: Arc<RequestIds>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

impl App {
    /// Builds the routes.
    pub fn new(engine: Engine, settings: Settings) -> Self {
        let ids = Arc::new(RequestIds::new(engine.random()));
        let shared = Arc::new(Inner {
            tokens: Tokens::new(&settings.jwt_secrets, &settings.install_id),
            throttle: Mutex::new(LoginThrottle::default()),
            webhooks: webhooks::Keys::new(&settings.webhook_secrets),
            refuse_legacy_webhooks: settings.refuse_legacy_webhooks,
            bodies: BodyBudget::default(),
            flights: Flights::new(settings.limits.max_in_flight),
            waiters: Arc::new(Semaphore::new(settings.limits.max_feed_waiters)),
            streams: Arc::new(Semaphore::new(settings.limits.max_feed_streams)),
            limits: settings.limits,
            scrape: settings.scrape,
            dashboard: Dashboard::new(),
            stop: settings.stop,
            engine,
        });
        Self {
            router: routes::router(shared.clone()),
            shared,
            ids,
        }
    }

    /// Answers one request. Never fails: whatever goes wrong inside is an envelope with the request's id.
    ///
    /// Dropping the future (the client went away) drops the handler where it waits; what it had already handed
    /// to the engine is done or not done as a whole.
    pub async fn handle<B>(&self, request: Request<B>, peer: Option<SocketAddr>) -> Response
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        let id = self.ids.of(request.headers());
        // Method and path are needed for the log line only, and cheap to clone (a reference count each).
        let asked = (request.method().clone(), request.uri().clone());
        let watch = Asked::begins(&self.shared.engine, request.method(), request.uri(), text(&id));
        let boarded = self.shared.flights.board(request);
        let watched = watch.clone();
        let mut router = self.router.clone();
        let routed = async move {
            // The permit is held until the answer's head is made.
            let (mut request, _permit) = match boarded {
                Ok(boarded) => boarded,
                Err(full) => return full.into_response(),
            };
            if let Some(peer) = peer {
                request.extensions_mut().insert(Peer(peer));
            }
            request.extensions_mut().insert(watched);
            // A router is always ready.
            match router.call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        };
        let span = watch.span();
        let response = panics::catch(routed).instrument(span.clone()).await;
        let response = response.unwrap_or_else(|panic| {
            ApiError::internal(format!("a handler panicked: {panic}")).into_response()
        });
        span.in_scope(|| {
            let response = finish(response, &id, &asked);
            watch.ends(response.status());
            response
        })
    }
}

/// Gives the answer its request id; a refusal gets its envelope and its line in the log.
fn finish(response: Response, id: &HeaderValue, asked: &(Method, Uri)) -> Response {
    let status = response.status();
    let mut response = if status.is_client_error() || status.is_server_error() {
        refuse(response, text(id), asked)
    } else {
        response
    };
    response.headers_mut().insert(X_REQUEST_ID, id.clone());
    response
}

fn refuse(response: Response, id: &str, asked: &(Method, Uri)) -> Response {
    let (mut parts, body) = response.into_parts();
    let error = match parts.extensions.remove::<ApiError>() {
        Some(error) => error,
        // An answer that brings a body of its own, such as readyz.
        None if parts
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind == "application/json") =>
        {
            return Response::from_parts(parts, body);
        }
        None => ApiError::bare(parts.status),
    };
    log_refusal(&error, id, asked);
    let bytes = error.render(id);
    parts.headers.remove(header::CONTENT_LENGTH);
    parts
        .headers
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(bytes))
}

/// 5xx are ours or the store's; 4xx the caller's. The query is left out: it may hold anything.
fn log_refusal(error: &ApiError, request_id: &str, (method, uri): &(Method, Uri)) {
    let (status, code, path) = (error.status().as_u16(), error.code(), uri.path());
    let cause = error.internal_cause();
    if error.status() == StatusCode::INTERNAL_SERVER_ERROR {
        tracing::error!(request_id, %method, path, status, code, cause, "request failed: {}", error.message());
    } else if error.status().is_server_error() {
        tracing::warn!(request_id, %method, path, status, code, cause, "request failed: {}", error.message());
    } else {
        tracing::info!(request_id, %method, path, status, code, cause, "request refused: {}", error.message());
    }
}

fn text(id: &HeaderValue) -> &str {
    id.to_str().unwrap_or_default()
}
