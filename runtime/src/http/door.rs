//! What stands at the socket: until the outlet is open it says so, so that supervisors hear an answer also while a large store is
//! being repaired; from then on it is the [`App`].

use crate::http::error::ApiError;
use crate::http::request_id::{RequestIds, X_REQUEST_ID};
use crate::http::{App, text};
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

/// When a client should come again.
const RETRY_SECONDS: u64 = 5;

/// What tells the server the time.
#[derive(Clone)]
pub struct Times {
    /// Milliseconds since some moment of the past; they only go on.
    pub mono_ms: Arc<dyn Fn() -> u64 + Send + Sync>,
    /// Milliseconds since 1970, as the machine's clock has it.
    pub wall_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
}

/// The way in. Clones are the same one.
#[derive(Clone)]
pub struct Door {
    app: Arc<OnceLock<App>>,
    ids: Arc<RequestIds>,
    times: Times,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door")
            .field("open", &self.app.get().is_some())
            .finish_non_exhaustive()
    }
}

impl From<App> for Door {
    fn from(app: App) -> Self {
        let (mono, wall) = (app.shared.engine.clone(), app.shared.engine.clone());
        let times = Times {
            mono_ms: Arc::new(move || mono.mono_ms()),
            wall_ms: Arc::new(move || wall.wall_ms()),
        };
        let door = Self::closed(0, times);
        door.open(app);
        door
    }
}

impl Door {
    /// One that is still closed. `seed` tells the ids of its answers from those of another start.
    pub fn closed(seed: u64, times: Times) -> Self {
        Self {
            app: Arc::default(),
            ids: Arc::new(RequestIds::new(seed)),
            times,
        }
    }

    /// Opens it.
    pub fn open(&self, app: App) {
        assert!(self.app.set(app).is_ok(), "invariant: a door is opened once");
    }

    /// What tells the time.
    pub(super) fn times(&self) -> Times {
        self.times.clone()
    }

    /// The whole answer to a connection for which there is no place.
    pub(super) fn no_place(&self) -> Vec<u8> {
        let id = self.ids.of(&HeaderMap::new());
        let error = ApiError::unavailable(
            "too_many_connections",
            "all the connections there may be are busy: try again in a moment, over fewer connections",
        );
        let body = error.render(text(&id));
        let head = format!(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
             retry-after: 1\r\nconnection: close\r\nx-request-id: {}\r\n\r\n",
            body.len(),
            text(&id),
        );
        [head.into_bytes(), body].concat()
    }

    /// Answers one request.
    pub async fn handle<B>(&self, request: Request<B>, peer: Option<SocketAddr>) -> Response
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<axum::BoxError>,
    {
        match self.app.get() {
            Some(app) => app.handle(request, peer).await,
            None => self.starting(&request),
        }
    }

    /// Alive, and not ready.
    fn starting<B>(&self, request: &Request<B>) -> Response {
        let id = self.ids.of(request.headers());
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        let mut response = if reads && request.uri().path() == "/healthz" {
            let mut response = Response::new(Body::from(
                r#"{"success":true,"message":"up","data":{"status":"starting"}}"#,
            ));
            *response.status_mut() = StatusCode::OK;
            response
        } else {
            let message = "the outlet is starting: it opens its data; try again in a few seconds";
            let code = if request.uri().path() == "/readyz" {
                "not_ready"
            } else {
                "starting"
            };
            let error = ApiError::unavailable(code, message)
                .detail("store", "is being opened")
                .retry_after(RETRY_SECONDS);
            let body = error.render(text(&id));
            let mut response = error.into_response();
            response.extensions_mut().clear();
            // What is left of its body would be read as the next request.
            response
                .headers_mut()
                .insert(header::CONNECTION, HeaderValue::from_static("close"));
            *response.body_mut() = Body::from(body);
            response
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(X_REQUEST_ID, id);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::testing::app;
    use http_body_util::BodyExt;

    async fn ask(door: &Door, path: &str) -> (u16, serde_json::Value) {
        let request = Request::builder().uri(path).header("X-Request-ID", "r-1");
        let response = door.handle(request.body(Body::empty()).unwrap(), None).await;
        assert_eq!(response.headers()["x-request-id"], "r-1");
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[tokio::test]
    async fn a_closed_door_is_alive_not_ready_and_lets_nobody_in_until_it_opens() {
        let times = Times {
            mono_ms: Arc::new(|| 0),
            wall_ms: Arc::new(|| 0),
        };
        let door = Door::closed(7, times);
        assert_eq!(ask(&door, "/healthz").await.0, 200);
        let (status, json) = ask(&door, "/readyz").await;
        assert_eq!((status, &json["error"]), (503, &"not_ready".into()));
        assert_eq!(json["details"][0]["field"], "store");
        let (status, json) = ask(&door, "/api/v1/sync/status").await;
        assert_eq!(
            (status, &json["error"], &json["request_id"]),
            (503, &"starting".into(), &"r-1".into())
        );
        door.open(app().await);
        assert_eq!(ask(&door, "/readyz").await.0, 200);
        assert_eq!(ask(&door, "/api/v1/sync/status").await.0, 401);
    }
}
