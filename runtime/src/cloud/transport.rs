//! The seam to the network: one request to the cloud as bytes, and the answer to it. `wire` is the real one; a
//! simulation brings its own. It knows no calls and never tries again by itself.

use super::error::LinkError;
use super::traffic::Tally;
use bytes::Bytes;
use http::{HeaderMap, Method};
use selaras_core::offset::Reading;
use std::pin::Pin;

/// A request, complete.
#[derive(Clone, Debug)]
pub struct Request {
    /// GET or POST.
    pub method: Method,
    /// The whole address.
    pub url: String,
    /// Its headers; those that are secret are marked so.
    pub headers: HeaderMap,
    /// Its body; empty for a GET.
    pub body: Bytes,
    /// Where what comes of the answer's body is counted, also of one that breaks off.
    pub tally: Tally,
}

/// An answer of any status.
#[derive(Clone, Debug)]
pub struct Response {
    /// 100–599.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// When its head was here, by this machine's clock.
    pub received: Reading,
    /// Its body: all of it with a 2xx, else at least its beginning.
    pub body: Bytes,
}

/// What a call resolves to.
pub type Exchange<'a> = Pin<Box<dyn Future<Output = Result<Response, LinkError>> + Send + 'a>>;

/// What carries requests to the cloud. It owns connections, time-outs and limits of size.
pub trait Transport: Send + Sync + 'static {
    /// Sends a request and waits for the whole answer. Dropping the future abandons it, and leaves open whether the
    /// cloud has acted.
    ///
    /// # Errors
    /// [`LinkError::Unreachable`], [`LinkError::Interrupted`] and [`LinkError::Timeout`] of the line, and
    /// [`LinkError::Nonsense`] for what is too long. A status is no error here.
    fn call(&self, request: Request) -> Exchange<'_>;
}
