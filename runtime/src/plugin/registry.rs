//! Which plugin answers to which name, which version runs beside it for comparison, and which components were refused.
//!
//! A plugin that is replaced lives on in the calls that run; nothing here waits for them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use serde::Serialize;

use super::call::Plugin;
use super::error::{Failure, Refusal, RefusalCode};
use super::gate::PluginInfo;
use super::shadow::{Shadow, ShadowStatus};
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
    /// Handed over by an admin.
    Installed,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => f.write_str("a plugin of the binary itself"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Installed => f.write_str("a plugin that an admin installed"),
        }
    }
}

/// Whether a plugin can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PluginState {
    /// It answers calls.
    Active(PluginInfo),
    /// It would, but was taken out of use, and why.
    Suspended(PluginInfo, String),
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
    /// Its last calls, by which its health is judged, and how many of them failed.
    pub recent: (usize, usize),
    /// The version that runs beside it.
    pub shadow: Option<ShadowStatus>,
}

/// What answers to a name.
struct Seat {
    source: Source,
    plugin: Arc<Plugin>,
    /// Why it answers no calls.
    suspended: Option<String>,
    shadow: Option<Arc<Shadow>>,
}

/// Who is to be called.
pub(super) struct Found {
    pub(super) plugin: Arc<Plugin>,
    pub(super) shadow: Option<Arc<Shadow>>,
    /// Whether its failures are looked at: the binary's own have nothing to go back to.
    pub(super) is_watched: bool,
}

#[derive(Default)]
struct Plugins {
    seats: BTreeMap<String, Seat>,
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
        if let Some(seat) = plugins.seats.get(&info.name)
            && seat.source != source
        {
            let owner = &seat.source;
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
            .seats
            .insert(info.name.clone(), Seat::of(source, Arc::new(plugin)));
        Ok(info)
    }

    /// Puts a version in the place of whatever has its name, in one step: who has found the old one goes on with it.
    pub(super) fn seat(&self, plugin: Arc<Plugin>, source: Source) {
        let mut plugins = self.0.write();
        plugins
            .refused
            .retain(|(refused, _), _| *refused != source || source == Source::Installed);
        let name = plugin.info.name.clone();
        let shadow = plugins.seats.remove(&name).and_then(|seat| seat.shadow);
        // A version is not compared with itself.
        let shadow = shadow.filter(|shadow| shadow.digest() != plugin.info.digest);
        let seat = Seat {
            shadow,
            ..Seat::of(source, plugin)
        };
        plugins.seats.insert(name, seat);
    }

    /// Takes a name out of use.
    pub(super) fn unseat(&self, name: &str) {
        self.0.write().seats.remove(name);
    }

    /// Has calls of this version answered with a failure that says why.
    pub(super) fn suspend(&self, name: &str, why: &str) {
        if let Some(seat) = self.0.write().seats.get_mut(name) {
            seat.suspended = Some(why.to_owned());
        }
    }

    /// Has a version run beside the one that answers; none: nothing does any more.
    pub(super) fn set_shadow(&self, name: &str, shadow: Option<Arc<Plugin>>) {
        if let Some(seat) = self.0.write().seats.get_mut(name) {
            seat.shadow = shadow.map(|plugin| Arc::new(Shadow::of(plugin)));
        }
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
            (None, Source::Installed) => String::from("installed"),
        };
        tracing::warn!(plugin = name, %source, %refusal, "a plugin is refused");
        let mut plugins = self.0.write();
        let key = (source, name);
        if plugins.refused.len() < MAX_REFUSED || plugins.refused.contains_key(&key) {
            plugins.refused.insert(key, refusal.clone());
        }
    }

    /// What this source was refused for is no longer so.
    pub(super) fn forgive(&self, source: &Source) {
        self.0.write().refused.retain(|(refused, _), _| refused != source);
    }

    /// Who answers to this name.
    pub(super) fn find(&self, name: &str) -> Result<Found, Failure> {
        let plugins = self.0.read();
        let Some(seat) = plugins.seats.get(name) else {
            return Err(Failure::missing(format!("there is no plugin `{name}`")));
        };
        if let Some(why) = &seat.suspended {
            return Err(Failure::missing(format!(
                "the plugin `{name}` was taken out of use: {why}"
            )));
        }
        Ok(Found {
            plugin: seat.plugin.clone(),
            shadow: seat.shadow.clone(),
            is_watched: seat.source != Source::Embedded,
        })
    }

    /// All of them, those with a name first.
    pub(super) fn list(&self) -> Vec<PluginStatus> {
        let plugins = self.0.read();
        let seated = plugins.seats.iter().map(|(name, seat)| seat.status(name));
        let refused = plugins
            .refused
            .iter()
            .map(|((source, name), refusal)| PluginStatus {
                name: name.clone(),
                source: source.clone(),
                state: PluginState::Refused(refusal.clone()),
                usage: Usage::default(),
                recent: (0, 0),
                shadow: None,
            });
        seated.chain(refused).collect()
    }

    /// What has this name.
    pub(super) fn get(&self, name: &str) -> Option<PluginStatus> {
        let plugins = self.0.read();
        plugins.seats.get(name).map(|seat| seat.status(name))
    }
}

impl Seat {
    fn of(source: Source, plugin: Arc<Plugin>) -> Self {
        Self {
            source,
            plugin,
            suspended: None,
            shadow: None,
        }
    }

    fn status(&self, name: &str) -> PluginStatus {
        let info = self.plugin.info.clone();
        PluginStatus {
            name: name.to_owned(),
            source: self.source.clone(),
            state: match &self.suspended {
                None => PluginState::Active(info),
                Some(why) => PluginState::Suspended(info, why.clone()),
            },
            usage: self.plugin.stats.usage(),
            recent: self.plugin.watch.recent(),
            shadow: self.shadow.as_ref().map(|shadow| shadow.status()),
        }
    }
}
