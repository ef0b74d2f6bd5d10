//! Webhooks as a cloud sends them: signed in the contract's way, or as Standard Webhooks, or badly.

use super::{OUTLET_ID, Outlet, Reply};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use selaras::clock::{Clock, SystemClock};
use selaras_core::stamp::Millis;
use sha2::Sha256;

/// The secret every outlet here starts with.
pub const WEBHOOK_SECRET: &str = "a webhook secret of the company";

/// A webhook to be sent.
#[derive(Clone)]
pub struct Hook {
    pub(super) path: &'static str,
    pub(super) body: String,
    pub(super) headers: Vec<(&'static str, String)>,
}

/// HMAC-SHA256.
fn mac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("a key of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// RFC 3339, so many seconds from now.
pub fn stamp(from_now_seconds: i64) -> String {
    Millis(SystemClock::new().wall_ms() + from_now_seconds * 1000).to_rfc3339()
}

impl Hook {
    /// Signed with the secret, of this outlet. `path` is the last part: `update`, `bulk-update`, …
    pub fn signed(path: &'static str, body: &str) -> Self {
        Self::signed_with(WEBHOOK_SECRET, path, body)
    }

    /// Signed with another secret.
    pub fn signed_with(secret: &str, path: &'static str, body: &str) -> Self {
        let signature = hex::encode(mac(secret.as_bytes(), body.as_bytes()));
        Self::unsigned(path, body)
            .header("X-Cloud-Signature", &signature)
            .header("X-Outlet-ID", OUTLET_ID)
    }

    /// Signed as Standard Webhooks; `secret` is the decoded one.
    pub fn standard(secret: &[u8], path: &'static str, id: &str, from_now_seconds: i64, body: &str) -> Self {
        let seconds = SystemClock::new().wall_ms() / 1000 + from_now_seconds;
        let signed = format!("{id}.{seconds}.{body}");
        let signature = format!("v1,{}", STANDARD.encode(mac(secret, signed.as_bytes())));
        Self::unsigned(path, body)
            .header("webhook-id", id)
            .header("webhook-timestamp", &seconds.to_string())
            .header("webhook-signature", &signature)
    }

    /// Not signed at all.
    pub fn unsigned(path: &'static str, body: &str) -> Self {
        Self {
            path,
            body: body.to_owned(),
            headers: Vec::new(),
        }
    }

    /// Sets a header, in the place of an earlier one.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(n, _)| *n != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    /// A header's value.
    pub fn get(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(n, _)| *n == name)
            .map_or("", |(_, v)| v.as_str())
    }

    /// Another body under the same signature.
    pub fn tampered(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    /// The same to another path.
    pub fn to(mut self, path: &'static str) -> Self {
        self.path = path;
        self
    }
}

impl Outlet {
    /// Delivers a webhook.
    pub async fn hook(&self, hook: &Hook) -> Reply {
        let mut request = self
            .anonymous("POST", &format!("/api/v1/webhooks/cloud/{}", hook.path))
            .json(hook.body.as_str());
        for (name, value) in &hook.headers {
            request = request.header(name, value);
        }
        request.await
    }
}
