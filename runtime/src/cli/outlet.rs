//! Who is asked: the outlet that runs in the data directory, or its store, when none does.

use crate::app::Offline;
use crate::config::Config;
use crate::control::{Client, SOCKET};
use crate::store::OpenError;
use anyhow::Context;
use tokio::runtime::Runtime;

/// Whoever answers.
pub enum Outlet {
    /// It runs, and is asked over its socket.
    Running(Client),
    /// It does not run; its store is ours for now.
    Stopped(Stopped),
}

/// A stopped outlet, and what drives its futures.
pub struct Stopped {
    pub offline: Offline,
    pub runtime: Runtime,
}

impl Outlet {
    /// Looks who answers. `make`: a stopped outlet without a store is given one.
    ///
    /// # Errors
    /// When nobody does, and why.
    pub fn find(config: &Config, make: bool) -> anyhow::Result<Self> {
        let socket = config.data_dir.join(SOCKET);
        let client = Client::connect(&config.data_dir).with_context(|| {
            format!(
                "the outlet that runs in {} cannot be asked over {}: only its own user and root may",
                config.data_dir.display(),
                socket.display()
            )
        })?;
        if let Some(client) = client {
            return Ok(Self::Running(client));
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let opened = runtime.block_on(Offline::open(config, make));
        let offline = opened.map_err(|error| {
            let locked = error
                .chain()
                .any(|cause| matches!(cause.downcast_ref(), Some(OpenError::Locked { .. })));
            if locked {
                error.context(format!(
                    "an outlet or another command has the data, and nothing answers at {}: wait until it has started or \
                     ended, or stop it",
                    socket.display()
                ))
            } else {
                error
            }
        })?;
        Ok(Self::Stopped(Stopped { offline, runtime }))
    }
}
