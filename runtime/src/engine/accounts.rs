//! People who may log in: kept with an Argon2id hash, verified at the same cost whether or not they exist.

use crate::engine::Engine;
use crate::engine::api::{LoginError, Role, Unavailable, User};
use crate::store::rows::{Rows, put};
use crate::store::{Batch, CommitError, Direction, keys};
use argon2::password_hash::{
    Output, ParamsString, PasswordHash, PasswordHasher, PasswordVerifier, SaltString,
};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Params, Version};
use parking_lot::RwLock;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// A user as kept.
#[derive(Clone, Serialize, Deserialize)]
struct UserRow {
    id: String,
    username: String,
    full_name: String,
    role: Role,
    is_active: bool,
    /// PHC string.
    password_hash: String,
}

impl UserRow {
    fn user(&self) -> User {
        User {
            id: self.id.clone(),
            username: self.username.clone(),
            full_name: self.full_name.clone(),
            role: self.role,
            is_active: self.is_active,
        }
    }
}

/// Argon2id by OWASP's figures for 19 MiB: two passes, one lane.
fn hasher() -> Argon2<'static> {
    let params =
        Params::new(19 * 1024, 2, 1, None).expect("invariant: the figures are within Argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// A password's hash as kept. Takes some tens of milliseconds: not on an async worker.
fn hash(password: &str, salt: &[u8; 16]) -> String {
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

/// Checks logins; two at once at most, each takes 19 MiB.
pub struct Accounts {
    slots: Arc<Semaphore>,
    /// What an unknown user's password is compared with.
    nobody: Arc<str>,
    /// Users as last read, by id: who they are is still known while the store cannot be read.
    seen: RwLock<HashMap<String, User>>,
}

impl Accounts {
    /// Accounts with a decoy made from these random bytes.
    pub fn new(random: &[u8; 16]) -> Self {
        Self {
            slots: Arc::new(Semaphore::new(2)),
            nobody: Arc::from(decoy(random)),
            seen: RwLock::default(),
        }
    }
}

/// Makes the first admin when there is no user yet. True: it was made.
///
/// # Errors
/// When the store fails.
pub async fn first_admin(
    rows: &Rows,
    id: String,
    username: &str,
    password: &str,
    salt: &[u8; 16],
) -> Result<bool, Unavailable> {
    if has_users(rows)? {
        return Ok(false);
    }
    let row = UserRow {
        id: id.clone(),
        username: username.to_owned(),
        full_name: "Administrator".to_owned(),
        role: Role::Admin,
        is_active: true,
        password_hash: hash(password, salt),
    };
    let mut batch = Batch::new();
    let key = keys::named(keys::USER, id.as_bytes());
    batch.expect_absent(key.clone());
    put(&mut batch, key, &row);
    match rows.store().commit(batch).await {
        Ok(_) => Ok(true),
        Err(CommitError::Precondition { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether there is any user.
///
/// # Errors
/// When the store fails.
pub fn has_users(rows: &Rows) -> Result<bool, Unavailable> {
    Ok(!users(rows, 1)?.is_empty())
}

fn users(rows: &Rows, limit: usize) -> Result<Vec<UserRow>, Unavailable> {
    let (from, to) = keys::all(keys::USER);
    let found: Vec<(Vec<u8>, UserRow)> = rows.page((&from, &to), Direction::Forward, limit)?;
    Ok(found.into_iter().map(|(_, row)| row).collect())
}

impl Engine {
    /// Checks a user's password. Unknown user, wrong password and inactive user are told apart by nobody, nor by time.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn login(&self, username: &str, password: &str) -> Result<User, LoginError> {
        let accounts = &self.inner.accounts;
        let row = users(&self.inner.rows, 10_000)?
            .into_iter()
            .find(|row| row.username == username);
        let kept = row
            .as_ref()
            .map_or_else(|| accounts.nobody.to_string(), |row| row.password_hash.clone());
        let password = password.to_owned();
        let slot = accounts
            .slots
            .clone()
            .acquire_owned()
            .await
            .expect("invariant: the semaphore is never closed");
        let matches = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            PasswordHash::new(&kept)
                .is_ok_and(|kept| hasher().verify_password(password.as_bytes(), &kept).is_ok())
        })
        .await
        .unwrap_or(false);
        match row.filter(|row| matches && row.is_active) {
            Some(row) => Ok(row.user()),
            None => Err(LoginError::InvalidCredentials),
        }
    }

    /// A user by id, for a token that names them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn user(&self, id: &str) -> Result<Option<User>, Unavailable> {
        let seen = &self.inner.accounts.seen;
        match self
            .inner
            .rows
            .get::<UserRow>(&keys::named(keys::USER, id.as_bytes()))
        {
            Ok(Some(row)) => {
                let user = row.user();
                // Written only when it is news: every request passes here.
                if seen.read().get(id) != Some(&user) {
                    seen.write().insert(id.to_owned(), user.clone());
                }
                Ok(Some(user))
            }
            Ok(None) => {
                seen.write().remove(id);
                Ok(None)
            }
            // Whoever was let in before may ask how the store is while it is being opened again.
            Err(error) => match seen.read().get(id) {
                Some(user) => Ok(Some(user.clone())),
                None => Err(error.into()),
            },
        }
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
        assert_eq!(decoy.hash.unwrap().len(), real.hash.unwrap().len());
        let fits = |hash| hasher().verify_password(b"secret", hash).is_ok();
        assert_eq!((fits(&decoy), fits(&real)), (false, true));
    }
}
