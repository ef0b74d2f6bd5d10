//! Components that mean harm: what each may try is refused at the gate or fails with a code, costs nobody else anything,
//! and leaves nothing behind. What needs a child process or the whole runtime is in `tests/it/hostile.rs`.

use super::super::fixtures::{LOOKUP, WIT};
use super::*;

const LOG: &str = r#"(import "selaras:plugin/log@0.1.0" "write" (func $log (param i32 i32 i32)))"#;

fn refusal(fixture: &Fixture, grants: Grants) -> Refusal {
    host().check(&fixture.build(), grants).unwrap_err()
}

fn refused(fixture: &Fixture) -> Refusal {
    refusal(fixture, Grants::default())
}

fn well() -> Fixture {
    Fixture::verdict("well", 1, "", "the cloud's side")
}

async fn code_of(fixture: &Fixture) -> FailureCode {
    decide(fixture).await.outcome.unwrap_err().code
}

#[test]
fn a_start_that_recurses_or_eats_memory_is_refused() {
    let recurses = well().start("(call $start)");
    assert_eq!(refused(&recurses).code, RefusalCode::StartTrapped);
    let eats = "(loop $more (br_if $more (i32.ne (i32.const -1) (memory.grow (i32.const 16))))) unreachable";
    let said = refused(&well().start(eats));
    assert_eq!(said.code, RefusalCode::StartTrapped);
    assert!(said.message.contains("32 MiB"), "it says why: {said}");
}

#[test]
fn room_that_is_not_there_is_refused() {
    for (what, code) in [
        ("a pointer outside", "(return (i32.const -16))"),
        ("a crooked pointer", "(return (i32.const 65537))"),
        ("no end", "(call $forever)"),
        ("a trap", "unreachable"),
    ] {
        let said = refused(&well().realloc(code));
        assert_eq!(said.code, RefusalCode::SelfTestFailed, "{what}: {said}");
    }
}

#[test]
fn a_description_that_lies_about_its_length_or_is_not_text_is_refused() {
    // `describe` answers at 64: five pairs of pointer and length. The last are its types and attributes.
    for (what, code) in [
        (
            "a name of 2 GiB",
            "(i32.store (i32.const 68) (i32.const 0x7fffffff)) (return (i32.const 64))",
        ),
        (
            "a billion attributes",
            "(i32.store (i32.const 100) (i32.const 1000000000)) (return (i32.const 64))",
        ),
        (
            "a name that is not UTF-8",
            "(i32.store8 (i32.const 1024) (i32.const 0xff)) (i32.store (i32.const 64) (i32.const 1024))
             (i32.store (i32.const 68) (i32.const 1)) (return (i32.const 64))",
        ),
        ("nowhere", "(return (i32.const -4))"),
    ] {
        let said = refused(&well().describe(code));
        assert_eq!(said.code, RefusalCode::BadInfo, "{what}: {said}");
    }
}

#[test]
fn wasi_and_the_network_are_refused_by_name_and_the_grant_is_named_where_there_is_one() {
    let asks_for = |interface: &str, function: &str| {
        let (package, rest) = interface.split_once('/').unwrap();
        let (name, version) = rest.split_once('@').unwrap();
        let theirs =
            format!("package {package}@{version} {{ interface {name} {{ {function}: func() -> u64; }} }}");
        let wit = format!("{WIT}\n{theirs}\nworld theirs {{ include strategy-plugin; import {interface}; }}");
        let import = format!(r#"(import "{interface}" "{function}" (func $theirs (result i64)))"#);
        well().world(wit, "theirs").imports(&import)
    };
    let clock = asks_for("wasi:clocks/monotonic-clock@0.2.3", "now");
    let said = refused(&clock);
    assert_eq!(said.code, RefusalCode::ImportNotAllowed);
    assert!(
        said.message.contains("wasi:clocks/monotonic-clock@0.2.3") && said.message.contains("`wasi`"),
        "{said}"
    );
    let wasi = Grants {
        wasi: true,
        ..Grants::default()
    };
    assert_eq!(host().check(&clock.build(), wasi).unwrap().grants, wasi);
    for outside in ["wasi:http/outgoing-handler@0.2.0", "acme:tap/socket@1.0.0"] {
        let said = refusal(&asks_for(outside, "open"), wasi);
        assert_eq!(said.code, RefusalCode::ImportNotAllowed);
        assert!(
            said.message.contains(outside) && !said.message.contains("would allow"),
            "{said}"
        );
    }
}

#[test]
fn the_grant_of_wasi_opens_nothing_else() {
    let wider = WIT.replace("write: func(", "shout: func(message: string);\n  write: func(");
    let import = r#"(import "selaras:plugin/log@0.1.0" "shout" (func $shout (param i32 i32)))"#;
    let loud = well().world(wider, "strategy-plugin").imports(import);
    let wasi = Grants {
        wasi: true,
        ..Grants::default()
    };
    assert_eq!(refusal(&loud, wasi).code, RefusalCode::ImportNotAllowed);
}

#[test]
fn the_grant_of_size_is_named_and_has_an_end() {
    let padded = |bytes: usize| {
        let mut component = well().build();
        component.resize(bytes, 0);
        component
    };
    let large = Grants {
        large: true,
        ..Grants::default()
    };
    let said = host()
        .check(&padded((8 << 20) + 1), Grants::default())
        .unwrap_err();
    assert!(
        said.code == RefusalCode::TooLarge && said.message.contains("`large`"),
        "{said}"
    );
    let said = host().check(&padded((8 << 20) + 1), large).unwrap_err();
    assert_eq!(
        said.code,
        RefusalCode::Invalid,
        "zeroes are no section, but the size is none of its faults"
    );
    let said = host().check(&padded((64 << 20) + 1), large).unwrap_err();
    assert!(
        said.code == RefusalCode::TooLarge && !said.message.contains("`large`"),
        "{said}"
    );
}

#[tokio::test]
async fn host_calls_with_lying_lengths_do_not_reach_the_host() {
    for (what, call) in [
        (
            "a line outside",
            "(call $log (i32.const 2) (i32.const -8) (i32.const 100))",
        ),
        (
            "a line of 2 GiB",
            "(call $log (i32.const 2) (i32.const 0) (i32.const 0x7fffffff))",
        ),
        (
            "an unknown level",
            "(call $log (i32.const 77) (i32.const 0) (i32.const 1))",
        ),
        (
            "not UTF-8",
            "(i32.store8 (i32.const 1024) (i32.const 0xc0)) (call $log (i32.const 2) (i32.const 1024) (i32.const 1))",
        ),
    ] {
        let call = format!("{call} (call $verdict (i32.const 0) {{0}} {{0}})");
        let fixture = Fixture::strategy("lies", &call).imports(LOG).texts(&[""]);
        let decided = decide(&fixture).await;
        assert_eq!(
            decided.outcome.unwrap_err().code,
            FailureCode::InvalidOutput,
            "{what}"
        );
        assert!(decided.log.is_empty(), "{what}");
    }
    let asks = "(call $cloud_id (i32.const 0) (i32.const 0x7fffffff) {0} (i32.const 1024)) unreachable";
    let asks = Fixture::strategy("asks", asks).imports(LOOKUP).texts(&["x"]);
    assert_eq!(code_of(&asks).await, FailureCode::InvalidOutput);
}

#[tokio::test]
async fn what_runs_after_the_answer_is_held_to_the_same_limits() {
    let polite = "(if (i32.eq (i32.load8_u (i32.const 260)) (i32.const 4)) (then (return)))";
    let after = |code: &str| well().afterwards(&format!("{polite} {code}"));
    assert_eq!(code_of(&after("(call $forever)")).await, FailureCode::Timeout);
    assert_eq!(code_of(&after("unreachable")).await, FailureCode::Trap);
}

#[tokio::test]
async fn an_answer_in_ten_million_pieces_is_not_lifted() {
    // The verdict's attributes: pairs of text in a list, each of them empty, as many as fit in memory.
    let call = "(drop (memory.grow (i32.const 500))) (drop (call $verdict (i32.const 0) {0} {0}))
        (i32.store (i32.const 280) (i32.const 65536)) (i32.store (i32.const 284) (i32.const 2000000)) (i32.const 256)";
    let fixture = Fixture::strategy("scatters", call).texts(&[""]);
    assert_eq!(code_of(&fixture).await, FailureCode::InvalidOutput);
}

#[tokio::test]
async fn each_limit_of_a_binding_holds_and_can_be_raised() {
    let page = 64 << 10;
    let takes = |pages: u32| {
        let grow = format!(
            "(if (i32.eq (i32.const -1) (memory.grow (i32.const {pages}))) (then unreachable))
             (call $verdict (i32.const 0) {{0}} {{0}})"
        );
        Fixture::strategy("takes", &grow).texts(&["x"])
    };
    let with = |limits: CallLimits| CallContext { limits, ..cx() };
    let host = host_with(&[
        takes(1_000),
        Fixture::verdict("merges", 2, r#"{"a":"0123456789"}"#, ""),
    ]);
    let ask = |name: &'static str, limits| host.resolve(name, with(limits), case(), nothing());

    let said = ask("takes", CallLimits::default()).await.outcome.unwrap_err();
    assert!(
        said.code == FailureCode::Trap && said.message.contains("32 MiB"),
        "{said}"
    );
    let memory = CallLimits {
        memory_bytes: 64 << 20,
        ..CallLimits::default()
    };
    let decided = ask("takes", memory).await;
    assert_eq!(decided.outcome.unwrap().decision, Decision::KeepLocal);
    assert_eq!(
        decided.peak_memory_bytes,
        1_002 * page,
        "what it began with, and what it took"
    );
    assert_eq!(host.get("takes").unwrap().usage.peak_memory_bytes, 1_002 * page);

    let result = CallLimits {
        result_bytes: 10,
        ..CallLimits::default()
    };
    let said = ask("merges", result).await.outcome.unwrap_err();
    assert_eq!(said.code, FailureCode::InvalidOutput, "{said}");
    let lifted = CallLimits {
        lifted_bytes: 8,
        ..CallLimits::default()
    };
    assert_eq!(
        ask("merges", lifted).await.outcome.unwrap_err().code,
        FailureCode::InvalidOutput
    );
    let table = CallLimits {
        table_elements: 0,
        ..CallLimits::default()
    };
    let said = ask("merges", table).await.outcome.unwrap_err();
    assert!(said.message.contains("table"), "{said}");
    assert!(ask("merges", CallLimits::default()).await.outcome.is_ok());
    assert!(ask("merges", CallLimits::LEAST).await.outcome.is_ok());
}

/// Threads, open files and resident bytes of this process.
fn footprint() -> (usize, usize, u64) {
    let count = |what: &str| std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count();
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split_whitespace().nth(1).unwrap().parse().unwrap();
    (count("task"), count("fd"), pages * 4_096)
}

#[tokio::test]
async fn a_thousand_hostile_calls_leave_nothing_and_cost_others_nothing() {
    let eats = "(loop $more (br_if $more (i32.ne (i32.const -1) (memory.grow (i32.const 16))))) unreachable";
    let flood = "(drop (memory.grow (i32.const 200))) (call $verdict (i32.const 0) {0} (i32.const 65536) (i32.const 12582912))";
    let hostile = [
        Fixture::strategy("eats", eats),
        Fixture::strategy("floods", flood).texts(&[""]),
        Fixture::strategy("traps", "unreachable"),
        Fixture::strategy("recurses", "(call $call (local.get $p))"),
        Fixture::strategy("lies", "(i32.const -4)"),
    ];
    let host = host_with(&hostile);
    host.load(&well().build(), None, Source::Embedded).unwrap();
    let harm = |times: usize| {
        let host = host.clone();
        async move {
            for name in ["eats", "floods", "traps", "recurses", "lies"] {
                let answers = host
                    .resolve_many(name, cx(), vec![case(); times], nothing())
                    .await;
                assert!(answers.iter().all(|decided| decided.outcome.is_err()), "{name}");
            }
        }
    };
    // Once, so that every slot has been used.
    harm(5).await;
    let (_, files, resident) = footprint();
    harm(200).await;
    let (_, files_after, resident_after) = footprint();
    assert!(
        files_after <= files + 32,
        "{files} files were open, {files_after} are"
    );
    let grown = resident_after.saturating_sub(resident);
    // Tests beside this one take memory, too.
    assert!(grown < 256 << 20, "{grown} bytes more are resident");
    // Every slot is free again, and a good plugin answers as ever.
    let usage = |name: &str| host.get(name).unwrap().usage;
    let answers = host
        .resolve_many("well", cx(), vec![case(); 500], nothing())
        .await;
    assert!(answers.iter().all(|decided| decided.outcome.is_ok()));
    assert_eq!((usage("well").errors, usage("eats").errors), (0, 205));
    println!(
        "well beside them: p50 {} µs, p99 {} µs",
        usage("well").p50_us,
        usage("well").p99_us
    );
}
