//! At the start: what was in use is in use again. What cannot be loaded is told, and keeps nothing else from working.

use super::rows::{SeatRow, VersionRow};
use super::{is_embedded, source_of};
use crate::engine::Engine;
use crate::engine::api::{PluginError, Unavailable};
use crate::plugin::{Refusal, RefusalCode};

impl Engine {
    /// Loads what is installed and active. Once, before anything is served or sent.
    pub async fn load_plugins(&self) {
        let _one = self.configuring().await;
        if let Err(error) = self.load_stored().await {
            tracing::error!(%error, "the installed plugins cannot be read");
            self.inner.life.trouble("installed plugins", error.to_string());
        }
    }

    async fn load_stored(&self) -> Result<(), Unavailable> {
        self.shelf().sweep().await?;
        for name in self.shelf().names()? {
            let seat = self.shelf().seat(&name)?;
            let Some(active) = &seat.active else { continue };
            if is_embedded(&name) {
                tracing::warn!(
                    plugin = name,
                    "the binary's own plugin takes the name of an installed one"
                );
                continue;
            }
            let Some(row) = self.shelf().version(&name, active)? else {
                self.inner
                    .life
                    .trouble(&name, "its active version is not in the store");
                continue;
            };
            match self.load_version(&name, active, &row).await {
                Ok(version) => {
                    self.inner.host.seat(version, source_of(&row));
                    self.load_beside(&name, &seat).await;
                }
                Err(error) => self.cannot_load(&name, &row, &error),
            }
        }
        Ok(())
    }

    /// What else is known of a plugin that is loaded.
    async fn load_beside(&self, name: &str, seat: &SeatRow) {
        if let Some(why) = &seat.suspended {
            self.inner.host.suspend(name, why);
        }
        if let Some(trouble) = &seat.trouble {
            self.inner.life.trouble(name, trouble.what.clone());
        }
        let Some(shadow) = &seat.shadow else { return };
        let loaded = match self.version_of(name, shadow) {
            Ok(row) => self.load_version(name, shadow, &row).await,
            Err(error) => Err(error),
        };
        match loaded {
            Ok(version) => self.inner.host.set_shadow(name, Some(version)),
            Err(error) => {
                tracing::warn!(plugin = name, %error, "the version beside the active one cannot be loaded");
            }
        }
    }

    fn cannot_load(&self, name: &str, row: &VersionRow, error: &PluginError) {
        tracing::error!(plugin = name, %error, "an installed plugin cannot be loaded");
        let refusal = Refusal::new(RefusalCode::Internal, error.to_string());
        self.inner.host.refuse(Some(name), source_of(row), &refusal);
        self.inner
            .life
            .trouble(name, format!("it cannot be loaded: {error}"));
    }
}
