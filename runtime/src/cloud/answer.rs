//! From an answer's status and body to its payload or a [`LinkError`]: the envelope `{success, data}`, errors in
//! the contract's shape and in any other. It does not know the calls.

use super::error::{LinkError, excerpt};
use super::json::Json;
use std::borrow::Cow;
use std::time::Duration;

/// Longest wait a cloud can ask for; more is a mistake, and the engine probes anyway.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What the head of an answer says, as far as it matters for an error.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Head<'a> {
    pub status: u16,
    pub retry_after: Option<&'a str>,
    pub location: Option<&'a str>,
    /// The cloud's own clock (`Date`), to read a `Retry-After` that is a date.
    pub date_ms: Option<i64>,
}

/// The body as text; a byte order mark is passed over.
pub(super) fn text(body: &[u8]) -> Result<&str, LinkError> {
    let text = std::str::from_utf8(body)
        .map_err(|e| LinkError::Nonsense(format!("not UTF-8 text (byte {})", e.valid_up_to())))?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// The payload of a 2xx: the member `data`, or the whole object where there is none.
pub(super) fn payload(body: &str) -> Result<Json<'_>, LinkError> {
    let json = object(body)?;
    refuse_failure(json)?;
    Ok(data(json))
}

/// The results in the payload of a 2xx. An answer that has some is not asked whether it succeeded: to some clouds a batch
/// did not when one of its items failed, and each result speaks for itself.
pub(super) fn results(body: &str) -> Result<Option<Json<'_>>, LinkError> {
    let json = object(body)?;
    let results = data(json).get("results").filter(|results| results.is_array());
    if results.is_none_or(|results| results.elements().next().is_none()) {
        refuse_failure(json)?;
    }
    Ok(results)
}

fn object(body: &str) -> Result<Json<'_>, LinkError> {
    let json = check(body)?;
    if json.is_object() {
        return Ok(json);
    }
    let instead = format!("not an object but \"{}\"", excerpt(body));
    Err(LinkError::Nonsense(instead))
}

fn data(json: Json<'_>) -> Json<'_> {
    json.get("data").filter(|data| data.is_object()).unwrap_or(json)
}

/// For calls whose answer carries nothing that is needed: any body is fine unless it says `success: false` or is
/// a web page (a login page of the network in between).
pub(super) fn acknowledgement(body: &[u8]) -> Result<(), LinkError> {
    let Ok(text) = text(body) else { return Ok(()) };
    match Json::check(text) {
        Ok(json) => refuse_failure(json),
        Err(_) if is_html(text) => Err(html()),
        Err(_) => Ok(()),
    }
}

fn check(body: &str) -> Result<Json<'_>, LinkError> {
    Json::check(body).map_err(|e| {
        if is_html(body) {
            html()
        } else if body.trim().is_empty() {
            LinkError::Nonsense("an empty body".to_owned())
        } else if e.is_eof() {
            LinkError::Nonsense(format!(
                "JSON that ends in the middle, after {} bytes",
                body.len()
            ))
        } else {
            LinkError::Nonsense(format!("not JSON ({e}): \"{}\"", excerpt(body)))
        }
    })
}

fn is_html(body: &str) -> bool {
    body.trim_start().starts_with('<')
}

fn html() -> LinkError {
    LinkError::Nonsense(
        "a web page instead of JSON; check cloud_api_url, and whether the network wants a login".to_owned(),
    )
}

fn refuse_failure(json: Json<'_>) -> Result<(), LinkError> {
    if json.get("success").and_then(Json::truth) != Some(false) {
        return Ok(());
    }
    if json.get("error").and_then(Json::string).as_deref() == Some("rate_limit_exceeded") {
        return Err(LinkError::RateLimited {
            retry_after: wait_in(json),
        });
    }
    Err(LinkError::NotSuccess { message: said(json) })
}

/// The error that a status which is not 2xx means.
pub(super) fn failure(head: &Head<'_>, body: &[u8]) -> LinkError {
    let lossy = String::from_utf8_lossy(body);
    let (message, wait_in_body) = match Json::check(&lossy) {
        Ok(json) if json.is_object() => (said(json), wait_in(json)),
        _ if is_html(&lossy) => (String::new(), None),
        _ => (excerpt(&lossy), None),
    };
    let retry_after = head
        .retry_after
        .and_then(|h| wait_of_header(h, head.date_ms))
        .or(wait_in_body);
    match head.status {
        300..=399 => LinkError::Nonsense(match head.location {
            Some(to) => format!(
                "a redirect (HTTP {}) to {}; redirects are not followed, put the final address into cloud_api_url",
                head.status,
                excerpt(to)
            ),
            None => format!("HTTP {}", head.status),
        }),
        401 => LinkError::Unauthorized(message),
        403 => LinkError::Forbidden(message),
        404 => LinkError::NotFound(message),
        410 => LinkError::Gone,
        413 => LinkError::TooLarge,
        429 => LinkError::RateLimited { retry_after },
        status @ 400..=499 => LinkError::Refused { status, message },
        status @ 500..=599 => LinkError::Server {
            status,
            excerpt: message,
            retry_after,
        },
        status => LinkError::Nonsense(format!("HTTP {status}")),
    }
}

/// `message`, and `error` before it where that says more.
fn said(json: Json<'_>) -> String {
    let part = |name| json.get(name).and_then(Json::word);
    let text = match (part("error"), part("message")) {
        (Some(code), Some(message)) => Cow::Owned(format!("{message} ({code})")),
        (Some(only), None) | (None, Some(only)) => Cow::Owned(only),
        (None, None) => Cow::Borrowed(json.text()),
    };
    excerpt(&text)
}

fn wait_in(json: Json<'_>) -> Option<Duration> {
    let seconds = json.get("retry_after").and_then(Json::word)?;
    seconds_of(&seconds)
}

/// Whole seconds, rounded up; a wait is no document, so reading it through a float loses nothing.
fn seconds_of(text: &str) -> Option<Duration> {
    let seconds: f64 = text.trim().parse().ok()?;
    let rounded = Duration::try_from_secs_f64(seconds.ceil()).ok();
    match rounded {
        Some(wait) => Some(wait.min(LONGEST_WAIT)),
        None if seconds > 0.0 => Some(LONGEST_WAIT),
        None => None,
    }
}

fn wait_of_header(text: &str, date_ms: Option<i64>) -> Option<Duration> {
    if let Some(wait) = seconds_of(text) {
        return Some(wait);
    }
    let until = date_header_ms(text)?;
    let wait_ms = u64::try_from(until.saturating_sub(date_ms?)).unwrap_or(0);
    Some(Duration::from_millis(wait_ms).min(LONGEST_WAIT))
}

/// An HTTP date in milliseconds since the Unix epoch.
pub(super) fn date_header_ms(text: &str) -> Option<i64> {
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, body: &str) -> LinkError {
        failure(
            &Head {
                status,
                ..Head::default()
            },
            body.as_bytes(),
        )
    }

    fn code(body: &str) -> &'static str {
        payload(body).map(|_| "ok").unwrap_or_else(|e| e.code())
    }

    #[test]
    fn each_status_becomes_its_error() {
        let seen: Vec<_> = [
            302, 400, 401, 403, 404, 405, 409, 410, 413, 422, 429, 500, 502, 503, 599, 199, 700,
        ]
        .map(|s| of(s, "{}").code())
        .to_vec();
        assert_eq!(
            seen,
            [
                "nonsense",
                "refused",
                "unauthorized",
                "forbidden",
                "not_found",
                "refused",
                "refused",
                "gone",
                "too_large",
                "refused",
                "rate_limited",
                "server_error",
                "server_error",
                "server_error",
                "server_error",
                "nonsense",
                "nonsense"
            ]
        );
    }

    #[test]
    fn an_error_carries_what_the_cloud_said() {
        let error = of(
            422,
            r#"{"success":false,"error":"bad_price","message":"price is missing"}"#,
        );
        assert_eq!(
            error,
            LinkError::Refused {
                status: 422,
                message: "price is missing (bad_price)".into()
            }
        );
        assert!(
            of(500, "<html><body>nginx</body></html>")
                .to_string()
                .ends_with("(HTTP 500)")
        );
        assert!(
            of(500, "boom\n\nat line 1")
                .to_string()
                .ends_with(": boom at line 1")
        );
        assert!(matches!(of(500, "\u{0}"), LinkError::Server { excerpt, .. } if excerpt.is_empty()));
    }

    #[test]
    fn retry_after_is_read_as_seconds_as_date_and_from_the_body() {
        let limited = |retry_after, body: &str| {
            let head = Head {
                status: 429,
                retry_after,
                date_ms: date_header_ms("Tue, 27 Jan 2026 10:30:00 GMT"),
                location: None,
            };
            failure(&head, body.as_bytes()).retry_after().map(|d| d.as_secs())
        };
        assert_eq!(limited(Some("7"), ""), Some(7));
        assert_eq!(limited(Some("Tue, 27 Jan 2026 10:31:30 GMT"), ""), Some(90));
        assert_eq!(limited(Some("Tue, 27 Jan 2026 10:29:00 GMT"), ""), Some(0));
        assert_eq!(
            limited(None, r#"{"error":"rate_limit_exceeded","retry_after":30}"#),
            Some(30)
        );
        assert_eq!(limited(None, r#"{"retry_after":"1.2"}"#), Some(2));
        assert_eq!(limited(Some("soon"), r#"{"retry_after":5}"#), Some(5));
        assert_eq!(limited(Some("999999999999999999999"), ""), Some(3600));
        assert_eq!(limited(Some("-5"), ""), None);
        assert_eq!(limited(Some("NaN"), ""), None);
        assert_eq!(limited(None, "<html>"), None);
    }

    #[test]
    fn a_body_that_is_no_json_is_nonsense_and_says_what_it_is() {
        let told = |body: &str| payload(body).unwrap_err().to_string();
        assert!(told("<!doctype html><title>Hotel wifi</title>").contains("web page"));
        assert!(told(r#"{"success":true,"data":{"results":[{"#).contains("ends in the middle"));
        assert!(told("").contains("empty"));
        assert!(told("OK").contains("not JSON"));
        assert!(told("[1]").contains("not an object"));
        assert!(told("{} trailing").contains("not JSON"));
        assert!(
            text(b"{\"a\":\"\xff\"}")
                .unwrap_err()
                .to_string()
                .contains("UTF-8")
        );
    }

    #[test]
    fn success_false_is_not_a_success_whatever_the_status() {
        assert_eq!(
            code(r#"{"success":false,"message":"maintenance"}"#),
            "not_success"
        );
        assert_eq!(code(r#"{"success":"false"}"#), "not_success");
        assert_eq!(
            code(r#"{"success":false,"error":"rate_limit_exceeded","retry_after":3}"#),
            "rate_limited"
        );
        assert_eq!(code(r#"{"success":true}"#), "ok");
        assert_eq!(code(r#"{"data":{}}"#), "ok");
    }

    #[test]
    fn the_payload_is_data_or_the_object_itself() {
        assert_eq!(
            payload(r#"{"success":true,"data":{"a":1}}"#).unwrap().text(),
            r#"{"a":1}"#
        );
        assert_eq!(payload(r#"{"a":1}"#).unwrap().text(), r#"{"a":1}"#);
        assert_eq!(
            payload(r#"{"a":1,"data":null}"#)
                .unwrap()
                .get("a")
                .unwrap()
                .text(),
            "1"
        );
        assert!(payload(text(b"\xef\xbb\xbf{}").unwrap()).is_ok());
    }

    #[test]
    fn a_ping_may_answer_anything_but_a_failure_or_a_web_page() {
        for fine in ["", "pong", "{}", "{\"success\":true}", "null", "[]"] {
            assert_eq!(acknowledgement(fine.as_bytes()), Ok(()), "{fine}");
        }
        assert_eq!(acknowledgement(b"\xff\xfe"), Ok(()));
        assert_eq!(acknowledgement(b"<html>login").unwrap_err().code(), "nonsense");
        assert_eq!(
            acknowledgement(b"{\"success\":false}").unwrap_err().code(),
            "not_success"
        );
    }
}
