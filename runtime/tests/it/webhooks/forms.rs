//! The two forms of signature: a cloud that has moved on to the standard's may have the older one refused.

use super::update;
use crate::outlet::{Hook, Setup, WEBHOOK_SECRET};
use crate::scripted_cloud::ScriptedCloud;

#[tokio::test]
async fn the_older_form_is_refused_once_the_cloud_has_used_the_standards_also_after_a_power_cut() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Setup::of(&cloud)
        .env("WEBHOOK_REFUSE_LEGACY", "true")
        .start()
        .await;
    let legacy = |id: &str| Hook::signed("update", &update(id, 1, "{}"));
    outlet.hook(&legacy("c-1")).await.expect(200);
    // One that is not authentic, or not fresh, changes nothing.
    let secret = WEBHOOK_SECRET.as_bytes();
    let body = update("c-2", 1, "{}");
    outlet
        .hook(&Hook::standard(b"another", "update", "msg_0", 0, &body))
        .await
        .expect_error(401, "invalid_signature");
    outlet
        .hook(&Hook::standard(secret, "update", "msg_0", -3600, &body))
        .await
        .expect_error(401, "stale_timestamp");
    outlet.hook(&legacy("c-3")).await.expect(200);

    outlet
        .hook(&Hook::standard(secret, "update", "msg_1", 0, &body))
        .await
        .expect(200);
    let outlet = outlet.kill().await.start().await;
    outlet
        .hook(&legacy("c-4"))
        .await
        .expect_error(401, "legacy_signature");
    // A cloud that sends both is taken by the better one.
    let both = update("c-5", 1, "{}");
    let mut hook = Hook::standard(secret, "update", "msg_2", 0, &both);
    hook = hook.header(
        "X-Cloud-Signature",
        Hook::signed("update", &both).get("X-Cloud-Signature"),
    );
    outlet.hook(&hook).await.expect(200);
    // Going back is a matter of the setting.
    let setup = outlet.stop().await.env("WEBHOOK_REFUSE_LEGACY", "false");
    let outlet = setup.start().await;
    outlet.hook(&legacy("c-4")).await.expect(200);
    // Whoever caught the one with both signatures cannot send it again with the older alone.
    let again = outlet.hook(&Hook::signed("update", &both)).await.expect(200);
    assert!(again.truth("duplicate"), "{}", again.text);
}
