//! A box whose clock is wrong by years, and a cloud that tells it the time: the offset is measured, shown, kept and corrected for.

use crate::outlet::{Outlet, Setup};
use crate::scripted_cloud::{Call, Fault, ScriptedCloud};

const YEARS_MS: i64 = 10 * 365 * 24 * 3_600_000;

/// Waits until the cloud has told the time. Tokens from before may have expired by it.
async fn knows_the_time(outlet: &mut Outlet, ahead_ms: i64) {
    for _ in 0..100 {
        outlet.login().await;
        outlet.request("POST", "/api/v1/sync/trigger?wait=true").await;
        let status = outlet.read("sync/status").await;
        let offset = status
            .raw("data.clock_offset_ms")
            .and_then(|ms| ms.parse::<i64>().ok());
        if offset.is_some_and(|ms| (ms - ahead_ms).abs() < 60_000) {
            return outlet.login().await;
        }
    }
    panic!("the cloud's time is not known after a hundred runs");
}

#[tokio::test]
async fn a_clock_that_is_wrong_by_years_decides_rightly_after_the_first_measurement() {
    for ahead_ms in [YEARS_MS, -YEARS_MS] {
        let cloud = ScriptedCloud::start().await;
        cloud.state().clock_ahead_ms = ahead_ms;
        for id in ["mine", "theirs"] {
            cloud.state().set("product", id, r#"{"n":1}"#);
        }
        let mut outlet = Setup::of(&cloud).unhurried().start().await;
        knows_the_time(&mut outlet, ahead_ms).await;
        outlet.settle().await;
        // A new boot, without a line.
        cloud.go_down();
        let outlet = outlet.restart().await;
        for id in ["mine", "theirs"] {
            outlet.put("product", id, r#"{"n":2}"#).await.expect(200);
        }
        cloud.behave();
        cloud
            .state()
            .edit_stamped("product", "mine", r#"{"n":3}"#, -60_000);
        cloud
            .state()
            .edit_stamped("product", "theirs", r#"{"n":3}"#, 60_000);
        outlet.settle().await;
        for (id, content) in [("mine", r#"{"n":2}"#), ("theirs", r#"{"n":3}"#)] {
            let here = outlet.content("product", id).await;
            let there = cloud.state().content("product", id);
            assert_eq!(here.as_deref(), Some(content), "{ahead_ms}: {id} here");
            assert_eq!(there.as_deref(), Some(content), "{ahead_ms}: {id} there");
        }
    }
}

#[tokio::test]
async fn a_change_made_before_the_time_was_known_is_dated_rightly_in_the_next_boot() {
    let cloud = ScriptedCloud::start().await;
    cloud.state().clock_ahead_ms = YEARS_MS;
    cloud.go_down();
    let mut outlet = Setup::of(&cloud).unhurried().start().await;
    // Nobody has ever told this box the time.
    outlet.put("product", "made", r#"{"n":2}"#).await.expect(201);
    let wrong = outlet.get("product", "made").await.str("data.updated_at");
    // Updates tell it now, but nothing can be pushed.
    cloud.behave();
    cloud.always(Call::Batch, Fault::DropBefore);
    knows_the_time(&mut outlet, YEARS_MS).await;
    let right = outlet.get("product", "made").await.str("data.updated_at");
    assert!(right[..3] > wrong[..3], "{right} is a decade after {wrong}");
    cloud.go_down();
    let outlet = outlet.kill().await.start().await;
    let kept = outlet.get("product", "made").await.str("data.updated_at");
    assert_eq!(kept[..13], right[..13], "also after a power cut");
}
