//! Who may: people who log in, and apps with tokens.

use super::Unavailable;
use crate::secret::Secret;
use selaras_core::id::EntityType;
use selaras_core::stamp::Millis;

/// What a role may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// Reads, trigger, retry, resolve.
    Operator,
    /// Entities, changes, feed.
    App,
}

impl Role {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::App => "app",
        }
    }
}

/// A person who may log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Stable id.
    pub id: String,
    /// The name to log in with.
    pub username: String,
    /// As shown.
    pub full_name: String,
    /// What they may do.
    pub role: Role,
    /// Whether they may log in.
    pub is_active: bool,
    /// They may do nothing else before they have another password.
    pub must_change_password: bool,
    /// Grows when all their sessions end.
    pub generation: u32,
    /// None: by the first start of an older version.
    pub created_at: Option<Millis>,
    /// When anything of it was changed.
    pub updated_at: Option<Millis>,
}

/// A user to be made.
#[derive(Clone)]
pub struct NewUser {
    /// The name to log in with.
    pub username: String,
    /// As shown.
    pub full_name: String,
    /// What they may do.
    pub role: Role,
    /// Whether they may log in.
    pub is_active: bool,
    /// The first password.
    pub password: Secret,
    /// It is only for the first login.
    pub must_change_password: bool,
}

/// What of a user is to be changed.
#[derive(Clone, Default)]
pub struct UserPatch {
    /// As shown.
    pub full_name: Option<String>,
    /// What they may do.
    pub role: Option<Role>,
    /// Whether they may log in.
    pub is_active: Option<bool>,
    /// Another password.
    pub password: Option<Secret>,
    /// It is only for the next login.
    pub must_change_password: Option<bool>,
}

/// Why a user could not be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// There is one of this name.
    #[error("there is a user {0:?} already")]
    Taken(String),
    /// There are as many as there may be.
    #[error("there are {0} users already: remove one first")]
    TooMany(usize),
    /// There is none of this id.
    #[error("there is no user {0}")]
    NotFound(String),
    /// Nobody could look after the outlet any more.
    #[error("this is the last active admin: make another one first")]
    LastAdmin,
    /// The password is too easy to guess.
    #[error("the password {0}")]
    Password(&'static str),
    /// The current password is another.
    #[error("the current password is wrong")]
    WrongPassword,
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a login was refused.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// Unknown user, wrong password or inactive: the same answer, at the same cost.
    #[error("user name or password is wrong")]
    InvalidCredentials,
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What an app's token lets it do with entities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Only reading.
    Read,
    /// Only changing.
    Write,
    /// Both.
    ReadWrite,
}

impl Access {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::ReadWrite => "read_write",
        }
    }

    /// Whether it takes in the other.
    pub fn allows(self, wanted: Self) -> bool {
        self == Self::ReadWrite || self == wanted
    }
}

/// How far a caller's rights to entities go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// What they may do.
    pub access: Access,
    /// Of which types; empty: of all.
    pub entity_types: Vec<EntityType>,
}

impl Scope {
    /// Everything that the role allows.
    pub const ALL: Self = Self {
        access: Access::ReadWrite,
        entity_types: Vec::new(),
    };

    /// Whether it takes in this type.
    pub fn covers(&self, entity_type: &str) -> bool {
        self.entity_types.is_empty() || self.entity_types.iter().any(|own| own.as_str() == entity_type)
    }
}

/// A token to be made for an app.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What it is for, as shown.
    pub name: String,
    /// How far it goes.
    pub scope: Scope,
    /// When it ends; none: when it is deleted.
    pub expires_at: Option<Millis>,
}

/// An app's token as kept: what it is cannot be told any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppToken {
    /// Stable id; the feed and the logs name it.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// How far it goes.
    pub scope: Scope,
    /// When it ends.
    pub expires_at: Option<Millis>,
    /// When it was made.
    pub created_at: Millis,
    /// By whom.
    pub created_by: String,
}
