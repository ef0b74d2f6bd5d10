//! Passwords: how they are kept and compared, and which are too easy to guess.

use argon2::password_hash::{
    Output, ParamsString, PasswordHash, PasswordHasher, PasswordVerifier, SaltString,
};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Params, Version};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The fewest characters of a password.
pub const SHORTEST: usize = 8;
/// No password is longer, in bytes; more would only feed the hash.
pub const LONGEST_BYTES: usize = 1024;

/// What is tried first by those who guess: 8,444 passwords of eight characters and more, lower case; from the list of
/// 20,000 that Django comes with, compiled by Royce Williams and given into the public domain.
const COMMON: &str = include_str!("common-passwords.txt");

/// Argon2id by OWASP's figures for 19 MiB: two passes, one lane.
fn hasher() -> Argon2<'static> {
    let params =
        Params::new(19 * 1024, 2, 1, None).expect("invariant: the figures are within Argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// A password's hash as kept, a PHC string. Takes some tens of milliseconds: not on an async worker.
pub fn hash(password: &str, salt: &[u8; 16]) -> String {
    let salt = SaltString::encode_b64(salt).expect("invariant: 16 bytes are a salt");
    let hash = hasher().hash_password(password.as_bytes(), &salt);
    hash.expect("invariant: any password can be hashed").to_string()
}

/// What no password has: it costs as much to compare with as a real one, and nothing to make.
fn decoy(random: &[u8; 16]) -> String {
    let salt = SaltString::encode_b64(random).expect("invariant: 16 bytes are a salt");
    let params =
        ParamsString::try_from(hasher().params()).expect("invariant: the figures can be written down");
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params,
        salt: Some(salt.as_salt()),
        hash: Some(Output::new(&[*random, *random].concat()).expect("invariant: 32 bytes are a hash")),
    };
    hash.to_string()
}

/// Why a password may not be had; none: it may.
pub fn problem(password: &str, username: &str) -> Option<&'static str> {
    let lower = password.to_lowercase();
    if password.chars().count() < SHORTEST {
        Some("must have at least 8 characters")
    } else if password.len() > LONGEST_BYTES {
        Some("must be at most 1024 bytes long")
    } else if lower.contains(&username.to_lowercase()) {
        Some("must not contain the user name")
    } else if COMMON.lines().any(|common| common == lower) {
        Some("is one of those that are tried first by who guesses: take another")
    } else {
        None
    }
}

/// Hashes and compares; two at once at most, each takes 19 MiB.
pub struct Passwords {
    slots: Arc<Semaphore>,
    nobody: Arc<str>,
}

impl Passwords {
    /// With a decoy made from these random bytes.
    pub fn new(random: &[u8; 16]) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(2)),
            nobody: Arc::from(decoy(random)),
        }
    }

    /// Whether this is the password whose hash was kept; none was: it is not, at the same cost.
    pub async fn matches(&self, kept: Option<&str>, password: &str) -> bool {
        let (known, kept) = (kept.is_some(), kept.unwrap_or(&self.nobody).to_owned());
        let password = password.to_owned();
        self.work(move || {
            PasswordHash::new(&kept)
                .is_ok_and(|kept| hasher().verify_password(password.as_bytes(), &kept).is_ok())
        })
        .await
        .is_some_and(|matches| matches && known)
    }

    /// The hash of a password as it is kept. None: hashing died.
    pub async fn hash(&self, password: &str, salt: [u8; 16]) -> Option<String> {
        let password = password.to_owned();
        self.work(move || hash(&password, &salt)).await
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let slot = self.slots.clone().acquire_owned().await;
        let slot = slot.expect("invariant: the semaphore is never closed");
        let done = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            work()
        });
        done.await
            .inspect_err(|error| tracing::error!(%error, "a password could not be hashed"))
            .ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comparing_with_the_decoy_is_the_same_work_and_never_true() {
        let (decoy, real) = (decoy(&[7; 16]), hash("secret", &[7; 16]));
        let (decoy, real) = (
            PasswordHash::new(&decoy).unwrap(),
            PasswordHash::new(&real).unwrap(),
        );
        assert_eq!(
            (decoy.algorithm, decoy.version, &decoy.params),
            (real.algorithm, real.version, &real.params)
        );
        assert!(hasher().verify_password(b"secret", &decoy).is_err());
        assert!(hasher().verify_password(b"secret", &real).is_ok());
    }

    #[test]
    fn what_is_easy_to_guess_is_refused_with_what_is_wrong_with_it() {
        let refused = |password| problem(password, "ani").unwrap_or("");
        assert!(refused("short").contains("8 characters"));
        assert!(refused("Password1").contains("tried first"));
        assert!(refused("ANI-and-more").contains("user name"));
        assert!(refused(&"x".repeat(1025)).contains("1024"));
        assert_eq!(problem("durian under the stairs", "ani"), None);
    }

    #[test]
    fn the_list_is_whole_and_as_it_is_compared_with() {
        let words: Vec<&str> = COMMON.lines().collect();
        assert_eq!(words.len(), 8444);
        let fits = |word: &&str| word.len() >= SHORTEST && word.to_lowercase() == **word;
        assert!(words.iter().all(fits));
    }
}
