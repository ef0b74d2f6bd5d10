//! Sessions: which login tokens have ended before their time, and the time that they are judged by.

use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::store::rows::{Rows, put, put_meta};
use crate::store::{Batch, Direction, keys};
use parking_lot::{Mutex, RwLock};
use selaras_core::session::SessionClock;
use selaras_core::stamp::Millis;
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The name of the row with the time that sessions were last judged by.
const SHOWN: &str = "session_time";
/// While there are sessions, that time is kept so often: a clock that is set back over a restart revives what expired in the
/// last such time at most.
const KEEP_EVERY: Duration = Duration::from_secs(60);
/// Ended sessions removed in one commit.
const PAGE: usize = 500;

/// The time sessions are judged by, and what of it is in the store.
pub struct Sessions {
    clock: Mutex<SessionClock>,
    kept: AtomicI64,
    /// A token was made or shown since the time was last kept.
    used: AtomicBool,
    /// Tokens whose session was ended and that would hold otherwise, as in the store.
    ended: RwLock<HashSet<String>>,
}

impl Sessions {
    /// As it was left.
    pub fn stored(rows: &Rows, mono_ms: u64) -> Result<Self, Unavailable> {
        let kept: Option<Millis> = rows.meta(SHOWN)?;
        let ended = ended(rows)?.into_iter().map(|(key, _)| token_of(&key)).collect();
        Ok(Self {
            clock: Mutex::new(SessionClock::new(kept, mono_ms)),
            kept: AtomicI64::new(kept.map_or(0, |at| at.0)),
            used: AtomicBool::new(false),
            ended: RwLock::new(ended),
        })
    }
}

/// All that are kept: of twelve hours, since no token lasts longer.
fn ended(rows: &Rows) -> Result<Vec<(Vec<u8>, Millis)>, Unavailable> {
    let (from, to) = keys::all(keys::ENDED_SESSION);
    Ok(rows.page((&from, &to), Direction::Forward, usize::MAX)?)
}

fn token_of(key: &[u8]) -> String {
    String::from_utf8_lossy(&key[1..]).into_owned()
}

impl Engine {
    /// The time that login tokens are judged by: it never goes back.
    pub fn session_time(&self) -> Millis {
        let sessions = &self.inner.sessions;
        sessions.used.store(true, Ordering::Relaxed);
        sessions.clock.lock().now(self.now(), self.mono_ms())
    }

    /// Ends the session of one token, which would hold until `expires` otherwise.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn end_session(&self, token: &str, expires: Millis) -> Result<(), Unavailable> {
        let mut batch = Batch::new();
        put(
            &mut batch,
            keys::named(keys::ENDED_SESSION, token.as_bytes()),
            &expires,
        );
        put_meta(&mut batch, SHOWN, &self.session_time());
        self.inner.rows.store().commit(batch).await?;
        self.inner.sessions.ended.write().insert(token.to_owned());
        Ok(())
    }

    /// Whether the token's session was ended.
    pub fn session_has_ended(&self, token: &str) -> bool {
        self.inner.sessions.ended.read().contains(token)
    }

    /// Keeps the time while there are sessions, and forgets ended ones whose tokens hold no more, until `shutdown`.
    pub async fn mind_sessions(self, shutdown: CancellationToken) {
        loop {
            let last = tokio::select! {
                biased;
                () = shutdown.cancelled() => true,
                () = tokio::time::sleep(KEEP_EVERY) => false,
            };
            if let Err(error) = self.keep_session_time().await {
                tracing::warn!(%error, "the time of sessions could not be kept; it is tried again");
            }
            if last {
                return;
            }
        }
    }

    async fn keep_session_time(&self) -> Result<(), Unavailable> {
        let sessions = &self.inner.sessions;
        if !sessions.used.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        let now = sessions.clock.lock().now(self.now(), self.mono_ms());
        if now.0 <= sessions.kept.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut batch = Batch::new();
        put_meta(&mut batch, SHOWN, &now);
        let ended = ended(&self.inner.rows)?;
        // A minute for the leeway that tokens are given.
        let past = ended
            .into_iter()
            .filter(|(_, expires)| expires.plus_ms(60_000) < now);
        let past: Vec<Vec<u8>> = past.map(|(key, _)| key).take(PAGE).collect();
        for key in &past {
            batch.delete(key.clone());
        }
        self.inner.rows.store().commit(batch).await?;
        sessions.kept.store(now.0, Ordering::Relaxed);
        let mut held = sessions.ended.write();
        for key in &past {
            held.remove(&token_of(key));
        }
        Ok(())
    }
}
