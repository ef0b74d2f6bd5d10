//! The settings in force: what is stored, field by field over what the environment says (rule 16), validated.

use crate::cloud::{Client, CloudConfig};
use crate::engine::api::{
    Binding, BindingPatch, Outlet, PluginLimits, PluginLimitsPatch, Route, SyncSettings,
};
use crate::engine::tx::empty_object;
use crate::secret::Secret;
use parking_lot::RwLock;
use selaras_core::daily;
use selaras_core::id::EntityType;
use selaras_core::json::Doc;
use selaras_core::share::default_priority;
use selaras_core::stamp::Millis;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;

/// The binding that stands for all types without one of their own.
pub const DEFAULT_TYPE: &str = "*";

/// What the environment says of the outlet.
#[derive(Clone, Default)]
pub struct Defaults {
    /// The outlet; empty fields: not said.
    pub outlet: Outlet,
    /// The cloud's key; empty: not said.
    pub api_key: Secret,
    /// http to another machine is allowed.
    pub allow_http: bool,
}

/// The stored configuration of the outlet. `None`: as the environment says.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredOutlet {
    /// Its id.
    pub id: String,
    /// See [`Outlet`].
    pub outlet_id: Option<String>,
    /// See [`Outlet`].
    pub outlet_code: Option<String>,
    /// See [`Outlet`].
    pub outlet_name: Option<String>,
    /// See [`Outlet`].
    pub cloud_api_url: Option<String>,
    /// The cloud's key.
    #[serde(with = "as_kept")]
    pub api_key: Option<Secret>,
    /// See [`Outlet`].
    pub sync_enabled: Option<bool>,
    /// See [`Outlet`].
    pub sync_interval_minutes: Option<u32>,
    /// Raw JSON values by name.
    pub profile: Vec<(String, String)>,
    /// When it was first stored.
    pub created_at: Option<Millis>,
    /// When it was last changed.
    pub updated_at: Option<Millis>,
}

/// The key in its row: the one place where it is written down.
mod as_kept {
    use crate::secret::Secret;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(key: &Option<Secret>, serializer: S) -> Result<S::Ok, S::Error> {
        key.as_ref().map(Secret::expose).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Secret>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
    }
}

/// A stored binding. `None`: as the default binding says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StoredBinding {
    strategy: Option<String>,
    mapper: Option<Option<String>>,
    settings: Option<Doc>,
    cloud_type: Option<String>,
    collection: Option<String>,
    route: Option<Route>,
    coalesce: Option<bool>,
    priority: Option<u8>,
    max_document_bytes: Option<u32>,
    // Last, and not written where it says nothing: a row is a list of its members.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<PluginLimitsPatch>,
}

impl StoredBinding {
    /// This binding with the fields of `patch` over its own.
    pub fn patched(self, patch: BindingPatch) -> Self {
        Self {
            strategy: patch.strategy.or(self.strategy),
            mapper: patch.mapper.or(self.mapper),
            settings: patch.settings.or(self.settings),
            cloud_type: patch.cloud_type.or(self.cloud_type),
            collection: patch.collection.or(self.collection),
            route: patch.route.or(self.route),
            coalesce: patch.coalesce.or(self.coalesce),
            priority: patch.priority.or(self.priority),
            max_document_bytes: patch.max_document_bytes.or(self.max_document_bytes),
            limits: patch.limits.or(self.limits),
        }
    }

    fn over(&self, below: &mut Binding) {
        fn take<T: Clone>(from: Option<&T>, to: &mut T) {
            if let Some(value) = from {
                *to = value.clone();
            }
        }
        take(self.strategy.as_ref(), &mut below.strategy);
        take(self.mapper.as_ref(), &mut below.mapper);
        take(self.settings.as_ref(), &mut below.settings);
        take(self.cloud_type.as_ref(), &mut below.cloud_type);
        take(self.collection.as_ref(), &mut below.collection);
        take(self.route.as_ref(), &mut below.route);
        take(self.coalesce.as_ref(), &mut below.coalesce);
        take(self.priority.as_ref(), &mut below.priority);
        take(self.max_document_bytes.as_ref(), &mut below.max_document_bytes);
        if let Some(limits) = self.limits {
            below.limits = limits.over(below.limits);
        }
    }
}

/// What intake needs of a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Lower goes first.
    pub priority: u8,
    /// Whether waiting changes fold.
    pub coalesce: bool,
    /// The largest document.
    pub max_document_bytes: usize,
}

/// All settings in force: one value, replaced whole.
pub struct Settings {
    /// What the environment says.
    pub defaults: Defaults,
    /// What is stored.
    pub stored: Option<StoredOutlet>,
    /// Both together.
    pub outlet: Outlet,
    /// The cloud's key.
    pub api_key: Secret,
    /// The cloud; none while its address, key, or the outlet's id are not known.
    pub cloud: Option<Client>,
    /// How runs are made.
    pub sync: SyncSettings,
    bindings: HashMap<String, StoredBinding>,
    resolved: HashMap<String, Arc<Binding>>,
    /// The same for types without a binding of their own, as they come up.
    unbound: RwLock<HashMap<String, Arc<Binding>>>,
    default_rules: Rules,
}

/// Types without a binding of their own that are kept at hand; apps may name any.
const UNBOUND_TYPES: usize = 256;

impl Settings {
    /// Puts together what is stored and what the environment says.
    pub fn build(
        defaults: Defaults,
        stored: Option<StoredOutlet>,
        sync: SyncSettings,
        bindings: HashMap<String, StoredBinding>,
        connect: &dyn Fn(CloudConfig) -> Option<Client>,
    ) -> Self {
        let (outlet, api_key) = merge(&defaults, stored.as_ref());
        let complete = ![&outlet.outlet_id, &outlet.cloud_api_url, api_key.expose()]
            .iter()
            .any(|f| f.is_empty());
        let cloud = complete
            .then(|| cloud_config(&outlet, &api_key, defaults.allow_http))
            .and_then(connect);
        let mut settings = Self {
            defaults,
            stored,
            outlet,
            api_key,
            cloud,
            sync,
            bindings,
            resolved: HashMap::new(),
            unbound: RwLock::default(),
            default_rules: Rules {
                priority: 0,
                coalesce: true,
                max_document_bytes: 0,
            },
        };
        settings.default_rules = rules_of(&settings.resolve(DEFAULT_TYPE));
        settings.resolved = settings
            .bindings
            .keys()
            .map(|name| (name.clone(), Arc::new(settings.resolve(name))))
            .collect();
        let daily = Arc::new(crate::engine::daily::binding());
        settings.resolved.insert(daily.cloud_type.clone(), daily);
        settings
    }

    /// The stored bindings, to make changed settings from.
    pub fn bindings(&self) -> &HashMap<String, StoredBinding> {
        &self.bindings
    }

    /// How a type is synced.
    pub fn binding(&self, entity_type: &str) -> Arc<Binding> {
        if let Some(binding) = self.resolved.get(entity_type) {
            return binding.clone();
        }
        if let Some(binding) = self.unbound.read().get(entity_type) {
            return binding.clone();
        }
        let binding = Arc::new(self.resolve(entity_type));
        let mut unbound = self.unbound.write();
        if unbound.len() < UNBOUND_TYPES {
            unbound.insert(entity_type.to_owned(), binding.clone());
        }
        binding
    }

    /// What intake needs of the type's binding.
    pub fn rules(&self, entity_type: &EntityType) -> Rules {
        if let Some(binding) = self.resolved.get(entity_type.as_str()) {
            return rules_of(binding);
        }
        let said = self.bindings.get(DEFAULT_TYPE).and_then(|stored| stored.priority);
        Rules {
            priority: said.unwrap_or_else(|| default_priority(entity_type.as_str())),
            ..self.default_rules
        }
    }

    /// The type that a wire name (of an item, or a webhook) means. Daily summaries only go to the cloud.
    pub fn type_of_wire(&self, cloud_type: &str) -> Option<EntityType> {
        let bound = self
            .resolved
            .iter()
            .find(|(name, b)| *name != DEFAULT_TYPE && b.cloud_type == cloud_type);
        let found = EntityType::parse(bound.map_or(cloud_type, |(name, _)| name)).ok();
        found.filter(|found| found.as_str() != daily::TYPE)
    }

    /// The type that a collection of `updates` means.
    pub fn type_of_collection(&self, collection: &str) -> Option<EntityType> {
        let bound = self
            .resolved
            .iter()
            .find(|(name, b)| *name != DEFAULT_TYPE && b.collection == collection);
        match bound {
            Some((name, _)) => EntityType::parse(name)
                .ok()
                .filter(|found| found.as_str() != daily::TYPE),
            None => self.type_of_wire(&singular(collection)),
        }
    }

    /// Types whose binding of their own names this plugin, and `*`.
    pub fn types_bound_to(&self, plugin: &str) -> Vec<String> {
        let mut types: Vec<String> = std::iter::once(DEFAULT_TYPE)
            .chain(
                self.bindings
                    .keys()
                    .map(String::as_str)
                    .filter(|name| *name != DEFAULT_TYPE),
            )
            .filter(|name| {
                let binding = self.binding(name);
                binding.strategy == plugin || binding.mapper.as_deref() == Some(plugin)
            })
            .map(str::to_owned)
            .collect();
        types.sort();
        types
    }

    fn resolve(&self, entity_type: &str) -> Binding {
        let mut binding = Binding {
            strategy: "newest_wins".to_owned(),
            mapper: None,
            settings: empty_object(),
            cloud_type: String::new(),
            collection: String::new(),
            route: Route::Batch,
            coalesce: true,
            priority: default_priority(entity_type),
            max_document_bytes: 256 * 1024,
            limits: PluginLimits::default(),
        };
        for name in [DEFAULT_TYPE, entity_type] {
            if let Some(stored) = self.bindings.get(name) {
                stored.over(&mut binding);
            }
        }
        if binding.cloud_type.is_empty() {
            binding.cloud_type = entity_type.to_owned();
        }
        if binding.collection.is_empty() {
            binding.collection = plural(&binding.cloud_type);
        }
        binding
    }
}

fn rules_of(binding: &Binding) -> Rules {
    Rules {
        priority: binding.priority,
        coalesce: binding.coalesce,
        max_document_bytes: binding.max_document_bytes as usize,
    }
}

/// The client's configuration for these settings.
pub fn cloud_config(outlet: &Outlet, api_key: &Secret, allow_http: bool) -> CloudConfig {
    CloudConfig {
        base_url: outlet.cloud_api_url.clone(),
        api_key: api_key.clone(),
        outlet_id: outlet.outlet_id.clone(),
        outlet_code: outlet.outlet_code.clone(),
        allow_http,
        request_timeout: std::time::Duration::from_secs(30),
    }
}

fn merge(defaults: &Defaults, stored: Option<&StoredOutlet>) -> (Outlet, Secret) {
    let mut outlet = defaults.outlet.clone();
    let mut api_key = defaults.api_key.clone();
    if let Some(stored) = stored {
        let pick = |stored: &Option<String>, below: &mut String| {
            if let Some(value) = stored {
                below.clone_from(value);
            }
        };
        pick(&stored.outlet_id, &mut outlet.outlet_id);
        pick(&stored.outlet_code, &mut outlet.outlet_code);
        pick(&stored.outlet_name, &mut outlet.outlet_name);
        pick(&stored.cloud_api_url, &mut outlet.cloud_api_url);
        if let Some(key) = &stored.api_key {
            api_key.clone_from(key);
        }
        outlet.sync_enabled = stored.sync_enabled.unwrap_or(outlet.sync_enabled);
        outlet.sync_interval_minutes = stored
            .sync_interval_minutes
            .unwrap_or(outlet.sync_interval_minutes);
        for name in crate::engine::api::PROFILE_FIELDS {
            if let Some((_, value)) = stored.profile.iter().find(|(field, _)| field == name) {
                outlet.profile.retain(|(field, _)| *field != name);
                outlet.profile.push((name, Arc::from(value.as_str())));
            }
        }
    }
    if outlet.outlet_name.is_empty() {
        outlet.outlet_name.clone_from(&outlet.outlet_code);
    }
    (outlet, api_key)
}

/// The plural by which a collection is named where no setting says otherwise.
pub fn plural(word: &str) -> String {
    let vowel_before_y =
        word.len() > 1 && matches!(word.as_bytes()[word.len() - 2], b'a' | b'e' | b'i' | b'o' | b'u');
    match word {
        w if w.ends_with('y') && !vowel_before_y => format!("{}ies", &w[..w.len() - 1]),
        w if ["s", "x", "ch", "sh"].iter().any(|end| w.ends_with(end)) => format!("{w}es"),
        w => format!("{w}s"),
    }
}

/// The other way round.
pub fn singular(word: &str) -> String {
    let cut = |n: usize| word[..word.len() - n].to_owned();
    match word {
        w if w.len() > 4 && w.ends_with("ies") => format!("{}y", cut(3)),
        w if ["sses", "xes", "ches", "shes"].iter().any(|end| w.ends_with(end)) => cut(2),
        w if w.ends_with('s') && !w.ends_with("ss") => cut(1),
        w => w.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collections_are_named_in_the_plural_and_read_back() {
        for word in [
            "product",
            "category",
            "order",
            "address",
            "box",
            "batch",
            "purchase",
            "tray",
            "menu_item",
        ] {
            assert_eq!(singular(&plural(word)), word);
        }
        assert_eq!(plural("category"), "categories");
    }
}
