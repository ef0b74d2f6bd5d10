//! `ETag`, `If-Match`, `If-None-Match` and `Idempotency-Key`: headers that say when a change is to be taken.

use crate::engine::api::{Idempotency, Precondition};
use crate::http::ApiError;
use http::header::{IF_MATCH, IF_NONE_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sha2::{Digest, Sha256};

/// The header that makes a repeat harmless.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The contract's limit of an id.
const MAX_KEY_BYTES: usize = 128;

/// A record's version as an entity tag.
pub(crate) fn etag(version: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).expect("invariant: digits are a header value")
}

/// What a change's headers demand.
pub(crate) fn precondition(headers: &HeaderMap) -> Result<Precondition, ApiError> {
    match (
        headers.contains_key(IF_MATCH),
        headers.contains_key(IF_NONE_MATCH),
    ) {
        (false, false) => Ok(Precondition::None),
        (true, true) => Err(bad(
            "If-None-Match",
            "cannot be combined with If-Match: send one of them",
        )),
        (true, false) => Ok(match tags(headers, &IF_MATCH, "If-Match")? {
            Tags::Any => Precondition::Exists,
            Tags::Listed(versions) => Precondition::Versions(versions),
        }),
        (false, true) => match tags(headers, &IF_NONE_MATCH, "If-None-Match")? {
            Tags::Any => Ok(Precondition::Absent),
            Tags::Listed(_) => Err(bad(
                "If-None-Match",
                "must be * here: the change is then a create only",
            )),
        },
    }
}

/// Whether a read can be answered with 304.
pub(crate) fn is_unchanged(headers: &HeaderMap, version: u64) -> Result<bool, ApiError> {
    if !headers.contains_key(IF_NONE_MATCH) {
        return Ok(false);
    }
    Ok(match tags(headers, &IF_NONE_MATCH, "If-None-Match")? {
        Tags::Any => true,
        Tags::Listed(versions) => versions.contains(&version),
    })
}

/// The `Idempotency-Key`, bound to what it came with.
pub(crate) fn idempotency(
    headers: &HeaderMap,
    method: &Method,
    path: &str,
    body: &[u8],
) -> Result<Option<Idempotency>, ApiError> {
    let mut sent = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = sent.next() else {
        return Ok(None);
    };
    if sent.any(|other| other != value) {
        return Err(bad("Idempotency-Key", "was sent twice with different values"));
    }
    let key = value
        .to_str()
        .ok()
        .filter(|key| (1..=MAX_KEY_BYTES).contains(&key.len()));
    let Some(key) = key else {
        return Err(bad(
            "Idempotency-Key",
            "must be 1 to 128 visible ASCII characters",
        ));
    };
    let mut digest = Sha256::new();
    for part in [method.as_str(), path] {
        digest.update(part);
        digest.update([0]);
    }
    digest.update(body);
    Ok(Some(Idempotency {
        key: key.to_owned(),
        digest: digest.finalize().into(),
    }))
}

enum Tags {
    Any,
    /// The versions named; a tag that is no version of ours matches nothing and is left out.
    Listed(Vec<u64>),
}

fn tags(headers: &HeaderMap, name: &HeaderName, shown: &'static str) -> Result<Tags, ApiError> {
    let mut versions = Vec::new();
    let mut values = headers.get_all(name).iter();
    if let (Some(only), None) = (values.next(), values.next())
        && only.as_bytes().trim_ascii() == b"*"
    {
        return Ok(Tags::Any);
    }
    for value in headers.get_all(name) {
        let text = value.to_str().map_err(|_| bad(shown, "must be ASCII"))?;
        for tag in text.split(',').map(str::trim) {
            // A tag names one version exactly, so a weak one (a proxy that compressed) says the same.
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            match tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')) {
                Some(inner) => versions.extend(inner.parse::<u64>()),
                None => versions.push(
                    tag.parse()
                        .map_err(|_| bad(shown, "must be * or versions in quotes, e.g. \"3\""))?,
                ),
            }
        }
    }
    Ok(Tags::Listed(versions))
}

fn bad(name: &'static str, problem: &str) -> ApiError {
    ApiError::bad_request("invalid_header", format!("{name} {problem}")).detail(name, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    #[test]
    fn if_match_names_versions_or_any() {
        let of = |value| precondition(&headers(&[(IF_MATCH, value)])).unwrap();
        assert_eq!(of("\"3\""), Precondition::Versions(vec![3]));
        assert_eq!(of("\"3\", W/\"4\", 5"), Precondition::Versions(vec![3, 4, 5]));
        assert_eq!(of("*"), Precondition::Exists);
        assert_eq!(of("\"of-another-server\""), Precondition::Versions(vec![]));
    }

    #[test]
    fn if_none_match_star_is_a_create_only() {
        assert_eq!(
            precondition(&headers(&[(IF_NONE_MATCH, "*")])).unwrap(),
            Precondition::Absent
        );
        assert!(precondition(&headers(&[(IF_NONE_MATCH, "\"3\"")])).is_err());
    }

    #[test]
    fn an_unreadable_tag_is_refused_by_name() {
        let error = precondition(&headers(&[(IF_MATCH, "latest")])).unwrap_err();
        assert_eq!(error.details()[0].field, "If-Match");
        for beside_others in ["\"3\",*", "*,\"3\"", "*, *"] {
            assert!(precondition(&headers(&[(IF_MATCH, beside_others)])).is_err());
        }
        assert!(precondition(&headers(&[(IF_MATCH, "*"), (IF_NONE_MATCH, "*")])).is_err());
    }

    #[test]
    fn an_idempotency_key_is_bound_to_method_path_and_body() {
        let sent = headers(&[(IDEMPOTENCY_KEY, "k-1")]);
        let of = |method: &Method, path, body: &[u8]| {
            idempotency(&sent, method, path, body).unwrap().unwrap().digest
        };
        let first = of(&Method::PUT, "/a", b"{}");
        assert_eq!(first, of(&Method::PUT, "/a", b"{}"));
        assert_ne!(first, of(&Method::PATCH, "/a", b"{}"));
        assert_ne!(first, of(&Method::PUT, "/b", b"{}"));
        assert_ne!(first, of(&Method::PUT, "/a", b"{ }"));
    }

    #[test]
    fn an_idempotency_key_that_is_empty_overlong_or_two_is_refused() {
        let overlong = "k".repeat(129);
        for bad in [&[""][..], &[overlong.as_str()], &["k-1", "k-2"]] {
            let sent = bad
                .iter()
                .map(|key| (IDEMPOTENCY_KEY, HeaderValue::from_str(key).unwrap()));
            let mut several = HeaderMap::new();
            for (name, value) in sent {
                several.append(name, value);
            }
            let error = idempotency(&several, &Method::PUT, "/a", b"").unwrap_err();
            assert_eq!((error.status().as_u16(), error.code()), (400, "invalid_header"));
        }
        assert_eq!(
            idempotency(&HeaderMap::new(), &Method::PUT, "/a", b"").unwrap(),
            None
        );
    }
}
