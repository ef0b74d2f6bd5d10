//! Making up secrets for one run, and signing webhooks as any cloud would.

use anyhow::anyhow;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// A key or password: 24 random bytes in hex.
///
/// # Errors
/// When the system has no random source.
pub fn key() -> anyhow::Result<String> {
    Ok(hex::encode(random()?))
}

/// A webhook secret as Standard Webhooks writes it.
///
/// # Errors
/// When the system has no random source.
pub fn webhook() -> anyhow::Result<String> {
    Ok(format!("whsec_{}", STANDARD.encode(random()?)))
}

/// `X-Cloud-Signature` of a body.
pub fn signature(secret: &str, body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes());
    let mut mac = mac.expect("invariant: HMAC takes keys of any length");
    mac.update(body.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

fn random() -> anyhow::Result<[u8; 24]> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(|error| anyhow!("the system has no random source: {error}"))?;
    Ok(bytes)
}
