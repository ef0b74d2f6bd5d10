//! What only a full house shows.

use super::*;
use crate::clock::ManualClock;
use crate::engine::settings::Defaults;
use crate::engine::testing::{engine, engine_over};
use crate::store::MemoryStore;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

impl Engine {
    /// Fills the outlet with users, without hashing a thousand passwords.
    pub(crate) async fn fill_with_users(&self) {
        let mut batch = Batch::new();
        let there = users(&self.inner.rows, MOST_USERS).unwrap().len();
        for number in there..MOST_USERS {
            let row = UserRow {
                id: format!("filler-{number}"),
                username: format!("filler-{number}"),
                full_name: String::new(),
                role: Role::App,
                is_active: false,
                password_hash: String::new(),
                must_change_password: false,
                generation: 0,
                created_at: None,
                updated_at: None,
            };
            put(&mut batch, key(&row.id), &row);
        }
        self.inner.rows.store().commit(batch).await.unwrap();
    }
}

fn new(username: &str) -> NewUser {
    NewUser {
        username: username.to_owned(),
        full_name: String::new(),
        role: Role::App,
        is_active: true,
        password: Secret::new("durian under the stairs"),
        must_change_password: false,
    }
}

#[tokio::test]
async fn there_are_never_more_users_than_a_login_looks_at() {
    let engine = engine().await;
    engine.fill_with_users().await;
    let refused = engine.make_user(new("one-more"), "test").await;
    assert!(matches!(refused, Err(UserError::TooMany(MOST_USERS))));
    let taken = engine.make_user(new("filler-7"), "test").await;
    assert!(matches!(taken, Err(UserError::Taken(_))), "the nearer reason");
    engine.delete_user("filler-7", "test").await.unwrap();
    engine.make_user(new("one-more"), "test").await.unwrap();
    engine.login("one-more", "durian under the stairs").await.unwrap();
}

#[tokio::test]
async fn nobody_logs_in_with_a_hash_that_is_none() {
    let engine = engine().await;
    engine.fill_with_users().await;
    for password in ["", "filler-7"] {
        assert!(engine.login("filler-7", password).await.is_err());
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_over_a_restart_revives_nothing() {
    const NOON: i64 = 1_769_509_800_000;
    let clock = Arc::new(ManualClock::new(NOON, 7));
    let store = Arc::new(MemoryStore::new("epoch"));
    let engine = engine_over(store.clone(), clock.clone(), Defaults::default());
    assert_eq!(engine.session_time(), Millis(NOON));
    clock.advance(3_600_000);
    // What the minder does each minute, and at the end.
    let stop = CancellationToken::new();
    stop.cancel();
    engine.session_time();
    engine.clone().mind_sessions(stop).await;
    drop(engine);
    // The battery of the clock is empty, and the power was cut.
    clock.set_wall(0);
    clock.reboot();
    let engine = engine_over(store, clock.clone(), Defaults::default());
    assert_eq!(engine.session_time(), Millis(NOON + 3_600_000));
    clock.advance(1_000);
    assert_eq!(engine.session_time(), Millis(NOON + 3_601_000));
}
