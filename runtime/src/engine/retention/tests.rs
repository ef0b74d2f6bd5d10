//! What goes, what stays, and when; each rule in a time that the test decides.

use super::*;
use crate::clock::ManualClock;
use crate::engine::api::{
    Accepted, Actor, Change, FeedError, Hook, HookUpdate, Idempotency, Intent, Outlet, Precondition, Scope,
};
use crate::engine::settings::Defaults;
use crate::engine::tell::Hint;
use crate::engine::testing::engine_over;
use crate::engine::tx::{Load, Tx};
use crate::secret::Secret;
use crate::store::rows::{LogRow, put};
use crate::store::{Batch, Counter, Direction, FEED_PREFIX, MemoryStore, keys};
use selaras_core::conflict::{Conflict, Phase, Side};
use selaras_core::id::{CloudId, EntityKey};
use selaras_core::json::Doc;
use selaras_core::past::Past;
use selaras_core::record::Base;
use std::sync::Arc;

const START: i64 = 1_769_509_800_000;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

struct Rig {
    engine: Engine,
    clock: Arc<ManualClock>,
}

impl Rig {
    fn new() -> Self {
        Self::with(Defaults::default())
    }

    /// One that has a cloud, which it has not reached yet.
    fn of_a_silent_cloud() -> Self {
        Self::with(Defaults {
            outlet: Outlet {
                outlet_id: "o-1".to_owned(),
                outlet_code: "JKT".to_owned(),
                cloud_api_url: "http://127.0.0.1:9".to_owned(),
                sync_enabled: true,
                sync_interval_minutes: 5,
                ..Outlet::default()
            },
            api_key: Secret::new("key"),
            allow_http: false,
        })
    }

    fn with(defaults: Defaults) -> Self {
        let clock = Arc::new(ManualClock::new(START, 1));
        let engine = engine_over(Arc::new(MemoryStore::new("epoch")), clock.clone(), defaults);
        Self { engine, clock }
    }

    async fn tidy(&self) -> Tidied {
        self.tidy_with(MOST_WEBHOOKS).await
    }

    async fn tidy_with(&self, most_webhooks: u64) -> Tidied {
        let stop = CancellationToken::new();
        self.engine.tidy_once(most_webhooks, &stop).await.unwrap()
    }

    fn count(&self, kind: u8) -> usize {
        let store = self.engine.inner.rows.store();
        let rows = store.scan(&[kind], &[kind + 1], Direction::Forward, 100_000);
        rows.unwrap().len()
    }

    async fn commit(&self, fill: impl FnOnce(&mut Batch)) {
        let mut batch = Batch::new();
        fill(&mut batch);
        self.engine.inner.rows.store().commit(batch).await.unwrap();
    }

    async fn put(
        &self,
        id: &str,
        price: u32,
        change_id: Option<&str>,
        idempotency: Option<&str>,
    ) -> Accepted {
        let change = Change {
            key: EntityKey::parse("product", id).unwrap(),
            intent: Intent::Put(Doc::parse(&format!("{{\"price\":{price}}}")).unwrap()),
            precondition: Precondition::None,
            updated_at: None,
            change_id: change_id.map(str::to_owned),
        };
        let idempotency = idempotency.map(|key| Idempotency {
            key: key.to_owned(),
            digest: [7; 32],
        });
        let actor = Actor {
            id: "app".to_owned(),
            token_id: None,
        };
        self.engine.change(change, idempotency, &actor).await.unwrap()
    }

    async fn hook(&self, number: u8) -> bool {
        let update = HookUpdate {
            cloud_type: "product".to_owned(),
            cloud_id: Some("c-1".to_owned()),
            local_id: None,
            version: Some(u64::from(number)),
            stamp: None,
            updated_by: None,
            change_id: None,
            data: Some(Doc::parse("{}").unwrap()),
        };
        let outcome = self.engine.hook(Hook::Update(update), &[[number; 32]]).await;
        outcome.unwrap().duplicate
    }

    async fn since(&self, since: u64) -> Result<usize, (u64, u64)> {
        match self.engine.feed(since, 500, Duration::ZERO, &Scope::ALL).await {
            Ok(feed) => Ok(feed.entries.len()),
            Err(FeedError::Truncated { oldest, head, .. }) => Err((oldest, head)),
            Err(FeedError::Unavailable(error)) => panic!("{error}"),
        }
    }
}

fn log_row(at: Millis) -> LogRow {
    LogRow {
        push: true,
        entity_type: None,
        entity_count: 1,
        status: 0,
        error_message: None,
        started_at: at,
        duration_ms: 1,
        details: Doc::parse("{}").unwrap(),
    }
}

fn conflict(id: u64, phase: Phase, cloud_conflict_id: Option<&str>) -> Conflict {
    let side = Side {
        version: 1,
        modified_at: None,
        modified_by: None,
        doc: None,
    };
    Conflict {
        id: id.to_string(),
        entity_type: "product".to_owned(),
        entity_id: "p-1".to_owned(),
        cloud_id: None,
        phase,
        rev: 1,
        base: None,
        local: side.clone(),
        cloud: side,
        result: None,
        decision: "keep_local".to_owned(),
        strategy: "local_wins".to_owned(),
        plugin_digest: None,
        settings: Doc::parse("{}").unwrap(),
        asked_at: Millis(START),
        lookups: "[]".to_owned(),
        reason: String::new(),
        error: None,
        resolved_by: None,
        notes: None,
        created_at: Millis(START),
        resolved_at: (phase == Phase::Resolved).then_some(Millis(START)),
        cloud_conflict_id: cloud_conflict_id.map(str::to_owned),
        question: None,
    }
}

#[tokio::test]
async fn logs_go_when_they_are_older_than_the_setting_also_more_than_a_page() {
    let rig = Rig::new();
    rig.commit(|batch| {
        for number in 0..1203 {
            put(batch, keys::numbered(keys::LOG, number), &log_row(Millis(START)));
        }
    })
    .await;
    rig.clock.advance(30 * DAY_MS - 1000);
    assert_eq!(rig.tidy().await, Tidied::default());
    let now = rig.engine.now();
    rig.commit(|batch| put(batch, keys::numbered(keys::LOG, 5000), &log_row(now)))
        .await;
    rig.clock.advance(2000);
    assert_eq!(rig.tidy().await.logs, 1203);
    assert_eq!(rig.count(keys::LOG), 1);
}

#[tokio::test]
async fn decided_conflicts_go_and_open_ones_and_those_to_be_told_stay() {
    let rig = Rig::new();
    let key = EntityKey::parse("product", "p-1").unwrap();
    let hint = Hint {
        conflict_id: "cc-3".to_owned(),
        required: true,
        unsynced: false,
        decided: Some(("local_wins".to_owned(), "system".to_owned(), String::new())),
    };
    rig.commit(|batch| {
        let kept = [
            conflict(1, Phase::Resolved, None),
            conflict(2, Phase::Open, None),
            conflict(3, Phase::Resolved, Some("cc-3")),
            conflict(4, Phase::Resolved, Some("cc-4")),
        ];
        for (number, row) in (1..).zip(kept) {
            put(batch, keys::numbered(keys::CONFLICT, number), &row);
        }
        put(batch, keys::entity(keys::HINT, &key), &hint);
        batch
            .count(Counter::ResolvedConflicts, 3)
            .count(Counter::OpenConflicts, 1);
    })
    .await;
    rig.clock.advance(91 * DAY_MS);
    assert_eq!(rig.tidy().await.conflicts, 2);
    for (number, stays) in [(1, false), (2, true), (3, true), (4, false)] {
        assert_eq!(
            rig.engine.inner.rows.conflict(number).unwrap().is_some(),
            stays,
            "{number}"
        );
    }
    let store = rig.engine.inner.rows.store();
    assert_eq!(store.counter(Counter::ResolvedConflicts), 3, "ever decided");
    assert_eq!(store.counter(Counter::OpenConflicts), 1);
    // Told at last.
    rig.commit(|batch| {
        batch.delete(keys::entity(keys::HINT, &key));
    })
    .await;
    assert_eq!(rig.tidy().await.conflicts, 1);
}

#[tokio::test]
async fn a_repeat_is_known_until_its_key_is_too_old() {
    let rig = Rig::new();
    rig.put("p-1", 1, None, Some("key-1")).await;
    rig.put("p-2", 1, Some("change-1"), None).await;
    rig.clock.advance(72 * HOUR_MS - 1000);
    assert_eq!(rig.tidy().await.keys, 0);
    assert_eq!(rig.put("p-1", 1, None, Some("key-1")).await.version, 1);
    rig.clock.advance(2000);
    assert_eq!(rig.tidy().await.keys, 1);
    assert_eq!(
        rig.put("p-1", 1, None, Some("key-1")).await.version,
        2,
        "a new change"
    );
    assert_eq!(
        rig.put("p-2", 1, Some("change-1"), None).await.version,
        1,
        "known for 30 days"
    );
    rig.clock.advance(30 * DAY_MS);
    assert_eq!(rig.tidy().await.keys, 2);
    assert_eq!(rig.count(keys::IDEMPOTENCY) + rig.count(keys::CHANGE_ID), 0);
}

#[tokio::test]
async fn a_webhook_is_known_for_101_hours() {
    let rig = Rig::new();
    assert!(!rig.hook(1).await);
    rig.clock.advance(101 * HOUR_MS - 1000);
    rig.tidy().await;
    assert!(rig.hook(1).await, "a repeat");
    rig.clock.advance(2000);
    assert_eq!(rig.tidy().await.webhooks, 1);
    assert_eq!(rig.count(keys::WEBHOOK), 0);
    assert_eq!(rig.engine.webhook_floor(), None);
}

#[tokio::test]
async fn when_too_many_webhooks_come_the_oldest_keys_go_and_leave_a_floor() {
    let rig = Rig::new();
    for number in 1..=10 {
        rig.hook(number).await;
        rig.clock.advance(60_000);
    }
    assert_eq!(rig.tidy_with(10).await.webhooks, 0);
    rig.hook(11).await;
    assert_eq!(rig.tidy_with(10).await.webhooks, 2);
    assert_eq!(rig.count(keys::WEBHOOK), 9);
    assert!(rig.hook(3).await, "still known");
    // The newest key that went is the second one's; its own time was at most five minutes ahead of its coming.
    let floor = rig.engine.webhook_floor().unwrap();
    let (second, third) = (START + 60_000, START + 120_000);
    assert!(
        floor.0 >= second + 300_000 && floor.0 <= third + 300_000,
        "{floor:?}"
    );
    let stored: Option<Millis> = rig.engine.inner.rows.meta(WEBHOOK_FLOOR).unwrap();
    assert_eq!(stored, Some(floor), "also after a restart");
}

#[tokio::test]
async fn the_feed_is_trimmed_by_age_and_who_fell_behind_begins_anew() {
    let rig = Rig::new();
    for price in 1..=3 {
        rig.put("p-1", price, None, None).await;
    }
    rig.clock.advance(6 * DAY_MS);
    rig.put("p-1", 4, None, None).await;
    assert_eq!(rig.tidy().await.feed, 0);
    rig.clock.advance(DAY_MS + 1000);
    assert_eq!(rig.tidy().await.feed, 3);
    assert_eq!(rig.since(0).await, Err((4, 4)));
    assert_eq!(rig.since(3).await, Ok(1));
    // Also when nothing is left, and new ones go on from there.
    rig.clock.advance(8 * DAY_MS);
    assert_eq!(rig.tidy().await.feed, 1);
    assert_eq!(rig.since(3).await, Err((5, 4)));
    assert_eq!(rig.since(4).await, Ok(0));
    rig.put("p-1", 5, None, None).await;
    assert_eq!(rig.since(4).await, Ok(1));
}

#[tokio::test]
async fn the_feed_is_trimmed_by_number_whatever_the_time() {
    let rig = Rig::of_a_silent_cloud();
    for price in 0..1300 {
        rig.put("p-1", price, None, None).await;
    }
    let stop = CancellationToken::new();
    assert_eq!(rig.engine.trim_feed(100, None, &stop).await.unwrap(), 1200);
    assert_eq!(rig.count(FEED_PREFIX), 100);
    assert_eq!(rig.since(1199).await, Err((1201, 1300)));
    assert_eq!(rig.since(1200).await, Ok(100));
}

#[tokio::test]
async fn a_tombstone_that_the_cloud_knows_loses_its_documents_and_keeps_its_names() {
    let rig = Rig::new();
    let settings = rig.engine.settings();
    for (id, waits) in [("gone", false), ("waits", true)] {
        let mut tx = Tx::new(&rig.engine.inner.rows, &settings);
        let entity = tx
            .entity(&EntityKey::parse("product", id).unwrap(), Load::Whole)
            .unwrap();
        entity.record.version = 4;
        entity.record.cloud_version = 3;
        entity.record.cloud_id = Some(CloudId::parse(&format!("c-{id}")).unwrap());
        entity.record.base = if waits { Base::Never } else { Base::Same };
        entity.record.modified = Millis(START).into();
        entity.record.past = Some(Past {
            states: vec![Some(Doc::parse("{\"price\":1}").unwrap())],
        });
        tx.commit().await.unwrap();
    }
    rig.clock.advance(90 * DAY_MS - 1000);
    assert_eq!(rig.tidy().await.tombstones, 0);
    rig.clock.advance(2000);
    assert_eq!(rig.tidy().await.tombstones, 1);
    let record = |id| {
        rig.engine
            .inner
            .rows
            .record(&EntityKey::parse("product", id).unwrap())
    };
    let gone = record("gone").unwrap().unwrap();
    assert!(gone.past.is_none() && gone.cloud_id.is_some());
    assert_eq!((gone.version, gone.cloud_version), (4, 3));
    assert!(record("waits").unwrap().unwrap().past.is_some());
    assert_eq!(rig.engine.inner.rows.store().counter(Counter::Records), 0);
    assert_eq!(rig.tidy().await.tombstones, 0, "once");
}

#[tokio::test]
async fn a_clock_that_nobody_has_confirmed_empties_nothing() {
    let rig = Rig::of_a_silent_cloud();
    rig.commit(|batch| put(batch, keys::numbered(keys::LOG, 1), &log_row(Millis(START))))
        .await;
    rig.put("p-1", 1, Some("change-1"), Some("key-1")).await;
    rig.hook(1).await;
    rig.clock.set_wall(START + 40 * 365 * 24 * 3_600_000);
    assert_eq!(rig.tidy().await, Tidied::default());
    // The cloud says what time it is: forty years on, indeed.
    let reading = rig.engine.inner.time.reading();
    rig.engine.inner.time.measure(reading, reading, reading.wall);
    let tidied = rig.tidy().await;
    assert_eq!((tidied.logs, tidied.keys, tidied.webhooks), (1, 2, 1));
}
