//! A version whose calls fail goes: back to the one before it, or out of use where there is none. A person hears of it in
//! status, in the history and in the log, and may activate it again.
//!
//! A call that failed has deferred or parked by itself already; what this saves is the calls to come.

use super::compare::AT_ONCE;
use super::rows::{SeatRow, TroubleRow, VersionRow, put_seat};
use crate::engine::Engine;
use crate::engine::api::{PluginError, SyncSettings};
use crate::plugin::{Noticed, PluginEvent};
use crate::store::Batch;
use selaras_core::health::{Finding, Rule};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Who does what nobody asked for.
const BY: &str = "system";
/// After the store did not take it.
const AGAIN: Duration = Duration::from_secs(5);

/// When failures are too many.
pub fn rule(sync: &SyncSettings) -> Rule {
    Rule {
        percent: sync.plugin_error_percent,
        window: sync.plugin_error_window,
    }
}

impl Engine {
    /// Acts on what the host notices of plugins, until `shutdown`.
    pub async fn mind_plugins(self, shutdown: CancellationToken) {
        let Some(mut events) = self.inner.host.events() else {
            return;
        };
        loop {
            let event = tokio::select! {
                () = shutdown.cancelled() => return,
                event = events.recv() => event,
            };
            match event {
                None => return,
                Some(PluginEvent::Differed(difference)) => {
                    let mut differences = vec![*difference];
                    while differences.len() < AT_ONCE {
                        match events.try_recv() {
                            Ok(PluginEvent::Differed(difference)) => differences.push(*difference),
                            Ok(PluginEvent::Unhealthy {
                                name,
                                digest,
                                noticed,
                            }) => {
                                self.heal_at_last(&name, &digest, noticed, &shutdown).await;
                            }
                            Err(_) => break,
                        }
                    }
                    if let Err(error) = self.keep_differences(differences).await {
                        tracing::warn!(%error, "what a version beside the active one said is not kept");
                    }
                }
                Some(PluginEvent::Unhealthy {
                    name,
                    digest,
                    noticed,
                }) => {
                    self.heal_at_last(&name, &digest, noticed, &shutdown).await;
                }
            }
        }
    }

    /// Tries until it is done: the version goes on failing.
    async fn heal_at_last(&self, name: &str, digest: &str, noticed: Noticed, shutdown: &CancellationToken) {
        while let Err(error) = self.heal(name, digest, noticed).await {
            tracing::error!(plugin = name, digest, %error, "a plugin that fails cannot be taken out of use yet");
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
    }

    async fn heal(&self, name: &str, digest: &str, noticed: Noticed) -> Result<(), PluginError> {
        let _one = self.configuring().await;
        let seat = self.shelf().seat(name)?;
        // Somebody was faster.
        if seat.active.as_deref() != Some(digest) || seat.suspended.is_some() {
            return Ok(());
        }
        let row = self.version_of(name, digest)?;
        let Noticed {
            finding,
            calls,
            failed,
        } = noticed;
        let failing = format!(
            "{failed} of the last {calls} calls of version {} ({}) failed",
            row.version,
            short(digest)
        );
        if let Some(previous) = seat.previous.clone() {
            let before = self.version_of(name, &previous)?;
            match self.load_version(name, &previous, &before).await {
                Ok(version) => {
                    let what = format!(
                        "{failing}; it went back to version {} ({}) by itself",
                        before.version,
                        short(&previous)
                    );
                    tracing::error!(
                        plugin = name,
                        digest,
                        previous,
                        what,
                        "a plugin went back to its earlier version"
                    );
                    let next = self.troubled(seat.gone_back(&previous), digest, &what);
                    let entry = self
                        .entry(name, "rollback", Some(&previous), BY)
                        .from(&seat)
                        .because(Some(what));
                    self.put_in_use(name, (&previous, before), next, version, entry)
                        .await?;
                    self.metrics().plugin_fell_back(name, "rollback");
                    return Ok(());
                }
                Err(PluginError::Unavailable(error)) => return Err(error.into()),
                Err(error) => {
                    tracing::error!(plugin = name, previous, %error, "the earlier version cannot be used");
                }
            }
        }
        if finding != Finding::Broken {
            tracing::warn!(
                plugin = name,
                digest,
                failing,
                "a plugin refuses most of what it is asked"
            );
            return Ok(());
        }
        self.suspend(name, (digest, row), seat, &failing).await
    }

    async fn suspend(
        &self,
        name: &str,
        (digest, row): (&str, VersionRow),
        seat: SeatRow,
        failing: &str,
    ) -> Result<(), PluginError> {
        let what =
            format!("{failing}, and there is no earlier one: conflicts are deferred and documents parked");
        tracing::error!(
            plugin = name,
            digest,
            version = row.version,
            what,
            "a plugin was taken out of use"
        );
        let mut next = self.troubled(seat, digest, &what);
        next.suspended = Some(failing.to_owned());
        let entry = self
            .entry(name, "suspend", Some(digest), BY)
            .because(Some(what.clone()));
        let mut batch = Batch::new();
        put_seat(&mut batch, name, &next);
        self.shelf().note(&mut batch, &entry)?;
        self.commit_plugins(batch, &entry).await?;
        self.inner.host.suspend(name, failing);
        self.metrics().plugin_fell_back(name, "suspend");
        self.inner.life.trouble(name, what);
        self.inner.reconsider.notify_one();
        Ok(())
    }

    fn troubled(&self, seat: SeatRow, digest: &str, what: &str) -> SeatRow {
        SeatRow {
            trouble: Some(TroubleRow {
                at: self.now(),
                digest: digest.to_owned(),
                what: what.to_owned(),
            }),
            fell_back: seat.fell_back + 1,
            ..seat
        }
    }
}

/// Enough of a digest to tell versions apart.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
