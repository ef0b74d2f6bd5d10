//! Who may log in.

use super::Unavailable;

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
