//! Looks whether the certificate or its key was renewed: every two seconds, and on SIGHUP.

use super::files::{Stamp, TlsError};
use super::{Tls, TlsFiles};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Looking costs two calls of the system.
const EVERY: Duration = Duration::from_secs(2);

/// What tells the time, in ms since 1970.
pub(in crate::http) type NowMs = Arc<dyn Fn() -> i64 + Send + Sync>;

impl Tls {
    /// Takes renewed files into use until `stop`. They are taken once they were the same at two looks, so that a
    /// certificate is not met by the key of the one before. A pair that is none changes nothing.
    pub(in crate::http) async fn mind(self, now_ms: NowMs, stop: CancellationToken) {
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => Some(hangup),
            Err(error) => {
                tracing::warn!(%error, "SIGHUP cannot be listened to; changed TLS files are found by looking");
                None
            }
        };
        let mut in_use = self.stamp.clone();
        let mut last_seen = in_use.clone();
        loop {
            let asked = tokio::select! {
                () = stop.cancelled() => return,
                () = hung_up(&mut hangup) => true,
                () = tokio::time::sleep(EVERY) => false,
            };
            let seen = look(&self.files).await;
            let settled = seen == last_seen && seen != in_use;
            last_seen.clone_from(&seen);
            if settled || asked {
                in_use = seen;
                self.renew_aloud(now_ms()).await;
            }
        }
    }

    async fn renew_aloud(&self, now_ms: i64) {
        let tls = self.clone();
        let renewed = tokio::task::spawn_blocking(move || tls.renew(now_ms)).await;
        match renewed.expect("invariant: reading files does not panic") {
            Ok(()) => {
                tracing::info!(cert = %self.files.cert.display(), "TLS: the changed certificate and key are in use");
            }
            Err(error) => told(&error),
        }
    }
}

fn told(error: &TlsError) {
    tracing::error!(%error, "TLS: the changed files cannot be used; the certificate and key from before stay in use");
}

async fn hung_up(hangup: &mut Option<Signal>) {
    if let Some(hangup) = hangup
        && hangup.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}

async fn look(files: &TlsFiles) -> Stamp {
    let files = files.clone();
    tokio::task::spawn_blocking(move || Stamp::of(&files))
        .await
        .expect("invariant: looking at files does not panic")
}
