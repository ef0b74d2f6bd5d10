//! Where traces go: the collector's address and what it is shown, checked.

use http::Uri;
use percent_encoding::percent_decode_str;
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

/// Where traces go.
#[derive(Clone, PartialEq, Eq)]
pub struct Traces {
    url: String,
    headers: HashMap<String, String>,
    service_name: String,
    outlet_id: Option<String>,
}

impl fmt::Debug for Traces {
    /// Without the headers, which hold keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Traces {
    /// `endpoint` is the collector's base: https, or http to this machine, or to any with `allow_http`. `headers`: `name=value` with
    /// commas between them, percent-encoded, as OpenTelemetry has it.
    ///
    /// # Errors
    /// The variable that is wrong, and what it must be.
    pub fn parse(
        endpoint: &str,
        allow_http: bool,
        headers: &str,
        service_name: String,
        outlet_id: Option<String>,
    ) -> Result<Self, (&'static str, &'static str)> {
        let uri: Uri = endpoint
            .parse()
            .map_err(|_| (ENDPOINT, "an address such as https://collector.example:4318"))?;
        let named = uri
            .authority()
            .filter(|authority| !authority.as_str().contains('@'));
        let (Some(scheme), Some(authority), None) = (uri.scheme_str(), named, uri.query()) else {
            return Err((
                ENDPOINT,
                "https:// or http://, a host, and neither a user nor a query",
            ));
        };
        match scheme {
            "https" => {}
            "http" if allow_http || is_this_machine(authority.host()) => {}
            "http" => {
                return Err((
                    ENDPOINT,
                    "is plain http to another machine: use https, or set OTEL_ALLOW_HTTP=true if the network is yours alone",
                ));
            }
            _ => return Err((ENDPOINT, "https:// or http://: only OTLP over HTTP is spoken")),
        }
        Ok(Self {
            url: format!("{}/v1/traces", endpoint.trim_end_matches('/')),
            headers: read_headers(headers).ok_or((
                "OTEL_EXPORTER_OTLP_HEADERS",
                "name=value, with commas between them",
            ))?,
            service_name,
            outlet_id,
        })
    }

    /// Over TLS.
    pub(super) fn is_secure(&self) -> bool {
        self.url.starts_with("https:")
    }

    /// Where spans are posted.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What the collector is shown, such as a key.
    pub(super) fn headers(&self) -> &HashMap<String, String> {
        &self.headers
    }

    /// What the collector calls this program.
    pub(super) fn service_name(&self) -> &str {
        &self.service_name
    }

    /// Which outlet it is, as far as the environment says.
    pub(super) fn outlet_id(&self) -> Option<&str> {
        self.outlet_id.as_deref()
    }
}

fn is_this_machine(host: &str) -> bool {
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback())
}

fn read_headers(text: &str) -> Option<HashMap<String, String>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
            http::HeaderName::try_from(name.trim()).ok()?;
            http::HeaderValue::try_from(value.as_ref()).ok()?;
            Some((name.trim().to_owned(), value.into_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(
        endpoint: &str,
        allow_http: bool,
        headers: &str,
    ) -> Result<Traces, (&'static str, &'static str)> {
        Traces::parse(endpoint, allow_http, headers, "selaras".to_owned(), None)
    }

    #[test]
    fn plain_http_goes_to_this_machine_only_unless_it_is_allowed() {
        for good in [
            "https://c.example",
            "http://127.0.0.1:4318/",
            "http://[::1]:4318",
            "http://localhost:4318/base",
        ] {
            assert!(parse(good, false, "").is_ok(), "{good}");
        }
        assert_eq!(
            parse("http://localhost:4318/base/", false, "").unwrap().url(),
            "http://localhost:4318/base/v1/traces"
        );
        for bad in [
            "http://c.example",
            "grpc://c.example",
            "c.example:4317",
            "https://u:p@c.example",
            "https://c.example?a",
            "",
        ] {
            assert_eq!(parse(bad, false, "").unwrap_err().0, ENDPOINT, "{bad}");
        }
        assert!(parse("http://c.example", true, "").is_ok());
    }

    #[test]
    fn headers_are_read_as_opentelemetry_has_them_and_never_printed() {
        let traces = parse(
            "https://c.example",
            false,
            "authorization=Bearer%20abc, x-team = shops ,",
        )
        .unwrap();
        assert_eq!(traces.headers()["authorization"], "Bearer abc");
        assert_eq!(traces.headers()["x-team"], "shops");
        assert!(!format!("{traces:?}").contains("abc"));
        for bad in ["nonsense", "a b=c", "a=%0A"] {
            assert_eq!(
                parse("https://c.example", false, bad).unwrap_err().0,
                "OTEL_EXPORTER_OTLP_HEADERS",
                "{bad}"
            );
        }
    }
}
