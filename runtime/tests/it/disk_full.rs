//! A disk that fills up, on a small file system in memory: new changes are refused below the watermark and told what to
//! do, reads and pushes go on, nothing acknowledged is lost, and everything is accepted again by itself.

use crate::harness::disk::Disk;
use crate::harness::json_text::{content, number_at, string_at};
use crate::harness::wait;
use crate::known::documents;
use crate::outlet::{Hook, Outlet, Reply, Setup, stamp};
use crate::scripted_cloud::ScriptedCloud;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file system's size.
const DISK_MIB: u32 = 64;
/// Free space below which changes are refused.
const WATERMARK_MIB: u64 = 8;
/// Entities of the backlog.
const IDS: usize = 20;
/// What a document of the backlog takes.
const DOCUMENT_BYTES: usize = 60_000;

/// An outlet of a cloud on a small disk; none where there can be no such disk.
async fn on_a_small_disk(cloud: &ScriptedCloud, what: &str) -> Option<(Disk, Setup)> {
    let setup = Setup::of(cloud);
    let disk = match Disk::small(setup.dir(), DISK_MIB) {
        Ok(disk) => disk,
        Err(why) => {
            eprintln!("SKIPPED: {what}, because {why}");
            return None;
        }
    };
    let data = disk.mount().join("data");
    let setup = setup
        .env("DATA_DIR", data.to_str().expect("a path in UTF-8"))
        .env("MIN_FREE_MB", &WATERMARK_MIB.to_string())
        .env("BALLAST_MB", "4");
    Some((disk, setup))
}

/// Fills the disk until so many bytes are free.
fn fill(disk: &Disk, free: u64) -> PathBuf {
    let path = disk.mount().join("filler");
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .expect("a file");
    let block = vec![0x5A; 64 << 10];
    while disk.free_bytes() > free {
        let room = usize::try_from(disk.free_bytes() - free).expect("a small disk");
        if file.write_all(&block[..room.min(block.len())]).is_err() {
            break;
        }
    }
    path
}

fn hook(n: u64) -> Hook {
    let body = format!(
        r#"{{"event":"update","event_id":"full-{n}","timestamp":"{}","entity_type":"told","cloud_id":"c-told","local_id":"told","data":{{"n":{n}}},"version":{n}}}"#,
        stamp(0)
    );
    Hook::signed("update", &body)
}

/// Waits until the status says whether changes are accepted.
async fn accepts(outlet: &Outlet, wanted: bool) {
    wait::until(&format!("accepts_changes to be {wanted}"), || async {
        (outlet.status().await.truth("data.store.accepts_changes") == wanted).then_some(())
    })
    .await;
}

/// Waits until the store is open, or open again.
async fn is_open(outlet: &Outlet) {
    wait::until("the store to be open", || async {
        (outlet.status().await.str("data.store.state") == "open").then_some(())
    })
    .await;
}

fn is_told_what_to_do(reply: Reply) {
    let reply = reply.expect_error(507, "disk_full");
    let message = reply.str("message");
    assert!(message.contains("free"), "it does not say what to do: {message}");
}

#[tokio::test]
async fn below_the_watermark_changes_are_refused_and_everything_else_goes_on() {
    let cloud = ScriptedCloud::start().await;
    let Some((disk, setup)) = on_a_small_disk(&cloud, "no disk was filled beside an outlet").await else {
        return;
    };
    let outlet = setup.start().await;
    outlet
        .configure("sync", r#"{"push_delay_ms":3600000}"#)
        .await
        .expect(200);
    outlet.put("product", "a", r#"{"n":1}"#).await.expect(201);
    let filler = fill(&disk, (WATERMARK_MIB - 2) << 20);
    accepts(&outlet, false).await;
    is_told_what_to_do(outlet.put("product", "b", r#"{"n":1}"#).await);
    is_told_what_to_do(outlet.patch("product", "a", r#"{"n":2}"#).await);
    is_told_what_to_do(outlet.delete("product", "a").await);
    let list =
        r#"{"changes":[{"entity_type":"product","entity_id":"c","operation":"create","data":{"n":1}}]}"#;
    is_told_what_to_do(outlet.request("POST", "/api/v1/changes").json(list).await);
    is_told_what_to_do(outlet.hook(&hook(1)).await);
    // Reads, health and pushes.
    assert_eq!(
        outlet.document("product", "a").await.as_deref(),
        Some(r#"{"n":1}"#)
    );
    outlet.get("product", "b").await.expect(404);
    outlet.anonymous("GET", "/readyz").await.expect(200);
    outlet.settle().await;
    assert_eq!(
        cloud.state().content("product", "a").as_deref(),
        Some(r#"{"n":1}"#)
    );
    // Space is back.
    fs::remove_file(filler).unwrap();
    accepts(&outlet, true).await;
    outlet.put("product", "b", r#"{"n":1}"#).await.expect(201);
    outlet.hook(&hook(1)).await.expect(200);
    outlet.settle().await;
    assert_eq!(cloud.state().times_applied("product", "b"), 1);
    outlet.stop().await;
}

#[tokio::test]
async fn a_backlog_that_fills_the_disk_drains_and_gives_the_space_back() {
    let cloud = ScriptedCloud::start().await;
    let Some((_disk, setup)) = on_a_small_disk(&cloud, "no disk was filled by a backlog").await else {
        return;
    };
    // Draining writes about as much again as the queue takes, before rewriting gives any of it back: the watermark must
    // cover that.
    let outlet = setup.env("MIN_FREE_MB", "40").start().await;
    // Each change waits by itself, so that what is sent is room that can be given back.
    outlet.bind("receipt", r#"{"coalesce":false}"#).await;
    cloud.go_down();
    let mut acknowledged = 0;
    let full = loop {
        let reply = outlet
            .put("receipt", &id(acknowledged), &document(acknowledged))
            .await;
        if !(200..300).contains(&reply.status) {
            break reply;
        }
        acknowledged += 1;
    };
    is_told_what_to_do(full);
    assert!(
        acknowledged > 2 * IDS,
        "the disk is full after {acknowledged} documents"
    );
    accepts(&outlet, false).await;
    cloud.behave();
    wait::until("the backlog to drain by itself", || async {
        (outlet.status().await.num("data.pending_count") == 0).then_some(())
    })
    .await;
    accepts(&outlet, true).await;
    assert_eq!(cloud.state().applied.len(), acknowledged, "each change once");
    for n in acknowledged - IDS..acknowledged {
        assert_eq!(
            outlet.content("receipt", &id(n)).await,
            Some(content(&document(n)))
        );
        assert_eq!(
            cloud.state().content("receipt", &id(n)),
            Some(content(&document(n)))
        );
        let state = cloud.state();
        let numbers: Vec<_> = state
            .applied_to("receipt", &id(n))
            .iter()
            .filter_map(|a| number_at(&a.data, "n"))
            .collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
    outlet.put("receipt", "after", r#"{"n":1}"#).await.expect(201);
    outlet.settle().await;
    let outlet = outlet.restart().await;
    assert_eq!(documents(&outlet, "receipt").await.len(), IDS + 1);
    outlet.stop().await;
}

fn id(n: usize) -> String {
    format!("r-{}", n % IDS)
}

fn document(n: usize) -> String {
    format!(
        r#"{{"n":{n},"text":"{}"}}"#,
        "receipt ".repeat(DOCUMENT_BYTES / 8)
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_to_the_last_byte_loses_nothing_and_is_started_on() {
    let cloud = ScriptedCloud::start().await;
    let Some((disk, setup)) = on_a_small_disk(&cloud, "no disk was filled to the last byte").await else {
        return;
    };
    let outlet = setup.start().await;
    outlet
        .configure("sync", r#"{"push_delay_ms":3600000}"#)
        .await
        .expect(200);
    let acknowledged = write_until_it_is_full(&outlet, &disk).await;
    is_open(&outlet).await;
    is_there(&outlet, &acknowledged).await;
    // A start on the full disk serves reads and pushes.
    let outlet = outlet.kill().await.launch_as_admin().await;
    is_open(&outlet).await;
    is_there(&outlet, &acknowledged).await;
    let refused = outlet.put("product", "more", r#"{"n":1}"#).await;
    assert!([503, 507].contains(&refused.status), "{}", refused.text);
    outlet.settle().await;
    for (id, n) in &acknowledged {
        let at_the_cloud = cloud.state().content("product", id).expect("it is pushed");
        assert!(number_at(&at_the_cloud, "n") >= Some(*n), "{id}: {at_the_cloud}");
    }
    // Space is back.
    fs::remove_file(disk.mount().join("filler")).unwrap();
    accepts(&outlet, true).await;
    outlet.put("product", "more", r#"{"n":1}"#).await.expect(201);
    let outlet = outlet.restart().await;
    is_there(&outlet, &acknowledged).await;
    assert_eq!(
        outlet.document("product", "more").await.as_deref(),
        Some(r#"{"n":1}"#)
    );
    outlet.stop().await;
}

/// Apps write while the disk is filled; answers the newest number of each entity that was answered 2xx.
async fn write_until_it_is_full(outlet: &Outlet, disk: &Disk) -> BTreeMap<String, i64> {
    let mut apps = tokio::task::JoinSet::new();
    for app in 0..4 {
        let session = outlet.session();
        apps.spawn(async move {
            let mut acknowledged = BTreeMap::new();
            for n in 1_i64.. {
                let id = format!("{app}-{}", n % 20);
                let body = format!(r#"{{"n":{n},"text":"{}"}}"#, "x".repeat(2_000));
                let path = format!("/api/v1/entities/product/{id}");
                let reply = session
                    .ask("PUT", &path, &body, &[])
                    .await
                    .expect("it does not crash");
                match reply.status {
                    200 | 201 => acknowledged.insert(id, n),
                    503 | 507 => return acknowledged,
                    other => panic!("{other}: {}", reply.text),
                };
            }
            acknowledged
        });
    }
    fill(disk, 0);
    let acknowledged: Vec<_> = apps.join_all().await;
    acknowledged.into_iter().flatten().collect()
}

async fn is_there(outlet: &Outlet, acknowledged: &BTreeMap<String, i64>) {
    // A run that was on its way may meet the full disk once more; then the store is opened again by itself.
    let held = wait::until("what is there to be read", || async {
        let page = outlet.read("entities/product?limit=500").await;
        (page.status == 200).then(|| page.list())
    })
    .await;
    let held: BTreeMap<_, _> = held
        .iter()
        .filter_map(|e| Some((string_at(e, "entity_id")?, number_at(e, "data.n")?)))
        .collect();
    for (id, n) in acknowledged {
        assert!(
            held.get(id) >= Some(n),
            "{id}: {n} was acknowledged, {:?} is there",
            held.get(id)
        );
    }
}

#[tokio::test]
async fn after_an_error_of_the_disk_nothing_is_acknowledged_until_it_is_open_again_by_itself() {
    let cloud = ScriptedCloud::start().await;
    let setup = Setup::of(&cloud);
    let disk = match Disk::make(setup.dir()) {
        Ok(disk) => disk,
        Err(why) => {
            eprintln!("SKIPPED: no disk failed under an outlet, because {why}");
            return;
        }
    };
    let data: &Path = &disk.mount().join("data");
    let outlet = setup
        .env("DATA_DIR", data.to_str().expect("a path in UTF-8"))
        .start()
        .await;
    outlet.put("product", "a", r#"{"n":1}"#).await.expect(201);
    disk.cut();
    let refused = outlet.put("product", "a", r#"{"n":2}"#).await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    let status = outlet.status().await;
    assert_eq!(status.str("data.store.state"), "reopening", "{}", status.text);
    assert!(!status.truth("data.store.accepts_changes"));
    outlet.put("product", "b", r#"{"n":1}"#).await.expect(503);
    disk.mount_again_under_a_process();
    is_open(&outlet).await;
    assert_eq!(
        outlet.document("product", "a").await.as_deref(),
        Some(r#"{"n":1}"#)
    );
    outlet.put("product", "a", r#"{"n":3}"#).await.expect(200);
    outlet.settle().await;
    assert_eq!(
        cloud.state().content("product", "a").as_deref(),
        Some(r#"{"n":3}"#)
    );
    let outlet = outlet.kill().await.start().await;
    assert_eq!(
        outlet.document("product", "a").await.as_deref(),
        Some(r#"{"n":3}"#)
    );
}
