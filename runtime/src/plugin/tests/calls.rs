//! Strategy calls: each limit, each way to fail, and that nothing stays between calls.

use super::super::fixtures::{LOOKUP, at};
use super::*;

async fn failure(fixture: &Fixture) -> Failure {
    decide(fixture).await.outcome.unwrap_err()
}

#[tokio::test]
async fn every_decision_arrives_as_it_was_made() {
    let merged = r#"{"price":12345678901234567890,"tax":0.10}"#;
    for (number, decision) in [
        (0, Decision::KeepLocal),
        (1, Decision::TakeCloud),
        (2, Decision::Merge(merged.into())),
        (3, Decision::Delete),
        (4, Decision::Defer),
    ] {
        let decided = decide(&Fixture::verdict("judge", number, merged, "because")).await;
        assert_eq!(
            decided.outcome,
            Ok(Verdict {
                decision,
                reason: "because".into()
            })
        );
        assert_eq!((decided.plugin.as_str(), decided.digest.len()), ("judge", 64));
    }
}

#[tokio::test]
async fn the_documents_reach_the_strategy_byte_for_byte() {
    let load = |offset: u32| format!("(i32.load offset={offset} (local.get $p))");
    let (body, length) = (load(at::LOCAL_BODY), load(at::LOCAL_BODY + 4));
    let echo = Fixture::strategy(
        "echo",
        &format!("(call $verdict (i32.const 2) {body} {length} {{0}})"),
    );
    let decided = decide(&echo.texts(&["the outlet's"])).await;
    assert_eq!(
        decided.outcome.unwrap().decision,
        Decision::Merge(r#"{"price":"9.80000019"}"#.into())
    );
}

#[tokio::test]
async fn a_call_that_hangs_runs_out_of_time() {
    let decided = decide(&Fixture::strategy("hangs", "(call $forever) unreachable")).await;
    let failure = decided.outcome.unwrap_err();
    assert_eq!((failure.code, failure.retryable), (FailureCode::Timeout, true));
    assert!(
        decided.elapsed_us >= 90_000,
        "not before its time: {} µs",
        decided.elapsed_us
    );
}

#[tokio::test]
async fn time_runs_out_again_after_the_ticker_has_slept() {
    let host = host_with(&[Fixture::strategy("hangs", "(call $forever) unreachable")]);
    for _ in 0..2 {
        let decided = host.resolve("hangs", cx(), case(), nothing()).await;
        assert_eq!(decided.outcome.unwrap_err().code, FailureCode::Timeout);
        while !host.time_stands_still() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_trap_is_a_trap_and_never_a_verdict() {
    for call in [
        "unreachable",
        "(i32.div_u (i32.const 1) (i32.const 0))",
        "(i32.load (i32.const -1))",
        "(call $call (local.get $p))",
    ] {
        let failure = failure(&Fixture::strategy("traps", call)).await;
        assert_eq!(
            (failure.code, failure.retryable),
            (FailureCode::Trap, false),
            "{call}: {failure}"
        );
    }
}

#[tokio::test]
async fn memory_and_tables_end_at_their_limits() {
    let eat = "(loop $more (br_if $more (i32.ne (i32.const -1) (memory.grow (i32.const 16))))) unreachable";
    let said = failure(&Fixture::strategy("eats", eat)).await;
    assert_eq!(said.code, FailureCode::Trap);
    assert!(said.message.contains("a plugin gets 32 MiB"), "{said}");
    let grow = "(if (i32.eq (i32.const -1) (table.grow $table (ref.null func) (i32.const 10000)))
                  (then unreachable)) (call $verdict (i32.const 0) {0} {0})";
    let said = failure(&Fixture::strategy("lays", grow).texts(&[""])).await;
    assert!(
        said.code == FailureCode::Trap && said.message.contains("table"),
        "{said}"
    );
}

#[tokio::test]
async fn an_error_of_its_own_keeps_its_words() {
    let fixture = Fixture::strategy("picky", "(call $error {0} {1} (i32.const 1))")
        .texts(&["invalid-document", "no price\u{7}"]);
    let failure = failure(&fixture).await;
    assert_eq!((failure.code, failure.retryable), (FailureCode::Error, true));
    assert_eq!(
        failure.message,
        "invalid-document: no price\\u{7} (field `invalid-document`)"
    );
    assert_eq!(
        failure.own,
        Some(OwnError {
            code: "invalid-document".into(),
            field: Some("invalid-document".into())
        })
    );
}

#[tokio::test]
async fn a_merge_that_is_not_an_object_is_invalid_output() {
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    for merged in ["", "{", "[1]", "null", r#"{"a":NaN}"#, deep.as_str()] {
        let failure = failure(&Fixture::verdict("merges", 2, merged, "")).await;
        assert_eq!(failure.code, FailureCode::InvalidOutput, "{merged}: {failure}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_the_interface_is_invalid_output() {
    for call in [
        "(call $verdict (i32.const 9) {0} {0})",
        "(call $verdict (i32.const 0) {0} (i32.const -8) (i32.const 100))",
        // Not UTF-8.
        "(i32.store8 (i32.const 1024) (i32.const 255)) (call $verdict (i32.const 0) {0} (i32.const 1024) (i32.const 1))",
        "(i32.const -4)",
    ] {
        let fixture = Fixture::strategy("breaks", call).texts(&["x"]);
        let failure = failure(&fixture).await;
        assert_eq!(failure.code, FailureCode::InvalidOutput, "{call}: {failure}");
    }
}

#[tokio::test]
async fn a_flood_of_bytes_is_not_lifted() {
    // A reason of 12 MiB, where 8 MiB are lifted at most.
    let call = "(drop (memory.grow (i32.const 200))) (call $verdict (i32.const 0) {0} (i32.const 65536) (i32.const 12582912))";
    let failure = failure(&Fixture::strategy("floods", call).texts(&[""])).await;
    assert_eq!(failure.code, FailureCode::InvalidOutput, "{failure}");
}

#[tokio::test]
async fn a_huge_reason_is_cut_and_cannot_forge_lines() {
    let reason = format!("ok\nERROR forged {}", "é".repeat(4_000));
    let decided = decide(&Fixture::verdict("talks", 0, "", &reason)).await;
    let kept = decided.outcome.unwrap().reason;
    assert!(
        kept.len() <= 4_096 && kept.len() > 4_000 && kept.starts_with("ok\\nERROR forged é"),
        "{kept}"
    );
}

const LOG: &str = r#"(import "selaras:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32)))"#;

#[tokio::test]
async fn a_log_flood_is_cut_and_counted() {
    let flood = "(loop $more
          (call $log (i32.const 3) {0})
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $more (i32.lt_u (local.get $n) (i32.const 1000))))
        (call $verdict (i32.const 0) {0} {0})";
    let decided = decide(
        &Fixture::strategy("chatty", flood)
            .imports(LOG)
            .texts(&["hello\n"]),
    )
    .await;
    assert_eq!(decided.log.len(), 65);
    assert_eq!(decided.log[0], (Level::Warn, "hello\\n".to_owned()));
    assert_eq!(
        decided.log[64],
        (Level::Warn, "936 more log lines were dropped".to_owned())
    );

    let long = "x".repeat(50_000);
    let decided = decide(&Fixture::strategy("chatty", flood).imports(LOG).texts(&[&long])).await;
    let bytes: usize = decided.log.iter().map(|(_, line)| line.len()).sum();
    assert!(bytes <= (16 << 10) + 64, "{bytes} bytes of log are kept");
}

#[tokio::test]
async fn nothing_stays_between_calls() {
    let count = "(global.set $count (i32.add (global.get $count) (i32.const 1)))
        (if (result i32) (i32.eq (global.get $count) (i32.const 1))
          (then (call $verdict (i32.const 1) {0} {0}))
          (else unreachable))";
    let host = host_with(&[Fixture::strategy("counts", count).texts(&[""])]);
    let decided = host
        .resolve_many("counts", cx(), vec![case(); 5], nothing())
        .await;
    assert_eq!(decided.len(), 5);
    for one in &decided {
        assert_eq!(one.outcome.as_ref().unwrap().decision, Decision::TakeCloud);
        assert_eq!(one.fuel, decided[0].fuel, "the same case costs the same");
    }
    let usage = host.get("counts").unwrap().usage;
    assert_eq!(
        (usage.calls, usage.errors, usage.fuel),
        (5, 0, 5 * decided[0].fuel)
    );
    assert!(usage.p50_us > 0 && usage.p99_us >= usage.p50_us);
}

/// Answers by a rule, so that a test knows what was asked.
struct Shelf;

impl Lookup for Shelf {
    fn get(&self, entity_type: &str, id: &str) -> Option<Document> {
        (entity_type == "product" && id == "p1").then(|| document(id, r#"{"on":"shelf"}"#))
    }
    fn local_id(&self, _: &str, cloud_id: &str) -> Option<String> {
        cloud_id.strip_prefix("cloud-").map(str::to_owned)
    }
    fn cloud_id(&self, _: &str, id: &str) -> Option<String> {
        Some(format!("cloud-{id}"))
    }
}

#[tokio::test]
async fn lookups_are_answered_and_recorded_in_order() {
    let host = host_with(&[Fixture::asks()]);
    let decided = host.resolve("asks", cx(), case(), Arc::new(Shelf)).await;
    let verdict = decided.outcome.unwrap();
    assert_eq!(verdict.decision, Decision::Merge(r#"{"on":"shelf"}"#.into()));
    assert_eq!(verdict.reason, "c1");
    let recorded = vec![
        LookupAnswer::Get {
            entity_type: "product".into(),
            id: "p1".into(),
            answer: Some(document("p1", r#"{"on":"shelf"}"#)),
        },
        LookupAnswer::LocalId {
            entity_type: "category".into(),
            cloud_id: "cloud-c1".into(),
            answer: Some("c1".into()),
        },
        LookupAnswer::CloudId {
            entity_type: "category".into(),
            id: "c9".into(),
            answer: Some("cloud-c9".into()),
        },
    ];
    assert_eq!(decided.lookups, recorded);
    let kept = serde_json::to_string(&recorded).unwrap();
    assert_eq!(
        serde_json::from_str::<Vec<LookupAnswer>>(&kept).unwrap(),
        recorded,
        "it survives being kept"
    );
}

#[tokio::test]
async fn more_lookups_than_can_be_kept_end_the_call() {
    let call = "(loop $more (call $cloud_id {0} {0} (i32.const 1024)) (br $more)) unreachable";
    let decided = decide(&Fixture::strategy("asks", call).imports(LOOKUP).texts(&["x"])).await;
    let failure = decided.outcome.unwrap_err();
    assert!(
        failure.code == FailureCode::Trap && failure.message.contains("looked up"),
        "{failure}"
    );
    assert_eq!(decided.lookups.len(), Limits::default().lookups);
}

#[tokio::test]
async fn a_missing_plugin_and_one_of_the_other_kind_say_so() {
    let host = host_with(&[Fixture::mapper("maps", "(call $put (local.get $p))")]);
    for name in ["nobody", "maps"] {
        let decided = host.resolve(name, cx(), case(), nothing()).await;
        assert_eq!(decided.outcome.unwrap_err().code, FailureCode::Missing, "{name}");
    }
    let results = host
        .map(
            "nobody",
            Direction::ToCloud,
            cx(),
            vec![document("a", "{}")],
            nothing(),
        )
        .await;
    assert_eq!(results[0].as_ref().unwrap_err().code, FailureCode::Missing);
}

#[tokio::test]
async fn a_plugin_that_is_replaced_answers_with_its_new_self() {
    let host = host();
    let file = || Source::File("a.wasm".into());
    host.load(&Fixture::verdict("turns", 0, "", "").build(), None, file())
        .unwrap();
    let before = host.resolve("turns", cx(), case(), nothing()).await;
    host.load(&Fixture::verdict("turns", 1, "", "").build(), None, file())
        .unwrap();
    let after = host.resolve("turns", cx(), case(), nothing()).await;
    assert_eq!(before.outcome.unwrap().decision, Decision::KeepLocal);
    assert_eq!(after.outcome.unwrap().decision, Decision::TakeCloud);
    assert_ne!(before.digest, after.digest);
}

#[tokio::test]
async fn after_shutdown_calls_come_back_as_retryable() {
    let host = host_with(&[Fixture::verdict("judge", 0, "", "")]);
    host.shutdown();
    let failure = host
        .resolve("judge", cx(), case(), nothing())
        .await
        .outcome
        .unwrap_err();
    assert_eq!((failure.code, failure.retryable), (FailureCode::Missing, true));
}
