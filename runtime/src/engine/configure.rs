//! Admins change the settings: validated, stored, in force at once, without a restart.

mod audit;
mod checks;
mod cloud;
mod plugins;

use self::checks::{Problems, check_outlet, check_sync, is_wire_name};
use crate::clock::Clock;
use crate::cloud::{Client, CloudConfig};
use crate::engine::api::{
    Actor, Binding, BindingPatch, CloudTest, ConfigError, Outlet, OutletPatch, OutletView, PROFILE_FIELDS,
    SyncSettings, Unavailable,
};
use crate::engine::life::rule;
use crate::engine::limits;
use crate::engine::pull::CHECKPOINT;
use crate::engine::resync::MOVED;
use crate::engine::settings::{DEFAULT_TYPE, Settings, StoredBinding, StoredOutlet, cloud_config};
use crate::engine::{Connect, Engine};
use crate::plugin::Kind;
use crate::store::rows::{put, put_meta};
use crate::store::{Batch, Counter, keys};
use selaras_core::daily;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::OwnedMutexGuard;

/// The name of the stored outlet configuration.
pub const OUTLET: &str = "outlet";
/// The name of the stored sync settings.
pub const SYNC: &str = "sync";

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
            cloud_api_key_masked: masked(settings.api_key.expose()),
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
        let one = self.configuring().await;
        self.store_outlet_with(one, patch, actor, Batch::new()).await
    }

    /// The same for who has the turn already; `batch` is committed with it.
    async fn store_outlet_with(
        &self,
        one: OwnedMutexGuard<()>,
        patch: OutletPatch,
        actor: &Actor,
        mut batch: Batch,
    ) -> Result<OutletView, ConfigError> {
        let before = self.settings();
        check_outlet(&patch, before.defaults.allow_http)?;
        let rebinds = self.rebinds(&before.outlet, &patch)?;
        let now = self.now();
        let stored = before.stored.clone().unwrap_or_else(|| StoredOutlet {
            id: self.inner.time.ulid(),
            created_at: Some(now),
            ..StoredOutlet::default()
        });
        let fields = patch.fields().join(",");
        let event = audit::outlet(&patch, &before, actor);
        let before_url = &before.outlet.cloud_api_url;
        let moves = patch.cloud_api_url.as_ref().is_some_and(|url| url != before_url) || rebinds;
        let mut stored = patched(stored, patch);
        stored.updated_at = Some(now);
        put_meta(&mut batch, OUTLET, &stored);
        if moves && !before_url.is_empty() {
            put_meta(&mut batch, MOVED, &true);
        }
        if rebinds {
            // Another outlet's cursor means nothing to this one.
            batch.delete(keys::named(keys::META, CHECKPOINT.as_bytes()));
        }
        self.record(&mut batch, &event);
        tracing::info!(
            by = actor.id,
            outlet_id = stored.outlet_id,
            fields,
            "the outlet's configuration was changed"
        );
        let connect = self.connector();
        let change = move |old: &Settings| {
            let (defaults, sync) = (old.defaults.clone(), old.sync.clone());
            Settings::build(defaults, Some(stored), sync, old.bindings().clone(), &connect)
        };
        self.put_in_force(one, batch, change).await?;
        Ok(self.outlet_view(&self.settings()))
    }

    fn connector(&self) -> impl Fn(CloudConfig) -> Option<Client> + Send + use<> {
        connector(self.inner.connect.clone(), self.inner.time.clock().clone())
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
        let client = (self.inner.connect)(config, self.inner.time.clock().clone())
            .map_err(|error| ConfigError::Invalid(vec![("cloud_api_url".to_owned(), error.to_string())]))?;
        let started = self.mono_ms();
        let answer = self.ask_at_once(client.ping()).await;
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
        let one = self.configuring().await;
        let mut batch = Batch::new();
        put_meta(&mut batch, SYNC, &sync);
        self.record(&mut batch, &audit::sync(&self.settings().sync, &sync, actor));
        self.limit_rate(sync.requests_per_minute, &mut batch);
        let health = rule(&sync);
        tracing::info!(by = actor.id, "the sync settings were changed");
        let connect = self.connector();
        let change = move |old: &Settings| {
            let (defaults, stored) = (old.defaults.clone(), old.stored.clone());
            Settings::build(defaults, stored, sync, old.bindings().clone(), &connect)
        };
        self.put_in_force(one, batch, change).await?;
        self.inner.host.judge_by(health);
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
        // First: what it is bound to must not go meanwhile.
        let one = self.configuring().await;
        self.check_binding(entity_type, &patch)?;
        self.check_settings(entity_type, &patch).await?;
        let event = audit::binding(entity_type, &patch, actor);
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
        self.record(&mut batch, &event);
        tracing::info!(by = actor.id, entity_type, "a binding was changed");
        let (connect, name) = (self.connector(), entity_type.to_owned());
        let change = move |old: &Settings| {
            let mut bindings: HashMap<String, StoredBinding> = old.bindings().clone();
            bindings.insert(name, stored);
            let (defaults, stored) = (old.defaults.clone(), old.stored.clone());
            Settings::build(defaults, stored, old.sync.clone(), bindings, &connect)
        };
        self.put_in_force(one, batch, change).await?;
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
        check(
            entity_type != daily::TYPE,
            "entity_type",
            "daily summaries are sent by a call of their own, which cannot be changed",
        );
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
        if let Some(limits) = &patch.limits {
            problems.extend(limits::problems(limits));
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Invalid(problems))
        }
    }

    /// Stores a change and puts it in force, both or neither, also when who asked hangs up meanwhile.
    async fn put_in_force(
        &self,
        one: OwnedMutexGuard<()>,
        batch: Batch,
        change: impl FnOnce(&Settings) -> Settings + Send + 'static,
    ) -> Result<(), Unavailable> {
        let engine = self.clone();
        let work = tokio::spawn(async move {
            engine.inner.rows.store().commit(batch).await?;
            let next = Arc::new(change(&engine.settings()));
            *engine.inner.settings.write() = next;
            engine.inner.signals.settings_changed();
            engine.inner.tidying.wake();
            engine.inner.reconsider.notify_one();
            drop(one);
            Ok(())
        });
        work.await
            .unwrap_or_else(|died| Err(Unavailable::Store(format!("the change was not finished: {died}"))))
    }

    pub(super) async fn configuring(&self) -> OwnedMutexGuard<()> {
        self.inner.configuring.clone().lock_owned().await
    }
}

/// A client for this configuration; what does not work is in the log.
/// Makes clients as settings name them; none, when the address cannot be used.
pub(super) fn connector(
    connect: Connect,
    clock: Arc<dyn Clock>,
) -> impl Fn(CloudConfig) -> Option<Client> + Send {
    move |config| match connect(config, clock.clone()) {
        Ok(client) => Some(client),
        Err(error) => {
            tracing::error!(%error, "the cloud's address cannot be used; nothing is synced until it is changed");
            None
        }
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
}
