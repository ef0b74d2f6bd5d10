//! The client: what it is set up with, and the headers that every request carries. The calls are in `calls`, what is
//! around each of them in `send`, the network in `wire`.

use super::address::{BaseUrl, UrlError, check_url, segment};
use super::reach::Reach;
use super::traffic::{Meter, Traffic};
use super::transport::Transport;
use super::trust::Trust;
use super::wire::{Limits, Wire};
use crate::secret::Secret;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use selaras_core::clock::Clock;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Which cloud, and who calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloudConfig {
    /// See [`check_url`].
    pub base_url: String,
    /// The bearer token.
    pub api_key: Secret,
    /// `X-Outlet-ID`, and part of most paths.
    pub outlet_id: String,
    /// `X-Outlet-Code`.
    pub outlet_code: String,
    /// Plain http also to other machines.
    pub allow_http: bool,
    /// From the first byte sent to the last received.
    pub request_timeout: Duration,
}

/// Why a configuration makes no client. Each names the field.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The address.
    #[error("cloud_api_url {0}")]
    Url(#[from] UrlError),
    /// A value that HTTP cannot carry.
    #[error(
        "{field} cannot be sent in an HTTP header: it is empty or holds a line break or another control character"
    )]
    Header {
        /// Which.
        field: &'static str,
    },
    /// An id that cannot be part of a path.
    #[error("outlet_id cannot be \"\", \".\" or \"..\"")]
    OutletId,
    /// No trusted certificates, or no TLS at all.
    #[error("https cannot be set up: {0}; is the system's ca-certificates package installed?")]
    Tls(#[from] rustls::Error),
    /// The HTTP library refuses its own settings.
    #[error("the HTTP client cannot be set up: {0}")]
    Http(#[from] reqwest::Error),
}

/// A client of one cloud for one outlet. Cloning shares its connections.
#[derive(Clone)]
pub struct Client {
    pub(super) inner: Arc<Inner>,
    /// What its requests are named after.
    pub(super) trail: Option<Arc<Trail>>,
    pub(super) tell: Option<OnExchange>,
}

/// Told of each request that ended: `pull` or `push`, `success` or the error's code, and how long it took in milliseconds.
pub type OnExchange = Arc<dyn Fn(&'static str, &'static str, u64) + Send + Sync>;

/// Requests that belong together: each is named after the same thing, with its number.
pub(super) struct Trail {
    name: String,
    count: AtomicU64,
}

impl Trail {
    /// The next request's id.
    pub(super) fn next(&self) -> String {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        format!("{}-{number}", self.name)
    }
}

pub(super) struct Inner {
    pub transport: Arc<dyn Transport>,
    /// What every request carries.
    pub headers: HeaderMap,
    pub base: BaseUrl,
    /// The outlet id as a path segment.
    pub outlet_segment: String,
    pub outlet_id: String,
    pub outlet_code: String,
    pub meter: Meter,
    pub clock: Arc<dyn Clock>,
}

/// What makes clients of clouds.
pub type Connect = Arc<dyn Fn(CloudConfig, Arc<dyn Clock>) -> Result<Client, SetupError> + Send + Sync>;

/// Six times the contract's largest payload; more is a mistake or an attack.
const MAX_ANSWER_BYTES: usize = 64 << 20;

impl Client {
    /// Sets a client up; nothing is sent yet.
    ///
    /// # Errors
    /// When a setting cannot be used; see [`SetupError`].
    pub fn new(config: CloudConfig, clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        Self::within(config, clock, &Trust::default(), MAX_ANSWER_BYTES)
    }

    /// Makes clients that trust these as clouds.
    pub fn connect(trust: Trust) -> Connect {
        Arc::new(move |config, clock| Self::within(config, clock, &trust, MAX_ANSWER_BYTES))
    }

    pub(super) fn within(
        config: CloudConfig,
        clock: Arc<dyn Clock>,
        trust: &Trust,
        max_answer_bytes: usize,
    ) -> Result<Self, SetupError> {
        let secure = check_url(&config.base_url, config.allow_http)?.is_secure();
        let limits = Limits {
            reach: Reach::of(secure, config.allow_http),
            request_timeout: config.request_timeout,
            max_answer_bytes,
        };
        let wire = Wire::new(trust.tls(secure)?, limits, clock.clone())?;
        Self::over(Arc::new(wire), config, clock)
    }

    /// The same over another network than the real one.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn over(
        transport: Arc<dyn Transport>,
        config: CloudConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SetupError> {
        let base = check_url(&config.base_url, config.allow_http)?;
        let outlet_segment = segment(&config.outlet_id).ok_or(SetupError::OutletId)?;
        let inner = Inner {
            transport,
            headers: headers(&config)?,
            base,
            outlet_segment,
            outlet_id: config.outlet_id,
            outlet_code: config.outlet_code,
            meter: Meter::default(),
            clock,
        };
        Ok(Self {
            inner: Arc::new(inner),
            trail: None,
            tell: None,
        })
    }

    /// The same client, with the requests' `X-Request-ID`s made of this name and a number, so that who reads the cloud's log
    /// finds what they belong to here. `name`: letters, digits and `-`.
    #[must_use]
    pub fn under(&self, name: &str) -> Self {
        let trail = Trail {
            name: name.to_owned(),
            count: AtomicU64::new(0),
        };
        Self {
            trail: Some(Arc::new(trail)),
            ..self.clone()
        }
    }

    /// The same client, that tells of its requests.
    #[must_use]
    pub fn observed(self, tell: OnExchange) -> Self {
        Self {
            tell: Some(tell),
            ..self
        }
    }

    /// What it has carried so far.
    pub fn traffic(&self) -> Traffic {
        self.inner.meter.read()
    }

    /// Where it calls.
    pub fn base_url(&self) -> &BaseUrl {
        &self.inner.base
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.inner.base)
            .finish_non_exhaustive()
    }
}

fn headers(config: &CloudConfig) -> Result<HeaderMap, SetupError> {
    let value = |field, text: &str| match HeaderValue::from_bytes(text.as_bytes()) {
        Ok(value) if !text.trim().is_empty() => Ok(value),
        _ => Err(SetupError::Header { field }),
    };
    value("cloud_api_key", config.api_key.expose())?;
    let mut bearer = value("cloud_api_key", &format!("Bearer {}", config.api_key.expose()))?;
    bearer.set_sensitive(true);
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, bearer);
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("selaras/", env!("CARGO_PKG_VERSION"))),
    );
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(
        HeaderName::from_static("x-outlet-id"),
        value("outlet_id", &config.outlet_id)?,
    );
    headers.insert(
        HeaderName::from_static("x-outlet-code"),
        value("outlet_code", &config.outlet_code)?,
    );
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{FixedClock, config};
    use super::*;

    fn refused(change: impl FnOnce(&mut CloudConfig)) -> String {
        let mut config = config("http://127.0.0.1:1");
        change(&mut config);
        Client::new(config, Arc::new(FixedClock)).unwrap_err().to_string()
    }

    #[test]
    fn a_setting_that_cannot_be_sent_is_refused_by_name() {
        assert!(refused(|c| c.api_key = Secret::new("a\nb")).starts_with("cloud_api_key cannot"));
        assert!(refused(|c| c.api_key = Secret::new("")).starts_with("cloud_api_key cannot"));
        assert!(refused(|c| c.outlet_code = "\r\nX-Evil: 1".into()).starts_with("outlet_code cannot"));
        assert!(refused(|c| c.outlet_id = "..".into()).starts_with("outlet_id cannot"));
        assert!(
            refused(|c| c.base_url = "http://cloud.test".into()).starts_with("cloud_api_url is plain http")
        );
    }

    #[test]
    fn the_key_is_never_printed() {
        let config = config("http://127.0.0.1:1");
        assert_eq!(config.api_key.expose(), "key-123");
        let client = Client::new(config.clone(), Arc::new(FixedClock)).unwrap();
        let printed = format!("{config:?} {client:?} {:?}", headers(&config).unwrap());
        assert!(!printed.contains("key-123"), "{printed}");
        assert!(!refused(|c| c.api_key = Secret::new("sec\nret")).contains("ret"));
    }

    #[test]
    fn an_outlet_code_may_hold_any_letters() {
        let mut config = config("http://127.0.0.1:1");
        config.outlet_code = "Café-東京".into();
        assert!(Client::new(config, Arc::new(FixedClock)).is_ok());
    }
}
