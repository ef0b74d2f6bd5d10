//! What a plugin says of itself, and what of that can be believed.

use serde::Serialize;

use super::super::bindings::mapper::MapperPlugin;
use super::super::bindings::mapper::exports::selaras::plugin::info::PluginInfo as Said;
use super::super::bindings::strategy::{
    StrategyPlugin, exports::selaras::plugin::info::PluginInfo as StrategySaid,
};
use super::super::call::{Door, Machine, call_failure, start_failure};
use super::super::error::{FailureCode, Refusal, RefusalCode};
use super::super::grants::Grants;
use super::super::guest::Guest;
use super::super::limits::CallLimits;
use super::super::output::printable;
use super::super::shape::Kind;
use super::mistyped;
use super::trial::SAMPLE_NOW_MS;

const MAX_NAME_BYTES: usize = 64;
const MAX_VERSION_BYTES: usize = 64;
const MAX_DESCRIPTION_BYTES: usize = 1 << 10;
const MAX_ENTITY_TYPES: usize = 64;
const MAX_ENTITY_TYPE_BYTES: usize = 128;
/// Bytes of all attributes; a settings schema is the largest.
const MAX_ATTRS_BYTES: usize = 64 << 10;

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
    /// What it was granted.
    pub grants: Grants,
    /// Entity types it is made for; empty: any.
    pub entity_types: Vec<String>,
    /// E.g. `settings-schema`.
    pub attrs: Vec<(String, String)>,
}

/// Instantiates and asks the plugin who it is.
pub(super) fn describe(machine: &Machine, door: &Door, grants: Grants) -> Result<Said, Refusal> {
    let _time = machine.ticker.running();
    let ms = machine.limits.load_ms;
    let limits = CallLimits {
        timeout_ms: ms,
        ..CallLimits::of_trial(grants)
    };
    let mut store = machine.store(&limits, SAMPLE_NOW_MS);
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

/// What is known of it from here on.
pub(super) fn info(
    kind: Kind,
    digest: String,
    name: Option<&str>,
    grants: Grants,
    said: Said,
) -> Result<PluginInfo, Refusal> {
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
        grants,
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
