//! How much the HTTP face takes at most, and for how long it waits. Each has a setting in the environment; the reasons
//! for the defaults are here and, for those who set them, in the README.

use std::time::Duration;

/// What one connection, and all together, may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time. Each costs some 20 KiB when idle, twice that with TLS; an outlet has tens of apps.
    pub max_connections: usize,
    /// Those of one address: three quarters, so that whoever fills its share leaves room for the others.
    pub max_per_address: usize,
    /// From the first byte of a request to the last of its head. A head is one packet; a minute for it would let a
    /// thousand half-sent requests stand for a minute.
    pub header_timeout: Duration,
    /// How long a connection is kept on which nothing is asked. Longer than the minute that clients keep pooled
    /// connections for, so that they close first.
    pub idle_timeout: Duration,
    /// From the connection to the end of its TLS handshake: three round trips of a bad line, and a slow box's signature.
    pub handshake_timeout: Duration,
    /// How long a peer may refuse to take bytes.
    pub write_stall_timeout: Duration,
    /// Request line and headers together: tokens and a proxy's additions take two or three KiB.
    pub max_header_bytes: usize,
    /// From the signal to stop until connections that are still busy are cut.
    pub drain_timeout: Duration,
    /// What single requests may take.
    pub requests: RequestLimits,
}

/// What one request, and all together, may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Requests that are all here and not answered yet. A till asks one thing at a time; more than this are not
    /// answered sooner by being taken in, they only take memory.
    pub max_in_flight: usize,
    /// Of those, at most so many may wait for the feed to go on.
    pub max_feed_waiters: usize,
    /// Streams of the feed at a time, so that they leave most of the connections to others.
    pub max_feed_streams: usize,
    /// A body of changes or of a webhook: the contract's payload limit.
    pub max_body_bytes: usize,
    /// From the head to the last byte of the body: 10 MB in a minute is a line of 1.4 Mbit/s.
    pub body_timeout: Duration,
    /// Objects and arrays inside each other; at most what documents may have anywhere.
    pub max_json_depth: usize,
}

impl Limits {
    /// The share of one address where nothing else is said.
    pub const fn share_of(max_connections: usize) -> usize {
        max_connections - max_connections / 4
    }
}

impl Default for Limits {
    fn default() -> Self {
        const MAX_CONNECTIONS: usize = 2048;
        Self {
            max_connections: MAX_CONNECTIONS,
            max_per_address: Self::share_of(MAX_CONNECTIONS),
            header_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(75),
            handshake_timeout: Duration::from_secs(10),
            write_stall_timeout: Duration::from_secs(30),
            max_header_bytes: 16 * 1024,
            drain_timeout: Duration::from_secs(10),
            requests: RequestLimits::default(),
        }
    }
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            max_in_flight: 1024,
            max_feed_waiters: 256,
            max_feed_streams: 64,
            max_body_bytes: 10 * 1024 * 1024,
            body_timeout: Duration::from_secs(60),
            max_json_depth: selaras_core::json::MAX_DEPTH,
        }
    }
}
