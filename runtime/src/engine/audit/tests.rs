use super::*;
use crate::clock::{Clock, ManualClock};
use crate::engine::api::{NewUser, Role, UserPatch};
use crate::engine::settings::Defaults;
use crate::engine::testing::engine_over;
use crate::store::{MemoryStore, Store};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const DAY_MS: u64 = 86_400_000;

struct Outlet {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    engine: Engine,
}

fn outlet() -> Outlet {
    let store = Arc::new(MemoryStore::new("epoch"));
    let clock = Arc::new(ManualClock::new(1_769_500_000_000, 7));
    let engine = engine_over(
        store.clone(),
        clock.clone() as Arc<dyn Clock>,
        Defaults::default(),
    );
    Outlet { store, clock, engine }
}

impl Outlet {
    async fn note(&self, action: &'static str, actor: &str) {
        let mut batch = Batch::new();
        self.engine.record(&mut batch, &Event::new(actor, action, "x"));
        self.store.commit(batch).await.unwrap();
    }

    async fn broken(&self) -> Option<(u64, String)> {
        self.engine.verify_audit().await.unwrap().broken
    }

    fn list(&self, filter: &AuditFilter) -> Vec<AuditView> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = self
                .engine
                .audit(filter, PageRequest { after, limit: 2 })
                .unwrap();
            assert!(page.items.len() <= 2);
            all.extend(page.items);
            after = page.next;
            if after.is_none() {
                return all;
            }
        }
    }

    async fn write(&self, id: u64, row: Option<Vec<u8>>) {
        let mut batch = Batch::new();
        batch.writes.push((keys::numbered(keys::AUDIT, id), row));
        self.store.commit(batch).await.unwrap();
    }

    fn row(&self, id: u64) -> Vec<u8> {
        self.store.get(&keys::numbered(keys::AUDIT, id)).unwrap().unwrap()
    }
}

fn ids(views: &[AuditView]) -> Vec<u64> {
    views.iter().map(|view| view.id).collect()
}

#[tokio::test]
async fn the_log_is_listed_newest_first_page_by_page_by_who_and_what() {
    let outlet = outlet();
    for (action, actor) in [
        ("user.create", "ani"),
        ("user.delete", "budi"),
        ("token.create", "ani"),
        ("user.create", "budi"),
        ("user.create", "ani"),
    ] {
        outlet.note(action, actor).await;
    }
    assert_eq!(ids(&outlet.list(&AuditFilter::default())), [5, 4, 3, 2, 1]);
    let by = |actor: Option<&str>, action: Option<&str>| {
        ids(&outlet.list(&AuditFilter {
            actor: actor.map(str::to_owned),
            action: action.map(str::to_owned),
        }))
    };
    assert_eq!(by(Some("ani"), None), [5, 3, 1]);
    assert_eq!(by(None, Some("user.create")), [5, 4, 1]);
    assert_eq!(by(Some("budi"), Some("user.")), [4, 2]);
    let listed = outlet.list(&AuditFilter::default());
    assert!(listed.windows(2).all(|pair| pair[0].prev_hash == pair[1].hash));
}

#[tokio::test]
async fn what_was_not_done_leaves_no_record_and_what_was_leaves_one() {
    let outlet = outlet();
    let new = |name: &str| NewUser {
        username: name.to_owned(),
        full_name: String::new(),
        role: Role::Admin,
        is_active: true,
        password: crate::secret::Secret::new("durian under the stairs".to_owned()),
        must_change_password: false,
    };
    let ani = outlet.engine.make_user(new("ani"), "root").await.unwrap();
    outlet.engine.make_user(new("ani"), "root").await.unwrap_err();
    outlet.engine.delete_user(&ani.id, "root").await.unwrap_err();
    let patch = UserPatch {
        full_name: Some("Ani".to_owned()),
        password: Some(crate::secret::Secret::new(
            "another durian up the stairs".to_owned(),
        )),
        ..UserPatch::default()
    };
    outlet.engine.change_user(&ani.id, patch, "root").await.unwrap();
    let all = outlet.list(&AuditFilter::default());
    let said: Vec<&str> = all.iter().map(|view| view.action.as_str()).collect();
    assert_eq!(said, ["user.update", "user.create"]);
    assert_eq!((all[0].actor.as_str(), all[0].target.as_str()), ("root", "ani"));
    assert!(
        !all[0].details.as_str().contains("durian"),
        "{:?}",
        all[0].details
    );
    assert_eq!(outlet.broken().await, None);
}

#[tokio::test]
async fn the_first_record_that_is_not_as_it_was_written_is_named() {
    let outlet = outlet();
    for _ in 0..4 {
        outlet.note("user.create", "ani").await;
    }
    let verdict = outlet.engine.verify_audit().await.unwrap();
    assert_eq!((verdict.records, verdict.head.id, verdict.broken), (4, 4, None));
    let whole: Vec<Vec<u8>> = (1..=4).map(|id| outlet.row(id)).collect();
    let mut changed = whole[1].clone();
    *changed.last_mut().unwrap() ^= 1;
    // What is put in the place of which record, and which is found.
    let cases = [
        (vec![(2, Some(changed))], 2),
        (vec![(3, None)], 3),
        (vec![(4, None)], 4),
        (vec![(1, None)], 1),
        (vec![(2, Some(whole[2].clone())), (3, Some(whole[1].clone()))], 2),
        (vec![(4, Some(b"short".to_vec()))], 4),
    ];
    for (writes, found) in cases {
        for (id, row) in writes.clone() {
            outlet.write(id, row).await;
        }
        let (id, problem) = outlet.broken().await.unwrap();
        assert_eq!(id, found, "{problem}");
        for (id, _) in writes {
            outlet.write(id, Some(whole[id as usize - 1].clone())).await;
        }
        assert_eq!(outlet.broken().await, None);
    }
}

#[tokio::test]
async fn old_records_go_and_the_rest_still_verifies() {
    let outlet = outlet();
    for _ in 0..3 {
        outlet.note("user.create", "ani").await;
        outlet.clock.advance(DAY_MS);
    }
    let stop = CancellationToken::new();
    let before = outlet.engine.now().plus_ms(-(DAY_MS as i64) * 3 / 2);
    assert_eq!(outlet.engine.trim_audit(before, &stop).await.unwrap(), 2);
    let verdict = outlet.engine.verify_audit().await.unwrap();
    assert_eq!(
        (verdict.records, verdict.anchor.unwrap().id, verdict.broken),
        (1, 2, None)
    );
    // However old: the newest stays, and the numbers go on.
    let later = outlet.engine.now().plus_ms(DAY_MS as i64);
    assert_eq!(outlet.engine.trim_audit(later, &stop).await.unwrap(), 0);
    outlet.note("user.delete", "ani").await;
    assert_eq!(ids(&outlet.list(&AuditFilter::default())), [4, 3]);
    assert_eq!(outlet.broken().await, None);
    outlet.write(3, None).await;
    assert_eq!(outlet.broken().await.unwrap().0, 3);
}

#[tokio::test]
async fn what_does_not_verify_is_not_removed_for_its_age() {
    let outlet = outlet();
    for _ in 0..3 {
        outlet.note("user.create", "ani").await;
    }
    outlet.write(1, Some(outlet.row(2))).await;
    let later = outlet.engine.now().plus_ms(DAY_MS as i64);
    let removed = outlet.engine.trim_audit(later, &CancellationToken::new()).await;
    assert_eq!(removed.unwrap(), 0);
    assert_eq!(outlet.broken().await.unwrap().0, 1);
}

#[tokio::test]
async fn without_the_row_of_its_end_the_log_goes_on_after_its_last_record() {
    let outlet = outlet();
    outlet.note("user.create", "ani").await;
    outlet.note("user.create", "ani").await;
    let mut batch = Batch::new();
    batch.delete(chain::end_key());
    outlet.store.commit(batch).await.unwrap();
    outlet.engine.rewind().await.unwrap();
    outlet.note("user.delete", "ani").await;
    assert_eq!(ids(&outlet.list(&AuditFilter::default())), [3, 2, 1]);
    assert_eq!(outlet.broken().await, None);
}

#[tokio::test]
async fn a_name_that_nobody_has_is_not_written_down() {
    let outlet = outlet();
    outlet
        .engine
        .login_refused("my secret password", None, LoginRefusal::Wrong)
        .await;
    let all = outlet.list(&AuditFilter::default());
    assert_eq!(
        (all[0].action.as_str(), all[0].target.as_str()),
        ("login.failed", "(unknown)")
    );
}
