//! The gate that every component passes, the embedded ones too: check → compile (or cached code) → trial
//! instantiation → describe → self-test.
//!
//! What comes out has answered a sample call within its limits. What stays outside gets a [`Refusal`] in words.

use std::sync::Arc;

use serde::Serialize;
use sha2::{Digest, Sha256};
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

use super::bindings::mapper::exports::selaras::plugin::info::PluginInfo as Said;
use super::bindings::mapper::{MapperPlugin, MapperPluginPre};
use super::bindings::strategy::{
    StrategyPlugin, StrategyPluginPre, exports::selaras::plugin::info::PluginInfo as StrategySaid,
};
use super::cache::Cache;
use super::call::{Door, Machine, Plugin, call_failure, start_failure};
use super::compile::compile;
use super::error::{Failure, FailureCode, Refusal, RefusalCode};
use super::grants::Grants;
use super::guest::Guest;
use super::output::printable;
use super::shape::{self, Kind};
use super::stats::Stats;
use super::trusted::Artifact;
use super::values::{CallContext, Case, Direction, Document, Lookup, NoLookup};
use super::watch::Watch;

/// Bytes of a component file with the grant `large`.
const LARGE_COMPONENT_BYTES: usize = 64 << 20;
const MAX_NAME_BYTES: usize = 64;
const MAX_VERSION_BYTES: usize = 64;
const MAX_DESCRIPTION_BYTES: usize = 1 << 10;
const MAX_ENTITY_TYPES: usize = 64;
const MAX_ENTITY_TYPE_BYTES: usize = 128;
/// Bytes of all attributes; a settings schema is the largest.
const MAX_ATTRS_BYTES: usize = 64 << 10;

/// The code by which plugins say that their settings cannot be used; the SDK's `Settings` answers with it.
const INVALID_SETTINGS: &str = "invalid-settings";

/// The self-test's clock: the same component passes or fails the same way on every day.
pub(super) const SAMPLE_NOW_MS: u64 = 1_767_225_600_000;

/// What is known of an accepted plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PluginInfo {
    /// The name it is bound by.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// Its own version.
    pub version: String,
    /// Its own words.
    pub description: String,
    /// SHA-256 of the component, hex.
    pub digest: String,
    /// Entity types it is made for; empty: any.
    pub entity_types: Vec<String>,
    /// E.g. `settings-schema`.
    pub attrs: Vec<(String, String)>,
}

/// The gate with what it needs: the interface to link against, and the cache.
pub(super) struct Gate {
    linker: Linker<Guest>,
    cache: Option<Cache>,
}

impl Gate {
    pub(super) fn new(machine: &Machine, cache: Option<Cache>) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(&machine.engine);
        // Both worlds import the same.
        MapperPlugin::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
        Ok(Self { linker, cache })
    }

    /// Takes a component through the gate. `name` overrides what the plugin says of itself.
    pub(super) fn admit(
        &self,
        machine: &Machine,
        bytes: &[u8],
        name: Option<&str>,
        grants: Grants,
    ) -> Result<Plugin, Refusal> {
        let max_bytes = if grants.large {
            LARGE_COMPONENT_BYTES
        } else {
            machine.limits.component_bytes
        };
        shape::precheck(bytes, max_bytes)?;
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        let (component, fresh) = self.code(machine, bytes, &digest)?;
        let plugin = self.pass(machine, &component, &digest, name)?;
        if let (Some(cache), Some(artifact)) = (&self.cache, fresh)
            && let Err(error) = cache.write(&digest, &artifact)
        {
            tracing::warn!(plugin = plugin.info.name, %error, "compiled plugin code cannot be kept");
        }
        Ok(plugin)
    }

    /// The same for a component that was admitted before, by its compiled code alone. None: that is not there.
    pub(super) fn recall(
        &self,
        machine: &Machine,
        digest: &[u8; 32],
        name: &str,
    ) -> Option<Result<Plugin, Refusal>> {
        let artifact = self.cache.as_ref()?.read(digest)?;
        let component = artifact.load(&machine.engine).ok()?;
        Some(self.pass(machine, &component, digest, Some(name)))
    }

    /// What follows once there is code: what it is, whether it starts, who it says it is, and the self-test.
    fn pass(
        &self,
        machine: &Machine,
        component: &Component,
        digest: &[u8; 32],
        name: Option<&str>,
    ) -> Result<Plugin, Refusal> {
        let kind = shape::kind(&machine.engine, component)?;
        let pre = self.linker.instantiate_pre(component).map_err(|error| {
            let message = format!("the component imports what the interface does not have: {error:#}");
            Refusal::new(RefusalCode::ImportNotAllowed, message)
        })?;
        let door = door(kind, pre)?;
        let said = describe(machine, &door)?;
        let info = info(kind, hex::encode(digest), name, said)?;
        self_test(machine, &door, &info)?;
        Ok(Plugin {
            info,
            door,
            stats: Stats::new(),
            watch: Watch::default(),
        })
    }

    /// The component's code: from the cache, or compiled just now (then with the artifact to keep).
    fn code(
        &self,
        machine: &Machine,
        bytes: &[u8],
        digest: &[u8; 32],
    ) -> Result<(Component, Option<Artifact>), Refusal> {
        if let Some(artifact) = self.cache.as_ref().and_then(|cache| cache.read(digest)) {
            match artifact.load(&machine.engine) {
                Ok(component) => return Ok((component, None)),
                Err(error) => tracing::warn!(%error, "cached plugin code does not fit; compiling again"),
            }
        }
        let artifact = compile(&machine.engine, bytes)?;
        let component = artifact.load(&machine.engine).map_err(|error| {
            // Fresh code that does not load asks for more than a slot of the pool has.
            Refusal::new(
                RefusalCode::OverLimits,
                format!("the component needs more than a plugin gets: {error:#}"),
            )
        })?;
        Ok((component, Some(artifact)))
    }
}

fn door(kind: Kind, pre: InstancePre<Guest>) -> Result<Door, Refusal> {
    let door = match kind {
        Kind::Strategy => StrategyPluginPre::new(pre).map(Door::Strategy),
        Kind::Mapper => MapperPluginPre::new(pre).map(Door::Mapper),
    };
    door.map_err(|error| mistyped(&error))
}

fn mistyped(error: &wasmtime::Error) -> Refusal {
    let message = format!("an export is missing or has another type than the interface says: {error:#}");
    Refusal::new(RefusalCode::MissingExport, message)
}

/// Instantiates and asks the plugin who it is.
fn describe(machine: &Machine, door: &Door) -> Result<Said, Refusal> {
    let _time = machine.ticker.running();
    let ms = machine.limits.load_ms;
    let mut store = machine.store(ms);
    let started = |error: &wasmtime::Error, guest: &Guest| {
        let failure = start_failure(error, guest, ms);
        let code = match failure.code {
            FailureCode::Timeout => RefusalCode::StartTimeout,
            _ if failure.retryable => RefusalCode::Internal,
            _ if error.is::<wasmtime::Trap>() => RefusalCode::StartTrapped,
            _ => RefusalCode::OverLimits,
        };
        Refusal::new(code, format!("it does not start: {}", failure.message))
    };
    let starting = match door {
        Door::Strategy(pre) => pre.instance_pre().instantiate(&mut store),
        Door::Mapper(pre) => pre.instance_pre().instantiate(&mut store),
    };
    let instance = starting.map_err(|error| started(&error, store.data()))?;
    let described = match door {
        Door::Strategy(_) => StrategyPlugin::new(&mut store, &instance)
            .map_err(|error| mistyped(&error))?
            .selaras_plugin_info()
            .call_describe(&mut store)
            .map(Said::from),
        Door::Mapper(_) => MapperPlugin::new(&mut store, &instance)
            .map_err(|error| mistyped(&error))?
            .selaras_plugin_info()
            .call_describe(&mut store),
    };
    described.map_err(|error| {
        let failure = call_failure(&error, store.data(), ms);
        let code = match failure.code {
            FailureCode::Timeout => RefusalCode::StartTimeout,
            FailureCode::InvalidOutput => RefusalCode::BadInfo,
            _ => RefusalCode::StartTrapped,
        };
        Refusal::new(code, format!("it does not describe itself: {}", failure.message))
    })
}

impl From<StrategySaid> for Said {
    fn from(from: StrategySaid) -> Self {
        let StrategySaid {
            name,
            version,
            description,
            entity_types,
            attrs,
        } = from;
        Self {
            name,
            version,
            description,
            entity_types,
            attrs,
        }
    }
}

fn info(kind: Kind, digest: String, name: Option<&str>, said: Said) -> Result<PluginInfo, Refusal> {
    let bad = |message: String| Refusal::new(RefusalCode::BadInfo, message);
    let name = name.unwrap_or(&said.name);
    if !is_name(name) {
        let shown = printable(name, MAX_NAME_BYTES);
        return Err(bad(format!(
            "`{shown}` cannot be a plugin's name: it is made of 1 to {MAX_NAME_BYTES} small letters, digits, `_` \
             and `-`, and begins with a letter"
        )));
    }
    if said.version.is_empty() || said.version.len() > MAX_VERSION_BYTES {
        return Err(bad(format!(
            "its version has to be 1 to {MAX_VERSION_BYTES} bytes long"
        )));
    }
    if said.entity_types.len() > MAX_ENTITY_TYPES
        || said
            .entity_types
            .iter()
            .any(|ty| ty.is_empty() || ty.len() > MAX_ENTITY_TYPE_BYTES)
    {
        return Err(bad(format!(
            "it may name {MAX_ENTITY_TYPES} entity types of 1 to {MAX_ENTITY_TYPE_BYTES} bytes"
        )));
    }
    if said
        .attrs
        .iter()
        .map(|(key, value)| key.len() + value.len())
        .sum::<usize>()
        > MAX_ATTRS_BYTES
    {
        return Err(bad(format!(
            "its attributes have more than {MAX_ATTRS_BYTES} bytes"
        )));
    }
    Ok(PluginInfo {
        name: name.to_owned(),
        kind,
        version: printable(&said.version, MAX_VERSION_BYTES),
        description: printable(&said.description, MAX_DESCRIPTION_BYTES),
        digest,
        entity_types: said.entity_types,
        attrs: said.attrs,
    })
}

fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME_BYTES
        && name.starts_with(|char: char| char.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'))
}

/// Calls on a sample. An error of its own is a fair answer; a trap, a time-out or nonsense is not.
fn self_test(machine: &Machine, door: &Door, info: &PluginInfo) -> Result<(), Refusal> {
    let unfair = |(what, failure): &(&str, Failure)| match failure.code {
        FailureCode::Error => None,
        _ => Some(Refusal::new(
            RefusalCode::SelfTestFailed,
            format!("{what} on a sample: {failure}"),
        )),
    };
    let failures = on_samples(machine, door, info, "{}");
    failures.iter().find_map(unfair).map_or(Ok(()), Err)
}

/// What a plugin says of settings that it cannot use. It is asked as in the self-test; one that does not look at its
/// settings there has nothing to say.
pub(super) fn settings_problem(machine: &Machine, plugin: &Plugin, settings: &str) -> Option<Failure> {
    let failures = on_samples(machine, &plugin.door, &plugin.info, settings).into_iter();
    let told = |failure: &Failure| {
        failure
            .own
            .as_ref()
            .is_some_and(|own| own.code == INVALID_SETTINGS)
    };
    failures.map(|(_, failure)| failure).find(told)
}

/// Calls on a sample with these settings; what failed, by the call.
fn on_samples(
    machine: &Machine,
    door: &Door,
    info: &PluginInfo,
    settings: &str,
) -> Vec<(&'static str, Failure)> {
    let ms = machine.limits.load_ms;
    let cx = CallContext {
        outlet_id: "self-test".into(),
        outlet_code: "TEST".into(),
        now_ms: SAMPLE_NOW_MS,
        settings: settings.into(),
    };
    let lookup: Arc<dyn Lookup> = Arc::new(NoLookup);
    let sample = |version, price: &str| sample(info, version, price);
    match door {
        Door::Strategy(pre) => {
            let case = Case {
                base: Some(sample(1, "10.00")),
                local: sample(2, "11.00"),
                cloud: sample(3, "12.00"),
            };
            let asked = machine.ask_strategy(pre, &cx, &case, lookup, ms);
            asked
                .outcome
                .err()
                .map(|failure| ("resolve", failure))
                .into_iter()
                .collect()
        }
        Door::Mapper(pre) => [("to-cloud", Direction::ToCloud), ("to-local", Direction::ToLocal)]
            .into_iter()
            .filter_map(|(what, direction)| {
                let asked = machine.ask_mapper_once(pre, direction, &cx, &sample(1, "10.00"), &lookup, ms);
                asked.err().map(|failure| (what, failure))
            })
            .collect(),
    }
}

fn sample(info: &PluginInfo, version: u64, price: &str) -> Document {
    Document {
        entity_type: info
            .entity_types
            .first()
            .cloned()
            .unwrap_or_else(|| "product".into()),
        id: "sample-1".into(),
        cloud_id: Some("cloud-sample-1".into()),
        version,
        deleted: false,
        modified_ms: Some(SAMPLE_NOW_MS - 1_000 * (10 - version)),
        modified_by: None,
        body: format!(r#"{{"id":"sample-1","name":"Sample","price":"{price}","tags":["a","b"]}}"#).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_stand_in_a_path_and_an_address() {
        assert!(is_name("field_merge") && is_name("price-2"));
        let long = "x".repeat(65);
        for name in ["", "_x", "9x", "Price", "a b", "a/b", "..", "é", long.as_str()] {
            assert!(!is_name(name), "{name}");
        }
    }
}
