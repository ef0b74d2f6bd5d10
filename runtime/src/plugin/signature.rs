//! Signatures over components: Ed25519, in a custom section at the end of the file.
//!
//! A section and not a file beside it, because one file is what travels: by HTTP, into the folder, in a backup. Its bytes,
//! after the section's name: the form (1), the public key (32), the time of signing in milliseconds since 1970 (u64,
//! big-endian), the signature (64). Signed is `PURPOSE`, that time, and the SHA-256 of the file without the section.
//! Whose keys count is the caller's business.

use std::fmt;
use std::str::FromStr;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::{Digest, Sha256};

/// The section's name.
const SECTION: &[u8] = b"selaras-signature";
/// What a signature is for; no other use of the same key can be taken for it.
const PURPOSE: &[u8] = b"selaras plugin signature 1\n";
const FORM: u8 = 1;
const KEY_BYTES: usize = 32;
const SIGNATURE_BYTES: usize = 64;
const BODY_BYTES: usize = 1 + KEY_BYTES + 8 + SIGNATURE_BYTES;
/// Magic, version and layer.
const PREAMBLE_BYTES: usize = 8;
const CUSTOM: u8 = 0;

/// Who signed: 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; KEY_BYTES]);

impl FromStr for PublicKey {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        Ok(Self(key_bytes(text)?))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// What one signs with: 64 hex digits, never shown.
pub struct SecretKey {
    seed: [u8; KEY_BYTES],
    pair: Ed25519KeyPair,
}

impl SecretKey {
    /// The key of these random bytes.
    ///
    /// # Panics
    /// Never: any 32 bytes are a key.
    #[must_use]
    pub fn of_seed(seed: [u8; KEY_BYTES]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).expect("invariant: any 32 bytes are a seed");
        Self { seed, pair }
    }

    /// Its other half, to be given away.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        let bytes = self.pair.public_key().as_ref().try_into();
        PublicKey(bytes.expect("invariant: an Ed25519 key has 32 bytes"))
    }

    /// As it is kept in its file.
    #[must_use]
    pub fn expose(&self) -> String {
        hex::encode(self.seed)
    }
}

impl FromStr for SecretKey {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        Ok(Self::of_seed(key_bytes(text)?))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

fn key_bytes(text: &str) -> Result<[u8; KEY_BYTES], SignatureError> {
    let mut bytes = [0; KEY_BYTES];
    hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| SignatureError::Key)?;
    Ok(bytes)
}

/// Who signed a component, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The key.
    pub by: PublicKey,
    /// By the signer's clock, milliseconds since 1970.
    pub at_ms: u64,
}

/// Why there is no signature that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not a key.
    #[error("a key is 64 hex digits, as `selaras plugin keygen` makes it")]
    Key,
    /// Not a file of sections.
    #[error("this is not a WebAssembly file, or it is cut off")]
    Garbled,
    /// A signature that is not the end of the file, or of another form.
    #[error("its signature is not whole, or something was put behind it")]
    Malformed,
    /// The bytes or the time are not what was signed.
    #[error("its signature does not fit: the file was changed after it was signed")]
    Mismatch,
}

/// The file with this signature; an earlier one is replaced.
///
/// # Errors
/// When it is no WebAssembly file.
pub fn sign(file: &[u8], key: &SecretKey, at_ms: u64) -> Result<Vec<u8>, SignatureError> {
    let component = match split(file) {
        Ok((component, _)) => component,
        Err(error) => return Err(error),
    };
    let signature = key.pair.sign(&message(component, at_ms));
    let mut section = Vec::with_capacity(2 + SECTION.len() + BODY_BYTES);
    let payload = 1 + SECTION.len() + BODY_BYTES;
    section.push(CUSTOM);
    write_length(&mut section, payload);
    write_length(&mut section, SECTION.len());
    section.extend_from_slice(SECTION);
    section.push(FORM);
    section.extend_from_slice(&key.public().0);
    section.extend_from_slice(&at_ms.to_be_bytes());
    section.extend_from_slice(signature.as_ref());
    Ok([component, &section].concat())
}

/// Who signed the file. None: nobody.
///
/// # Errors
/// When there is a signature that does not hold.
pub fn signed(file: &[u8]) -> Result<Option<Signed>, SignatureError> {
    let (component, Some(body)) = split(file)? else {
        return Ok(None);
    };
    let Some((&FORM, rest)) = body.split_first() else {
        return Err(SignatureError::Malformed);
    };
    let (Some((key, rest)), true) = (rest.split_first_chunk::<KEY_BYTES>(), body.len() == BODY_BYTES) else {
        return Err(SignatureError::Malformed);
    };
    let Some((at, signature)) = rest.split_first_chunk::<8>() else {
        return Err(SignatureError::Malformed);
    };
    let at_ms = u64::from_be_bytes(*at);
    UnparsedPublicKey::new(&ED25519, key)
        .verify(&message(component, at_ms), signature)
        .map_err(|_| SignatureError::Mismatch)?;
    Ok(Some(Signed {
        by: PublicKey(*key),
        at_ms,
    }))
}

fn message(component: &[u8], at_ms: u64) -> Vec<u8> {
    [PURPOSE, &at_ms.to_be_bytes(), &Sha256::digest(component)].concat()
}

/// The file without its signature, and the signature's bytes. A signature is the last section.
fn split(file: &[u8]) -> Result<(&[u8], Option<&[u8]>), SignatureError> {
    if !file.starts_with(b"\0asm") || file.len() < PREAMBLE_BYTES {
        return Err(SignatureError::Garbled);
    }
    let mut rest = &file[PREAMBLE_BYTES..];
    while let Some((&id, after)) = rest.split_first() {
        let at = file.len() - rest.len();
        let (size, after) = read_length(after).ok_or(SignatureError::Garbled)?;
        let (payload, next) = after.split_at_checked(size).ok_or(SignatureError::Garbled)?;
        let named = read_length(payload).and_then(|(len, name)| name.split_at_checked(len));
        if id == CUSTOM
            && let Some((SECTION, body)) = named
        {
            return if next.is_empty() {
                Ok((&file[..at], Some(body)))
            } else {
                Err(SignatureError::Malformed)
            };
        }
        rest = next;
    }
    Ok((file, None))
}

/// An unsigned LEB128 number of 32 bits.
fn read_length(mut bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut number: u64 = 0;
    for shift in [0, 7, 14, 21, 28] {
        let (&byte, rest) = bytes.split_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        bytes = rest;
        if byte & 0x80 == 0 {
            return Some((usize::try_from(number).ok()?, bytes));
        }
    }
    None
}

fn write_length(out: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugin::fixtures::Fixture;

    fn key(of: u8) -> SecretKey {
        SecretKey::of_seed([of; 32])
    }

    fn component() -> Vec<u8> {
        Fixture::verdict("signed", 0, "", "").build()
    }

    #[test]
    fn a_signature_names_its_key_and_time_and_is_replaced_by_the_next() {
        let plain = component();
        assert_eq!(signed(&plain), Ok(None));
        let first = sign(&plain, &key(1), 5).unwrap();
        let by_first = Signed {
            by: key(1).public(),
            at_ms: 5,
        };
        assert_eq!(signed(&first), Ok(Some(by_first)));
        let second = sign(&first, &key(2), 6).unwrap();
        assert_eq!(second.len(), first.len());
        assert_eq!(signed(&second).unwrap().unwrap().by, key(2).public());
        assert_eq!(sign(&second, &key(1), 5).unwrap(), first);
    }

    #[test]
    fn a_signed_component_is_still_a_component() {
        let file = sign(&component(), &key(1), 5).unwrap();
        wasmtime::component::Component::new(&wasmtime::Engine::default(), file).unwrap();
    }

    #[test]
    fn no_byte_can_be_changed_and_nothing_be_put_behind_it() {
        let file = sign(&component(), &key(1), 5).unwrap();
        // Every byte of the signature, and some of what is signed.
        let places = (PREAMBLE_BYTES..file.len()).filter(|at| at % 13 == 0 || at + 130 > file.len());
        for at in places {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(
                !matches!(signed(&changed), Ok(Some(signed)) if signed.by == key(1).public()),
                "byte {at} does not count"
            );
        }
        let behind = [&file[..], &[CUSTOM, 2, 1, b'x']].concat();
        assert_eq!(signed(&behind), Err(SignatureError::Malformed));
        assert_eq!(signed(&file[..file.len() - 1]), Err(SignatureError::Garbled));
    }

    #[test]
    fn keys_are_read_as_they_are_written_and_the_secret_half_is_not_shown() {
        let secret = key(7);
        let again: SecretKey = format!("{}\n", secret.expose()).parse().unwrap();
        assert_eq!(again.public(), secret.public());
        assert_eq!(secret.public().to_string().parse(), Ok(secret.public()));
        assert!(!format!("{secret:?}").contains(&secret.expose()));
        for bad in ["", "abcd", &"g".repeat(64), &"a".repeat(66)] {
            assert_eq!(bad.parse::<PublicKey>(), Err(SignatureError::Key), "{bad}");
        }
    }
}
