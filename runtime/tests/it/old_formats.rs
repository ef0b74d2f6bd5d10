//! Stores that earlier versions left behind, kept in `samples/`: today's binary opens a copy of each, and everything in
//! it is there and works. The store that today's binary makes is held to the same.

use crate::damage::files::{contents, copy};
use crate::harness::disk::run;
use crate::harness::json_text::{at, content, number_at, string_at};
use crate::known;
use crate::outlet::{Outlet, Setup};
use crate::scripted_cloud::{Call, Entity, ScriptedCloud};
use selaras::store::{Direction, SledOptions, SledStore, Store, keys};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Kinds of rows that a kept store has, and how many at least. Keys that make a repeat harmless expire by age, so they
/// are looked for in the rows, before an outlet that knows the time is started.
const ROWS: [(u8, usize); 11] = [
    (keys::RECORD, known::ARTICLES + known::NOTES),
    (keys::ITEM, known::NOTES + known::REFUSED),
    (keys::FAILED, known::REFUSED),
    (keys::CONFLICT, known::CONTESTED),
    (keys::OPEN_CONFLICT, known::CONTESTED - 1),
    (keys::IDEMPOTENCY, 1),
    (keys::CHANGE_ID, 1),
    (keys::WEBHOOK, known::TOLD),
    (keys::BINDING, 1),
    (keys::USER, 1),
    (selaras::store::FEED_PREFIX, known::ARTICLES),
];

#[tokio::test]
async fn the_store_of_format_1_opens_with_everything_in_it_and_works() {
    let cloud = ScriptedCloud::start().await;
    let setup = Setup::of(&cloud);
    unpack("format_1.tar.gz", &setup.data_dir());
    opens_and_works(&cloud, setup).await;
}

#[tokio::test]
async fn the_store_of_today_opens_with_everything_in_it_and_works() {
    let before = ScriptedCloud::start().await;
    let outlet = Outlet::of(&before).await;
    known::fill(&outlet, &before).await;
    let made = outlet.stop().await;
    // For a sample of this format: see `samples/README.md`.
    if let Ok(place) = std::env::var("SELARAS_SAMPLE") {
        copy(&made.data_dir().join("store"), &Path::new(&place).join("store"));
    }
    let cloud = ScriptedCloud::start().await;
    let setup = Setup::of(&cloud);
    copy(&made.data_dir().join("store"), &setup.data_dir().join("store"));
    opens_and_works(&cloud, setup).await;
}

#[tokio::test]
async fn what_was_made_of_format_1_opens_again_with_the_same_in_it() {
    let cloud = ScriptedCloud::start().await;
    let setup = Setup::of(&cloud);
    unpack("format_1.tar.gz", &setup.data_dir());
    cloud.go_down();
    let first = setup.launch_as_admin().await;
    let missing = known::missing(&first).await;
    assert!(missing.is_empty(), "{missing:?}");
    let second = first.stop().await.launch_as_admin().await;
    let missing = known::missing(&second).await;
    assert!(missing.is_empty(), "{missing:?}");
    second.stop().await;
}

/// Unpacks a sample into a data directory; the sample itself stays as it is.
fn unpack(sample: &str, data_dir: &Path) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/samples")
        .join(sample);
    std::fs::create_dir_all(data_dir).expect("a directory");
    let unpacked = run(Command::new("tar").arg("-xzf").arg(path).arg("-C").arg(data_dir));
    unpacked.expect("the sample can be unpacked");
}

async fn opens_and_works(cloud: &ScriptedCloud, setup: Setup) {
    every_kind_of_row_is_there(&setup);
    cloud.go_down();
    let outlet = setup.launch_as_admin().await;
    let missing = known::missing(&outlet).await;
    assert!(missing.is_empty(), "{missing:?}");
    let (id, document) = known::article(30);
    assert_eq!(
        outlet.document("article", &id).await,
        Some(document),
        "byte for byte"
    );
    assert_eq!(
        outlet
            .read("config/entities/contested")
            .await
            .str("data.strategy"),
        "manual"
    );
    let feed = outlet.feed(0).await;
    assert!(feed.num("head") >= i64::try_from(known::ARTICLES).unwrap());
    let decided = outlet.conflict_of("contested", "c-0").await;
    assert_eq!(decided.str("data.notes"), "asked the chef");
    for n in 1..known::CONTESTED {
        let open = outlet.conflict_of("contested", &format!("c-{n}")).await;
        assert_eq!(open.str("data.status"), "open");
        assert_eq!(open.raw("data.local.data").as_deref(), Some(r#"{"n":3}"#));
        assert_eq!(content(&open.raw("data.cloud.data").unwrap()), r#"{"n":2}"#);
    }
    // The cloud as it was, from what the outlet knows of it.
    for entity_type in ["article", "contested", "told"] {
        for entity in outlet.list(entity_type).await {
            remember(cloud, entity_type, &entity, &outlet).await;
        }
    }
    known::comes_together(&outlet, cloud).await;
    let notes = cloud
        .state()
        .entities
        .values()
        .filter(|e| e.entity_type == "note")
        .count();
    assert_eq!(notes, known::NOTES, "what waited is sent");
    assert!(cloud.state().applied.iter().all(|a| a.entity_type != "told"));
    assert_eq!(cloud.count(Call::Other), 0);
    assert_eq!(outlet.status().await.num("data.failed_count"), 0);
    outlet.stop().await;
}

/// Today's store code reads each kind.
fn every_kind_of_row_is_there(setup: &Setup) {
    let copied = setup.dir().join("looked-at");
    copy(&setup.data_dir().join("store"), &copied);
    let store = SledStore::open(&copied, SledOptions::new("another")).expect("it opens");
    for (kind, at_least) in ROWS {
        let rows = store
            .scan(&[kind], &[kind + 1], Direction::Forward, 100_000)
            .expect("it reads");
        assert!(
            rows.len() >= at_least,
            "{} rows of kind {:?}, not {at_least}",
            rows.len(),
            char::from(kind)
        );
    }
    assert!(store.stats().live_bytes > 0, "its bytes are counted");
}

/// Gives a cloud what the outlet knows of its side of an entity.
async fn remember(cloud: &ScriptedCloud, entity_type: &str, entity: &str, outlet: &Outlet) {
    let Some(cloud_id) = string_at(entity, "cloud_id") else {
        return;
    };
    let local_id = string_at(entity, "entity_id").expect("an id");
    let data = match string_at(entity, "sync_status").as_deref() {
        Some("conflict") => {
            let conflict = outlet.conflict_of(entity_type, &local_id).await;
            conflict.raw("data.cloud.data").expect("the cloud's side")
        }
        _ => at(entity, "data").expect("a document"),
    };
    let version = number_at(entity, "cloud_version").expect("a number");
    let mut state = cloud.state();
    let (seq, updated_at_ms) = (state.head() + 1, state.now_ms());
    state.adopt(Entity {
        entity_type: entity_type.to_owned(),
        cloud_id,
        local_id: Some(local_id),
        version: version.try_into().expect("a version"),
        data,
        deleted: false,
        updated_at_ms,
        updated_by: "hq".to_owned(),
        change_id: None,
        seq,
    });
}

#[test]
fn the_samples_are_small() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/samples");
    let bytes: usize = contents(&samples).iter().map(|(_, bytes)| bytes.len()).sum();
    assert!(bytes < 200 << 10, "{bytes} bytes");
}
