//! One request and its answer: headers per request, times, and a status that is no success named. It knows bytes, not
//! calls, and never tries again by itself; the network is behind [`Transport`](super::transport::Transport).

use super::answer::{self, Head, date_header_ms};
use super::client::Client;
use super::error::LinkError;
use super::traffic::Way;
use super::transport::{Request, Response};
use super::wire::reading;
use bytes::Bytes;
use http::Method;
use http::header::{DATE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use selaras_core::clock::Clock;
use selaras_core::offset::Reading;
use selaras_core::stamp::Millis;
use sha2::{Digest, Sha256};
use tracing::Instrument;

/// A call's value, and what it tells about the cloud's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// The value.
    pub value: T,
    /// None when the cloud sent no readable `Date`.
    pub timing: Option<Timing>,
}

/// When a request went and its answer began to come, by this machine, and the cloud's `Date` in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Just before sending.
    pub sent: Reading,
    /// When the answer's head was here.
    pub received: Reading,
    /// The cloud's clock, in whole seconds.
    pub date: Millis,
}

/// A 2xx as it came.
pub(super) struct Reply {
    pub body: Bytes,
    pub timing: Option<Timing>,
}

/// Hashing or cutting less than this is quicker than handing it to another thread.
const INLINE_BYTES: usize = 256 << 10;

impl Client {
    /// Sends a GET. Dropping the future abandons it.
    pub(super) async fn get(&self, way: Way, path_and_query: &str) -> Result<Reply, LinkError> {
        let headers = self.inner.headers.clone();
        self.send(way, Method::GET, path_and_query, headers, Bytes::new())
            .await
    }

    /// Sends a POST with an `Idempotency-Key` that is the body's hash. Dropping the future abandons it, and leaves
    /// open whether the cloud has acted.
    pub(super) async fn post(&self, path: &str, body: Vec<u8>) -> Result<Reply, LinkError> {
        let body = Bytes::from(body);
        let hashed = body.clone();
        let key = on_blocking(body.len(), move || hex::encode(Sha256::digest(&hashed))).await?;
        let mut headers = self.inner.headers.clone();
        headers.insert(HeaderName::from_static("idempotency-key"), word(&key));
        self.send(Way::Push, Method::POST, path, headers, body).await
    }

    /// Names the request, sends it, and tells of it.
    async fn send(
        &self,
        way: Way,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Reply, LinkError> {
        let clock = &*self.inner.clock;
        let id = match &self.trail {
            Some(trail) => trail.next(),
            None => request_id(clock),
        };
        // Not the query: it holds the cloud's cursor, which is nobody's business.
        let call = path.split('?').next().unwrap_or(path);
        let span = tracing::info_span!("cloud_request", cloud_request_id = id, %method, call);
        let began_ms = clock.mono_ms();
        let result = self
            .exchange(way, method, path, headers, (&id, body))
            .instrument(span.clone())
            .await;
        let took_ms = clock.mono_ms().saturating_sub(began_ms);
        let outcome = result.as_ref().map_or_else(LinkError::code, |_| "success");
        if let Some(tell) = &self.tell {
            tell(way.as_str(), outcome, took_ms);
        }
        span.in_scope(|| tracing::debug!(outcome, took_ms, "the cloud was asked"));
        result
    }

    async fn exchange(
        &self,
        way: Way,
        method: Method,
        path: &str,
        mut headers: HeaderMap,
        (id, body): (&str, Bytes),
    ) -> Result<Reply, LinkError> {
        let inner = &*self.inner;
        headers.insert(HeaderName::from_static("x-request-id"), word(id));
        let request = Request {
            method,
            url: format!("{}/api/v1/{path}", inner.base),
            headers,
            tally: inner.meter.begins(way, body.len()),
            body,
        };
        let sent = reading(&*inner.clock);
        let Response {
            status,
            headers,
            received,
            body,
        } = inner.transport.call(request).await?;
        let date_ms = header(&headers, &DATE).and_then(date_header_ms);
        if (200..300).contains(&status) {
            let timing = date_ms.map(|ms| Timing {
                sent,
                received,
                date: Millis(ms),
            });
            return Ok(Reply { body, timing });
        }
        let head = Head {
            status,
            retry_after: header(&headers, &RETRY_AFTER),
            location: header(&headers, &LOCATION),
            date_ms: date_ms.or(Some(received.wall.0)),
        };
        Err(answer::failure(&head, &body))
    }
}

/// Reads a body off the async workers where it is long.
pub(super) async fn read_with<T: Send + 'static>(
    reply: Reply,
    reader: fn(&str) -> Result<T, LinkError>,
) -> Result<Answer<T>, LinkError> {
    let Reply { body, timing } = reply;
    let value = on_blocking(body.len(), move || reader(answer::text(&body)?)).await??;
    Ok(Answer { value, timing })
}

async fn on_blocking<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LinkError> {
    if bytes <= INLINE_BYTES {
        return Ok(work());
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => Ok(value),
        Err(e) if e.is_panic() => std::panic::resume_unwind(e.into_panic()),
        Err(_) => Err(LinkError::Interrupted("the runtime is shutting down".to_owned())),
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

fn word(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("invariant: letters, digits and dashes are a header's value")
}

fn request_id(clock: &dyn Clock) -> String {
    format!("{:016x}{:016x}", clock.random(), clock.random())
}
