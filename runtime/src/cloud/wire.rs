//! The real transport: HTTP over TCP and TLS. It owns the pool of connections, the TLS it trusts, time-outs, limits of
//! size, and the library's errors named by what they mean here. It does not know what it carries.

use super::client::SetupError;
use super::error::LinkError;
use super::reach::{Reach, Reachable};
use super::traffic::Tally;
use super::transport::{Exchange, Request, Response, Transport};
use super::trust::{Trust, only_this};
use bytes::Bytes;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use selaras_core::clock::Clock;
use selaras_core::offset::Reading;
use selaras_core::stamp::Millis;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// A box behind a bad line should learn soon that there is none.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Below the idle limits of common proxies (nginx 75 s, AWS 60 s), so that a request seldom meets a closed one.
const POOL_IDLE: Duration = Duration::from_secs(45);
/// Most connections kept while idle: a run overlaps a few requests, not many.
const POOL_SIZE: usize = 8;
/// A dead line is noticed although nothing is sent.
const TCP_KEEPALIVE: Duration = Duration::from_secs(30);
/// As much of an error's body as is read.
const MAX_ERROR_BYTES: usize = 64 << 10;

/// How far, how long and how much.
pub(super) struct Limits {
    /// Which addresses may be connected to.
    pub reach: Reach,
    /// From the first byte sent to the last received.
    pub request_timeout: Duration,
    /// The longest answer.
    pub max_answer_bytes: usize,
}

/// Connections to one cloud.
pub(super) struct Wire {
    http: reqwest::Client,
    limits: Limits,
    clock: Arc<dyn Clock>,
}

impl Wire {
    /// Sets the pool up; nothing is connected yet.
    pub fn new(tls: ClientConfig, limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Arc::new(Reachable(limits.reach)))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(limits.request_timeout)
            .pool_idle_timeout(POOL_IDLE)
            .pool_max_idle_per_host(POOL_SIZE)
            .tcp_keepalive(TCP_KEEPALIVE)
            .tcp_nodelay(true)
            .build()?;
        Ok(Self { http, limits, clock })
    }

    async fn exchange(&self, request: Request) -> Result<Response, LinkError> {
        let mut answer = self
            .http
            .request(request.method, request.url)
            .headers(request.headers)
            .body(request.body)
            .send()
            .await
            .map_err(|e| self.failed(e))?;
        let received = reading(&*self.clock);
        let status = answer.status();
        let headers = std::mem::take(answer.headers_mut());
        let body = if status.is_success() {
            self.read(answer, &request.tally).await?
        } else {
            read_some(answer, &request.tally).await
        };
        Ok(Response {
            status: status.as_u16(),
            headers,
            received,
            body,
        })
    }

    /// The whole body, or an error as soon as it is over the limit.
    async fn read(&self, mut answer: reqwest::Response, tally: &Tally) -> Result<Bytes, LinkError> {
        let limit = self.limits.max_answer_bytes;
        let too_long = || LinkError::Nonsense(format!("longer than {limit} bytes"));
        let stated = answer.content_length().unwrap_or(0);
        let stated = usize::try_from(stated)
            .ok()
            .filter(|s| *s <= limit)
            .ok_or_else(too_long)?;
        let mut body = Vec::with_capacity(stated);
        while let Some(chunk) = answer.chunk().await.map_err(|e| self.failed(e))? {
            if body.len() + chunk.len() > limit {
                return Err(too_long());
            }
            tally.received(chunk.len());
            body.extend_from_slice(&chunk);
        }
        Ok(body.into())
    }

    /// The library's failure by what it means here.
    fn failed(&self, error: reqwest::Error) -> LinkError {
        if error.is_connect() {
            LinkError::Unreachable(reasons(&error.without_url()))
        } else if error.is_timeout() {
            LinkError::Timeout(self.limits.request_timeout)
        } else {
            LinkError::Interrupted(reasons(&error.without_url()))
        }
    }
}

impl Transport for Wire {
    fn call(&self, request: Request) -> Exchange<'_> {
        Box::pin(self.exchange(request))
    }
}

/// As much of an error's body as comes and is wanted: the status already tells what matters, so a body that breaks
/// off is no second error.
async fn read_some(mut answer: reqwest::Response, tally: &Tally) -> Bytes {
    let mut body = Vec::new();
    while body.len() < MAX_ERROR_BYTES {
        match answer.chunk().await {
            Ok(Some(chunk)) => {
                tally.received(chunk.len());
                body.extend_from_slice(&chunk);
            }
            Ok(None) | Err(_) => break,
        }
    }
    body.into()
}

/// This machine's clocks now.
pub(super) fn reading(clock: &dyn Clock) -> Reading {
    Reading {
        wall: Millis(clock.wall_ms()),
        mono_ms: clock.mono_ms(),
        boot: clock.boot(),
    }
}

/// What lies below the library's own words ("error sending request" tells nobody anything).
fn reasons(error: &reqwest::Error) -> String {
    let mut reasons: Vec<String> = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if reasons.last().is_none_or(|last| !last.contains(&text)) {
            reasons.push(text);
        }
        next = cause.source();
    }
    if reasons.is_empty() {
        error.to_string()
    } else {
        reasons.join(": ")
    }
}

/// A client for calls to an outlet of this machine or network, as the command line makes them: no redirects, no proxy.
///
/// # Errors
/// When TLS cannot be set up.
pub fn plain_client() -> Result<reqwest::Client, SetupError> {
    caller(Trust::default().tls(true)?)
}

/// The same for the outlet that shows the first certificate of this PEM file, under whatever name or address.
///
/// # Errors
/// When there is none in it, or TLS cannot be set up.
pub fn client_of_this_outlet(certificate_pem: &[u8]) -> Result<reqwest::Client, SetupError> {
    let certificate = CertificateDer::from_pem_slice(certificate_pem)
        .map_err(|error| SetupError::Tls(rustls::Error::General(error.to_string())))?;
    caller(only_this(certificate)?)
}

fn caller(tls: ClientConfig) -> Result<reqwest::Client, SetupError> {
    Ok(reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_secs(90))
        .build()?)
}

/// What is posted to somebody who is not the cloud: no redirects, no proxy, a time-out, and little of the answer.
#[derive(Clone, Debug)]
pub struct Poster(reqwest::Client);

/// An answer: its status and the beginning of its body.
pub type Posted = (u16, Bytes);

impl Poster {
    /// `secure`: over TLS. Nothing is connected yet.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(secure: bool, timeout: Duration) -> Result<Self, SetupError> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(Trust::default().tls(secure)?)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .timeout(timeout)
            .build()?;
        Ok(Self(http))
    }

    /// Posts a body.
    ///
    /// # Errors
    /// When no answer came, in words.
    pub async fn post(&self, url: String, headers: http::HeaderMap, body: Bytes) -> Result<Posted, String> {
        let sent = self.0.post(url).headers(headers).body(body).send();
        let answer = sent.await.map_err(|error| reasons(&error.without_url()))?;
        let status = answer.status().as_u16();
        Ok((status, read_some(answer, &Tally::default()).await))
    }
}
