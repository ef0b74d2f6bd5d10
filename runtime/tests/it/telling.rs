//! Conflicts that repeat end with a person, and what the cloud asked to be told of a decision survives everything.

use crate::harness::json_text::string_at;
use crate::outlet::{Hook, Outlet, stamp};
use crate::scripted_cloud::{Call, Fault, ScriptedCloud};

/// An outlet and its cloud, agreed on one product that the cloud knows as `cloud_id`. Only what a test asks for runs.
async fn agreed(strategy: &str) -> (ScriptedCloud, Outlet, String) {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet
        .configure("sync", r#"{"push_delay_ms":3600000}"#)
        .await
        .expect(200);
    outlet
        .bind("product", &format!(r#"{{"strategy":"{strategy}"}}"#))
        .await;
    outlet.put("product", "p", r#"{"price":1}"#).await.expect(201);
    outlet.settle().await;
    outlet.rest().await;
    let cloud_id = outlet.get("product", "p").await.str("data.cloud_id");
    (cloud, outlet, cloud_id)
}

/// Headquarters change the product, and the cloud says so at once; answers the resolution.
async fn contest(cloud: &ScriptedCloud, outlet: &Outlet, cloud_id: &str, price: u32) -> String {
    let document = format!(r#"{{"price":{price}}}"#);
    cloud.state().edit("product", "p", &document);
    let version = cloud.state().find("product", "p").unwrap().version;
    let body = format!(
        r#"{{"event":"update","timestamp":"{}","entity_type":"product","cloud_id":"{cloud_id}","data":{document},"version":{version},"updated_by":"hq"}}"#,
        stamp(0)
    );
    let reply = outlet.hook(&Hook::signed("update", &body)).await.expect(200);
    reply.str("resolution")
}

/// The cloud tells of a conflict and waits for the decision.
async fn hint(outlet: &Outlet, cloud_id: &str, conflict_id: &str) {
    let body = format!(
        r#"{{"event":"conflict","timestamp":"{}","entity_type":"product","cloud_id":"{cloud_id}","local_id":"p","conflict_id":"{conflict_id}",
            "conflict":{{"field":"price","cloud_value":666,"cloud_version":2,"local_value":3,"local_version":2}},"resolution_required":true}}"#,
        stamp(0)
    );
    outlet.hook(&Hook::signed("conflict", &body)).await.expect(200);
}

#[tokio::test]
async fn conflicts_of_an_entity_that_repeat_end_with_a_person() {
    let (cloud, outlet, cloud_id) = agreed("local_wins").await;
    outlet.put("product", "p", r#"{"price":3}"#).await.expect(200);
    for n in 0..8 {
        assert_eq!(contest(&cloud, &outlet, &cloud_id, 100 + n).await, "local_wins");
    }
    assert_eq!(contest(&cloud, &outlet, &cloud_id, 200).await, "manual");
    let newest = outlet.conflicts().await.remove(0);
    assert_eq!(string_at(&newest, "status").as_deref(), Some("open"));
    assert_eq!(string_at(&newest, "error").as_deref(), Some("too-many-conflicts"));
    // It holds itself only.
    outlet.put("product", "other", r#"{"price":1}"#).await.expect(201);
    outlet.run().await;
    assert_eq!(cloud.state().times_applied("product", "other"), 1);
    assert_eq!(cloud.state().times_applied("product", "p"), 1);
    // Nobody was asked, so there is nothing to run again.
    let replayed = outlet
        .request("POST", "/api/v1/sync/simulate?limit=1")
        .await
        .expect(200);
    assert_eq!(replayed.str("data.cases.0.error"), "nobody-asked");

    let id = string_at(&newest, "id").unwrap();
    outlet
        .resolve(&id, r#"{"strategy":"local_wins"}"#)
        .await
        .expect(200);
    outlet.settle().await;
    assert_eq!(
        cloud.state().content("product", "p").as_deref(),
        Some(r#"{"price":3}"#)
    );
    // After a success the count begins anew.
    outlet.put("product", "p", r#"{"price":4}"#).await.expect(200);
    assert_eq!(contest(&cloud, &outlet, &cloud_id, 300).await, "local_wins");
}

#[tokio::test]
async fn what_the_cloud_asked_to_be_told_is_told_also_over_kill_9() {
    let (cloud, outlet, cloud_id) = agreed("manual").await;
    cloud.state().edit("product", "p", r#"{"price":2}"#);
    outlet.put("product", "p", r#"{"price":3}"#).await.expect(200);
    hint(&outlet, &cloud_id, "cf-1").await;
    // Killed right after the hook was answered: the hint is on the disk.
    let outlet = outlet.kill().await.start().await;
    outlet
        .run_until("the conflict to open", |s| s.num("data.conflict_count") == 1)
        .await;
    assert_eq!(cloud.count(Call::Resolve), 0, "nothing is decided yet");
    let id = outlet.conflict_of("product", "p").await.str("data.id");
    // Decided while the cloud is away; killed before it can be told.
    cloud.go_down();
    outlet
        .resolve(&id, r#"{"strategy":"local_wins","notes":"asked the chef"}"#)
        .await
        .expect(200);
    let outlet = outlet.kill().await.start().await;
    cloud.behave();
    // The first time the cloud does not take it.
    cloud.next(Call::Resolve, Fault::Status(503));
    crate::harness::wait::until("the decision to be told", || async {
        outlet.run().await;
        (cloud.count(Call::Resolve) >= 2).then_some(())
    })
    .await;
    outlet.settle().await;
    let told = cloud.calls(Call::Resolve);
    assert_eq!(told.len(), 2, "not again once it was taken");
    for told in &told {
        assert!(told.path.ends_with("/conflicts/cf-1/resolve"), "{}", told.path);
        assert_eq!(string_at(&told.body, "strategy").as_deref(), Some("local_wins"));
        assert_eq!(string_at(&told.body, "resolved_by").as_deref(), Some("admin"));
        assert_eq!(string_at(&told.body, "notes").as_deref(), Some("asked the chef"));
    }
    assert_eq!(
        cloud.state().content("product", "p").as_deref(),
        Some(r#"{"price":3}"#),
        "the deciding push went before"
    );
    let restarted = outlet.restart().await;
    restarted.settle().await;
    assert_eq!(cloud.count(Call::Resolve), 2, "nor after a restart");
}
