//! Delivery: a lane for each outlet takes what is due from the outbox, sends it and writes down what came of it.
//! A lane that is stuck holds nobody else, and what was not written down is sent again with the same id after a
//! restart.

use std::collections::HashSet;
use std::time::Duration;

use http::StatusCode;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::sign;
use crate::clock;
use crate::store::outbox::{self, Attempt, Due};
use crate::store::outlets::{self, Outlet};
use crate::store::{Store, StoreError};

/// Webhooks sent at the same time to one outlet.
const AT_ONCE: u32 = 8;
/// An attempt ends after this.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// An outlet takes a body at most 96 hours old; older ones are given up.
const GIVE_UP_AFTER_MS: i64 = 96 * 3600 * 1000;
/// The longest pause between attempts.
const MAX_PAUSE_MS: u64 = 15 * 60 * 1000;
/// How long a lane waits after the store failed it.
const STORE_PAUSE: Duration = Duration::from_secs(5);

/// What the lanes are told from outside.
#[derive(Debug, Clone, Copy, Default)]
struct Signals {
    /// Counts up when there may be something new to send.
    news: u64,
    /// The cloud is down: nothing leaves.
    down: bool,
}

/// The handle by which the rest of the cloud wakes the lanes.
#[derive(Debug)]
pub struct Postman {
    signals: watch::Sender<Signals>,
}

impl Default for Postman {
    fn default() -> Self {
        Self {
            signals: watch::Sender::new(Signals::default()),
        }
    }
}

impl Postman {
    /// Says that an outlet was registered or a webhook put out.
    pub fn wake(&self) {
        self.signals.send_modify(|signals| signals.news += 1);
    }

    /// Stops and restarts delivery together with everything else of the cloud.
    pub fn set_down(&self, down: bool) {
        self.signals.send_modify(|signals| signals.down = down);
    }

    /// Runs the lanes until `stop`; `first_pause_ms` is the pause after a first failed attempt, doubled each time.
    ///
    /// # Errors
    /// When the outlets cannot be read.
    pub async fn run(
        &self,
        store: Store,
        client: reqwest::Client,
        first_pause_ms: u64,
        stop: CancellationToken,
    ) -> Result<(), StoreError> {
        let mut signals = self.signals.subscribe();
        let mut known = HashSet::new();
        let mut lanes = JoinSet::new();
        loop {
            for outlet in store.read(outlets::all).await? {
                if outlet.hook().is_some() && known.insert(outlet.row) {
                    let (store, client, signals) = (store.clone(), client.clone(), signals.clone());
                    let lane = Lane {
                        store,
                        client,
                        outlet: outlet.row,
                        first_pause_ms,
                    };
                    lanes.spawn(lane.run(signals, stop.clone()));
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                changed = signals.changed() => if changed.is_err() { break },
            }
        }
        // Attempts in flight are cut off; the outbox still has them.
        lanes.shutdown().await;
        Ok(())
    }
}

struct Lane {
    store: Store,
    client: reqwest::Client,
    outlet: i64,
    first_pause_ms: u64,
}

impl Lane {
    async fn run(self, mut signals: watch::Receiver<Signals>, stop: CancellationToken) {
        loop {
            let down = signals.borrow_and_update().down;
            let pause = if down { None } else { self.turn().await };
            let waited = async {
                match pause {
                    Some(pause) => tokio::time::sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = waited => {}
                changed = signals.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Sends what is due; answers how long to wait for the next (`None`: until woken).
    async fn turn(&self) -> Option<Duration> {
        match self.try_turn().await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::error!(%error, "webhook delivery could not use the store");
                Some(STORE_PAUSE)
            }
        }
    }

    async fn try_turn(&self) -> Result<Option<Duration>, StoreError> {
        let (row, now_ms) = (self.outlet, clock::now_ms());
        let (outlet, due, next) = self
            .store
            .read(move |tx| {
                let outlet = outlets::all(tx)?.into_iter().find(|outlet| outlet.row == row);
                let (due, next) = outbox::due(tx, row, now_ms, AT_ONCE)?;
                Ok((outlet, due, next))
            })
            .await?;
        let Some(outlet) = outlet else { return Ok(None) };
        if due.is_empty() {
            let wait_ms = next.map(|next| u64::try_from(next - now_ms).unwrap_or(0));
            return Ok(wait_ms.map(Duration::from_millis));
        }
        let mut sending = JoinSet::new();
        for due in due {
            let (client, outlet, first_pause_ms) = (self.client.clone(), outlet.clone(), self.first_pause_ms);
            sending.spawn(async move {
                let result = send(&client, &outlet, &due).await;
                (due.row, judge(&due, result, first_pause_ms))
            });
        }
        let attempts = sending.join_all().await;
        self.store.write(move |tx| outbox::record(tx, &attempts)).await?;
        Ok(Some(Duration::ZERO))
    }
}

/// One attempt: `Ok` is the status that the outlet answered.
async fn send(client: &reqwest::Client, outlet: &Outlet, due: &Due) -> Result<StatusCode, String> {
    let Some((url, secret)) = outlet.hook() else {
        return Err("the outlet takes no webhooks".to_owned());
    };
    let now_s = clock::now_ms() / 1000;
    let url = format!("{}/api/v1/webhooks/cloud/{}", url.trim_end_matches('/'), due.kind);
    let response = client
        .post(url)
        .timeout(ATTEMPT_TIMEOUT)
        .header("content-type", "application/json")
        .header("x-outlet-id", &outlet.outlet_id)
        .header(
            "x-cloud-signature",
            sign::cloud_signature(secret, due.body.as_bytes()),
        )
        .header("webhook-id", &due.webhook_id)
        .header("webhook-timestamp", now_s.to_string())
        .header(
            "webhook-signature",
            sign::standard_signature(secret, &due.webhook_id, now_s, due.body.as_bytes()),
        )
        .body(due.body.clone())
        .send()
        .await
        .map_err(|error| error.without_url().to_string())?;
    Ok(response.status())
}

/// What an attempt means: a body that the outlet calls unreadable will not become readable, anything else may heal.
fn judge(due: &Due, result: Result<StatusCode, String>, first_pause_ms: u64) -> Attempt {
    let error = match result {
        Ok(status) if status.is_success() => return Attempt::Delivered,
        Ok(status) => {
            let error = format!("the outlet answered {status}");
            if matches!(status.as_u16(), 400 | 413 | 422) {
                return Attempt::GaveUp { error };
            }
            error
        }
        Err(error) => error,
    };
    let now_ms = clock::now_ms();
    if now_ms - due.created_ms > GIVE_UP_AFTER_MS {
        return Attempt::GaveUp { error };
    }
    let pause_ms = pause_ms(due.attempts, first_pause_ms);
    tracing::info!(
        webhook_id = due.webhook_id,
        error,
        pause_ms,
        "a webhook was not taken; it is sent again"
    );
    Attempt::Retry {
        next_ms: now_ms.saturating_add_unsigned(pause_ms),
        error,
    }
}

/// Exponential backoff with jitter over its upper half, so that outlets that come back are not all called at once.
fn pause_ms(attempts: u32, first_pause_ms: u64) -> u64 {
    let full = first_pause_ms
        .saturating_mul(1 << attempts.min(20))
        .min(MAX_PAUSE_MS);
    full / 2 + clock::random_below(full / 2 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(created_ms: i64) -> Due {
        let (webhook_id, kind, body) = ("msg_1".to_owned(), "update".to_owned(), "{}".to_owned());
        Due {
            row: 1,
            webhook_id,
            kind,
            body,
            attempts: 3,
            created_ms,
        }
    }

    #[test]
    fn pauses_double_up_to_a_limit() {
        assert!((1_000..=2_000).contains(&pause_ms(0, 2_000)));
        assert!((8_000..=16_000).contains(&pause_ms(3, 2_000)));
        assert!((MAX_PAUSE_MS / 2..=MAX_PAUSE_MS).contains(&pause_ms(60, 2_000)));
    }

    #[test]
    fn what_may_heal_is_tried_again_until_it_is_too_old() {
        let now = clock::now_ms();
        for result in [
            Err("no connection".to_owned()),
            Ok(StatusCode::UNAUTHORIZED),
            Ok(StatusCode::BAD_GATEWAY),
        ] {
            assert!(
                matches!(judge(&due(now), result.clone(), 1), Attempt::Retry { next_ms, .. } if next_ms >= now)
            );
            assert!(matches!(
                judge(&due(now - GIVE_UP_AFTER_MS - 1), result, 1),
                Attempt::GaveUp { .. }
            ));
        }
        assert!(matches!(
            judge(&due(now), Ok(StatusCode::BAD_REQUEST), 1),
            Attempt::GaveUp { .. }
        ));
        assert!(matches!(
            judge(&due(now), Ok(StatusCode::OK), 1),
            Attempt::Delivered
        ));
    }
}
