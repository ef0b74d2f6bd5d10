//! Bodies: how large, how long, which media type.

use crate::http::flight::Full;
use crate::http::{ApiError, RequestLimits, Shared};
use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt;
use selaras_core::json::{Doc, MAX_DEPTH};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Settings, logins and the like.
pub(crate) const MAX_COMMAND_BYTES: usize = 256 * 1024;

/// Bodies up to this size are paid for by the connection limit alone.
const FREE_BYTES: usize = 64 * 1024;
/// All larger bodies at a time.
const BUDGET_BYTES: usize = 64 * 1024 * 1024;
/// One permit.
const UNIT_BYTES: usize = 64 * 1024;

/// The memory that large bodies share: a body over [`FREE_BYTES`] takes its part while its request lasts.
#[derive(Debug)]
pub(crate) struct BodyBudget(Arc<Semaphore>);

impl Default for BodyBudget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BUDGET_BYTES / UNIT_BYTES)))
    }
}

/// A body, with its part of the budget.
#[derive(Debug)]
pub(crate) struct Payload {
    bytes: Bytes,
    budget: Option<OwnedSemaphorePermit>,
    max_json_depth: usize,
}

impl Payload {
    /// The bytes as sent.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether nothing was sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The body as text. 400 where it is none.
    pub(crate) fn text(&self) -> Result<&str, ApiError> {
        std::str::from_utf8(&self.bytes).map_err(|error| {
            let problem = format!("is not UTF-8 at byte {}", error.valid_up_to());
            ApiError::bad_request("invalid_json", format!("the body {problem}")).detail("body", problem)
        })
    }

    /// The body as a JSON object. 400 where it is none.
    pub(crate) fn doc(&self) -> Result<Doc, ApiError> {
        let unreadable = |problem: String| {
            ApiError::bad_request("invalid_json", format!("the body cannot be read: {problem}"))
                .detail("body", problem)
        };
        let text = self.text()?;
        let doc = Doc::parse(text).map_err(|error| unreadable(error.to_string()))?;
        if self.max_json_depth < MAX_DEPTH && doc.depth() > self.max_json_depth {
            return Err(unreadable(format!(
                "nested deeper than {} levels (MAX_JSON_DEPTH)",
                self.max_json_depth
            )));
        }
        Ok(doc)
    }

    /// How many permits it holds (tests).
    #[cfg(test)]
    fn held(&self) -> usize {
        self.budget.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }
}

/// Refuses other media types. A request that names none is taken for JSON.
pub(crate) fn expect_json(headers: &HeaderMap, merge_patch: bool) -> Result<(), ApiError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let text = value.to_str().unwrap_or_default();
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let known = media.eq_ignore_ascii_case("application/json")
        || (merge_patch && media.eq_ignore_ascii_case("application/merge-patch+json"));
    let utf8 = parts
        .filter_map(|parameter| parameter.split_once('='))
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .all(|(_, set)| set.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"));
    if known && utf8 {
        return Ok(());
    }
    let wanted = if merge_patch {
        "application/json or application/merge-patch+json"
    } else {
        "application/json"
    };
    let problem = format!("must be {wanted} in UTF-8");
    Err(ApiError::unsupported_media_type(format!("Content-Type {problem}")).detail("Content-Type", problem))
}

/// Refuses other media types than a component's. A request that names none is taken for one.
pub(crate) fn expect_wasm(headers: &HeaderMap) -> Result<(), ApiError> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else {
        return Ok(());
    };
    let media = value
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    if media.trim().eq_ignore_ascii_case("application/wasm") {
        return Ok(());
    }
    let problem = "must be application/wasm";
    Err(ApiError::unsupported_media_type(format!("Content-Type {problem}")).detail("Content-Type", problem))
}

/// Reads a whole body of at most `limit` bytes.
///
/// # Errors
/// 413 over the limit, 408 when it does not arrive in time, 503 when large bodies already fill their memory,
/// 400 when the connection breaks off.
pub(crate) async fn read_body(state: &Shared, body: Body, limit: usize) -> Result<Payload, ApiError> {
    read(&state.bodies, &state.limits, body, limit).await
}

async fn read(
    budget: &BodyBudget,
    limits: &RequestLimits,
    mut body: Body,
    limit: usize,
) -> Result<Payload, ApiError> {
    let hint = body.size_hint();
    if hint.lower() > limit as u64 {
        return Err(too_large(limit));
    }
    let expected = hint
        .exact()
        .and_then(|bytes| usize::try_from(bytes).ok())
        .unwrap_or(0);
    let mut payload = Payload {
        bytes: Bytes::new(),
        budget: None,
        max_json_depth: limits.max_json_depth,
    };
    let collected = tokio::time::timeout(
        limits.body_timeout,
        collect(budget, &mut body, &mut payload, expected, limit),
    );
    match collected.await {
        Ok(Ok(())) => Ok(payload),
        Ok(Err(Stop::TooLarge)) => Err(too_large(limit)),
        Ok(Err(Stop::Other(error))) => Err(*error),
        Err(_elapsed) => Err(ApiError::request_timeout(format!(
            "the body did not arrive within {} seconds: send it again",
            limits.body_timeout.as_secs()
        ))
        .header(header::CONNECTION, HeaderValue::from_static("close"))),
    }
}

enum Stop {
    TooLarge,
    Other(Box<ApiError>),
}

async fn collect(
    budget: &BodyBudget,
    body: &mut Body,
    payload: &mut Payload,
    expected: usize,
    limit: usize,
) -> Result<(), Stop> {
    let mut held = BytesMut::new();
    budget.cover(payload, expected)?;
    // Most bodies are one frame, which is kept as it came.
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let error = error.into_inner();
            if error.is::<Full>() {
                return Stop::Other(Box::new(Full.into()));
            }
            let error = ApiError::bad_request("incomplete_body", "the body broke off: send it again")
                .cause(error.to_string());
            Stop::Other(Box::new(error))
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let so_far = if held.is_empty() {
            payload.bytes.len()
        } else {
            held.len()
        };
        if so_far + data.len() > limit {
            return Err(Stop::TooLarge);
        }
        budget.cover(payload, so_far + data.len())?;
        if so_far == 0 {
            payload.bytes = data;
            continue;
        }
        if held.is_empty() {
            held.reserve(expected.max(so_far + data.len()));
            held.extend_from_slice(&payload.bytes);
        }
        held.extend_from_slice(&data);
    }
    if !held.is_empty() {
        payload.bytes = held.freeze();
    }
    Ok(())
}

impl BodyBudget {
    /// Takes permits until `bytes` are covered.
    fn cover(&self, payload: &mut Payload, bytes: usize) -> Result<(), Stop> {
        let needed = bytes.saturating_sub(FREE_BYTES).div_ceil(UNIT_BYTES);
        let held = payload
            .budget
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(missing) = needed.checked_sub(held).filter(|missing| *missing > 0) else {
            return Ok(());
        };
        let missing = u32::try_from(missing).expect("invariant: a body's limit is below 256 TiB");
        let Ok(more) = self.0.clone().try_acquire_many_owned(missing) else {
            let error = ApiError::unavailable("overloaded", "too many large bodies at once: send it again")
                .retry_after(1)
                .header(header::CONNECTION, HeaderValue::from_static("close"));
            return Err(Stop::Other(Box::new(error)));
        };
        match &mut payload.budget {
            Some(permit) => permit.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

/// The 413, at once: the connection goes on throwing away what still comes, so that the sender hears of it.
fn too_large(limit: usize) -> ApiError {
    let problem = format!("has more than the {limit} bytes that are taken here");
    ApiError::too_large(format!("the body {problem}: send less at a time"))
        .detail("body", problem)
        .header(header::CONNECTION, HeaderValue::from_static("close"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;
    use hyper::body::Frame;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    async fn read(budget: &BodyBudget, body: Body, limit: usize) -> Result<Payload, ApiError> {
        super::read(budget, &RequestLimits::default(), body, limit).await
    }

    fn content_type(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn json_in_utf8_is_taken_and_everything_else_is_415() {
        for good in [
            "application/json",
            "Application/JSON; charset=UTF-8",
            "application/json;charset=\"utf-8\"",
        ] {
            expect_json(&content_type(good), false).unwrap();
        }
        expect_json(&HeaderMap::new(), false).unwrap();
        expect_json(&content_type("application/merge-patch+json"), true).unwrap();
        for bad in [
            "text/plain",
            "application/merge-patch+json",
            "application/json; charset=latin1",
            "",
        ] {
            let error = expect_json(&content_type(bad), false).unwrap_err();
            assert_eq!(error.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{bad}");
        }
    }

    #[tokio::test]
    async fn a_body_at_the_limit_is_taken_and_one_byte_more_is_413() {
        let budget = BodyBudget::default();
        assert_eq!(
            read(&budget, Body::from("12345"), 5).await.unwrap().bytes(),
            b"12345"
        );
        let error = read(&budget, Body::from("123456"), 5).await.unwrap_err();
        assert_eq!(error.status(), StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(error.details()[0].field, "body");
    }

    /// A body in frames, whose length nobody told.
    struct Frames(std::vec::IntoIter<&'static str>);

    impl HttpBody for Frames {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            Poll::Ready(self.0.next().map(|text| Ok(Frame::data(Bytes::from(text)))))
        }
    }

    #[tokio::test]
    async fn a_body_of_many_frames_comes_out_whole_and_is_measured_as_a_whole() {
        let framed = || Body::new(Frames(vec!["ab", "cd", "ef"].into_iter()));
        let budget = BodyBudget::default();
        assert_eq!(read(&budget, framed(), 6).await.unwrap().bytes(), b"abcdef");
        assert_eq!(
            read(&budget, framed(), 5).await.unwrap_err().status(),
            StatusCode::PAYLOAD_TOO_LARGE
        );
    }

    #[tokio::test]
    async fn a_large_body_takes_its_part_of_the_budget_and_gives_it_back() {
        let budget = BodyBudget::default();
        let all = budget.0.available_permits();
        let payload = read(&budget, Body::from(vec![b'x'; 1_000_000]), 2_000_000)
            .await
            .unwrap();
        assert_eq!(payload.held(), (1_000_000 - FREE_BYTES).div_ceil(UNIT_BYTES));
        assert_eq!(budget.0.available_permits(), all - payload.held());
        drop(payload);
        assert_eq!(budget.0.available_permits(), all);
    }

    #[tokio::test]
    async fn large_bodies_over_the_budget_are_503_and_small_ones_still_pass() {
        let budget = BodyBudget(Arc::new(Semaphore::new(0)));
        let error = read(&budget, Body::from(vec![b'x'; 1_000_000]), 2_000_000)
            .await
            .unwrap_err();
        assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
        read(&budget, Body::from(vec![b'x'; FREE_BYTES]), 2_000_000)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn bytes_that_are_no_utf8_and_texts_that_are_no_object_are_400() {
        let budget = BodyBudget::default();
        for bad in [&b"\xff"[..], b"[1]", b"{\"a\":", b""] {
            let payload = read(&budget, Body::from(bad), 100).await.unwrap();
            assert_eq!(payload.doc().unwrap_err().code(), "invalid_json");
        }
    }
}
