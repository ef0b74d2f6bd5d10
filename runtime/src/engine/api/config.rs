//! The settings as shown and as changed.

use super::{PluginLimits, PluginLimitsPatch, Unavailable};
use crate::secret::Secret;
use selaras_core::json::Doc;
use selaras_core::stamp::Millis;
use std::sync::Arc;

/// The outlet's configuration as shown.
#[derive(Clone, Debug, PartialEq)]
pub struct OutletView {
    /// Id of the stored configuration.
    pub id: String,
    /// The fields.
    pub outlet: Outlet,
    /// `abcd****xyz1`; never the key itself.
    pub cloud_api_key_masked: String,
    /// End of the last successful run.
    pub last_sync_at: Option<Millis>,
    /// When it was stored; none: it comes from the environment alone.
    pub created_at: Option<Millis>,
    /// When it was last changed.
    pub updated_at: Option<Millis>,
}

/// The outlet's configuration in force.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outlet {
    /// The company's id of this outlet.
    pub outlet_id: String,
    /// Its code.
    pub outlet_code: String,
    /// Its name (else the code).
    pub outlet_name: String,
    /// The cloud's base address.
    pub cloud_api_url: String,
    /// Whether runs are made.
    pub sync_enabled: bool,
    /// At least 1.
    pub sync_interval_minutes: u32,
    /// What apps read, each a raw JSON value: `outlet_address, outlet_phone, receipt_footer, social_media,
    /// target_spend_per_pax`.
    pub profile: Vec<(&'static str, Arc<str>)>,
}

/// The names of the profile's fields.
pub const PROFILE_FIELDS: [&str; 5] = [
    "outlet_address",
    "outlet_phone",
    "receipt_footer",
    "social_media",
    "target_spend_per_pax",
];

/// A change of the outlet's configuration. `None`: as it is.
#[derive(Clone, Default)]
pub struct OutletPatch {
    /// See [`Outlet`].
    pub outlet_id: Option<String>,
    /// See [`Outlet`].
    pub outlet_code: Option<String>,
    /// See [`Outlet`].
    pub outlet_name: Option<String>,
    /// See [`Outlet`].
    pub cloud_api_url: Option<String>,
    /// The key; kept, never shown.
    pub cloud_api_key: Option<Secret>,
    /// See [`Outlet`].
    pub sync_enabled: Option<bool>,
    /// See [`Outlet`].
    pub sync_interval_minutes: Option<u32>,
    /// Raw JSON values by name (one of [`PROFILE_FIELDS`]).
    pub profile: Vec<(&'static str, Arc<str>)>,
    /// Another `outlet_id` over existing data is meant.
    pub rebind: bool,
}

impl OutletPatch {
    /// The names of the fields that it sets.
    pub fn fields(&self) -> Vec<&'static str> {
        let texts = [
            ("outlet_id", &self.outlet_id),
            ("outlet_code", &self.outlet_code),
            ("outlet_name", &self.outlet_name),
            ("cloud_api_url", &self.cloud_api_url),
        ];
        let texts = texts.into_iter().filter(|(_, value)| value.is_some());
        let others = [
            ("cloud_api_key", self.cloud_api_key.is_some()),
            ("sync_enabled", self.sync_enabled.is_some()),
            ("sync_interval_minutes", self.sync_interval_minutes.is_some()),
        ];
        let others = others.into_iter().filter(|(_, set)| *set);
        let profile = self.profile.iter().map(|(name, _)| *name);
        texts
            .map(|(name, _)| name)
            .chain(others.map(|(name, _)| name))
            .chain(profile)
            .collect()
    }
}

/// Why a configuration was not taken. Nothing changed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is one already (409).
    #[error("an outlet configuration exists already; change it with PUT")]
    Exists,
    /// There is none (404).
    #[error("there is no outlet configuration yet; make it with POST")]
    Missing,
    /// Another outlet over existing data without `rebind` (409).
    #[error("this outlet holds data of {current}; send \"rebind\": true to hand it to another outlet_id")]
    Rebind {
        /// The outlet it belongs to.
        current: String,
    },
    /// Values that cannot be used, by field (422).
    #[error("{} invalid field(s)", .0.len())]
    Invalid(Vec<(String, String)>),
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// What a test of the cloud's address found.
#[derive(Clone, Debug, PartialEq)]
pub struct CloudTest {
    /// An HTTP answer came.
    pub reachable: bool,
    /// And it was not 401 or 403.
    pub authorized: bool,
    /// Round trip.
    pub latency_ms: Option<u64>,
    /// Cloud time less this machine's.
    pub clock_offset_ms: Option<i64>,
    /// What went wrong.
    pub error: Option<String>,
}

/// How runs are made. Defaults and limits are the contract's.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct SyncSettings {
    /// Items a push request (1–1,000).
    pub batch_size: u32,
    /// Used only while the cloud's request limit is what slows the queue.
    pub batch_size_max: u32,
    /// 0: learn from 429.
    pub requests_per_minute: u32,
    /// Asked again before a timestamp checkpoint.
    pub pull_overlap_seconds: u32,
    /// Retries of an item before it is `failed`.
    pub max_retries: u32,
    /// First backoff.
    pub initial_backoff_seconds: u32,
    /// Growth of the backoff.
    pub backoff_multiplier: f64,
    /// Longest backoff.
    pub max_backoff_seconds: u32,
    /// A run's deadline.
    pub run_timeout_seconds: u32,
    /// How soon after a change a push starts.
    pub push_delay_ms: u32,
    /// Whether runs pull.
    pub pull_enabled: bool,
    /// Days the sync logs are kept.
    pub log_retention_days: u32,
    /// Days records of the audit log are kept.
    pub audit_retention_days: u32,
    /// Days decided conflicts are kept.
    pub conflict_retention_days: u32,
    /// Days the documents of tombstones are kept.
    pub tombstone_retention_days: u32,
    /// Hours the `Idempotency-Key` of a request is remembered.
    pub idempotency_retention_hours: u32,
    /// Days apps' own change_ids are remembered.
    pub change_id_retention_days: u32,
    /// Days the feed's entries are kept.
    pub feed_retention_days: u32,
    /// The most entries of the feed that are kept.
    pub feed_max_entries: u32,
    /// So many of a hundred of a plugin's last calls are too many failures; 0: never.
    pub plugin_error_percent: u32,
    /// Calls of a plugin that are looked back on.
    pub plugin_error_window: u32,
}

impl Default for SyncSettings {
    fn default() -> Self {
        Self {
            batch_size: 100,
            batch_size_max: 1000,
            requests_per_minute: 0,
            pull_overlap_seconds: 300,
            max_retries: 3,
            initial_backoff_seconds: 60,
            backoff_multiplier: 2.0,
            max_backoff_seconds: 1800,
            run_timeout_seconds: 120,
            push_delay_ms: 1000,
            pull_enabled: true,
            log_retention_days: 30,
            // A year, which auditors ask for, and some weeks.
            audit_retention_days: 400,
            conflict_retention_days: 90,
            tombstone_retention_days: 90,
            // A till that was switched off with a request unanswered on Friday evening repeats it on Monday morning.
            idempotency_retention_hours: 72,
            change_id_retention_days: 30,
            feed_retention_days: 7,
            feed_max_entries: 1_000_000,
            plugin_error_percent: 50,
            plugin_error_window: 20,
        }
    }
}

/// Where a type's changes are sent.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// `sync/batch`.
    #[default]
    Batch,
    /// The per-document endpoint of the collection.
    Document,
    /// `analytics/daily`: of daily summaries only, which have no other.
    Daily,
}

/// How a type is synced: the binding in force.
#[derive(Clone, Debug, PartialEq)]
pub struct Binding {
    /// The strategy plugin that decides its conflicts.
    pub strategy: String,
    /// The mapper plugin; none: documents go as they are.
    pub mapper: Option<String>,
    /// What the plugins are given, a JSON object.
    pub settings: Doc,
    /// The wire's name of the type.
    pub cloud_type: String,
    /// The wire's plural in `updates`.
    pub collection: String,
    /// Where its changes are sent.
    pub route: Route,
    /// Whether waiting changes of one entity fold.
    pub coalesce: bool,
    /// Lower goes first (0–9, default 5).
    pub priority: u8,
    /// The largest document.
    pub max_document_bytes: u32,
    /// What a call of its plugins may cost.
    pub limits: PluginLimits,
}

impl Binding {
    /// What a plugin is given: the member of its name, where the settings are kept by plugin (one of the binding's plugins
    /// has an object of its name in them); else all of them.
    pub fn settings_of(&self, plugin: &str) -> Doc {
        let own = |name: &str| self.settings.get(name).filter(|raw| raw.starts_with('{'));
        let by_plugin = [Some(plugin), Some(self.strategy.as_str()), self.mapper.as_deref()]
            .into_iter()
            .flatten()
            .any(|name| own(name).is_some());
        match own(plugin) {
            Some(raw) => Doc::from_trusted(raw.to_owned()),
            None if by_plugin => Doc::from_trusted("{}".to_owned()),
            None => self.settings.clone(),
        }
    }
}

/// A change of a binding. `None`: as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BindingPatch {
    /// See [`Binding`].
    pub strategy: Option<String>,
    /// `Some(None)`: no mapper.
    pub mapper: Option<Option<String>>,
    /// See [`Binding`].
    pub settings: Option<Doc>,
    /// See [`Binding`].
    pub cloud_type: Option<String>,
    /// See [`Binding`].
    pub collection: Option<String>,
    /// See [`Binding`].
    pub route: Option<Route>,
    /// See [`Binding`].
    pub coalesce: Option<bool>,
    /// See [`Binding`].
    pub priority: Option<u8>,
    /// See [`Binding`].
    pub max_document_bytes: Option<u32>,
    /// See [`Binding`]: all of them, those not named as they are by default.
    pub limits: Option<PluginLimitsPatch>,
}
