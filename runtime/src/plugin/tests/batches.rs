//! Mappers over batches: sharing an instance, and finding the document that breaks it.

use super::super::fixtures::at;
use super::*;

async fn map(fixture: Fixture, documents: Vec<Document>) -> Vec<Result<Mapped, Failure>> {
    let host = host_with(std::slice::from_ref(&fixture));
    let name = host.list()[0].name.clone();
    host.map(&name, Direction::ToCloud, cx(), documents, nothing())
        .await
}

fn documents(ids: &[&str]) -> Vec<Document> {
    ids.iter().map(|id| document(id, r#"{"a":1.50}"#)).collect()
}

fn codes(results: &[Result<Mapped, Failure>]) -> Vec<Option<FailureCode>> {
    results
        .iter()
        .map(|result| result.as_ref().err().map(|failure| failure.code))
        .collect()
}

/// Runs `code` for documents whose id begins with `letter`.
fn on(letter: char, code: &str) -> String {
    let id = format!("(i32.load8_u (i32.load offset={} (local.get $p)))", at::DOC_ID);
    format!(
        "(if (i32.eq {id} (i32.const {})) (then {code}))",
        u32::from(letter)
    )
}

#[tokio::test]
async fn a_batch_comes_back_in_order_and_to_the_digit() {
    let results = map(
        Fixture::mapper("as_is", "(call $put (local.get $p))"),
        documents(&["a", "b", "c"]),
    )
    .await;
    assert_eq!(results, vec![Ok(Mapped::Put(r#"{"a":1.50}"#.into())); 3]);
}

#[tokio::test]
async fn a_skip_keeps_its_reason() {
    let fixture = Fixture::mapper("skips", "(call $skip {0})").texts(&["not\nfor sale"]);
    assert_eq!(
        map(fixture, documents(&["a"])).await,
        vec![Ok(Mapped::Skip("not\\nfor sale".into()))]
    );
}

#[tokio::test]
async fn a_poison_document_fails_alone() {
    let call = format!("{} (call $put (local.get $p))", on('x', "unreachable"));
    let results = map(
        Fixture::mapper("brittle", &call),
        documents(&["a", "x1", "b", "x2", "c"]),
    )
    .await;
    let trap = Some(FailureCode::Trap);
    assert_eq!(codes(&results), [None, trap, None, trap, None]);
}

#[tokio::test]
async fn a_document_is_not_blamed_for_the_one_before_it() {
    // `s` sours the instance without failing; whoever comes next traps there.
    let sour = on(
        's',
        "(global.set $count (i32.const 7)) (return (call $put (local.get $p)))",
    );
    let call = format!(
        "{sour} (if (i32.eq (global.get $count) (i32.const 7)) (then unreachable)) (call $put (local.get $p))"
    );
    let results = map(
        Fixture::mapper("soured", &call),
        documents(&["a", "s", "b", "s", "c"]),
    )
    .await;
    assert_eq!(codes(&results), [None; 5]);
}

#[tokio::test]
async fn a_document_that_hangs_fails_alone() {
    let call = format!("{} (call $put (local.get $p))", on('x', "(call $forever)"));
    let results = map(Fixture::mapper("slow", &call), documents(&["a", "x", "b"])).await;
    assert_eq!(codes(&results), [None, Some(FailureCode::Timeout), None]);
}

#[tokio::test]
async fn a_batch_that_only_hangs_gives_its_thread_back() {
    let host = host();
    let hurried = CallContext {
        limits: CallLimits {
            timeout_ms: 5,
            ..CallLimits::default()
        },
        ..cx()
    };
    let hangs = Fixture::mapper("hangs", "(call $forever) unreachable").build();
    host.load(&hangs, None, Source::Embedded).unwrap();
    let results = host
        .map(
            "hangs",
            Direction::ToLocal,
            hurried,
            vec![document("a", "{}"); 1_000],
            nothing(),
        )
        .await;
    assert_eq!(results.len(), 1_000);
    assert!(results.iter().all(|result| {
        result
            .as_ref()
            .is_err_and(|failure| failure.code == FailureCode::Timeout && failure.retryable)
    }));
    assert!(host.get("hangs").unwrap().usage.calls < 20, "most were not tried");
}

#[tokio::test]
async fn an_error_of_its_own_does_not_cost_the_instance() {
    let call = format!(
        "{} (global.set $count (i32.add (global.get $count) (i32.const 1))) (call $put (local.get $p))",
        on(
            'e',
            // result<_, plugin-error> of a mapper: the error begins at 8.
            "(i32.store (i32.const 512) (i32.const 1))
             (i32.store (i32.const 520) (i32.const 0)) (i32.store (i32.const 524) (i32.const 0))
             (i32.store (i32.const 528) (i32.const 0)) (i32.store (i32.const 532) (i32.const 0))
             (i32.store (i32.const 536) (i32.const 0)) (i32.store (i32.const 540) (i32.const 0))
             (return (i32.const 512))"
        )
    );
    let results = map(Fixture::mapper("picky", &call), documents(&["a", "e", "b"])).await;
    assert_eq!(codes(&results), [None, Some(FailureCode::Error), None]);
    assert!(!results[1].as_ref().unwrap_err().retryable);
}

#[tokio::test]
async fn a_changed_id_or_type_is_invalid_output() {
    for offset in [0, 8] {
        // Type and id are at 528 and 536 of the answer: cut each by a byte.
        let length = 528 + offset + 4;
        let call = format!(
            "(drop (call $put (local.get $p)))
             (i32.store (i32.const {length}) (i32.sub (i32.load (i32.const {length})) (i32.const 1)))
             (i32.const 512)"
        );
        let results = map(Fixture::mapper("renames", &call), documents(&["abc"])).await;
        let failure = results[0].as_ref().unwrap_err();
        assert_eq!(failure.code, FailureCode::InvalidOutput);
        assert!(failure.message.contains("unchanged"), "{failure}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_an_object_is_invalid_output_except_a_tombstones_null() {
    let call = "(drop (call $put (local.get $p))) (call $body {0}) (i32.const 512)";
    let nulls = |document: Document| map(Fixture::mapper("nulls", call).texts(&["null"]), vec![document]);
    let results = nulls(document("a", "{}")).await;
    assert_eq!(codes(&results), [Some(FailureCode::InvalidOutput)]);
    let results = nulls(Document {
        deleted: true,
        ..document("a", "null")
    })
    .await;
    assert_eq!(results, [Ok(Mapped::Put("null".into()))]);
    let results = map(Fixture::mapper("lists", call).texts(&["[]"]), documents(&["a"])).await;
    assert_eq!(codes(&results), [Some(FailureCode::InvalidOutput)]);
}

#[tokio::test]
async fn a_result_over_its_size_is_invalid_output() {
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(1 << 20));
    let as_is = Fixture::mapper("as_is", "(call $put (local.get $p))");
    let results = map(as_is, vec![document("a", &large), document("b", "{}")]).await;
    assert_eq!(codes(&results), [Some(FailureCode::InvalidOutput), None]);
}
