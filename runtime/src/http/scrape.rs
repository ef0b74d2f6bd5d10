//! Who may read `/metrics`: an admin, who bears the metrics token, or this machine.
//!
//! A proxy on this machine connects from this machine, too. So what was passed on is none of this machine's: a request with
//! one of the headers that proxies add, or one that was not sent to a name of this machine. A proxy that adds none
//! and renames the host can be told from nobody; therefore a metrics token closes this way unless a setting opens it.

use crate::http::{ApiError, Peer};
use http::uri::Authority;
use http::{Extensions, HeaderMap, header};
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::IpAddr;
use subtle::ConstantTimeEq;

/// What proxies add to what they pass on.
const PASSED_ON: [&str; 6] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Who may read the metrics besides admins.
#[derive(Clone)]
pub struct Scrape {
    /// The digest of the token, so that comparing tells nothing of its length either.
    token: Option<[u8; 32]>,
    loopback: bool,
}

impl fmt::Debug for Scrape {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrape")
            .field("loopback", &self.loopback)
            .finish_non_exhaustive()
    }
}

impl Scrape {
    /// `loopback`: this machine needs no token.
    pub fn new(token: Option<&str>, loopback: bool) -> Self {
        Self {
            token: token.map(digest),
            loopback,
        }
    }

    /// Whether this is the metrics token.
    pub(super) fn takes(&self, token: &str) -> bool {
        self.token
            .is_some_and(|own| bool::from(own.ct_eq(&digest(token))))
    }

    /// Whether this request needs no token.
    pub(super) fn is_open_to(&self, headers: &HeaderMap, extensions: &Extensions) -> bool {
        let here = extensions
            .get::<Peer>()
            .is_some_and(|peer| is_loopback(peer.0.ip()));
        self.loopback
            && here
            && sent_to_this_machine(headers)
            && !PASSED_ON.iter().any(|name| headers.contains_key(*name))
    }

    /// What others are told.
    pub(super) fn refusal(&self) -> ApiError {
        ApiError::bad_token(
            "missing_token",
            "metrics are for admins, for who bears the metrics token (METRICS_TOKEN), and, unless METRICS_LOOPBACK says \
             otherwise, for this machine without a proxy in between",
        )
    }
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

/// The `Host` is this machine's: a page in a browser here that was sent to a name of its own is not.
fn sent_to_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(authority) = host.and_then(|host| host.parse::<Authority>().ok()) else {
        return false;
    };
    let name = authority.host().trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn open(scrape: &Scrape, peer: &str, host: &str, more: Option<&str>) -> bool {
        let mut headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_str(host).unwrap())]);
        if let Some(name) = more {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.insert(name, HeaderValue::from_static("anything"));
        }
        let mut extensions = Extensions::new();
        extensions.insert(Peer(peer.parse().unwrap()));
        scrape.is_open_to(&headers, &extensions)
    }

    #[test]
    fn this_machine_is_let_in_and_what_a_proxy_passes_on_is_not() {
        let scrape = Scrape::new(None, true);
        for (peer, host) in [
            ("127.0.0.1:9", "127.0.0.1:8080"),
            ("[::1]:9", "[::1]:8080"),
            ("[::ffff:127.0.0.1]:9", "localhost"),
        ] {
            assert!(open(&scrape, peer, host, None), "{peer} {host}");
            for name in PASSED_ON {
                assert!(!open(&scrape, peer, host, Some(name)), "{name}");
            }
        }
        assert!(!open(&scrape, "192.168.1.9:9", "localhost", None));
        assert!(
            !open(&scrape, "127.0.0.1:9", "outlet.example", None),
            "a page that was renamed"
        );
        assert!(!open(&Scrape::new(None, false), "127.0.0.1:9", "localhost", None));
        assert!(
            !scrape.is_open_to(&HeaderMap::new(), &Extensions::new()),
            "from nowhere"
        );
    }

    #[test]
    fn only_the_token_is_taken_and_it_is_never_printed() {
        let scrape = Scrape::new(Some("a token of the scraper"), false);
        assert!(scrape.takes("a token of the scraper"));
        for other in ["", "a token of the scrape", "a token of the scraper "] {
            assert!(!scrape.takes(other), "{other:?}");
        }
        assert!(!Scrape::new(None, true).takes(""));
        assert!(!format!("{scrape:?}").contains("a token"));
    }
}
