//! Plugins as shown and as changed: versions, which is in use, what was done, and what the one beside it says.

use super::Unavailable;
use crate::plugin::{Refusal, RefusalCode};
use selaras_core::json::Doc;
use selaras_core::stamp::Millis;

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
    /// SHA-256 of the component; of the newest one where none is active.
    pub digest: String,
    /// `active`, `suspended`, `installed` or `refused`.
    pub state: &'static str,
    /// Why it was refused or suspended, or what was done to it because its calls failed.
    pub problem: Option<String>,
    /// `embedded`, `installed`, or the file's name.
    pub source: String,
    /// What it was granted.
    pub grants: Vec<&'static str>,
    /// The key that signed it.
    pub signed_by: Option<String>,
    /// The digest that a rollback goes back to.
    pub previous: Option<String>,
    /// Types bound to it.
    pub bound_types: Vec<String>,
    /// Calls since it was loaded.
    pub calls: u64,
    /// Of which failed.
    pub errors: u64,
    /// Median time of a call.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// Fuel since it was loaded, 0 where it is not metered.
    pub fuel: u64,
    /// The most memory that a call had, in bytes.
    pub peak_memory_bytes: u64,
    /// Its last calls, by which its health is judged.
    pub recent_calls: usize,
    /// Of which failed.
    pub recent_errors: usize,
    /// How often it went back to an earlier version, or was suspended, by itself.
    pub fell_back: u32,
    /// The version that runs beside it.
    pub shadow: Option<ShadowView>,
}

/// The version that runs beside the active one, and how it does since the process started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShadowView {
    /// SHA-256 of the component.
    pub digest: String,
    /// What it says of itself.
    pub version: String,
    /// Questions that it was asked, too.
    pub compared: u64,
    /// Of which it answered otherwise.
    pub differed: u64,
    /// Questions that it was not asked, since the plugin threads had work.
    pub dropped: u64,
    /// Its calls that failed.
    pub errors: u64,
    /// Median time of a call.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
}

/// A version of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionView {
    /// The plugin.
    pub name: String,
    /// `strategy` or `mapper`.
    pub kind: &'static str,
    /// What it says of itself.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// `active`, `suspended`, `previous`, `shadow` or `installed`.
    pub state: &'static str,
    /// Of the component.
    pub bytes: u64,
    /// What it was granted.
    pub grants: Vec<&'static str>,
    /// The key that signed it.
    pub signed_by: Option<String>,
    /// When, by the signer's clock.
    pub signed_at: Option<Millis>,
    /// Who: a user, or `folder`.
    pub installed_by: String,
    /// When.
    pub installed_at: Millis,
}

/// A plugin with all of its versions.
#[derive(Clone, Debug, PartialEq)]
pub struct PluginDetail {
    /// What is shown in the list.
    pub plugin: PluginView,
    /// Newest first; none of an embedded one.
    pub versions: Vec<VersionView>,
    /// The newest entries.
    pub history: Vec<PluginAction>,
}

/// Something that was done with a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PluginAction {
    /// The plugin.
    pub name: String,
    /// `install`, `activate`, `rollback`, `suspend`, `shadow`, `unshadow` or `delete`.
    pub action: String,
    /// The version; none: all of them.
    pub digest: Option<String>,
    /// The version that was active before, where that changed.
    pub from_digest: Option<String>,
    /// A user, `folder` or `system`.
    pub by: String,
    /// When.
    pub at: Millis,
    /// Why, where there is more to say.
    pub reason: Option<String>,
}

/// A component that an admin hands over.
pub struct NewPlugin {
    /// The component.
    pub bytes: Vec<u8>,
    /// The name to give it; none: what it says of itself.
    pub name: Option<String>,
    /// Up to 64 MiB.
    pub large: bool,
    /// With inert WASI.
    pub wasi: bool,
}

/// One side of a difference.
#[derive(Clone, Debug, PartialEq)]
pub struct SaidView {
    /// SHA-256 of the component.
    pub digest: String,
    /// `keep_local`, `take_cloud`, `merge`, `delete`, `defer`, `put`, `skip` or `failed`.
    pub outcome: String,
    /// The document, unless it is long.
    pub data: Option<Doc>,
    /// In words.
    pub reason: String,
}

/// A question that two versions answered differently.
#[derive(Clone, Debug, PartialEq)]
pub struct DifferenceView {
    /// Grows.
    pub id: String,
    /// `resolve`, `to_cloud` or `to_local`.
    pub call: String,
    /// The entity's type.
    pub entity_type: String,
    /// The entity's id.
    pub entity_id: String,
    /// When.
    pub at: Millis,
    /// What counted.
    pub active: SaidView,
    /// What did not.
    pub shadow: SaidView,
}

/// Why something was not done with a plugin. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// No plugin of this name (404).
    #[error("there is no plugin `{0}`")]
    NotFound(String),
    /// No such version (404).
    #[error("`{name}` has no version {digest}")]
    NoVersion {
        /// The plugin.
        name: String,
        /// What was asked for.
        digest: String,
    },
    /// The binary's own (409).
    #[error("`{0}` is part of the binary: it cannot be replaced or removed")]
    Embedded(String),
    /// The component is not accepted (422, or 409 where the name is the reason).
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// Types are bound to it (409).
    #[error("`{name}` is bound to {}", .types.join(", "))]
    Bound {
        /// The plugin.
        name: String,
        /// `*` is the default of all types.
        types: Vec<String>,
    },
    /// The version is active (409).
    #[error("{digest} is the active version of `{name}`")]
    InUse {
        /// The plugin.
        name: String,
        /// The version.
        digest: String,
    },
    /// There is no version to go back to (409).
    #[error("`{0}` has no earlier version to go back to")]
    NoPrevious(String),
    /// No version of it is active, so nothing can run beside it (409).
    #[error("no version of `{0}` is active")]
    NotActive(String),
    /// More plugins than are kept (409).
    #[error("there are {0} plugins already")]
    TooMany(usize),
    /// Settings of bound types that the version cannot use (422): field and problem.
    #[error("the version cannot use settings of bound types")]
    Settings(Vec<(String, String)>),
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl PluginError {
    /// A component of more bytes than are taken, said before all of it was read.
    #[must_use]
    pub fn too_large(message: impl Into<String>) -> Self {
        Self::Refused(Refusal::new(RefusalCode::TooLarge, message))
    }
}
