//! Which plugin answers to which name, and which components were refused.
//!
//! A plugin that is replaced lives on in the calls that run; nothing here waits for them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use serde::Serialize;

use super::call::Plugin;
use super::error::{Refusal, RefusalCode};
use super::gate::PluginInfo;
use super::stats::Usage;

/// Refused components that are remembered; a folder of more broken files shows in the log.
const MAX_REFUSED: usize = 256;

/// Where a component came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Part of this binary.
    Embedded,
    /// A file an integrator brought.
    File(PathBuf),
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => f.write_str("a plugin of the binary itself"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Whether a plugin can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginState {
    /// It answers calls.
    Active(PluginInfo),
    /// It did not pass the gate, and why.
    Refused(Refusal),
}

/// One line of the list of plugins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginStatus {
    /// The name it is bound by, or would have been.
    pub name: String,
    /// Where it came from.
    pub source: Source,
    /// Whether it can be used.
    pub state: PluginState,
    /// What its calls have cost since it was loaded.
    pub usage: Usage,
}

#[derive(Default)]
struct Plugins {
    active: BTreeMap<String, (Source, Arc<Plugin>)>,
    refused: BTreeMap<(Source, String), Refusal>,
}

/// The plugins by name.
#[derive(Default)]
pub(super) struct Registry(RwLock<Plugins>);

impl Registry {
    /// Gives a plugin its name. The same source may replace its own; the binary's own names cannot be taken.
    pub(super) fn register(&self, plugin: Plugin, source: Source) -> Result<PluginInfo, Refusal> {
        let mut plugins = self.0.write();
        let info = plugin.info.clone();
        if let Some((owner, _)) = plugins.active.get(&info.name)
            && *owner != source
        {
            if source != Source::Embedded {
                let message = format!("the name `{}` belongs to {owner}", info.name);
                return Err(Refusal::new(RefusalCode::NameTaken, message));
            }
            tracing::warn!(plugin = info.name, %owner, "the binary's own plugin takes its name back");
        }
        plugins
            .refused
            .retain(|(refused, _), _| *refused != source || source == Source::Embedded);
        plugins
            .active
            .insert(info.name.clone(), (source, Arc::new(plugin)));
        Ok(info)
    }

    /// Remembers a refusal, for the list.
    pub(super) fn refuse(&self, name: Option<&str>, source: Source, refusal: &Refusal) {
        let name = match (name, &source) {
            (Some(name), _) => name.to_owned(),
            (None, Source::File(path)) => path
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned())
                .unwrap_or_default(),
            (None, Source::Embedded) => String::from("embedded"),
        };
        tracing::warn!(plugin = name, %source, %refusal, "a plugin is refused");
        let mut plugins = self.0.write();
        let key = (source, name);
        if plugins.refused.len() < MAX_REFUSED || plugins.refused.contains_key(&key) {
            plugins.refused.insert(key, refusal.clone());
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<Arc<Plugin>> {
        self.0.read().active.get(name).map(|(_, plugin)| plugin.clone())
    }

    /// All of them, the active ones first.
    pub(super) fn list(&self) -> Vec<PluginStatus> {
        let plugins = self.0.read();
        let active = plugins
            .active
            .iter()
            .map(|(name, (source, plugin))| status(name, source, plugin));
        let refused = plugins
            .refused
            .iter()
            .map(|((source, name), refusal)| PluginStatus {
                name: name.clone(),
                source: source.clone(),
                state: PluginState::Refused(refusal.clone()),
                usage: Usage::default(),
            });
        active.chain(refused).collect()
    }

    /// The active plugin of this name.
    pub(super) fn get(&self, name: &str) -> Option<PluginStatus> {
        let plugins = self.0.read();
        plugins
            .active
            .get(name)
            .map(|(source, plugin)| status(name, source, plugin))
    }
}

fn status(name: &str, source: &Source, plugin: &Plugin) -> PluginStatus {
    PluginStatus {
        name: name.to_owned(),
        source: source.clone(),
        state: PluginState::Active(plugin.info.clone()),
        usage: plugin.stats.usage(),
    }
}
