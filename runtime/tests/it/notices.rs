//! The cloud's webhooks about no entity: broadcasts for apps, and changes of the configuration.

use crate::harness::json_text::string_at;
use crate::outlet::{Hook, Outlet, Setup, stamp};
use crate::scripted_cloud::ScriptedCloud;

async fn outlet() -> (ScriptedCloud, Outlet) {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    (cloud, outlet)
}

fn broadcast(message: &str, rest: &str) -> Hook {
    let body = format!(r#"{{"timestamp":"{}","message":"{message}"{rest}}}"#, stamp(0));
    Hook::signed("broadcast", &body)
}

/// A configuration, so many seconds from now.
fn config(from_now: i64, fields: &str) -> Hook {
    let body = format!(r#"{{"timestamp":"{}","config":{fields}}}"#, stamp(from_now));
    Hook::signed("config", &body)
}

#[tokio::test]
async fn a_broadcast_is_on_the_feed_once_and_can_be_read_also_after_a_power_cut() {
    let (_cloud, outlet) = outlet().await;
    let data = r#"{ "price":9.80000019,"big":12345678901234567890 }"#;
    let hook = broadcast("Closing at 9", &format!(r#","level":"warning","data":{data}"#));
    let id = outlet.hook(&hook).await.expect(200).str("broadcast_id");
    assert!(outlet.hook(&hook).await.expect(200).truth("duplicate"));

    let outlet = outlet.kill().await.start().await;
    assert!(outlet.hook(&hook).await.expect(200).truth("duplicate"));
    let feed = outlet.feed(0).await.list();
    assert_eq!(feed.len(), 1, "{feed:?}");
    for (field, value) in [
        ("entity_type", "_broadcast"),
        ("entity_id", &id),
        ("origin", "cloud"),
    ] {
        assert_eq!(string_at(&feed[0], field).as_deref(), Some(value), "{feed:?}");
    }
    let read = outlet.read(&format!("broadcasts/{id}")).await.expect(200);
    assert_eq!(
        (read.str("data.message"), read.str("data.level")),
        ("Closing at 9".to_owned(), "warning".to_owned())
    );
    assert_eq!(read.raw("data.data").as_deref(), Some(data));

    outlet.hook(&broadcast("Open again", "")).await.expect(200);
    let page = outlet.read("broadcasts?limit=1").await.expect(200);
    assert_eq!(
        string_at(&page.list()[0], "message").as_deref(),
        Some("Open again")
    );
    let next = page.str("next_cursor");
    let rest = outlet
        .read(&format!("broadcasts?limit=1&cursor={next}"))
        .await
        .expect(200);
    assert_eq!(string_at(&rest.list()[0], "id"), Some(id));
    outlet.read("broadcasts/7x").await.expect(404);
}

#[tokio::test]
async fn a_broadcast_that_cannot_be_used_is_refused_and_leaves_nothing() {
    let (_cloud, outlet) = outlet().await;
    outlet.hook(&Hook::signed("broadcast", "{")).await.expect(400);
    outlet
        .hook(&Hook::signed("broadcast", r#"{"message":"x"}"#))
        .await
        .expect(422)
        .names("timestamp");
    outlet.hook(&broadcast("", "")).await.expect(422).names("message");
    let long = broadcast("x", &format!(r#","data":"{}""#, "x".repeat(17_000)));
    outlet.hook(&long).await.expect(422).names("data");
    let huge = broadcast(&"x".repeat(300_000), "");
    outlet.hook(&huge).await.expect(413);
    let old = format!(r#"{{"timestamp":"{}","message":"x"}}"#, stamp(-97 * 3600));
    outlet
        .hook(&Hook::signed("broadcast", &old))
        .await
        .expect_error(401, "stale_timestamp");
    let unsigned = broadcast("x", "").header("X-Cloud-Signature", "");
    outlet.hook(&unsigned).await.expect(401);
    assert!(outlet.feed(0).await.list().is_empty());
    assert!(outlet.read("broadcasts").await.expect(200).list().is_empty());
}

#[tokio::test]
async fn the_cloud_changes_the_configuration_at_once_and_says_so_in_the_log() {
    let (_cloud, outlet) = outlet().await;
    let hook = config(
        0,
        r#"{"outlet_name":"Selaras Kemang","sync_interval_minutes":7,"sync_enabled":false,"receipt_footer":"Terima kasih"}"#,
    );
    let reply = outlet.hook(&hook).await.expect(200);
    assert_eq!(reply.str("resolution"), "applied");
    assert!(!outlet.status().await.truth("data.sync_enabled"));
    let said = outlet.log();
    let line = said
        .lines()
        .find(|line| line.contains("configuration was changed"));
    let line = line.unwrap_or_else(|| panic!("no line of it: {said}"));
    assert!(line.contains("cloud") && line.contains("outlet_name"), "{line}");

    let outlet = outlet.kill().await.start().await;
    let shown = outlet.read("config/outlet").await.expect(200);
    assert_eq!(shown.str("data.outlet_name"), "Selaras Kemang");
    assert_eq!(shown.str("data.receipt_footer"), "Terima kasih");
    assert_eq!(shown.num("data.sync_interval_minutes"), 7);
    assert!(!shown.truth("data.sync_enabled"));
    assert!(outlet.hook(&hook).await.expect(200).truth("duplicate"));
}

async fn name(outlet: &Outlet) -> String {
    outlet
        .read("config/outlet")
        .await
        .expect(200)
        .str("data.outlet_name")
}

#[tokio::test]
async fn the_newest_configuration_wins_also_after_a_restart() {
    let (_cloud, outlet) = outlet().await;
    outlet
        .hook(&config(-60, r#"{"outlet_name":"New"}"#))
        .await
        .expect(200);
    let late = config(-120, r#"{"outlet_name":"Old","sync_interval_minutes":9}"#);
    let reply = outlet.hook(&late).await.expect(200);
    assert_eq!(reply.str("resolution"), "stale");
    let outlet = outlet.restart().await;
    let later = config(-90, r#"{"outlet_name":"Older"}"#);
    let reply = outlet.hook(&later).await.expect(200);
    assert_eq!(reply.str("resolution"), "stale");
    assert!(outlet.hook(&late).await.expect(200).truth("duplicate"));
    assert_eq!(name(&outlet).await, "New");
    // What an admin does here is no message of the cloud's.
    outlet
        .configure("outlet", r#"{"outlet_name":"Ours"}"#)
        .await
        .expect(200);
    outlet
        .hook(&config(0, r#"{"outlet_name":"Newer"}"#))
        .await
        .expect(200);
    assert_eq!(name(&outlet).await, "Newer");
}

#[tokio::test]
async fn what_the_cloud_may_not_change_is_refused_and_nothing_is_applied() {
    let (_cloud, outlet) = outlet().await;
    // When it last synced is of no matter: the first run may still be going.
    let configuration = async || {
        let shown = outlet.read("config/outlet").await.expect(200).text;
        let (settings, rest) = shown.split_once(r#""last_sync_at""#).expect("is told");
        let rest = rest.split_once(r#""created_at""#).expect("is told").1;
        format!("{settings}{rest}")
    };
    let before = configuration().await;
    let refused = outlet
        .hook(&config(
            0,
            r#"{"outlet_name":"A","cloud_api_url":"http://127.0.0.1:1"}"#,
        ))
        .await;
    refused.expect(422).names("config.cloud_api_url");
    outlet
        .hook(&config(0, r#"{"outlet_name":"A","sync_interval_minutes":0}"#))
        .await
        .expect(422)
        .names("config.sync_interval_minutes");
    outlet.hook(&config(0, "{}")).await.expect(422).names("config");
    let undated = Hook::signed("config", r#"{"config":{"outlet_name":"A"}}"#);
    outlet.hook(&undated).await.expect(422).names("timestamp");
    assert_eq!(configuration().await, before);
    // What was refused made nothing newer: an older one is still taken.
    let reply = outlet.hook(&config(-60, r#"{"outlet_name":"B"}"#)).await;
    assert_eq!(reply.expect(200).str("resolution"), "applied");
}

#[tokio::test]
async fn an_outlet_that_is_not_configured_says_so_to_the_cloud() {
    let outlet = Setup::without_cloud().start().await;
    let body = format!(r#"{{"timestamp":"{}","config":{{"outlet_name":"A"}}}}"#, stamp(0));
    let signature = Hook::signed("config", &body).get("X-Cloud-Signature").to_owned();
    let hook = Hook::unsigned("config", &body).header("X-Cloud-Signature", &signature);
    outlet.hook(&hook).await.expect_error(404, "not_configured");
}
