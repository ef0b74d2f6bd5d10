//! Is it the cloud? Two forms are taken: `X-Cloud-Signature`, the lower-case hex of HMAC-SHA256 over the raw
//! body, and the Standard Webhooks headers, which sign id, time and body.
//!
//! Several signatures and two secrets are tried, so that secrets can be rotated. All comparisons are in
//! constant time, and every secret is tried against every signature, whichever fits.

use crate::http::ApiError;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use http::{HeaderMap, HeaderName};
use sha2::Sha256;
use std::fmt;
use subtle::{Choice, ConstantTimeEq};

pub(super) const X_CLOUD_SIGNATURE: HeaderName = HeaderName::from_static("x-cloud-signature");
pub(super) const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");
/// Marks a secret as Standard Webhooks write it: the key is what follows, base64-decoded.
const STANDARD_PREFIX: &str = "whsec_";
/// Signatures tried of one request; nobody rotates through more.
const MAX_SIGNATURES: usize = 8;

type HmacSha256 = Hmac<Sha256>;

/// What proves that the cloud sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// `X-Cloud-Signature`: the body is the cloud's, the headers may be anyone's.
    Body,
    /// Standard Webhooks: this id and this time of the attempt are the cloud's too.
    Standard {
        /// `webhook-id`.
        id: String,
        /// `webhook-timestamp` as signed.
        timestamp: String,
    },
}

/// The secrets in force. Never shown.
pub(crate) struct Keys(Vec<Key>);

struct Key {
    /// Over the secret's own text.
    plain: HmacSha256,
    /// Over what a `whsec_` secret stands for; the text itself for any other.
    standard: HmacSha256,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keys({})", self.0.len())
    }
}

impl Keys {
    /// Empty secrets count as none.
    pub(crate) fn new(secrets: &[Secret]) -> Self {
        Self(
            secrets
                .iter()
                .filter(|secret| !secret.is_empty())
                .map(|secret| Key::new(secret.expose()))
                .collect(),
        )
    }

    /// 503 when there is no secret: that never means open.
    pub(crate) fn configured(&self) -> Result<&Self, ApiError> {
        if self.0.is_empty() {
            return Err(ApiError::unavailable(
                "webhook_not_configured",
                "webhooks are closed until this outlet has a secret: set WEBHOOK_SECRET",
            ));
        }
        Ok(self)
    }

    /// Whether the cloud sent this body; how fresh it is, is for others to say.
    ///
    /// # Errors
    /// 401 when no signature holds.
    pub(crate) fn verify(&self, headers: &HeaderMap, body: &[u8]) -> Result<Proof, ApiError> {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        if let (Some(id), Some(timestamp), Some(signatures)) = (
            text(&WEBHOOK_ID),
            text(&WEBHOOK_TIMESTAMP),
            text(&WEBHOOK_SIGNATURE),
        ) && self.verify_standard(id, timestamp, signatures, body)
        {
            return Ok(Proof::Standard {
                id: id.to_owned(),
                timestamp: timestamp.to_owned(),
            });
        }
        let signatures: Vec<&str> = headers
            .get_all(X_CLOUD_SIGNATURE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .collect();
        if self.verify_plain(&signatures, body) {
            return Ok(Proof::Body);
        }
        let sent = !signatures.is_empty() || headers.contains_key(WEBHOOK_SIGNATURE);
        Err(refused(sent))
    }

    /// Hex, with or without `sha256=`; several separated by commas or spaces.
    fn verify_plain(&self, signatures: &[&str], body: &[u8]) -> bool {
        let given: Vec<[u8; 32]> = signatures
            .iter()
            .flat_map(|text| text.split([',', ' ']))
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .take(MAX_SIGNATURES)
            .filter_map(|text| {
                let mut bytes = [0; 32];
                let text = text.strip_prefix("sha256=").unwrap_or(text);
                hex::decode_to_slice(text, &mut bytes).ok().map(|()| bytes)
            })
            .collect();
        any_fits(self.0.iter().map(|key| mac(&key.plain, &[body])), &given)
    }

    /// `v1,` and base64; several separated by spaces. Other versions are passed over, as the standard says.
    fn verify_standard(&self, id: &str, timestamp: &str, signatures: &str, body: &[u8]) -> bool {
        let given: Vec<[u8; 32]> = signatures
            .split(' ')
            .filter_map(|text| text.trim().strip_prefix("v1,"))
            .take(MAX_SIGNATURES)
            .filter_map(|text| STANDARD.decode(text).ok()?.try_into().ok())
            .collect();
        let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
        any_fits(self.0.iter().map(|key| mac(&key.standard, &signed)), &given)
    }
}

impl Key {
    fn new(secret: &str) -> Self {
        let decoded = secret
            .strip_prefix(STANDARD_PREFIX)
            .and_then(|text| STANDARD.decode(text).ok());
        Self {
            plain: keyed(secret.as_bytes()),
            standard: keyed(decoded.as_deref().unwrap_or(secret.as_bytes())),
        }
    }
}

fn keyed(secret: &[u8]) -> HmacSha256 {
    HmacSha256::new_from_slice(secret).expect("invariant: HMAC takes keys of any length")
}

fn mac(key: &HmacSha256, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = key.clone();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Compares all with all, whichever fits.
fn any_fits(expected: impl Iterator<Item = [u8; 32]>, given: &[[u8; 32]]) -> bool {
    let mut fits = Choice::from(0);
    for mac in expected {
        for signature in given {
            fits |= mac.ct_eq(signature);
        }
    }
    fits.into()
}

fn refused(sent: bool) -> ApiError {
    let problem = if sent {
        "does not fit the body: sign the raw body as it is sent, with the secret that this outlet has"
    } else {
        "is missing: sign the raw body with HMAC-SHA256 and send it as hex"
    };
    ApiError::unauthorized("invalid_signature", format!("the signature {problem}"))
        .detail("X-Cloud-Signature", problem)
}

#[cfg(test)]
mod tests;
