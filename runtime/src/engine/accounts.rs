//! People who may log in: kept with an Argon2id hash, verified at the same cost whether or not they exist. The last active
//! admin stays.

mod password;
mod sessions;
#[cfg(test)]
mod tests;
mod tokens;

pub use password::{Passwords, problem as password_problem};
pub use sessions::Sessions;
pub use tokens::PREFIX as APP_TOKEN_PREFIX;

use crate::engine::Engine;
use crate::engine::api::{Event, LoginError, NewUser, Role, Unavailable, User, UserError, UserPatch};
use crate::engine::audit::entry;
use crate::secret::Secret;
use crate::store::rows::{Rows, put};
use crate::store::{Batch, CommitError, Direction, keys};
use parking_lot::RwLock;
use selaras_core::stamp::Millis;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// More users than an outlet has people.
const MOST_USERS: usize = 1_000;

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
    #[serde(default)]
    must_change_password: bool,
    #[serde(default)]
    generation: u32,
    #[serde(default)]
    created_at: Option<Millis>,
    #[serde(default)]
    updated_at: Option<Millis>,
}

impl UserRow {
    fn user(&self) -> User {
        User {
            id: self.id.clone(),
            username: self.username.clone(),
            full_name: self.full_name.clone(),
            role: self.role,
            is_active: self.is_active,
            must_change_password: self.must_change_password,
            generation: self.generation,
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }

    fn is_active_admin(&self) -> bool {
        self.is_active && self.role == Role::Admin
    }
}

/// Who may log in.
pub struct Accounts {
    passwords: Passwords,
    /// Users as last read, by id: who they are is still known while the store cannot be read.
    seen: RwLock<HashMap<String, User>>,
    /// One change of users at a time, so that of two last admins one stays.
    changing: tokio::sync::Mutex<()>,
}

impl Accounts {
    /// Accounts whose decoy is made from these random bytes.
    pub fn new(random: &[u8; 16]) -> Self {
        Self {
            passwords: Passwords::new(random),
            seen: RwLock::default(),
            changing: tokio::sync::Mutex::default(),
        }
    }
}

/// The first admin, as the first start makes it.
pub struct FirstAdmin<'a> {
    /// Stable id.
    pub id: String,
    /// The name to log in with.
    pub username: &'a str,
    /// The password.
    pub password: &'a Secret,
    /// It is only for the first login.
    pub must_change_password: bool,
    /// Random bytes.
    pub salt: [u8; 16],
    /// When.
    pub now: Millis,
}

/// Makes the first admin when there is no user yet. True: it was made.
///
/// # Errors
/// When the store fails.
pub async fn first_admin(rows: &Rows, first: FirstAdmin<'_>) -> Result<bool, Unavailable> {
    if has_users(rows)? {
        return Ok(false);
    }
    let row = UserRow {
        id: first.id,
        username: first.username.to_owned(),
        full_name: "Administrator".to_owned(),
        role: Role::Admin,
        is_active: true,
        password_hash: password::hash(first.password.expose(), &first.salt),
        must_change_password: first.must_change_password,
        generation: 0,
        created_at: Some(first.now),
        updated_at: Some(first.now),
    };
    let mut batch = Batch::new();
    batch.expect_absent(key(&row.id));
    put(&mut batch, key(&row.id), &row);
    let event = Event::new("system", "user.create", &row.username)
        .with("id", row.id.as_str())
        .with("role", row.role.as_str());
    batch.append_audit(entry(&event, first.now));
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

fn key(id: &str) -> Vec<u8> {
    keys::named(keys::USER, id.as_bytes())
}

impl Engine {
    /// Checks a user's password. Unknown user, wrong password and inactive user are told apart by nobody, nor by time.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn login(&self, username: &str, password: &str) -> Result<User, LoginError> {
        let row = users(&self.inner.rows, MOST_USERS)?
            .into_iter()
            .find(|row| row.username == username);
        let kept = row.as_ref().map(|row| row.password_hash.as_str());
        let matches = self.inner.accounts.passwords.matches(kept, password).await;
        match row.filter(|row| matches && row.is_active) {
            Some(row) => Ok(row.user()),
            None => Err(LoginError::InvalidCredentials),
        }
    }

    /// Everybody who may log in, or might, by id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn users(&self) -> Result<Vec<User>, Unavailable> {
        Ok(users(&self.inner.rows, MOST_USERS)?
            .iter()
            .map(UserRow::user)
            .collect())
    }

    /// A user by id, for a token that names them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn user(&self, id: &str) -> Result<Option<User>, Unavailable> {
        let seen = &self.inner.accounts.seen;
        match self.inner.rows.get::<UserRow>(&key(id)) {
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

    /// Makes a user.
    ///
    /// # Errors
    /// See [`UserError`].
    pub async fn make_user(&self, new: NewUser, by: &str) -> Result<User, UserError> {
        let _one = self.inner.accounts.changing.lock().await;
        let others = users(&self.inner.rows, MOST_USERS)?;
        if others.iter().any(|row| row.username == new.username) {
            return Err(UserError::Taken(new.username));
        }
        // A login looks at so many.
        if others.len() >= MOST_USERS {
            return Err(UserError::TooMany(MOST_USERS));
        }
        let now = self.now();
        let row = UserRow {
            id: self.new_ulid(),
            password_hash: self.hashed(new.password.expose(), &new.username).await?,
            username: new.username,
            full_name: new.full_name,
            role: new.role,
            is_active: new.is_active,
            must_change_password: new.must_change_password,
            generation: 0,
            created_at: Some(now),
            updated_at: Some(now),
        };
        let mut batch = Batch::new();
        put(&mut batch, key(&row.id), &row);
        let event = Event::new(by, "user.create", &row.username)
            .with("id", row.id.as_str())
            .with("role", row.role.as_str())
            .with("is_active", row.is_active);
        self.record(&mut batch, &event);
        self.inner
            .rows
            .store()
            .commit(batch)
            .await
            .map_err(Unavailable::from)?;
        tracing::info!(
            by,
            user = row.username,
            role = row.role.as_str(),
            "a user was made"
        );
        Ok(row.user())
    }

    /// Changes a user. Their sessions end when they are made inactive or get another password.
    ///
    /// # Errors
    /// See [`UserError`].
    pub async fn change_user(&self, id: &str, patch: UserPatch, by: &str) -> Result<User, UserError> {
        let _one = self.inner.accounts.changing.lock().await;
        let mut row = self.user_row(id)?;
        let event = Event::new(by, "user.update", &row.username)
            .with("id", id)
            .with("full_name", patch.full_name.as_deref())
            .with("role", patch.role.map(Role::as_str))
            .with("is_active", patch.is_active)
            .with("must_change_password", patch.must_change_password)
            .with("password", patch.password.as_ref().map(|_| "another"));
        let was_admin = row.is_active_admin();
        row.full_name = patch.full_name.unwrap_or(row.full_name);
        row.role = patch.role.unwrap_or(row.role);
        row.must_change_password = patch.must_change_password.unwrap_or(row.must_change_password);
        let is_active = patch.is_active.unwrap_or(row.is_active);
        let ends_sessions = row.is_active && !is_active || patch.password.is_some();
        row.is_active = is_active;
        if was_admin && !row.is_active_admin() {
            self.leave_an_admin(id)?;
        }
        if let Some(password) = &patch.password {
            row.password_hash = self.hashed(password.expose(), &row.username).await?;
        }
        row.generation = row.generation.wrapping_add(u32::from(ends_sessions));
        let user = self.store_user(row, &event).await?;
        tracing::info!(by, user = user.username, "a user was changed");
        Ok(user)
    }

    /// Gives a user another password; all their sessions end.
    ///
    /// # Errors
    /// See [`UserError`].
    pub async fn change_password(&self, id: &str, current: &str, new: &str) -> Result<User, UserError> {
        let _one = self.inner.accounts.changing.lock().await;
        let mut row = self.user_row(id)?;
        let kept = Some(row.password_hash.as_str());
        if !self.inner.accounts.passwords.matches(kept, current).await {
            return Err(UserError::WrongPassword);
        }
        if current == new {
            return Err(UserError::Password("is the one that you have: take another"));
        }
        row.password_hash = self.hashed(new, &row.username).await?;
        row.must_change_password = false;
        row.generation = row.generation.wrapping_add(1);
        let event = Event::new(&row.username, "user.password", &row.username).with("id", id);
        let user = self.store_user(row, &event).await?;
        tracing::info!(user = user.username, "a user has another password");
        Ok(user)
    }

    /// Removes a user; their sessions end.
    ///
    /// # Errors
    /// See [`UserError`].
    pub async fn delete_user(&self, id: &str, by: &str) -> Result<(), UserError> {
        let _one = self.inner.accounts.changing.lock().await;
        let row = self.user_row(id)?;
        if row.is_active_admin() {
            self.leave_an_admin(id)?;
        }
        let mut batch = Batch::new();
        batch.delete(key(id));
        let event = Event::new(by, "user.delete", &row.username).with("id", id);
        self.record(&mut batch, &event);
        self.inner
            .rows
            .store()
            .commit(batch)
            .await
            .map_err(Unavailable::from)?;
        self.inner.accounts.seen.write().remove(id);
        tracing::info!(by, user = row.username, "a user was removed");
        Ok(())
    }

    fn user_row(&self, id: &str) -> Result<UserRow, UserError> {
        let row = self.inner.rows.get(&key(id)).map_err(Unavailable::from)?;
        row.ok_or_else(|| UserError::NotFound(id.to_owned()))
    }

    /// That there is an active admin besides this one.
    fn leave_an_admin(&self, id: &str) -> Result<(), UserError> {
        let others = users(&self.inner.rows, MOST_USERS)?;
        match others.iter().any(|row| row.id != id && row.is_active_admin()) {
            true => Ok(()),
            false => Err(UserError::LastAdmin),
        }
    }

    async fn store_user(&self, mut row: UserRow, event: &Event) -> Result<User, UserError> {
        row.updated_at = Some(self.now());
        let mut batch = Batch::new();
        put(&mut batch, key(&row.id), &row);
        self.record(&mut batch, event);
        self.inner
            .rows
            .store()
            .commit(batch)
            .await
            .map_err(Unavailable::from)?;
        Ok(row.user())
    }

    async fn hashed(&self, new: &str, username: &str) -> Result<String, UserError> {
        if let Some(problem) = password::problem(new, username) {
            return Err(UserError::Password(problem));
        }
        let mut salt = [0; 16];
        self.inner.time.clock().fill(&mut salt);
        let hashed = self.inner.accounts.passwords.hash(new, salt).await;
        hashed.ok_or_else(|| {
            UserError::Unavailable(Unavailable::Store("a password could not be hashed".to_owned()))
        })
    }
}
