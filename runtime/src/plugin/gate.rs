//! The gate that every component passes, the embedded ones too: check → compile (or cached code) → trial
//! instantiation → describe → self-test.
//!
//! What comes out has answered a sample call within its limits. What stays outside gets a [`Refusal`] in words.

mod describe;
mod trial;

use sha2::{Digest, Sha256};
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

use super::bindings::mapper::{MapperPlugin, MapperPluginPre};
use super::bindings::strategy::StrategyPluginPre;
use super::cache::Cache;
use super::call::{Door, Machine, Plugin};
use super::compile::Compiling;
use super::error::{Refusal, RefusalCode};
use super::grants::Grants;
use super::guest::Guest;
use super::shape::{self, Kind};
use super::stats::Stats;
use super::trusted::Artifact;
use super::wasi;
use super::watch::Watch;

pub use self::describe::PluginInfo;
#[cfg(test)]
pub(super) use self::trial::SAMPLE_NOW_MS;
pub(super) use self::trial::settings_problem;

/// A component that wants in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entrant<'a> {
    pub(super) bytes: &'a [u8],
    /// Overrides what the plugin says of itself.
    pub(super) name: Option<&'a str>,
    pub(super) grants: Grants,
    /// Built into this binary: compiled right here, where a child process would only make the first start slower.
    pub(super) ours: bool,
}

/// The gate with what it needs: the interface to link against, and the cache.
pub(super) struct Gate {
    linker: Linker<Guest>,
    cache: Option<Cache>,
    compiling: Compiling,
}

impl Gate {
    pub(super) fn new(
        machine: &Machine,
        cache: Option<Cache>,
        compiling: Compiling,
    ) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(&machine.engine);
        // Both worlds import the same.
        MapperPlugin::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
        Ok(Self {
            linker,
            cache,
            compiling,
        })
    }

    /// Takes a component through the gate.
    pub(super) fn admit(&self, machine: &Machine, entrant: Entrant<'_>) -> Result<Plugin, Refusal> {
        let Entrant {
            bytes, name, grants, ..
        } = entrant;
        shape::precheck(bytes, &machine.limits, grants)?;
        let digest: [u8; 32] = Sha256::digest(bytes).into();
        let (component, fresh) = self.code(machine, entrant, &digest)?;
        let plugin = self.pass(machine, &component, &digest, name, grants)?;
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
        grants: Grants,
    ) -> Option<Result<Plugin, Refusal>> {
        let artifact = self.cache.as_ref()?.read(digest)?;
        let component = artifact.load(&machine.engine).ok()?;
        Some(self.pass(machine, &component, digest, Some(name), grants))
    }

    /// What follows once there is code: what it is, whether it starts, who it says it is, and the self-test.
    fn pass(
        &self,
        machine: &Machine,
        component: &Component,
        digest: &[u8; 32],
        name: Option<&str>,
        grants: Grants,
    ) -> Result<Plugin, Refusal> {
        let kind = shape::kind(&machine.engine, component, grants)?;
        let inert = grants
            .wasi
            .then(|| self.with_wasi(machine, component))
            .transpose()?;
        let linker = inert.as_ref().unwrap_or(&self.linker);
        let pre = linker.instantiate_pre(component).map_err(|error| {
            let message = format!("the component imports what the interface does not have: {error:#}");
            Refusal::new(RefusalCode::ImportNotAllowed, message)
        })?;
        let door = door(kind, pre)?;
        let said = describe::describe(machine, &door, grants)?;
        let info = describe::info(kind, hex::encode(digest), name, grants, said)?;
        trial::self_test(machine, &door, &info)?;
        Ok(Plugin {
            info,
            door,
            stats: Stats::new(),
            watch: Watch::default(),
        })
    }

    /// The interface, and what this component wants of inert WASI.
    fn with_wasi(&self, machine: &Machine, component: &Component) -> Result<Linker<Guest>, Refusal> {
        let mut linker = self.linker.clone();
        wasi::link(&mut linker, &machine.engine, component).map_err(|error| {
            let message = format!("what it imports of WASI cannot be linked: {error:#}");
            Refusal::new(RefusalCode::ImportNotAllowed, message)
        })?;
        Ok(linker)
    }

    /// The component's code: from the cache, or compiled just now (then with the artifact to keep).
    fn code(
        &self,
        machine: &Machine,
        entrant: Entrant<'_>,
        digest: &[u8; 32],
    ) -> Result<(Component, Option<Artifact>), Refusal> {
        if let Some(artifact) = self.cache.as_ref().and_then(|cache| cache.read(digest)) {
            match artifact.load(&machine.engine) {
                Ok(component) => return Ok((component, None)),
                Err(error) => tracing::warn!(%error, "cached plugin code does not fit; compiling again"),
            }
        }
        let compiling = if entrant.ours {
            &Compiling::Here
        } else {
            &self.compiling
        };
        let artifact = compiling.compile(&machine.engine, entrant.bytes, entrant.grants)?;
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
