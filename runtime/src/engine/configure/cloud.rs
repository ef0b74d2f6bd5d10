//! The company changes the outlet's configuration by webhook: name, interval, `sync_enabled` and profile only, the newest
//! of its messages wins (rule 16).

use super::ConfigError;
use crate::engine::Engine;
use crate::engine::api::{Actor, HookConfig, HookError, HookOutcome, HookResult, Resolution, Unavailable};
use crate::store::Batch;
use crate::store::rows::put_meta;
use selaras_core::stamp::Millis;

/// The name of the row with the time of the newest message that was applied.
const CLOUD_CONFIG: &str = "cloud_config_at";

impl Engine {
    /// Applies it at once, or says that it is stale. `key`: what `taken` writes down, where it does.
    pub(in crate::engine) async fn take_config(
        &self,
        config: HookConfig,
        key: Option<&[u8]>,
        taken: impl Fn(&mut Batch),
    ) -> Result<HookOutcome, HookError> {
        let one = self.configuring().await;
        // The same one may have been applied while this one waited for its turn.
        if let Some(key) = key
            && self.came_before(key)?
        {
            return Ok(self.duplicate());
        }
        if self.outlet().is_none() {
            return Err(ConfigError::Missing.into());
        }
        let newest: Option<Millis> = self.inner.rows.meta(CLOUD_CONFIG).map_err(Unavailable::from)?;
        let mut batch = Batch::new();
        taken(&mut batch);
        if let Some(newest) = newest.filter(|newest| config.sent_at < *newest) {
            tracing::info!(
                sent_at = config.sent_at.to_rfc3339(),
                newest = newest.to_rfc3339(),
                "an older configuration of the cloud changes nothing"
            );
            return Ok(if self.commit_hook(batch).await? {
                self.taken_in(vec![result(Resolution::Stale)])
            } else {
                self.duplicate()
            });
        }
        put_meta(&mut batch, CLOUD_CONFIG, &config.sent_at);
        let cloud = Actor {
            id: "cloud".to_owned(),
            token_id: None,
        };
        self.store_outlet_with(one, config.into(), &cloud, batch).await?;
        Ok(self.taken_in(vec![result(Resolution::Applied)]))
    }
}

fn result(resolution: Resolution) -> HookResult {
    HookResult {
        key: None,
        local_version: 0,
        resolution,
        error: None,
    }
}
