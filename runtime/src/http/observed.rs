//! What is kept of each request while it is answered: its span in the log, and its place in the metrics when it ends.
//!
//! A request's path names entities; metrics have only the route's template.

use crate::engine::Engine;
use crate::metrics::Ongoing;
use http::{Method, StatusCode, Uri};
use std::sync::{Arc, OnceLock};
use tracing::Span;

/// Where nothing in the table was reached.
const UNMATCHED: &str = "unmatched";

/// A request that is being answered. Clones are the same one. Dropped before its end: who asked went away.
#[derive(Clone)]
pub(crate) struct Asked(Arc<Inner>);

struct Inner {
    engine: Engine,
    request_id: String,
    method: &'static str,
    began_us: u64,
    route: OnceLock<&'static str>,
    ended: OnceLock<()>,
    span: Span,
    _ongoing: Ongoing,
}

impl Asked {
    /// It begins.
    pub(crate) fn begins(engine: &Engine, method: &Method, uri: &Uri, request_id: &str) -> Self {
        let span = tracing::info_span!("request", request_id, %method, path = uri.path());
        Self(Arc::new(Inner {
            request_id: request_id.to_owned(),
            method: word(method),
            began_us: engine.metrics().now_us(),
            route: OnceLock::new(),
            ended: OnceLock::new(),
            span,
            _ongoing: engine.metrics().http_begins(),
            engine: engine.clone(),
        }))
    }

    /// It reached this route of the table.
    pub(crate) fn reached(&self, path: &'static str) {
        // One request reaches one route.
        let _ = self.0.route.set(path);
    }

    /// Its id.
    pub(crate) fn id(&self) -> &str {
        &self.0.request_id
    }

    /// What all that is logged of it belongs to.
    pub(crate) fn span(&self) -> Span {
        self.0.span.clone()
    }

    /// It is answered.
    pub(crate) fn ends(&self, status: StatusCode) {
        if self.0.ended.set(()).is_ok() {
            self.0.count(status.as_u16());
        }
    }
}

impl Inner {
    fn count(&self, status: u16) {
        let took_us = self.engine.metrics().now_us().saturating_sub(self.began_us);
        let route = self.route.get().copied().unwrap_or(UNMATCHED);
        self.engine.metrics().http(self.method, route, status, took_us);
        tracing::debug!(status, took_ms = took_us / 1000, "answered");
    }
}

impl Drop for Inner {
    /// Who went away before the answer is counted as nginx does: 499.
    fn drop(&mut self) {
        if self.ended.get().is_none() {
            let span = self.span.clone();
            span.in_scope(|| self.count(499));
        }
    }
}

/// The method as a label; of what anybody can make up, one.
fn word(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
