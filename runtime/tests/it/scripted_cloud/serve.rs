//! Connections, routing, and faults carried out.

use super::batch::{self, Caller};
use super::fault::{Call, Fault};
use super::{Recorded, Shared, feed};
use crate::harness::json_text::{at, elements};
use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// The connection closes without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the script closes this connection")]
struct Dropped;

type Answer = Response<BoxBody<Bytes, Infallible>>;

/// Serves until the task is aborted; connections end with it.
pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let shared = Arc::clone(&shared);
        connections.spawn(async move {
            let service = service_fn(move |request| answer(Arc::clone(&shared), request));
            // An error here is a connection that broke, which is the point of some scripts.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Answer, Dropped> {
    let recorded = record(request).await?;
    shared
        .recorded
        .lock()
        .expect("no holder panics")
        .push(recorded.clone());
    let fault = shared
        .script
        .lock()
        .expect("no holder panics")
        .take(recorded.call);
    let over = shared.quota.lock().expect("no holder panics").over();
    let fault = over.map(Fault::RateLimited).or(fault);
    let mut answer = match fault {
        None => act(&shared, &recorded).into_response(),
        Some(fault) => misbehave(&shared, &recorded, fault).await?,
    };
    let now_ms = shared.state.lock().expect("no holder panics").now_ms();
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(now_ms.unsigned_abs());
    let date = httpdate::fmt_http_date(now)
        .parse()
        .expect("invariant: a date is a header's value");
    answer.headers_mut().insert("Date", date);
    Ok(answer)
}

async fn misbehave(shared: &Shared, recorded: &Recorded, fault: Fault) -> Result<Answer, Dropped> {
    match fault {
        Fault::None => Ok(act(shared, recorded).into_response()),
        Fault::DropBefore => Err(Dropped),
        Fault::DropAfter => {
            act(shared, recorded);
            Err(Dropped)
        }
        Fault::HangAfter => {
            let done = act(shared, recorded);
            released(shared).await?;
            Ok(done.into_response())
        }
        Fault::HangBefore => {
            released(shared).await?;
            Ok(act(shared, recorded).into_response())
        }
        Fault::Status(status) => {
            let body = r#"{"success":false,"error":"scripted","message":"the script says so"}"#;
            Ok(respond(status, "application/json", body.to_owned()))
        }
        Fault::RateLimited(seconds) => {
            let body = format!(
                r#"{{"success":false,"error":"rate_limit_exceeded","message":"slower","retry_after":{seconds}}}"#
            );
            Ok(respond(429, "application/json", body))
        }
        Fault::RetryAfter(wait) => {
            let body = r#"{"success":false,"error":"rate_limit_exceeded","message":"slower"}"#;
            let mut answer = respond(429, "application/json", body.to_owned());
            let wait = wait.parse().expect("a header's value");
            answer.headers_mut().insert("Retry-After", wait);
            Ok(answer)
        }
        Fault::Drip => Ok(drip(act(shared, recorded).body)),
        Fault::Reordered => Ok(with_results(act(shared, recorded), |results| results.reverse())),
        Fault::Short => Ok(with_results(act(shared, recorded), |results| {
            results.truncate(results.len() / 2);
        })),
        Fault::Doubled => Ok(with_results(act(shared, recorded), |results| {
            results.extend(results.clone());
        })),
        Fault::Html => Ok(respond(
            200,
            "text/html",
            "<!doctype html><html><body>Sign in to the wifi</body></html>".to_owned(),
        )),
        Fault::Truncated => {
            let body = act(shared, recorded).body;
            Ok(respond(
                200,
                "application/json",
                body[..body.len() * 2 / 3].to_owned(),
            ))
        }
        Fault::NoResults => {
            act(shared, recorded);
            Ok(respond(200, "application/json", batch::answer(&[])))
        }
        Fault::Strangers => {
            let mut done = act(shared, recorded);
            let stranger = r#"{"entity_type":"product","local_id":"nobody","cloud_id":"c-0","status":"success","change_id":"0"}"#;
            done.body = done.body.replacen(
                "\"results\":[",
                &format!("\"results\":[{stranger},{stranger},"),
                1,
            );
            Ok(done.into_response())
        }
        Fault::Body(body) => Ok(respond(200, "application/json", body)),
    }
}

/// The answer to a batch with other results.
fn with_results(mut done: Done, change: impl FnOnce(&mut Vec<String>)) -> Answer {
    let mut results = at(&done.body, "data.results")
        .map(|list| elements(&list))
        .unwrap_or_default();
    change(&mut results);
    done.body = batch::answer(&results);
    done.into_response()
}

/// A body that comes byte by byte, and never its last.
struct Drip(std::vec::IntoIter<u8>);

impl http_body::Body for Drip {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.next() {
            Some(byte) if self.0.len() > 0 => Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![byte]))))),
            // Nobody wakes it again: only the other side can end this.
            _ => Poll::Pending,
        }
    }
}

fn drip(body: String) -> Answer {
    Response::builder()
        .status(200)
        .header("Content-Type", "application/json")
        .body(Drip(body.into_bytes().into_iter()).boxed())
        .expect("invariant: a valid head")
}

async fn released(shared: &Shared) -> Result<(), Dropped> {
    let mut released = shared.released.subscribe();
    released.wait_for(|yes| *yes).await.map(drop).map_err(|_| Dropped)
}

/// What was done, ready to be told or not.
struct Done {
    status: u16,
    body: String,
}

impl Done {
    fn into_response(self) -> Answer {
        respond(self.status, "application/json", self.body)
    }
}

fn respond(status: u16, content_type: &str, body: String) -> Answer {
    Response::builder()
        .status(status)
        .header("Content-Type", content_type)
        .body(Full::from(body).boxed())
        .expect("invariant: a valid head")
}

/// Does what a cloud that works does.
fn act(shared: &Shared, recorded: &Recorded) -> Done {
    match try_act(shared, recorded) {
        Ok(done) => done,
        Err(violation) => {
            let body =
                r#"{"success":false,"error":"violation","message":"not what the contract says"}"#.to_owned();
            shared
                .violations
                .lock()
                .expect("no holder panics")
                .push(violation);
            Done { status: 400, body }
        }
    }
}

fn try_act(shared: &Shared, recorded: &Recorded) -> Result<Done, String> {
    let caller = caller(recorded)?;
    let mut state = shared.state.lock().map_err(|_| "a test failed".to_owned())?;
    let done = |body: String| Done { status: 200, body };
    let refused = |status: u16| Done {
        status,
        body: format!(r#"{{"success":false,"error":"refused","message":"HTTP {status}"}}"#),
    };
    let bearer = recorded
        .header("authorization")
        .and_then(|value| value.strip_prefix("Bearer "));
    if state.api_key.is_some() && state.api_key.as_deref() != bearer {
        return Ok(refused(401));
    }
    if let Some(status) = batch::refusal(&state, &recorded.body).filter(|_| recorded.call == Call::Batch) {
        return Ok(refused(status));
    }
    let created = |body: String| Done { status: 201, body };
    Ok(match recorded.call {
        Call::Ping => done(r#"{"success":true}"#.to_owned()),
        Call::Batch => done(batch::answer(&batch::take(
            shared.kind,
            &mut state,
            &caller,
            &recorded.body,
        )?)),
        Call::Document => {
            let route = recorded.path.rsplit('/').next().unwrap_or_default();
            let entity_type = route.trim_end_matches('s');
            created(batch::take_document(
                shared.kind,
                &mut state,
                entity_type,
                &recorded.body,
            )?)
        }
        Call::Updates => {
            let since = recorded
                .query
                .split('&')
                .find_map(|pair| pair.strip_prefix("since="));
            let since = since.ok_or_else(|| format!("updates?{}", recorded.query))?;
            let since = percent_decode_str(since)
                .decode_utf8()
                .map_err(|e| e.to_string())?;
            done(feed::page(shared.kind, &mut state, &since)?)
        }
        Call::Resolve => done(r#"{"success":true,"data":{"resolved":true}}"#.to_owned()),
        Call::Analytics => created(r#"{"success":true}"#.to_owned()),
        Call::Other => return Err(format!("{} {}", recorded.method, recorded.path)),
    })
}

/// Checks the headers that every request carries.
fn caller(recorded: &Recorded) -> Result<Caller<'_>, String> {
    let needed = |name| {
        recorded
            .header(name)
            .filter(|v| !v.is_empty())
            .ok_or_else(|| format!("{} without {name}", recorded.path))
    };
    if !needed("authorization")?.starts_with("Bearer ") {
        return Err(format!("{} without a bearer token", recorded.path));
    }
    if needed("content-type")? != "application/json" {
        return Err(format!("{} is not application/json", recorded.path));
    }
    let caller = Caller {
        outlet_id: needed("x-outlet-id")?,
        outlet_code: needed("x-outlet-code")?,
    };
    if recorded.call != Call::Ping && recorded.path.split('/').nth(4) != Some(caller.outlet_id) {
        return Err(format!("{} by outlet {}", recorded.path, caller.outlet_id));
    }
    Ok(caller)
}

async fn record(request: Request<Incoming>) -> Result<Recorded, Dropped> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let path = head.uri.path().to_owned();
    let headers = head.headers.iter();
    Ok(Recorded {
        call: call(head.method.as_str(), &path),
        method: head.method.to_string(),
        path,
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: headers
            .map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
            .collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

fn call(method: &str, path: &str) -> Call {
    let Some(path) = path.strip_prefix("/api/v1/") else {
        return Call::Other;
    };
    let parts: Vec<&str> = path.split('/').collect();
    match (method, parts.as_slice()) {
        ("GET", ["ping"]) => Call::Ping,
        ("POST", ["outlets", _, "sync", "batch"]) => Call::Batch,
        ("POST", ["outlets", _, "orders" | "transactions" | "products"]) => Call::Document,
        ("GET", ["outlets", _, "updates"]) => Call::Updates,
        ("POST", ["outlets", _, "conflicts", _, "resolve"]) => Call::Resolve,
        ("POST", ["outlets", _, "analytics", "daily"]) => Call::Analytics,
        _ => Call::Other,
    }
}
