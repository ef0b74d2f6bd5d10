//! `GET /`: the dashboard, one page that fetches nothing but the outlet's API. Its parts are files in `dashboard/`, put together
//! once; the policy names the digests of the one script and the one style, so nothing else in the page can run.

pub(crate) mod about;

use crate::http::Shared;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("dashboard/page.html");
const STYLE: &str = include_str!("dashboard/style.css");
/// In this order: what is used comes first.
const SCRIPTS: [&str; 8] = [
    include_str!("dashboard/exact.js"),
    include_str!("dashboard/dom.js"),
    include_str!("dashboard/api.js"),
    include_str!("dashboard/login.js"),
    include_str!("dashboard/status.js"),
    include_str!("dashboard/lists.js"),
    include_str!("dashboard/conflicts.js"),
    include_str!("dashboard/app.js"),
];

/// The page and what may happen in it.
#[derive(Clone)]
pub(crate) struct Dashboard {
    html: Bytes,
    policy: HeaderValue,
}

impl Dashboard {
    /// Puts it together.
    pub(crate) fn new() -> Self {
        let script = format!("\"use strict\";\n(() => {{\n{}}})();\n", SCRIPTS.concat());
        let html = PAGE.replace("{{style}}", STYLE).replace("{{script}}", &script);
        // Trusted types: text can become neither markup nor code, whatever a later change of the page does.
        let policy = format!(
            "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; img-src data:; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
            digest(&script),
            digest(STYLE)
        );
        Self {
            html: html.into(),
            policy: HeaderValue::try_from(policy).expect("invariant: base64 is a header's value"),
        }
    }
}

fn digest(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text))
}

/// The page. It holds nothing of the outlet: what it shows it asks for with its user's token.
pub(crate) async fn page(State(http): State<Shared>) -> Response {
    let mut response = Response::new(Body::from(http.dashboard.html.clone()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, http.dashboard.policy.clone());
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        // A new version of the program has a new page.
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
