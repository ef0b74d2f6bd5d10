//! `GET /api/v1/changes/stream`: the feed as server-sent events. An event's id is its place in the feed with the feed's epoch,
//! so that a client goes on with `Last-Event-ID` where it was, or is told that this place is gone.
//!
//! A stream reads the feed only as fast as its peer takes it: it holds one page at a time.

pub(crate) mod about;

use super::changes::EntryBody;
use crate::engine::api::Feed;
use crate::http::auth::Caller;
use crate::http::extract::Params;
use crate::http::{ApiError, Shared};
use crate::metrics::Ongoing;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use hyper::body::Frame;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// Entries read at a time.
const PAGE: usize = 100;
/// A quiet stream says so often that it is there: proxies and dead peers are noticed by it.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A stream ends after so long; the client comes again.
const LIFE_MS: u64 = 60 * 60 * 1000;
/// How soon a client should come again.
const RETRY_MS: u32 = 2000;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// A place in a feed; without an epoch, of the feed there is.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    epoch: Option<String>,
    seq: u64,
}

impl Place {
    /// `epoch:seq` as in an event's id, or a `seq` alone.
    fn parse(text: &str) -> Option<Self> {
        let (epoch, seq) = match text.rsplit_once(':') {
            Some((epoch, seq)) => (Some(epoch.to_owned()), seq),
            None => (None, text),
        };
        // `parse` also takes a sign.
        let digits = seq.bytes().all(|b| b.is_ascii_digit());
        Some(Self {
            epoch,
            seq: seq.parse().ok().filter(|_| digits)?,
        })
    }

    /// What the request names: the header of a client that comes again, else `since`, else the beginning.
    fn of(headers: &HeaderMap, params: &Params) -> Result<Self, ApiError> {
        const EXPECTED: &str = "must be a place in the feed: a number, or the id of an event";
        if let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) {
            return value.to_str().ok().and_then(Self::parse).ok_or_else(|| {
                ApiError::bad_request("invalid_header", format!("Last-Event-ID {EXPECTED}"))
                    .detail("Last-Event-ID", EXPECTED)
            });
        }
        match params.get("since") {
            None => Ok(Self { epoch: None, seq: 0 }),
            Some(text) => Self::parse(text).ok_or_else(|| ApiError::invalid("since", EXPECTED)),
        }
    }
}

/// What changed after a place, and what changes from now on.
pub(crate) async fn stream(
    State(http): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, ApiError> {
    let place = Place::of(&headers, &Params::of(&uri)?)?;
    http.engine.feed_head_after(place.epoch.as_deref(), place.seq)?;
    let Ok(permit) = http.streams.clone().try_acquire_owned() else {
        let most = http.limits.max_feed_streams;
        let message = format!("{most} streams are open: try again later, or ask GET /api/v1/changes");
        return Err(ApiError::unavailable("too_many_streams", message).retry_after(5));
    };
    let reader = Reader {
        epoch: http.engine.feed_epoch(),
        place: place.seq,
        caller,
        ends_ms: http.engine.mono_ms().saturating_add(LIFE_MS),
        _waits: http.engine.metrics().feed_waits(),
        http,
        _permit: permit,
    };
    let greeting = format!("retry: {RETRY_MS}\nid: {}:{}\n\n", reader.epoch, reader.place);
    let body = Events {
        next: Some(Box::pin(async move { Some((Bytes::from(greeting), reader)) })),
    };
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = StatusCode::OK;
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache, no-transform"),
        // For proxies that collect what they pass on.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

/// Where one stream is.
struct Reader {
    http: Shared,
    epoch: String,
    /// The last entry that was sent.
    place: u64,
    /// Who reads.
    caller: Caller,
    /// By the monotonic clock.
    ends_ms: u64,
    _waits: Ongoing,
    _permit: OwnedSemaphorePermit,
}

impl Reader {
    /// The next bytes, when there are some. None: the stream ends, and what comes of coming again is told then.
    async fn next(mut self) -> Option<(Bytes, Self)> {
        let engine = &self.http.engine;
        if self.http.stop.is_cancelled() || engine.mono_ms() >= self.ends_ms {
            return None;
        }
        let feed = tokio::select! {
            feed = engine.feed(self.place, PAGE, KEEP_ALIVE, &self.caller.scope) => feed,
            () = self.http.stop.cancelled() => return None,
        };
        // Whose token has ended meanwhile is told so when they come again.
        self.caller.may_stay(&self.http).ok()?;
        match feed {
            Ok(feed) if feed.epoch == self.epoch => {
                self.place = feed.read_to;
                Some((events(&feed), self))
            }
            Ok(_) => None,
            Err(error) => {
                tracing::info!(%error, place = self.place, "a stream of the feed ends");
                None
            }
        }
    }
}

/// A page as events; an empty one as a comment.
fn events(feed: &Feed) -> Bytes {
    if feed.entries.is_empty() {
        return Bytes::from_static(b": keep-alive\n\n");
    }
    let mut text = String::with_capacity(256 * feed.entries.len());
    for entry in &feed.entries {
        let body = serde_json::to_string(&EntryBody::new(&feed.epoch, entry))
            .expect("invariant: an entry is plain text and numbers");
        // Writing to a String cannot fail; JSON of one line is one line of data.
        let _ = write!(text, "id: {}:{}\ndata: {body}\n\n", feed.epoch, entry.seq);
    }
    Bytes::from(text)
}

/// The body: asks its reader for more when the connection can take more.
struct Events {
    next: Option<NextEvents>,
}

type NextEvents = Pin<Box<dyn Future<Output = Option<(Bytes, Reader)>> + Send>>;

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(next) = &mut self.next else {
            return Poll::Ready(None);
        };
        let Some((bytes, reader)) = ready!(next.as_mut().poll(cx)) else {
            self.next = None;
            return Poll::Ready(None);
        };
        self.next = Some(Box::pin(reader.next()));
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::api::{Actor, Change, Intent, NewToken, Precondition, Scope};
    use crate::http::routes::changes::feed;
    use crate::http::testing::app;
    use http_body_util::BodyExt;
    use selaras_core::id::EntityKey;
    use selaras_core::json::Doc;

    fn change(number: usize) -> Change {
        Change {
            key: EntityKey::parse("order", &format!("o-{number}")).unwrap(),
            intent: Intent::Put(Doc::parse("{}").unwrap()),
            precondition: Precondition::None,
            updated_at: None,
            change_id: None,
        }
    }

    /// Who bears an app's token with this id.
    async fn till(http: &Shared) -> (Caller, String) {
        let new = NewToken {
            name: "till".to_owned(),
            scope: Scope::ALL,
            expires_at: None,
        };
        let (token, secret) = http.engine.make_app_token(new, "admin").await.unwrap();
        (Caller::of_app(secret, http), token.id)
    }

    /// A stream from the beginning, by an app's token with this id.
    async fn open(http: &Shared) -> (Body, String) {
        let (caller, token) = till(http).await;
        let (headers, uri) = (HeaderMap::new(), Uri::from_static("/x"));
        let open = stream(State(http.clone()), caller, headers, uri).await;
        (open.unwrap().into_body(), token)
    }

    async fn take(http: &Shared, changes: std::ops::Range<usize>) {
        let actor = Actor {
            id: "app".to_owned(),
            token_id: None,
        };
        let changes = changes.map(change).collect();
        http.engine.changes(changes, None, &actor).await.unwrap();
    }

    #[tokio::test]
    async fn a_stream_reads_a_page_when_its_peer_can_take_one_and_gives_its_place_back() {
        let http = app().await.shared.clone();
        take(&http, 0..PAGE * 2 + 50).await;
        let (mut body, _) = open(&http).await;
        let all = http.limits.max_feed_streams;
        assert_eq!(http.streams.available_permits(), all - 1);
        let mut told = Vec::new();
        for _ in 0..4 {
            let bytes = body.frame().await.unwrap().unwrap().into_data().unwrap();
            told.push(String::from_utf8_lossy(&bytes).matches("\ndata: ").count());
        }
        assert_eq!(told, [0, PAGE, PAGE, 50]);
        http.stop.cancel();
        assert!(body.frame().await.is_none());
        assert_eq!(http.streams.available_permits(), all);
    }

    #[tokio::test]
    async fn a_stream_ends_with_the_token_that_opened_it() {
        let http = app().await.shared.clone();
        let (mut body, token) = open(&http).await;
        take(&http, 0..1).await;
        for events in [0, 1] {
            let bytes = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(
                String::from_utf8_lossy(&bytes).matches("\ndata: ").count(),
                events
            );
        }
        http.engine.delete_app_token(&token, "admin").await.unwrap();
        take(&http, 1..2).await;
        assert!(body.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_long_poll_whose_token_has_ended_meanwhile_is_told_nothing() {
        let http = app().await.shared.clone();
        let (caller, token) = till(&http).await;
        let poll = feed(
            State(http.clone()),
            caller,
            Uri::from_static("/x?since=0&wait=60"),
        );
        let ends = async {
            tokio::task::yield_now().await;
            http.engine.delete_app_token(&token, "admin").await.unwrap();
            take(&http, 0..1).await;
        };
        let (answer, ()) = tokio::join!(poll, ends);
        assert_eq!(answer.unwrap_err().code(), "invalid_token");
    }

    fn place(epoch: Option<&str>, seq: u64) -> Place {
        Place {
            epoch: epoch.map(str::to_owned),
            seq,
        }
    }

    fn of(header: Option<&'static str>, query: &str) -> Result<Place, ApiError> {
        let headers = header.map(|value| (LAST_EVENT_ID, HeaderValue::from_static(value)));
        Place::of(
            &headers.into_iter().collect(),
            &Params::of(&format!("/x?{query}").parse().unwrap()).unwrap(),
        )
    }

    #[test]
    fn a_client_that_comes_again_goes_on_where_it_was() {
        assert_eq!(of(Some("e-1:17"), "since=3").unwrap(), place(Some("e-1"), 17));
        assert_eq!(of(None, "since=e:1:3").unwrap(), place(Some("e:1"), 3));
        assert_eq!(of(None, "since=3").unwrap(), place(None, 3));
        assert_eq!(of(Some(""), "").unwrap(), place(None, 0));
    }

    #[test]
    fn what_is_no_place_is_refused_by_name() {
        let error = of(Some("yesterday"), "").unwrap_err();
        assert_eq!(
            (error.status().as_u16(), error.details()[0].field.as_str()),
            (400, "Last-Event-ID")
        );
        for bad in [
            "since=-1",
            "since=%2B1",
            "since=e:",
            "since=1:x",
            "since=99999999999999999999",
        ] {
            let error = of(None, bad).unwrap_err();
            assert_eq!(
                (error.status().as_u16(), error.details()[0].field.as_str()),
                (422, "since"),
                "{bad}"
            );
        }
    }
}
