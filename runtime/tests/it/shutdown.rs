//! Stopping on request, and in the middle of things. By force: see `crash.rs`.

use crate::harness::wait;
use crate::outlet::{Outlet, Setup};
use crate::scripted_cloud::{Call, Fault, ScriptedCloud};
use std::future::IntoFuture;

#[tokio::test]
async fn sigterm_ends_an_idle_outlet_with_0() {
    Setup::without_cloud().start().await.stop().await;
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.settle().await;
    outlet.stop().await;
}

#[tokio::test]
async fn sigterm_abandons_a_push_that_hangs_and_loses_nothing() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    cloud.next(Call::Batch, Fault::HangBefore);
    outlet.put("order", "o", r#"{"n":1}"#).await.expect(201);
    wait::until_true("the batch to arrive", || cloud.calls(Call::Batch).len() == 1).await;
    let outlet = outlet.restart().await;
    outlet.settle().await;
    assert_eq!(cloud.state().times_applied("order", "o"), 1);
}

#[tokio::test]
async fn sigterm_lets_a_run_that_can_end_end() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    cloud.next(Call::Batch, Fault::HangAfter);
    outlet.put("order", "o", r#"{"n":1}"#).await.expect(201);
    wait::until_true("the batch to take effect", || !cloud.state().applied.is_empty()).await;
    let (setup, ()) = tokio::join!(outlet.stop(), async { cloud.release() });
    let outlet = setup.start().await;
    outlet.settle().await;
    assert_eq!(cloud.state().times_applied("order", "o"), 1);
    assert_eq!(outlet.get("order", "o").await.str("data.sync_status"), "synced");
}

#[tokio::test]
async fn sigterm_ends_a_long_poll_early() {
    let outlet = Setup::without_cloud().start().await;
    let poll = outlet.request("GET", "/api/v1/changes?since=0&wait=60");
    let poll = tokio::spawn(poll.into_future());
    // The poll cannot be seen waiting; what is asked and answered after it was sent has given it time to arrive.
    for _ in 0..5 {
        outlet.status().await;
    }
    outlet.stop().await;
    let polled = poll.await.unwrap();
    assert_eq!(polled.status, 200, "{}", polled.text);
}
