//! Compiled code, and the one place that turns it into something that runs.
//!
//! This file holds the workspace's single `unsafe`. What makes it sound is the type: an [`Artifact`] exists only
//! straight from the compiler or after its keyed MAC was checked over the very bytes that are loaded.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use wasmtime::Engine;
use wasmtime::component::Component;

type HmacSha256 = Hmac<Sha256>;

/// Opens every sealed artifact; the number changes with the format.
const MAGIC: &[u8; 8] = b"selarac1";
const MAC_BYTES: usize = 32;
const HEADER_BYTES: usize = MAGIC.len() + MAC_BYTES;

/// Machine code of a component, made by this process or authenticated as made by an earlier one of this outlet.
pub(super) struct Artifact {
    sealed: Vec<u8>,
    start: usize,
}

impl Artifact {
    /// What the compiler just returned.
    pub(super) fn from_compiler(code: Vec<u8>) -> Self {
        Self {
            sealed: code,
            start: 0,
        }
    }

    /// Opens what [`Artifact::seal`] wrote; `None` when a single byte, the key or the `purpose` differs.
    pub(super) fn unseal(sealed: Vec<u8>, key: &[u8; 32], purpose: &[u8]) -> Option<Self> {
        let (header, code) = sealed.split_at_checked(HEADER_BYTES)?;
        let (magic, tag) = header.split_at(MAGIC.len());
        if magic != MAGIC {
            return None;
        }
        // Constant time.
        mac(key, purpose, code).verify_slice(tag).ok()?;
        Some(Self {
            sealed,
            start: HEADER_BYTES,
        })
    }

    /// The bytes to keep: magic, MAC over `purpose` and code, code.
    pub(super) fn seal(&self, key: &[u8; 32], purpose: &[u8]) -> Vec<u8> {
        let code = self.code();
        let mut sealed = Vec::with_capacity(HEADER_BYTES + code.len());
        sealed.extend_from_slice(MAGIC);
        sealed.extend_from_slice(&mac(key, purpose, code).finalize().into_bytes());
        sealed.extend_from_slice(code);
        sealed
    }

    fn code(&self) -> &[u8] {
        &self.sealed[self.start..]
    }

    /// Loads the code.
    ///
    /// # Errors
    ///
    /// When it was compiled for another wasmtime, other settings or another processor.
    #[allow(
        unsafe_code,
        reason = "loading compiled code is unsafe by nature; see the file's head"
    )]
    pub(super) fn load(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: `deserialize` asks that the bytes come unchanged from wasmtime's own compiler. Both constructors
        // ensure it: `from_compiler` is called on the compiler's answer only, `unseal` checked an HMAC-SHA256 under
        // a key that only this outlet has over these same bytes, which nothing can change in between: they are ours.
        unsafe { Component::deserialize(engine, self.code()) }
    }
}

fn mac(key: &[u8; 32], purpose: &[u8], code: &[u8]) -> HmacSha256 {
    let mut mac = HmacSha256::new_from_slice(key).expect("invariant: HMAC takes a key of any length");
    mac.update(MAGIC);
    mac.update(&(purpose.len() as u64).to_le_bytes());
    mac.update(purpose);
    mac.update(code);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    #[test]
    fn a_sealed_artifact_opens_only_whole_and_for_its_purpose() {
        let sealed = Artifact::from_compiler(b"machine code".to_vec()).seal(&KEY, b"a");
        let opened = Artifact::unseal(sealed.clone(), &KEY, b"a").expect("opens");
        assert_eq!(opened.code(), b"machine code");
        assert!(
            Artifact::unseal(sealed.clone(), &KEY, b"b").is_none(),
            "another purpose"
        );
        assert!(
            Artifact::unseal(sealed.clone(), &[8; 32], b"a").is_none(),
            "another key"
        );
        assert!(
            Artifact::unseal(sealed[..20].to_vec(), &KEY, b"a").is_none(),
            "a torn file"
        );
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(
                Artifact::unseal(bent, &KEY, b"a").is_none(),
                "byte {at} changed unnoticed"
            );
        }
    }
}
