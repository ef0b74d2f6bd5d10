//! Backups, restoring, exporting and importing, with the real commands: against an outlet that runs, and one that does not.

pub mod commands;
mod lines;
mod restore;

use self::commands::{Ran, command, selaras, spawn};
use crate::harness::json_text::number_at;
use crate::harness::wait;
use crate::outlet::{Outlet, Setup};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Apps that write at once.
const WRITERS: usize = 8;

/// The newest change of each entity that was answered 2xx.
type Acknowledged = Arc<Mutex<BTreeMap<String, i64>>>;

/// Apps that write until they are told to stop.
struct Apps {
    acknowledged: Acknowledged,
    answered: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    tasks: tokio::task::JoinSet<()>,
}

impl Apps {
    fn start(outlet: &Outlet) -> Self {
        let mut apps = Self {
            acknowledged: Acknowledged::default(),
            answered: Arc::default(),
            stop: Arc::default(),
            tasks: tokio::task::JoinSet::new(),
        };
        for app in 0..WRITERS {
            let session = outlet.session();
            let (acknowledged, answered, stop) = (
                apps.acknowledged.clone(),
                apps.answered.clone(),
                apps.stop.clone(),
            );
            apps.tasks.spawn(async move {
                for n in 1_i64.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let id = format!("{app}-{}", n % 40);
                    let padding = "x".repeat([40, 900, 7_000][n as usize % 3]);
                    let document = format!(r#"{{"n":{n},"padding":"{padding}"}}"#);
                    let path = format!("/api/v1/entities/thing/{id}");
                    let status = session.put(&path, document).await;
                    assert!(matches!(status, Some(200 | 201)), "{status:?}");
                    acknowledged.lock().unwrap().insert(id, n);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        apps
    }

    async fn answered(&self, more: usize) {
        let enough = self.answered.load(Ordering::Relaxed) + more;
        wait::until_true("enough changes", || {
            self.answered.load(Ordering::Relaxed) >= enough
        })
        .await;
    }

    fn so_far(&self) -> BTreeMap<String, i64> {
        self.acknowledged.lock().unwrap().clone()
    }

    async fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("every change was answered");
        }
    }
}

/// Restores a backup into a new directory; answers what an outlet can be started with there.
pub(super) fn restored(setup: &Setup, file: &Path, name: &str) -> Setup {
    let target = setup.dir().join(name);
    let setup = setup.clone().env("DATA_DIR", target.to_str().unwrap());
    selaras(&setup, &["restore", file.to_str().unwrap()]).expect(0);
    setup
}

/// 200 kB that do not pack well.
fn noise() -> String {
    let mut state = 1_u64;
    let letters = (0..200_000).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(b'a' + (state >> 59) as u8 % 26)
    });
    letters.collect()
}

async fn everything(outlet: &Outlet, entity_type: &str) -> BTreeMap<String, String> {
    let entities = outlet.list(entity_type).await;
    let id = |entity: &String| crate::harness::json_text::string_at(entity, "entity_id").unwrap();
    entities.into_iter().map(|entity| (id(&entity), entity)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_backup_began_is_in_it_while_apps_write_on() {
    let outlet = Setup::without_cloud().start().await;
    let apps = Apps::start(&outlet);
    apps.answered(300).await;
    let mut before = Vec::new();
    for round in 0..3 {
        let acknowledged = apps.so_far();
        let file = outlet.setup().dir().join(format!("{round}.backup"));
        command(outlet.setup(), &["backup", file.to_str().unwrap()])
            .await
            .expect(0);
        before.push((file, acknowledged));
        apps.answered(50).await;
    }
    apps.end().await;
    let setup = outlet.stop().await;
    for (file, acknowledged) in before {
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let name = file.file_stem().unwrap().to_str().unwrap();
        let outlet = restored(&setup, &file, name).start().await;
        let found = everything(&outlet, "thing").await;
        for (id, number) in acknowledged {
            let entity = found.get(&id).unwrap_or_else(|| panic!("{id} is gone"));
            let restored = number_at(entity, "data.n").unwrap();
            assert!(restored >= number, "{id} went back from {number} to {restored}");
        }
        outlet.put("thing", "new", "{}").await.expect(201);
        outlet.stop().await;
    }
}

#[tokio::test]
async fn the_first_backup_comes_by_itself_and_each_one_restores_to_what_was_there() {
    let setup = Setup::without_cloud().env("BACKUP_KEEP", "2");
    let kept_in = setup.data_dir().join("backups");
    let outlet = setup.start().await;
    assert!(outlet.status().await.raw("data.store.last_backup").as_deref() == Some("null"));
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    let status = wait::until("a backup by itself", || async {
        let status = outlet.status().await;
        status.string("data.store.last_backup.file").map(|_| status)
    })
    .await;
    let first = PathBuf::from(status.str("data.store.last_backup.file"));
    assert_eq!(first.parent(), Some(&*kept_in));
    assert!(first.exists() && status.num("data.store.last_backup.bytes") > 0);
    assert_eq!(status.raw("data.store.backup_error").as_deref(), Some("null"));

    let mut then = vec![(first, everything(&outlet, "product").await)];
    for n in 2..5 {
        let id = format!("p-{n}");
        outlet
            .put("product", &id, &format!(r#"{{"n":{n}}}"#))
            .await
            .expect(201);
        outlet.delete("product", "p").await;
        let made = command(outlet.setup(), &["backup"]).await.expect(0);
        let file = PathBuf::from(made.out.split(':').next().unwrap());
        // Copied, since only two are kept.
        let copy = outlet.setup().dir().join(format!("{n}.copy"));
        fs::copy(&file, &copy).unwrap();
        then.push((copy, everything(&outlet, "product").await));
        let status = outlet.status().await;
        assert_eq!(status.str("data.store.last_backup.file"), file.to_str().unwrap());
    }
    assert_eq!(fs::read_dir(&kept_in).unwrap().count(), 2);
    let (first, _) = then.remove(0);
    assert!(!first.exists(), "the oldest goes");

    let setup = outlet.stop().await;
    for (at, (file, expected)) in then.into_iter().enumerate() {
        let outlet = restored(&setup, &file, &format!("again-{at}")).start().await;
        assert_eq!(everything(&outlet, "product").await, expected);
        outlet.stop().await;
    }
}

#[tokio::test]
async fn a_stopped_outlet_is_backed_up_too_and_its_backups_are_still_known() {
    let outlet = Setup::without_cloud().start().await;
    outlet.put("product", "p", r#"{"n":1.50}"#).await.expect(201);
    let setup = outlet.stop().await;
    let file = setup.dir().join("shop.backup");
    selaras(&setup, &["backup", file.to_str().unwrap()]).expect(0);
    let made = selaras(&setup, &["backup"]).expect(0);
    let outlet = restored(&setup, &file, "again").start().await;
    assert_eq!(outlet.document("product", "p").await.unwrap(), r#"{"n":1.50}"#);
    outlet.stop().await;
    let outlet = setup.start().await;
    let known = outlet.status().await.str("data.store.last_backup.file");
    assert!(made.out.starts_with(&known), "{} is not {known}", made.out);
    outlet.stop().await;
}

#[tokio::test]
async fn a_backup_takes_the_place_of_a_file_only_when_it_is_forced() {
    let outlet = Setup::without_cloud().start().await;
    let file = outlet.setup().dir().join("shop.backup");
    let file = file.to_str().unwrap();
    fs::write(file, "something else").unwrap();
    let refused = command(outlet.setup(), &["backup", file]).await.expect(1);
    assert!(refused.err.contains("--force"), "{}", refused.err);
    assert_eq!(fs::read_to_string(file).unwrap(), "something else");
    command(outlet.setup(), &["backup", "--force", file])
        .await
        .expect(0);
    assert!(fs::metadata(file).unwrap().len() > 100);
    outlet.stop().await;
}

#[tokio::test]
async fn a_backup_that_is_killed_in_the_middle_leaves_the_old_file_untouched() {
    let outlet = Setup::without_cloud().start().await;
    // Enough to be in the middle of.
    let padding = noise();
    for n in 0..60 {
        let document = format!(r#"{{"n":{n},"padding":"{padding}"}}"#);
        outlet.put("thing", &n.to_string(), &document).await.expect(201);
    }
    let file = outlet.setup().dir().join("shop.backup");
    let partial = outlet.setup().dir().join("shop.backup.partial");
    let path = file.to_str().unwrap().to_owned();
    command(outlet.setup(), &["backup", &path]).await.expect(0);
    let mut killed = 0;
    for _ in 0..5 {
        // One that was too fast has put a newer one in its place.
        let old = fs::read(&file).unwrap();
        let mut child = spawn(outlet.setup(), &["backup", "--force", &path]);
        wait::until_true("the backup to be under way or done", || {
            fs::metadata(&partial).is_ok_and(|about| about.len() > 0) || child.try_wait().unwrap().is_some()
        })
        .await;
        child.kill().unwrap();
        let ended = child.wait().unwrap();
        if ended.code().is_none() && partial.exists() {
            killed += 1;
            assert!(fs::read(&file).unwrap() == old, "the old file was touched");
        }
    }
    assert!(killed > 0, "none was killed in the middle");
    // What was left is in nobody's way, and the outlet has long forgotten who asked.
    command(outlet.setup(), &["backup", "--force", &path])
        .await
        .expect(0);
    assert!(!partial.exists());
    outlet.put("thing", "new", "{}").await.expect(201);
    let setup = outlet.stop().await;
    let outlet = restored(&setup, &file, "again").start().await;
    assert_eq!(outlet.list("thing").await.len(), 60);
    outlet.stop().await;
}

#[tokio::test]
async fn a_reader_that_takes_its_time_keeps_no_change_waiting() {
    let outlet = Setup::without_cloud().start().await;
    let padding = noise();
    for n in 0..40 {
        let document = format!(r#"{{"n":{n},"padding":"{padding}"}}"#);
        outlet.put("thing", &n.to_string(), &document).await.expect(201);
    }
    let mut socket = UnixStream::connect(outlet.setup().data_dir().join("control.sock")).unwrap();
    socket.write_all(b"{\"command\":\"backup\"}\n").unwrap();
    socket.read_exact(&mut [0; 5]).unwrap();
    // More than an export would remember of what is replaced under it: 32 MiB.
    for round in 1..6 {
        for n in 0..40 {
            let document = format!(r#"{{"n":{n},"round":{round},"padding":"{padding}"}}"#);
            outlet.put("thing", &n.to_string(), &document).await.expect(200);
        }
    }
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).unwrap();
    let end = String::from_utf8_lossy(&rest[rest.len() - 100..]).into_owned();
    assert!(end.contains(r#""ok":true"#), "{end}");
    outlet.stop().await;
}

#[tokio::test]
async fn a_backup_that_cannot_be_made_is_in_the_status_until_one_is() {
    let setup = Setup::without_cloud();
    let dir = setup.dir().join("usb");
    fs::write(&dir, "not mounted").unwrap();
    let outlet = setup.env("BACKUP_DIR", dir.to_str().unwrap()).start().await;
    let refused = command(outlet.setup(), &["backup"]).await.expect(1);
    assert!(refused.err.contains(dir.to_str().unwrap()), "{}", refused.err);
    let error = outlet.status().await.str("data.store.backup_error");
    assert!(error.contains(dir.to_str().unwrap()), "{error}");
    outlet.put("product", "p", "{}").await.expect(201);
    fs::remove_file(&dir).unwrap();
    command(outlet.setup(), &["backup"]).await.expect(0);
    let status = outlet.status().await;
    assert_eq!(status.raw("data.store.backup_error").as_deref(), Some("null"));
    let file = PathBuf::from(status.str("data.store.last_backup.file"));
    assert_eq!(file.parent(), Some(&*dir));
    outlet.stop().await;
}

#[tokio::test]
async fn a_command_without_an_outlet_says_what_is_missing() {
    let setup = Setup::without_cloud();
    for arguments in [&["backup", "x.backup"][..], &["export"], &["backup"]] {
        let Ran { err, .. } = selaras(&setup, arguments).expect(1);
        assert!(err.contains("there is no store in"), "{err}");
    }
    assert!(!setup.data_dir().exists(), "asking makes nothing");
    assert_eq!(fs::read_dir(setup.dir()).unwrap().count(), 0);
}

#[tokio::test]
async fn data_that_is_held_by_one_who_does_not_answer_is_said_to_be() {
    let outlet = Setup::without_cloud().start().await;
    fs::remove_file(outlet.setup().data_dir().join("control.sock")).unwrap();
    let refused = command(outlet.setup(), &["export"]).await.expect(1);
    assert!(refused.err.contains("nothing answers at"), "{}", refused.err);
    outlet.stop().await;
}
