//! Who may log in; and the plugins as shown.

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

/// A plugin as shown (`GET /api/v1/plugins`).
#[derive(Clone, Debug, PartialEq)]
pub struct PluginView {
    /// E.g. `newest_wins`.
    pub name: String,
    /// `strategy` or `mapper`; none when it was refused.
    pub kind: Option<&'static str>,
    /// What it says of itself.
    pub version: String,
    /// What it says of itself.
    pub description: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// `active` or `refused`.
    pub state: &'static str,
    /// Why it was refused.
    pub problem: Option<String>,
    /// `embedded`, or the file's name.
    pub source: String,
    /// Types bound to it.
    pub bound_types: Vec<String>,
    /// Calls since start.
    pub calls: u64,
    /// Of which failed.
    pub errors: u64,
    /// Median time of a call.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// Fuel since start, 0 where it is not metered.
    pub fuel: u64,
    /// The most memory that a call had, in bytes.
    pub peak_memory_bytes: u64,
    /// What it was granted beyond what every plugin gets.
    pub grants: Vec<&'static str>,
}
