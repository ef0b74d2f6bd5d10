//! One plugin on a host of its own, ready to be asked.

use crate::secret::Secret;
use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Runtime;

use crate::clock::monotonic_us;
use crate::plugin::{
    CallContext, Candidate, Case, Compiling, Direction, Document, Grants, Host, HostConfig, HostError,
    Instances, Limits, Lookup, Mapped, PluginInfo, Refusal, Source, Trial, Verdict,
};

/// Why a file cannot be asked anything.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The gate refuses it.
    #[error("{} is refused: {refusal}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What the gate says.
        refusal: Refusal,
    },
    /// There is no host.
    #[error("the plugin host cannot be started: {0}")]
    Host(#[from] HostError),
    /// There is nothing to wait for answers on.
    #[error("calls cannot be waited for: {0}")]
    Runtime(#[source] io::Error),
}

/// An admitted plugin. Its host is shut down with it.
pub struct Workbench {
    host: Host,
    runtime: Runtime,
    /// What the gate found.
    pub info: PluginInfo,
    /// Bytes of the file.
    pub bytes: usize,
    /// Wall time of the gate: compiling, a first start and the self-test.
    pub admitted_us: u64,
}

impl Workbench {
    /// Takes a file through the gate; it is compiled as an outlet would, or in this process.
    ///
    /// # Errors
    /// When it cannot be read or is refused, or nothing can be asked on this machine.
    pub fn open(path: &Path, grants: Grants, compiling: Compiling) -> Result<Self, OpenError> {
        let bytes = std::fs::read(path).map_err(|source| OpenError::Read {
            path: path.to_owned(),
            source,
        })?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .map_err(OpenError::Runtime)?;
        let host = host(compiling)?;
        let started = monotonic_us();
        let size = bytes.len();
        let candidate = Candidate {
            bytes: Cow::Owned(bytes),
            name: None,
            source: Source::File(path.to_owned()),
            grants,
        };
        let admitted = host.load_all(&[candidate]).pop();
        let admitted = admitted.expect("invariant: one answer each");
        let admitted_us = monotonic_us().saturating_sub(started);
        match admitted {
            Ok(info) => Ok(Self {
                host,
                runtime,
                info,
                bytes: size,
                admitted_us,
            }),
            Err(refusal) => {
                host.shutdown();
                Err(OpenError::Refused {
                    path: path.to_owned(),
                    refusal,
                })
            }
        }
    }

    /// Asks a strategy about conflicts. One answer each, in order.
    pub fn decide(
        &self,
        cx: &CallContext,
        cases: Vec<Case>,
        lookup: &Arc<dyn Lookup>,
        instances: Instances,
    ) -> Vec<Trial<Verdict>> {
        let asked = self
            .host
            .try_strategy(&self.info.name, cx.clone(), cases, lookup.clone(), instances);
        self.runtime.block_on(asked)
    }

    /// Has a mapper translate documents. One answer each, in order.
    pub fn translate(
        &self,
        direction: Direction,
        cx: &CallContext,
        documents: Vec<Document>,
        lookup: &Arc<dyn Lookup>,
        instances: Instances,
    ) -> Vec<Trial<Mapped>> {
        let (name, cx, lookup) = (&self.info.name, cx.clone(), lookup.clone());
        let asked = self
            .host
            .try_mapper(name, direction, cx, documents, lookup, instances);
        self.runtime.block_on(asked)
    }
}

impl Drop for Workbench {
    fn drop(&mut self) {
        self.host.shutdown();
    }
}

/// A host without a cache, with the limits of an outlet.
fn host(compiling: Compiling) -> Result<Host, HostError> {
    Host::start(HostConfig {
        cache_dir: None,
        cache_key: Secret::of([0; 32]),
        compiling,
        threads: 1,
        limits: Limits::default(),
        monotonic_us,
    })
}
