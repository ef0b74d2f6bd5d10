//! A store that opens well and is older than what was acknowledged: what a disk does that lies about its syncs, or a
//! person who copied old files back. It is noticed by the mark beside the store.

use crate::damage::files::copy;
use crate::outlet::Outlet;
use crate::scripted_cloud::ScriptedCloud;
use std::fs;

#[tokio::test]
async fn an_older_store_under_a_newer_mark_is_noticed_told_and_healed_by_the_cloud() {
    let cloud = ScriptedCloud::start().await;
    let outlet = Outlet::of(&cloud).await;
    outlet.put("product", "early", r#"{"n":1}"#).await.expect(201);
    outlet.put("product", "both", r#"{"n":1}"#).await.expect(201);
    outlet.settle().await;
    let setup = outlet.stop().await;
    let engine = setup.data_dir().join("store/sled");
    let earlier = setup.dir().join("earlier");
    copy(&engine, &earlier);

    let outlet = setup.start().await;
    outlet.put("product", "late", r#"{"n":1}"#).await.expect(201);
    outlet.put("product", "both", r#"{"n":2}"#).await.expect(200);
    outlet.settle().await;
    let epoch = outlet.feed(0).await.str("epoch");
    let version = outlet.get("product", "both").await.num("data.version");
    let setup = outlet.stop().await;
    fs::remove_dir_all(&engine).unwrap();
    copy(&earlier, &engine);

    let outlet = setup.start().await;
    let status = outlet.status().await;
    assert_eq!(
        status.str("data.store.rewound.cause"),
        "truncated",
        "{}",
        status.text
    );
    assert!(
        status.num("data.store.rewound.lost_commits") > 0,
        "{}",
        status.text
    );
    assert!(!status.str("data.store.rewound.detail").is_empty());
    let log = outlet.log();
    assert!(
        log.lines().any(|l| l.contains("WARN") || l.contains("ERROR")),
        "{log}"
    );
    // Apps must list again: what the feed told them is not what the store holds.
    let gone = outlet
        .read("changes?since=0")
        .await
        .expect_error(410, "feed_truncated");
    assert_ne!(gone.str("data.epoch"), epoch);
    // The cloud has the rest.
    outlet.settle().await;
    assert_eq!(
        outlet.content("product", "late").await.as_deref(),
        Some(r#"{"n":1}"#)
    );
    assert_eq!(
        outlet.content("product", "both").await.as_deref(),
        Some(r#"{"n":2}"#)
    );
    assert_eq!(
        cloud.state().content("product", "early").as_deref(),
        Some(r#"{"n":1}"#)
    );
    // Neither versions nor effects come twice.
    outlet.put("product", "both", r#"{"n":3}"#).await.expect(200);
    assert!(outlet.get("product", "both").await.num("data.version") > version);
    outlet.settle().await;
    assert_eq!(
        cloud.state().content("product", "both").as_deref(),
        Some(r#"{"n":3}"#)
    );
    assert_eq!(cloud.state().times_applied("product", "late"), 1);
    // The next start has nothing more to tell.
    let outlet = outlet.restart().await;
    let again = outlet.status().await;
    assert_eq!(
        again
            .raw("data.store.rewound.at")
            .or(again.raw("data.store.rewound")),
        status.raw("data.store.rewound.at"),
        "{}",
        again.text
    );
}
