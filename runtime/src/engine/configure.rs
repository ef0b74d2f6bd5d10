//! Admins change the settings: validated, stored, in force at once, without a restart.

use crate::cloud::{Client, CloudConfig, check_url};
use crate::engine::Engine;
use crate::engine::api::{
    Actor, Binding, BindingPatch, CloudTest, ConfigError, Outlet, OutletPatch, OutletView, PROFILE_FIELDS,
    SyncSettings, Unavailable,
};
use crate::engine::pull::CHECKPOINT;
use crate::engine::settings::{DEFAULT_TYPE, Settings, StoredBinding, StoredOutlet, cloud_config};
use crate::plugin::Kind;
use crate::store::rows::{put, put_meta};
use crate::store::{Batch, Counter, keys};
use std::collections::HashMap;
use std::sync::Arc;

/// The name of the stored outlet configuration.
pub const OUTLET: &str = "outlet";
/// The name of the stored sync settings.
pub const SYNC: &str = "sync";

type Problems = Vec<(String, String)>;

impl Engine {
    /// The outlet's configuration. None: neither stored nor in the environment.
    pub fn outlet(&self) -> Option<OutletView> {
        let settings = self.settings();
        let known = settings.stored.is_some() || !settings.outlet.outlet_id.is_empty();
        known.then(|| self.outlet_view(&settings))
    }

    fn outlet_view(&self, settings: &Settings) -> OutletView {
        let stored = settings.stored.as_ref();
        OutletView {
            id: stored.map_or_else(|| "environment".to_owned(), |stored| stored.id.clone()),
            outlet: settings.outlet.clone(),
            cloud_api_key_masked: masked(&settings.api_key),
            last_sync_at: self.inner.last_run.lock().success_at,
            created_at: stored.and_then(|stored| stored.created_at),
            updated_at: stored.and_then(|stored| stored.updated_at),
        }
    }

    /// Stores the first configuration. Its required fields are checked by the caller.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub async fn create_outlet(
        &self,
        mut patch: OutletPatch,
        actor: &Actor,
    ) -> Result<OutletView, ConfigError> {
        if self.settings().stored.is_some() {
            return Err(ConfigError::Exists);
        }
        // A configuration that is made whole has the contract's defaults, not the environment's.
        patch.sync_enabled.get_or_insert(true);
        patch.sync_interval_minutes.get_or_insert(5);
        self.store_outlet(patch, actor).await
    }

    /// Changes the configuration.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub async fn update_outlet(&self, patch: OutletPatch, actor: &Actor) -> Result<OutletView, ConfigError> {
        if self.outlet().is_none() {
            return Err(ConfigError::Missing);
        }
        self.store_outlet(patch, actor).await
    }

    async fn store_outlet(&self, patch: OutletPatch, actor: &Actor) -> Result<OutletView, ConfigError> {
        let _one = self.inner.configuring.lock().await;
        let before = self.settings();
        check_outlet(&patch, before.defaults.allow_http)?;
        let rebinds = self.rebinds(&before.outlet, &patch)?;
        let now = self.now();
        let stored = before.stored.clone().unwrap_or_else(|| StoredOutlet {
            id: self.inner.time.ulid(),
            created_at: Some(now),
            ..StoredOutlet::default()
        });
        let mut stored = patched(stored, patch);
        stored.updated_at = Some(now);
        let mut batch = Batch::new();
        put_meta(&mut batch, OUTLET, &stored);
        if rebinds {
            // Another outlet's cursor means nothing to this one.
            batch.delete(keys::named(keys::META, CHECKPOINT.as_bytes()));
        }
        self.commit_settings(batch).await?;
        tracing::info!(
            by = actor.id,
            outlet_id = stored.outlet_id,
            "the outlet's configuration was changed"
        );
        self.replace_settings(|old| {
            Settings::build(
                old.defaults.clone(),
                Some(stored.clone()),
                old.sync.clone(),
                old.bindings().clone(),
                &|config| self.connect(config),
            )
        });
        Ok(self.outlet_view(&self.settings()))
    }

    fn rebinds(&self, outlet: &Outlet, patch: &OutletPatch) -> Result<bool, ConfigError> {
        let Some(wanted) = &patch.outlet_id else {
            return Ok(false);
        };
        if outlet.outlet_id.is_empty() || *wanted == outlet.outlet_id {
            return Ok(false);
        }
        let store = self.inner.rows.store();
        let counts =
            [Counter::Records, Counter::Pending, Counter::Failed].map(|counter| store.counter(counter));
        let holds_data = counts.iter().any(|count| *count > 0) || self.checkpoint()?.is_some();
        match (holds_data, patch.rebind) {
            (true, false) => Err(ConfigError::Rebind {
                current: outlet.outlet_id.clone(),
            }),
            (rebinds, _) => Ok(rebinds),
        }
    }

    /// Calls the cloud's ping with the settings in force, or with these over them. Nothing is stored.
    ///
    /// # Errors
    /// When the values cannot be used.
    pub async fn test_outlet(&self, patch: Option<OutletPatch>) -> Result<CloudTest, ConfigError> {
        let settings = self.settings();
        let allow_http = settings.defaults.allow_http;
        let mut outlet = settings.outlet.clone();
        let mut api_key = settings.api_key.clone();
        if let Some(patch) = patch {
            check_outlet(&patch, allow_http)?;
            outlet.outlet_id = patch.outlet_id.unwrap_or(outlet.outlet_id);
            outlet.outlet_code = patch.outlet_code.unwrap_or(outlet.outlet_code);
            outlet.cloud_api_url = patch.cloud_api_url.unwrap_or(outlet.cloud_api_url);
            api_key = patch.cloud_api_key.unwrap_or(api_key);
        }
        if outlet.cloud_api_url.is_empty() || api_key.is_empty() {
            return Err(ConfigError::Missing);
        }
        let config = cloud_config(&outlet, &api_key, allow_http);
        let client = Client::new(config, self.inner.time.clock().clone())
            .map_err(|error| ConfigError::Invalid(vec![("cloud_api_url".to_owned(), error.to_string())]))?;
        let started = self.mono_ms();
        let answer = client.ping().await;
        let latency_ms = Some(self.mono_ms().saturating_sub(started));
        Ok(match answer {
            Ok(answer) => CloudTest {
                reachable: true,
                authorized: true,
                latency_ms,
                clock_offset_ms: answer.timing.map(|t| {
                    let middle = (t.sent.wall.0 + t.received.wall.0) / 2;
                    t.date.0 + 500 - middle
                }),
                error: None,
            },
            Err(error) => CloudTest {
                reachable: error.heard(),
                authorized: false,
                latency_ms: latency_ms.filter(|_| error.heard()),
                clock_offset_ms: None,
                error: Some(error.to_string()),
            },
        })
    }

    /// How runs are made.
    pub fn sync_settings(&self) -> SyncSettings {
        self.settings().sync.clone()
    }

    /// Changes how runs are made.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub async fn set_sync_settings(&self, sync: SyncSettings, actor: &Actor) -> Result<(), ConfigError> {
        check_sync(&sync)?;
        let _one = self.inner.configuring.lock().await;
        let mut batch = Batch::new();
        put_meta(&mut batch, SYNC, &sync);
        self.commit_settings(batch).await?;
        tracing::info!(by = actor.id, "the sync settings were changed");
        self.replace_settings(|old| {
            let (defaults, stored) = (old.defaults.clone(), old.stored.clone());
            Settings::build(
                defaults,
                stored,
                sync.clone(),
                old.bindings().clone(),
                &|config| self.connect(config),
            )
        });
        Ok(())
    }

    /// Switches sync on or off (none: the other way). Returns whether it is on.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub async fn toggle_sync(&self, enabled: Option<bool>, actor: &Actor) -> Result<bool, ConfigError> {
        let enabled = enabled.unwrap_or(!self.settings().outlet.sync_enabled);
        let patch = OutletPatch {
            sync_enabled: Some(enabled),
            ..OutletPatch::default()
        };
        self.store_outlet(patch, actor).await?;
        Ok(enabled)
    }

    /// How a type is synced; `*`: all types without a binding of their own.
    pub fn binding(&self, entity_type: &str) -> Arc<Binding> {
        self.settings().binding(entity_type)
    }

    /// Changes how a type is synced.
    ///
    /// # Errors
    /// See [`ConfigError`].
    pub async fn set_binding(
        &self,
        entity_type: &str,
        patch: BindingPatch,
        actor: &Actor,
    ) -> Result<Arc<Binding>, ConfigError> {
        self.check_binding(entity_type, &patch)?;
        let _one = self.inner.configuring.lock().await;
        let stored = self
            .settings()
            .bindings()
            .get(entity_type)
            .cloned()
            .unwrap_or_default()
            .patched(patch);
        let mut batch = Batch::new();
        put(
            &mut batch,
            keys::named(keys::BINDING, entity_type.as_bytes()),
            &stored,
        );
        self.commit_settings(batch).await?;
        tracing::info!(by = actor.id, entity_type, "a binding was changed");
        self.replace_settings(|old| {
            let mut bindings: HashMap<String, StoredBinding> = old.bindings().clone();
            bindings.insert(entity_type.to_owned(), stored.clone());
            let (defaults, stored) = (old.defaults.clone(), old.stored.clone());
            Settings::build(defaults, stored, old.sync.clone(), bindings, &|config| {
                self.connect(config)
            })
        });
        Ok(self.binding(entity_type))
    }

    fn check_binding(&self, entity_type: &str, patch: &BindingPatch) -> Result<(), ConfigError> {
        let mut problems = Problems::new();
        let mut check = |ok: bool, field: &str, problem: &str| {
            if !ok {
                problems.push((field.to_owned(), problem.to_owned()));
            }
        };
        let is = |name: &str, kind| self.inner.host.kind_of(name) == Some(kind);
        if let Some(strategy) = &patch.strategy {
            check(
                is(strategy, Kind::Strategy),
                "strategy",
                "no strategy of this name is loaded: see GET /api/v1/plugins",
            );
        }
        if let Some(Some(mapper)) = &patch.mapper {
            check(
                is(mapper, Kind::Mapper),
                "mapper",
                "no mapper of this name is loaded: see GET /api/v1/plugins",
            );
        }
        let named = patch.cloud_type.is_some() || patch.collection.is_some();
        check(
            !(named && entity_type == DEFAULT_TYPE),
            "cloud_type",
            "names of one type cannot be the default of all",
        );
        if let Some(name) = &patch.cloud_type {
            check(
                is_wire_name(name),
                "cloud_type",
                "1 to 64 letters, digits, _, - or .",
            );
        }
        if let Some(name) = &patch.collection {
            check(
                is_wire_name(name),
                "collection",
                "1 to 64 letters, digits, _, - or .",
            );
        }
        if let Some(priority) = patch.priority {
            check(priority <= 9, "priority", "0 (first) to 9 (last)");
        }
        if let Some(bytes) = patch.max_document_bytes {
            check(
                (1..=4 << 20).contains(&bytes),
                "max_document_bytes",
                "1 to 4,194,304",
            );
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Invalid(problems))
        }
    }

    async fn commit_settings(&self, batch: Batch) -> Result<(), Unavailable> {
        match self.inner.rows.store().commit(batch).await {
            Ok(_) => Ok(()),
            Err(error) => Err(Unavailable::Store(error.to_string())),
        }
    }

    fn replace_settings(&self, change: impl Fn(&Settings) -> Settings) {
        let next = Arc::new(change(&self.settings()));
        *self.inner.settings.write() = next;
        self.inner.signals.settings_changed();
    }

    fn connect(&self, config: CloudConfig) -> Option<Client> {
        connect(config, self.inner.time.clock().clone())
    }
}

/// A client for this configuration; what does not work is in the log.
pub(super) fn connect(config: CloudConfig, clock: Arc<dyn crate::clock::Clock>) -> Option<Client> {
    match Client::new(config, clock) {
        Ok(client) => Some(client),
        Err(error) => {
            tracing::error!(%error, "the cloud's address cannot be used; nothing is synced until it is changed");
            None
        }
    }
}

fn check_outlet(patch: &OutletPatch, allow_http: bool) -> Result<(), ConfigError> {
    let mut problems = Problems::new();
    let named = [
        ("outlet_id", &patch.outlet_id),
        ("outlet_code", &patch.outlet_code),
        ("outlet_name", &patch.outlet_name),
    ];
    for (field, value) in named {
        let bad = value
            .as_ref()
            .is_some_and(|v| v.is_empty() || v.len() > 128 || v.chars().any(char::is_control));
        if bad {
            problems.push((
                field.to_owned(),
                "1 to 128 bytes without control characters".to_owned(),
            ));
        }
    }
    if let Some(url) = &patch.cloud_api_url
        && let Err(error) = check_url(url, allow_http)
    {
        problems.push(("cloud_api_url".to_owned(), error.to_string()));
    }
    let bad_key =
        |key: &String| key.is_empty() || key.len() > 4096 || !key.bytes().all(|b| b.is_ascii_graphic());
    if patch.cloud_api_key.as_ref().is_some_and(bad_key) {
        problems.push((
            "cloud_api_key".to_owned(),
            "printable ASCII without spaces".to_owned(),
        ));
    }
    if patch
        .sync_interval_minutes
        .is_some_and(|minutes| !(1..=1440).contains(&minutes))
    {
        problems.push(("sync_interval_minutes".to_owned(), "1 to 1440".to_owned()));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ConfigError::Invalid(problems))
    }
}

fn patched(stored: StoredOutlet, patch: OutletPatch) -> StoredOutlet {
    let mut profile = stored.profile;
    for (name, value) in patch.profile {
        profile.retain(|(field, _)| field != name);
        profile.push((name.to_owned(), value.to_string()));
    }
    profile.retain(|(field, _)| PROFILE_FIELDS.contains(&field.as_str()));
    StoredOutlet {
        id: stored.id,
        outlet_id: patch.outlet_id.or(stored.outlet_id),
        outlet_code: patch.outlet_code.or(stored.outlet_code),
        outlet_name: patch.outlet_name.or(stored.outlet_name),
        cloud_api_url: patch.cloud_api_url.or(stored.cloud_api_url),
        api_key: patch.cloud_api_key.or(stored.api_key),
        sync_enabled: patch.sync_enabled.or(stored.sync_enabled),
        sync_interval_minutes: patch.sync_interval_minutes.or(stored.sync_interval_minutes),
        profile,
        created_at: stored.created_at,
        updated_at: stored.updated_at,
    }
}

/// Limits of the sync settings, with the field that breaks one.
fn check_sync(sync: &SyncSettings) -> Result<(), ConfigError> {
    let mut problems = Problems::new();
    let mut within = |field: &str, value: u32, from: u32, to: u32| {
        if !(from..=to).contains(&value) {
            problems.push((field.to_owned(), format!("{from} to {to}")));
        }
    };
    within("batch_size", sync.batch_size, 1, 1000);
    within(
        "batch_size_max",
        sync.batch_size_max,
        sync.batch_size.clamp(1, 1000),
        1000,
    );
    within("requests_per_minute", sync.requests_per_minute, 0, 100_000);
    within("pull_overlap_seconds", sync.pull_overlap_seconds, 0, 86_400);
    within("max_retries", sync.max_retries, 0, 100);
    within("initial_backoff_seconds", sync.initial_backoff_seconds, 1, 86_400);
    within(
        "max_backoff_seconds",
        sync.max_backoff_seconds,
        sync.initial_backoff_seconds.clamp(1, 86_400),
        86_400,
    );
    within("run_timeout_seconds", sync.run_timeout_seconds, 5, 3_600);
    within("push_delay_ms", sync.push_delay_ms, 0, 3_600_000);
    within("log_retention_days", sync.log_retention_days, 1, 3_650);
    within("conflict_retention_days", sync.conflict_retention_days, 1, 3_650);
    within(
        "tombstone_retention_days",
        sync.tombstone_retention_days,
        7,
        3_650,
    );
    if !(1.0..=10.0).contains(&sync.backoff_multiplier) {
        problems.push(("backoff_multiplier".to_owned(), "1 to 10".to_owned()));
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ConfigError::Invalid(problems))
    }
}

fn is_wire_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
}

/// `abcd****xyz1`; short keys show nothing.
fn masked(key: &str) -> String {
    match key.len() {
        0 => String::new(),
        12.. if key.is_ascii() => format!("{}****{}", &key[..4], &key[key.len() - 4..]),
        _ => "****".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_key_shows_its_ends_only_when_enough_stays_hidden() {
        assert_eq!(masked("abcd-secret-xyz1"), "abcd****xyz1");
        assert_eq!(masked("short"), "****");
        assert_eq!(masked(""), "");
    }

    #[test]
    fn sync_settings_out_of_range_name_their_field() {
        let bad = SyncSettings {
            batch_size: 2000,
            backoff_multiplier: 0.5,
            ..SyncSettings::default()
        };
        let Err(ConfigError::Invalid(problems)) = check_sync(&bad) else {
            panic!("accepted")
        };
        let fields: Vec<&str> = problems.iter().map(|(field, _)| field.as_str()).collect();
        assert_eq!(fields, ["batch_size", "backoff_multiplier"]);
        assert!(check_sync(&SyncSettings::default()).is_ok());
    }
}
