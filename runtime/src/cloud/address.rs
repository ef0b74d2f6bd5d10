//! Which addresses a cloud may have, and how a call's address is put together. No I/O.

use super::reach::{OutOfReach, Reach};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Url;
use std::fmt;
use std::net::IpAddr;

/// RFC 3986 "unreserved": everything else is escaped, in path segments and query values alike.
const ESCAPED: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The start of every call's address: no trailing `/`, no `/api/v1`. Made by [`check_url`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl {
    text: String,
    secure: bool,
}

/// Why an address cannot be the cloud's. Each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// It is no URL.
    #[error("is not an address ({0}); write it like https://cloud.example.com")]
    NotAnAddress(String),
    /// Some other scheme.
    #[error("has the scheme \"{0}\"; write it like https://cloud.example.com")]
    Scheme(String),
    /// Plain HTTP to another machine.
    #[error(
        "is plain http to {0}, which is not this machine: the key and the data would travel in the clear; \
         use https, or set CLOUD_ALLOW_HTTP=true if the network in between is trusted"
    )]
    PlainHttp(String),
    /// An address that is no cloud's.
    #[error("leads to {0}, {1}; write the cloud's own address")]
    OutOfReach(IpAddr, OutOfReach),
    /// `user:password@`.
    #[error("holds a user name or password; leave them out, the key goes into cloud_api_key")]
    UserInfo,
    /// `?…` or `#…`.
    #[error("holds a query or a fragment; end it before the first \"?\" or \"#\"")]
    QueryOrFragment,
}

/// Checks and normalises the cloud's address: https, or http to this machine only unless `allow_http`; no user
/// info, query or fragment; no address that is no cloud's ([`OutOfReach`]); a trailing `/` or `/api/v1` is taken off.
///
/// # Errors
/// See [`UrlError`]; its text continues a sentence that begins with the field's name.
pub fn check_url(url: &str, allow_http: bool) -> Result<BaseUrl, UrlError> {
    let parsed = Url::parse(url.trim()).map_err(|e| UrlError::NotAnAddress(e.to_string()))?;
    let secure = match parsed.scheme() {
        "https" => true,
        "http" => false,
        other => return Err(UrlError::Scheme(other.to_owned())),
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(UrlError::UserInfo);
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(UrlError::QueryOrFragment);
    }
    let Some(host) = parsed.host_str() else {
        return Err(UrlError::NotAnAddress("no host".to_owned()));
    };
    if !secure && !allow_http && !is_loopback(host) {
        return Err(UrlError::PlainHttp(host.to_owned()));
    }
    if let Some(ip) = literal(host)
        && let Err(why) = Reach::of(secure, allow_http).check(ip)
    {
        return Err(UrlError::OutOfReach(ip, why));
    }
    let text = parsed.as_str().trim_end_matches('/');
    let text = text.strip_suffix("/api/v1").unwrap_or(text).trim_end_matches('/');
    Ok(BaseUrl {
        text: text.to_owned(),
        secure,
    })
}

/// Hosts as the URL parser prints them: it has already turned `127.1` into `127.0.0.1`.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || literal(host).is_some_and(|ip| ip.to_canonical().is_loopback())
}

/// A host that is no name.
fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

impl BaseUrl {
    /// Whether calls are encrypted.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The address without a trailing `/` or `/api/v1`.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// One escaped path segment; `None` where no address can carry it: empty, `.` and `..` would be another path,
/// escaped or not (WHATWG URL, "double-dot path segment").
pub(super) fn segment(text: &str) -> Option<String> {
    if matches!(text, "" | "." | "..") {
        return None;
    }
    Some(escape(text))
}

/// An escaped query value: `+07:00` keeps its plus.
pub(super) fn escape(text: &str) -> String {
    utf8_percent_encode(text, &ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(url: &str, allow_http: bool) -> String {
        check_url(url, allow_http).unwrap().as_str().to_owned()
    }

    #[test]
    fn a_trailing_slash_and_api_v1_are_tolerated() {
        for url in [
            "https://cloud.example.com",
            "https://cloud.example.com/",
            "https://cloud.example.com/api/v1",
            "https://cloud.example.com/api/v1/",
            "  https://cloud.example.com/api/v1//\n",
            "HTTPS://CLOUD.example.com:443",
        ] {
            assert_eq!(ok(url, false), "https://cloud.example.com", "{url}");
        }
        assert_eq!(
            ok("https://x.test/tenant/7/api/v1", false),
            "https://x.test/tenant/7"
        );
        assert_eq!(ok("https://x.test/myapi/v1", false), "https://x.test/myapi/v1");
    }

    #[test]
    fn plain_http_reaches_only_this_machine_unless_allowed() {
        for url in [
            "http://127.0.0.1:9000",
            "http://127.8.9.1",
            "http://localhost:1",
            "http://[::1]:80",
            "http://127.1/",
            "http://2130706433",
            "http://0x7f.0.0.1",
            "http://0177.0.0.1",
            "http://[::ffff:127.0.0.1]",
        ] {
            assert!(check_url(url, false).is_ok(), "{url}");
        }
        for url in [
            "http://cloud.example.com",
            "http://10.0.0.1",
            "http://localhost.evil.test",
            "http://127.0.0.1.evil.test",
            "http://[::ffff:10.0.0.1]",
            "http://167772161",
        ] {
            assert!(
                matches!(check_url(url, false), Err(UrlError::PlainHttp(_))),
                "{url}"
            );
            assert!(check_url(url, true).is_ok(), "{url}");
        }
        assert!(!check_url("http://localhost", false).unwrap().is_secure());
        assert!(check_url("https://localhost", false).unwrap().is_secure());
    }

    #[test]
    fn an_address_that_is_no_clouds_is_refused_however_it_is_written() {
        for host in [
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "169.254.43518",
            "[::ffff:169.254.169.254]",
            "[::ffff:a9fe:a9fe]",
            "[fe80::1]",
            "0.0.0.0",
            "[::]",
            "[ff02::1]",
            "224.0.0.1",
        ] {
            for scheme in ["http", "https"] {
                let url = format!("{scheme}://{host}:8443/");
                let refused = check_url(&url, true);
                assert!(
                    matches!(refused, Err(UrlError::OutOfReach(..))),
                    "{url}: {refused:?}"
                );
            }
        }
        assert!(check_url("https://192.168.1.7", false).is_ok());
    }

    #[test]
    fn what_is_no_cloud_address_is_refused_with_advice() {
        let refused = |url: &str| check_url(url, true).unwrap_err().to_string();
        assert!(refused("cloud.example.com").contains("https://"));
        assert!(refused("").contains("not an address"));
        assert!(refused("ftp://cloud.example.com").contains("ftp"));
        assert!(refused("cloud:9000").contains("scheme"));
        assert!(refused("https://admin:secret@cloud.test").contains("user name"));
        assert!(!refused("https://admin:secret@cloud.test").contains("secret"));
        assert!(refused("https://cloud.test?x=1").contains("query"));
        assert!(refused("https://cloud.test/#x").contains("fragment"));
        assert!(refused("https://").contains("not an address"));
    }

    #[test]
    fn path_and_query_values_cannot_leave_their_place() {
        assert_eq!(segment("a/b?c#d%e f").unwrap(), "a%2Fb%3Fc%23d%25e%20f");
        assert_eq!(segment("550e8400-e29b.x_y~z").unwrap(), "550e8400-e29b.x_y~z");
        assert_eq!(segment("größe").unwrap(), "gr%C3%B6%C3%9Fe");
        assert_eq!(segment(".."), None);
        assert_eq!(segment("."), None);
        assert_eq!(segment(""), None);
        assert_eq!(segment("..."), Some("...".to_owned()));
        assert_eq!(
            escape("2026-01-27T10:30:00+07:00"),
            "2026-01-27T10%3A30%3A00%2B07%3A00"
        );
    }
}
