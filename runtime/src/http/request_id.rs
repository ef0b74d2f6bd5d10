//! The name of a request: the client's own `X-Request-ID` where it is harmless, else one of ours.

use http::{HeaderMap, HeaderName, HeaderValue};
use std::sync::atomic::{AtomicU64, Ordering};

/// The header, both ways.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longer ones are replaced: they go into the log.
const MAX_BYTES: usize = 64;

/// Makes ids: a prefix of this start, and a count.
#[derive(Debug)]
pub(crate) struct RequestIds {
    prefix: u32,
    next: AtomicU64,
}

impl RequestIds {
    /// `seed` tells one start of the process from another.
    pub(crate) fn new(seed: u64) -> Self {
        let folded = (seed >> 32) ^ (seed & 0xffff_ffff);
        let prefix = u32::try_from(folded).expect("invariant: 32 bits are left");
        Self {
            prefix,
            next: AtomicU64::new(1),
        }
    }

    /// The request's id.
    pub(crate) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        match headers.get(X_REQUEST_ID) {
            Some(sent) if is_sane(sent.as_bytes()) => sent.clone(),
            _ => self.make(),
        }
    }

    fn make(&self) -> HeaderValue {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        HeaderValue::try_from(format!("{:08x}-{count}", self.prefix))
            .expect("invariant: hex digits are a header value")
    }
}

/// Letters, digits and `-_.:`, so that nothing of the log's own syntax can be forged.
fn is_sane(id: &[u8]) -> bool {
    (1..=MAX_BYTES).contains(&id.len())
        && id
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(X_REQUEST_ID, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_sane_id_of_the_client_is_kept() {
        assert_eq!(RequestIds::new(7).of(&sent("01J-abc.7:x_Y")), "01J-abc.7:x_Y");
    }

    #[test]
    fn a_strange_or_long_or_missing_id_is_replaced() {
        let ids = RequestIds::new(7);
        for odd in ["", "a b", "a\"b", "x".repeat(65).as_str()] {
            assert_ne!(ids.of(&sent(odd)), odd);
        }
        assert_ne!(ids.of(&HeaderMap::new()), ids.of(&HeaderMap::new()));
    }
}
