//! One request and its answer: headers per request, limits, times, and the transport's errors named. It knows
//! bytes, not calls, and never tries again by itself.

use super::answer::{self, Head, date_header_ms};
use super::client::{Client, Inner};
use super::error::LinkError;
use super::traffic::Way;
use bytes::Bytes;
use reqwest::header::{DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{RequestBuilder, Response};
use selaras_core::clock::Clock;
use selaras_core::offset::Reading;
use selaras_core::stamp::Millis;
use sha2::{Digest, Sha256};
use std::error::Error;
use std::time::Duration;

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
/// As much of an error's body as is read.
const MAX_ERROR_BYTES: usize = 64 << 10;

impl Client {
    /// Sends a GET. Dropping the future abandons it.
    pub(super) async fn get(&self, way: Way, path_and_query: &str) -> Result<Reply, LinkError> {
        let request = self.inner.http.get(self.address(path_and_query));
        self.send(way, 0, request).await
    }

    /// Sends a POST with an `Idempotency-Key` that is the body's hash. Dropping the future abandons it, and leaves
    /// open whether the cloud has acted.
    pub(super) async fn post(&self, path: &str, body: Vec<u8>) -> Result<Reply, LinkError> {
        let body = Bytes::from(body);
        let hashed = body.clone();
        let length = body.len();
        let key = on_blocking(length, move || hex::encode(Sha256::digest(&hashed))).await?;
        let request = self
            .inner
            .http
            .post(self.address(path))
            .header("Idempotency-Key", key)
            .body(body);
        self.send(Way::Push, length, request).await
    }

    fn address(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.inner.base)
    }

    async fn send(&self, way: Way, length: usize, request: RequestBuilder) -> Result<Reply, LinkError> {
        let inner = &*self.inner;
        let request = request.header(HeaderName::from_static("x-request-id"), request_id(&*inner.clock));
        inner.meter.sends(way, length);
        let sent = reading(&*inner.clock);
        let response = request
            .send()
            .await
            .map_err(|e| transport(e, inner.request_timeout))?;
        let received = reading(&*inner.clock);
        let date_ms = header(response.headers(), &DATE).and_then(date_header_ms);
        let timing = date_ms.map(|ms| Timing {
            sent,
            received,
            date: Millis(ms),
        });
        if response.status().is_success() {
            let body = read(response, inner, way).await?;
            return Ok(Reply { body, timing });
        }
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let body = read_some(response).await;
        inner.meter.received(way, body.len());
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

/// The whole body, or an error as soon as it is over the limit.
async fn read(mut response: Response, inner: &Inner, way: Way) -> Result<Bytes, LinkError> {
    let limit = inner.max_answer_bytes;
    let too_long = || LinkError::Nonsense(format!("longer than {limit} bytes"));
    let stated = response.content_length().unwrap_or(0);
    let stated = usize::try_from(stated)
        .ok()
        .filter(|s| *s <= limit)
        .ok_or_else(too_long)?;
    let mut body = Vec::with_capacity(stated);
    while let Some(chunk) = response
        .chunk()
        .await
        .map_err(|e| transport(e, inner.request_timeout))?
    {
        if body.len() + chunk.len() > limit {
            return Err(too_long());
        }
        inner.meter.received(way, chunk.len());
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

/// As much of an error's body as comes and is wanted: the status already tells what matters, so a body that breaks
/// off is no second error.
async fn read_some(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < MAX_ERROR_BYTES {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) | Err(_) => break,
        }
    }
    body
}

fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

fn reading(clock: &dyn Clock) -> Reading {
    Reading {
        wall: Millis(clock.wall_ms()),
        mono_ms: clock.mono_ms(),
        boot: clock.boot(),
    }
}

fn request_id(clock: &dyn Clock) -> String {
    format!("{:016x}{:016x}", clock.random(), clock.random())
}

/// The transport's failure by what it means here.
fn transport(error: reqwest::Error, timeout: Duration) -> LinkError {
    if error.is_connect() {
        LinkError::Unreachable(reasons(&error.without_url()))
    } else if error.is_timeout() {
        LinkError::Timeout(timeout)
    } else {
        LinkError::Interrupted(reasons(&error.without_url()))
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
