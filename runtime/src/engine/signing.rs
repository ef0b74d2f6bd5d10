//! How the cloud signs its webhooks: whether it has ever used Standard Webhooks, which a restart does not forget.

use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::store::Batch;
use crate::store::rows::{Rows, put_meta};
use selaras_core::stamp::Millis;
use std::sync::atomic::{AtomicBool, Ordering};

/// The name of the row with the time of the first one.
const FIRST: &str = "standard_webhooks_since";

/// What is remembered of it.
pub(super) struct Signing {
    standard: AtomicBool,
}

impl Signing {
    /// As it was left.
    pub(super) fn stored(rows: &Rows) -> Result<Self, Unavailable> {
        let first: Option<Millis> = rows.meta(FIRST)?;
        Ok(Self {
            standard: AtomicBool::new(first.is_some()),
        })
    }
}

impl Engine {
    /// Whether the cloud has ever signed a webhook as Standard Webhooks.
    pub fn standard_webhooks_came(&self) -> bool {
        self.inner.signing.standard.load(Ordering::Relaxed)
    }

    /// An authentic one came. The first is durable when this answers.
    ///
    /// # Errors
    /// When the store fails; the next one tries again.
    pub async fn standard_webhook_came(&self) -> Result<(), Unavailable> {
        if self.standard_webhooks_came() {
            return Ok(());
        }
        let mut batch = Batch::new();
        put_meta(&mut batch, FIRST, &self.now());
        self.inner.rows.store().commit(batch).await?;
        self.inner.signing.standard.store(true, Ordering::Relaxed);
        tracing::info!("the cloud signs as Standard Webhooks from here on");
        Ok(())
    }
}
