//! What older versions kept of a conflict is run again too.

use super::*;
use crate::clock::SystemClock;
use crate::engine::api::PageRequest;
use crate::engine::settings::Defaults;
use crate::engine::testing::engine_over;
use crate::plugin::{Source, fixtures};
use crate::store::rows::{decode, encode, put};
use crate::store::{Batch, MemoryStore, Store};
use selaras_core::conflict::{Phase, Question, Side};
use selaras_core::json::Doc;
use selaras_core::stamp::Millis;

fn conflict() -> Conflict {
    let side = Side {
        version: 1,
        modified_at: None,
        modified_by: None,
        doc: Some(Doc::parse("{}").unwrap()),
    };
    Conflict {
        id: "7".to_owned(),
        entity_type: "product".to_owned(),
        entity_id: "p-1".to_owned(),
        cloud_id: Some("c-1".to_owned()),
        phase: Phase::Resolved,
        rev: 1,
        base: None,
        local: side.clone(),
        cloud: side,
        result: Some(Doc::parse(r#"{"a":1}"#).unwrap()),
        decision: "merge".to_owned(),
        strategy: "field_merge".to_owned(),
        plugin_digest: Some("00".to_owned()),
        settings: Doc::parse("{}").unwrap(),
        asked_at: Millis(1),
        lookups: "[]".to_owned(),
        reason: "because".to_owned(),
        error: None,
        resolved_by: None,
        notes: None,
        created_at: Millis(1),
        resolved_at: Some(Millis(2)),
        cloud_conflict_id: None,
        question: None,
    }
}

#[test]
fn a_row_without_a_question_is_read() {
    let row = encode(&conflict());
    // Rows are arrays: the format's byte, then `dc` and a length of 16 bits; the question is the last and none.
    assert_eq!(row.get(1), Some(&0xdc));
    assert_eq!(row.last(), Some(&0xc0));
    let mut older = row.clone();
    older.truncate(row.len() - 1);
    older[3] -= 1;
    let read: Conflict = decode(b"k", &older).unwrap();
    assert_eq!(read, conflict());
}

#[test]
fn what_is_replayed_is_what_the_strategy_said_and_not_what_became_of_it() {
    let agreed = Conflict {
        decision: "agreed".to_owned(),
        ..conflict()
    };
    assert_eq!(on_record(&agreed, false).decision, "agreed");
    assert_eq!(on_record(&agreed, true).decision, "defer");
    assert_eq!(on_record(&agreed, true).data, None);
    let asked = Conflict {
        question: Some(Question {
            outlet_id: "o".to_owned(),
            outlet_code: "c".to_owned(),
            local_cloud_id: None,
            verdict: "defer".to_owned(),
            sides: None,
        }),
        ..agreed
    };
    assert_eq!(on_record(&asked, true).decision, "defer");
    assert_eq!(on_record(&conflict(), true).data, conflict().result);
}

#[test]
fn what_no_strategy_decided_says_why_it_is_not_replayed() {
    assert_eq!(cannot_run(&conflict(), true), None);
    let unasked = Conflict {
        plugin_digest: None,
        ..conflict()
    };
    assert_eq!(cannot_run(&unasked, true), Some("nobody-asked"));
    assert_eq!(cannot_run(&unasked, false), None);
    let person = Conflict {
        resolved_by: Some("u-1".to_owned()),
        ..unasked.clone()
    };
    assert_eq!(cannot_run(&person, true), Some("decided-by-a-person"));
    let skipped = Conflict {
        error: Some("mapper-skips".to_owned()),
        ..unasked
    };
    assert_eq!(cannot_run(&skipped, false), Some("mapper-skips"));
}

/// An engine over these conflicts, with the strategy `asks`.
async fn engine_with(conflicts: &[Conflict]) -> Engine {
    let store = Arc::new(MemoryStore::new("epoch"));
    let mut batch = Batch::new();
    for conflict in conflicts {
        let number = conflict.id.parse().unwrap();
        put(&mut batch, keys::numbered(keys::CONFLICT, number), conflict);
    }
    store.commit(batch).await.unwrap();
    let engine = engine_over(store, Arc::new(SystemClock::new()), Defaults::default());
    let asks = fixtures::asks();
    engine.inner.host.load(&asks, None, Source::Embedded).unwrap();
    engine
}

fn all() -> SimulateRequest {
    SimulateRequest {
        page: PageRequest {
            after: None,
            limit: 50,
        },
        ..SimulateRequest::default()
    }
}

#[tokio::test]
async fn look_ups_are_answered_from_the_record_and_not_from_the_store() {
    let document = r#"{"entity_type":"product","id":"p-1","cloud_id":null,"version":1,"deleted":false,"modified_ms":null,"modified_by":null,"body":"{\"on\":\"record\"}"}"#;
    let recorded = Conflict {
        strategy: "asks".to_owned(),
        lookups: format!(
            r#"[{{"ask":"get","entity_type":"product","id":"p-1","answer":{document}}},
                {{"ask":"local-id","entity_type":"category","cloud_id":"cloud-c1","answer":"c1"}},
                {{"ask":"cloud-id","entity_type":"category","id":"c9","answer":null}}]"#
        ),
        result: Some(Doc::parse(r#"{"on":"record"}"#).unwrap()),
        ..conflict()
    };
    let unrecorded = Conflict {
        id: "6".to_owned(),
        lookups: "[]".to_owned(),
        ..recorded.clone()
    };
    let engine = engine_with(&[recorded, unrecorded]).await;
    let cases = engine.simulate(all()).await.unwrap().cases;
    let [recorded, unrecorded] = cases.as_slice() else {
        panic!("{cases:#?}")
    };
    assert_eq!(
        (recorded.same, &recorded.error),
        (Some(true), &None),
        "{recorded:#?}"
    );
    assert_eq!(recorded.new_outcome.as_ref().unwrap().reason, "c1");
    assert!(!recorded.same_plugin, "the digest on record is another's");
    // Without an answer it merges to nothing, which is no document.
    assert_eq!(unrecorded.same, Some(false));
    assert_eq!(unrecorded.error.as_deref(), Some("plugin-invalid-output"));
}

#[tokio::test]
async fn a_trial_does_not_count_as_a_call() {
    let recorded = Conflict {
        strategy: "asks".to_owned(),
        ..conflict()
    };
    let engine = engine_with(&[recorded]).await;
    engine.simulate(all()).await.unwrap();
    let usage = engine.inner.host.get("asks").unwrap().usage;
    assert_eq!((usage.calls, usage.errors, usage.fuel), (0, 0, 0));
}
