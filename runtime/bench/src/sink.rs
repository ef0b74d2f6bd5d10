//! A cloud that does next to nothing: takes every item of a batch, answers updates with pages made beforehand. It
//! shows what the outlet alone can do. Its thread ends with its handle.

use crate::document;
use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Updates in a page.
const PAGE: usize = 1000;

/// A running sink.
pub struct Sink {
    /// Its address, as the outlet is told it.
    pub url: String,
    away: Arc<AtomicBool>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sink {
    /// Starts one that has so many documents to be pulled.
    ///
    /// # Errors
    /// When it cannot listen.
    pub fn start(documents: usize) -> anyhow::Result<Self> {
        let pages: Arc<[Bytes]> = pages(documents).into();
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::channel();
        let away = Arc::new(AtomicBool::new(false));
        let cloud = Cloud {
            pages,
            away: away.clone(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let thread = std::thread::Builder::new()
            .name("sink".to_owned())
            .spawn(move || {
                runtime.block_on(async {
                    tokio::select! {
                        outcome = serve(listener, cloud) => if let Err(error) = outcome {
                            eprintln!("the sink failed: {error:#}");
                        },
                        // Its handle is gone; so are those who call it.
                        _ = stopped => {}
                    }
                });
            })
            .context("no thread for the sink")?;
        Ok(Self {
            url,
            away,
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Sink {
    /// Lets it be away, which it says with a 503, or come back.
    pub fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::Release);
    }
}

/// What a connection answers from.
#[derive(Clone)]
struct Cloud {
    pages: Arc<[Bytes]>,
    away: Arc<AtomicBool>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            eprintln!("the sink panicked");
        }
    }
}

async fn serve(listener: std::net::TcpListener, cloud: Cloud) -> anyhow::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let cloud = cloud.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let cloud = cloud.clone();
                async move { Ok::<_, Infallible>(answer(request, &cloud).await) }
            });
            // A connection that ends early is the outlet's affair.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(request: Request<Incoming>, cloud: &Cloud) -> Response<Full<Bytes>> {
    if cloud.away.load(Ordering::Acquire) {
        return reply(StatusCode::SERVICE_UNAVAILABLE, Bytes::new());
    }
    if request.method() == Method::POST {
        let body = match request.into_body().collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => return reply(StatusCode::BAD_REQUEST, Bytes::new()),
        };
        return match take(&body) {
            Ok(answer) => reply(StatusCode::OK, answer.into()),
            Err(error) => reply(StatusCode::BAD_REQUEST, error.to_string().into()),
        };
    }
    // `since` is `p` and a page's number; anything else is the beginning.
    let since = request
        .uri()
        .query()
        .and_then(|query| query.strip_prefix("since=p"));
    let page = since
        .and_then(|rest| rest.split('&').next())
        .map_or(Ok(0), str::parse::<usize>);
    match page.ok().and_then(|page| cloud.pages.get(page)) {
        Some(page) => reply(StatusCode::OK, page.clone()),
        None => reply(StatusCode::NOT_FOUND, Bytes::new()),
    }
}

fn reply(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response
}

#[derive(Deserialize)]
struct Batch<'a> {
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    entity_type: &'a str,
    change_id: &'a str,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[derive(Deserialize)]
struct Named<'a> {
    local_id: &'a str,
}

/// Every item is a success, in the contract's shape.
fn take(body: &[u8]) -> serde_json::Result<String> {
    let batch: Batch<'_> = serde_json::from_slice(body)?;
    let count = batch.items.len();
    let mut text = format!(
        "{{\"success\":true,\"data\":{{\"processed\":{count},\"success\":{count},\"failed\":0,\"results\":["
    );
    for (place, item) in batch.items.iter().enumerate() {
        let Item {
            entity_type,
            change_id,
            ..
        } = item;
        let Named { local_id } = serde_json::from_str(item.data.get())?;
        let comma = if place == 0 { "" } else { "," };
        write!(
            text,
            "{comma}{{\"entity_type\":\"{entity_type}\",\"local_id\":\"{local_id}\",\"cloud_id\":\"c-{local_id}\",\
             \"change_id\":\"{change_id}\",\"status\":\"success\",\"version\":1}}"
        )
        .expect("invariant: a String takes every text");
    }
    text.push_str("]}}");
    Ok(text)
}

/// All pages, and an empty one behind them.
fn pages(documents: usize) -> Vec<Bytes> {
    let count = documents.div_ceil(PAGE);
    (0..=count)
        .map(|page| {
            let elements: Vec<String> = (page * PAGE..documents.min((page + 1) * PAGE))
                .map(element)
                .collect();
            let next = (page + 1).min(count);
            format!(
                "{{\"success\":true,\"data\":{{\"items\":[{}],\"deleted\":[],\"sync_checkpoint\":\"p{next}\",\
                 \"has_more\":{}}}}}",
                elements.join(","),
                page < count
            )
            .into()
        })
        .collect()
}

fn element(number: usize) -> String {
    format!(
        "{{\"entity_type\":\"order\",\"cloud_id\":\"c-{number}\",\"local_id\":\"o-{number}\",\"version\":1,\
         \"updated_by\":\"hq\",\"updated_at\":\"2026-01-27T10:30:00Z\",\"action\":\"create\",\"data\":{}}}",
        document(number)
    )
}
