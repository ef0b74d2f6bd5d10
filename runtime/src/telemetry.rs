//! Traces for a collector: OTLP as protobuf over HTTP, by the HTTP library that is here already. Spans go into a queue with an
//! end; a thread of its own sends them. When the collector is away they are dropped, and nobody waits for it.

mod settings;

pub use settings::Traces;

use crate::cloud::Poster;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

/// A collector that is there answers within this.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long the last spans may take when the process ends.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Why traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// TLS or the HTTP library.
    #[error(transparent)]
    Http(#[from] crate::cloud::SetupError),
    /// The exporter refuses its settings.
    #[error(transparent)]
    Exporter(#[from] ExporterBuildError),
}

/// What sends traces.
pub struct Exporter {
    provider: SdkTracerProvider,
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").finish_non_exhaustive()
    }
}

impl Exporter {
    /// Starts it; nothing is connected yet. Requests are made on `runtime`.
    ///
    /// # Errors
    /// See [`TraceError`].
    pub fn start(traces: &Traces, runtime: Handle) -> Result<Self, TraceError> {
        let courier = Courier {
            poster: Poster::new(traces.is_secure(), TIMEOUT)?,
            runtime,
            is_away: Arc::default(),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(courier)
            .with_endpoint(traces.url())
            .with_headers(traces.headers().clone())
            .with_timeout(TIMEOUT)
            .build()?;
        let mut attributes = vec![KeyValue::new("service.version", env!("CARGO_PKG_VERSION"))];
        attributes.extend(
            traces
                .outlet_id()
                .map(|id| KeyValue::new("service.instance.id", id.to_owned())),
        );
        let resource = Resource::builder()
            .with_service_name(traces.service_name().to_owned())
            .with_attributes(attributes)
            .build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        Ok(Self { provider })
    }

    /// What hands the program's own spans over: requests, runs, calls to the cloud.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("selaras"))
            .with_location(false)
            .with_threads(false)
            .with_filter(Targets::new().with_target("selaras", tracing::Level::INFO))
    }

    /// Sends what is left, for a moment. Blocks; the runtime must still go.
    pub fn stop(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(LAST_WORDS) {
            tracing::info!(%error, "the last traces were not taken");
        }
    }
}

/// Carries requests of the exporter's thread to the runtime.
struct Courier {
    poster: Poster,
    runtime: Handle,
    /// The last request failed: told once, not each time.
    is_away: Arc<AtomicBool>,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").finish_non_exhaustive()
    }
}

impl HttpClient for Courier {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let (poster, is_away) = (self.poster.clone(), self.is_away.clone());
        let sent = self.runtime.spawn(async move {
            let (mut parts, body) = request.into_parts();
            let agent = HeaderValue::from_static(concat!("selaras/", env!("CARGO_PKG_VERSION")));
            parts.headers.insert(header::USER_AGENT, agent);
            let answer = poster.post(parts.uri.to_string(), parts.headers, body).await;
            tell(&is_away, &answer);
            answer
        });
        Box::pin(async move {
            let (status, body) = sent.await??;
            Ok(Response::builder().status(status).body(body)?)
        })
    }
}

/// Says when the collector goes away, and when it is back.
fn tell(is_away: &AtomicBool, answer: &Result<(u16, Bytes), String>) {
    let problem = match answer {
        Ok((200..=299, _)) => None,
        Ok((status, _)) => Some(format!("it answered {status}")),
        Err(error) => Some(error.clone()),
    };
    let was_away = is_away.swap(problem.is_some(), Ordering::Relaxed);
    match problem {
        Some(problem) if !was_away => {
            tracing::warn!(
                problem,
                "the collector takes no traces: they are dropped until it does"
            );
        }
        None if was_away => tracing::info!("the collector takes traces again"),
        _ => {}
    }
}
