//! Promise 1 against a real power cut: the file system under the outlet is shut down in the middle of writes without
//! its journal being flushed, so that only what was synced is there afterwards. Killing the process cannot show this.
//!
//! Needs root, a loop device and `mkfs.ext4`; says so and passes where it cannot run. `SELARAS_CUTS` sets how many.

mod disk;

use crate::outlet::{Outlet, Setup};
use crate::power_cut::disk::Disk;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Apps that write at once.
const WRITERS: usize = 8;
/// Cuts in a plain `cargo test`.
const CUTS: usize = 4;
/// Entities each app changes over and over.
const IDS: usize = 25;

/// The newest change of each entity that was answered 2xx.
type Acknowledged = Arc<Mutex<BTreeMap<String, u64>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_power_cut() {
    let setup = Setup::without_cloud();
    let disk = match Disk::make(setup.dir()) {
        Ok(disk) => disk,
        Err(why) => {
            eprintln!("SKIPPED: no power was cut, because {why}");
            return;
        }
    };
    let cuts = std::env::var("SELARAS_CUTS").map_or(CUTS, |n| n.parse().expect("SELARAS_CUTS is a number"));
    let data = disk.mount().join("data");
    let mut setup = setup.env("DATA_DIR", data.to_str().expect("a path in UTF-8"));
    let acknowledged = Acknowledged::default();
    for cut in 0..cuts {
        let outlet = setup.start().await;
        // Each cut comes after another amount of work.
        work_until(&outlet, &acknowledged, cut as u64 + 1, 120 + 67 * cut, || {
            disk.cut();
        })
        .await;
        let stopped = outlet.kill().await;
        disk.mount_again();
        let outlet = stopped.start().await;
        check(&outlet, &acknowledged).await;
        setup = outlet.kill().await;
    }
    let kept = acknowledged.lock().unwrap().len();
    eprintln!("{cuts} power cuts, {kept} entities, nothing acknowledged was lost");
}

/// Lets all apps write until `enough` changes are acknowledged, then cuts the power under them.
async fn work_until(
    outlet: &Outlet,
    acknowledged: &Acknowledged,
    round: u64,
    enough: usize,
    cut: impl FnOnce(),
) {
    let answered = Arc::new(AtomicUsize::new(0));
    let mut apps = tokio::task::JoinSet::new();
    for app in 0..WRITERS {
        let (session, acknowledged, answered) = (outlet.session(), acknowledged.clone(), answered.clone());
        apps.spawn(async move {
            for n in 1_u64.. {
                let id = format!("{app}-{}", n as usize % IDS);
                let number = round * 1_000_000 + n;
                // Documents in one piece, and in several.
                let padding = "x".repeat([40, 900, 7_000, 30_000][n as usize % 4]);
                let document = format!(r#"{{"n":{number},"padding":"{padding}"}}"#);
                let path = format!("/api/v1/entities/thing/{id}");
                match session.put(&path, document).await {
                    Some(200 | 201) => {
                        acknowledged.lock().unwrap().insert(id, number);
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    // The power is gone.
                    _ => return,
                }
            }
        });
    }
    crate::harness::wait::until_true("enough changes", || answered.load(Ordering::Relaxed) >= enough).await;
    cut();
    apps.join_all().await;
}

async fn check(outlet: &Outlet, acknowledged: &Acknowledged) {
    let expected = acknowledged.lock().unwrap().clone();
    for (id, number) in expected {
        let entity = outlet.get("thing", &id).await;
        assert_eq!(
            entity.status, 200,
            "{id} was acknowledged and is gone: {}",
            entity.text
        );
        // One that was under way when the power went may have become durable, and is then newer.
        assert!(
            entity.num("data.data.n") >= i64::try_from(number).unwrap(),
            "{id} went back: {}",
            entity.text
        );
    }
}
