//! Is it of now? Standard Webhooks stamp each attempt; the body's own time stays as it was when the cloud retries.

use super::signature::Proof;
use crate::http::ApiError;
use selaras_core::stamp::Millis;

/// Either way, for the time of an attempt.
const ATTEMPT_WINDOW_MS: i64 = 5 * 60 * 1000;
/// How long a cloud may go on retrying. The memory of what came is longer, so nothing fresh is forgotten.
const MAX_AGE_MS: i64 = 96 * 60 * 60 * 1000;
/// How far the cloud's clock may be ahead.
const MAX_AHEAD_MS: i64 = 5 * 60 * 1000;

/// 401 for what is too old or from the future, by the outlet's corrected clock. `floor`: what is not newer may have come
/// before, and nobody would know it again.
pub(super) fn check(
    proof: &Proof,
    body: Option<Millis>,
    now: Millis,
    floor: Option<Millis>,
) -> Result<(), ApiError> {
    if let Proof::Standard { timestamp, .. } = proof {
        let at = timestamp
            .parse::<i64>()
            .ok()
            .and_then(|seconds| seconds.checked_mul(1000));
        let near = at.is_some_and(|at| at.abs_diff(now.0) <= ATTEMPT_WINDOW_MS.unsigned_abs());
        if !near {
            return Err(stale("webhook-timestamp", "must be within 5 minutes of now", now));
        }
    }
    if let Some(at) = body {
        if at < now.plus_ms(-MAX_AGE_MS) {
            return Err(stale("timestamp", "is more than 96 hours old", now));
        }
        if floor.is_some_and(|floor| at <= floor) {
            let problem = "is of a time from which more webhooks came than can be told from repeats";
            return Err(stale("timestamp", problem, now));
        }
        if at > now.plus_ms(MAX_AHEAD_MS) {
            return Err(stale("timestamp", "is more than 5 minutes ahead", now));
        }
    }
    Ok(())
}

fn stale(field: &str, problem: &str, now: Millis) -> ApiError {
    let message = format!(
        "{field} {problem}; it is {} here: check both clocks",
        now.to_rfc3339()
    );
    ApiError::unauthorized("stale_timestamp", message).detail(field, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_769_509_800_000);

    fn attempt_at(seconds: i64) -> Proof {
        Proof::Standard {
            id: "msg_1".to_owned(),
            timestamp: seconds.to_string(),
        }
    }

    #[test]
    fn an_attempt_is_five_minutes_fresh_either_way() {
        let now = NOW.0 / 1000;
        for good in [now, now - 300, now + 300] {
            check(&attempt_at(good), None, NOW, None).unwrap();
        }
        for bad in [now - 301, now + 301, 0, i64::MAX] {
            assert_eq!(
                check(&attempt_at(bad), None, NOW, None).unwrap_err().code(),
                "stale_timestamp"
            );
        }
        let odd = Proof::Standard {
            id: String::new(),
            timestamp: "soon".to_owned(),
        };
        assert!(check(&odd, None, NOW, None).is_err());
    }

    #[test]
    fn a_body_may_be_ninety_six_hours_old_and_five_minutes_ahead() {
        let of = |ms| check(&Proof::Body, Some(NOW.plus_ms(ms)), NOW, None);
        of(-MAX_AGE_MS).unwrap();
        of(MAX_AHEAD_MS).unwrap();
        assert_eq!(of(-MAX_AGE_MS - 1).unwrap_err().status(), 401);
        assert_eq!(of(MAX_AHEAD_MS + 1).unwrap_err().status(), 401);
    }

    #[test]
    fn a_body_without_a_time_passes_to_the_dedup() {
        check(&Proof::Body, None, NOW, None).unwrap();
    }

    #[test]
    fn a_time_whose_keys_had_to_go_is_refused() {
        let of = |ms| check(&Proof::Body, Some(NOW.plus_ms(ms)), NOW, Some(NOW.plus_ms(-1000)));
        assert_eq!(of(-1000).unwrap_err().code(), "stale_timestamp");
        of(-999).unwrap();
        check(&Proof::Body, None, NOW, Some(NOW)).unwrap();
    }
}
