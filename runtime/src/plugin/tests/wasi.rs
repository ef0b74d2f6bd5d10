//! Inert WASI: it can be called, says nothing of the world outside, and says the same each time.

use super::*;

/// What toolchains link against, cut to what the fixture calls.
const WASI: &str = "
package wasi:io@0.2.3 { interface error { resource error; } interface streams {
  use error.{error}; variant stream-error { last-operation-failed(error), closed }
  resource output-stream { write: func(contents: list<u8>) -> result<_, stream-error>; } } }
package wasi:cli@0.2.3 {
  interface stdout { use wasi:io/streams@0.2.3.{output-stream}; get-stdout: func() -> output-stream; }
  interface environment { get-environment: func() -> list<tuple<string, string>>; }
  interface exit { exit: func(status: result); } }
package wasi:clocks@0.2.3 { interface monotonic-clock { now: func() -> u64; } interface wall-clock {
  record datetime { seconds: u64, nanoseconds: u32 } now: func() -> datetime; } }
package wasi:random@0.2.3 { interface random { get-random-u64: func() -> u64; get-random-bytes: func(len: u64) -> list<u8>; } }
package wasi:filesystem@0.2.3 { interface types { resource descriptor; } interface preopens {
  use types.{descriptor}; get-directories: func() -> list<tuple<descriptor, string>>; } }
package wasi:sockets@0.2.3 {
  interface network { enum error-code { unknown, access-denied } enum ip-address-family { ipv4, ipv6 } }
  interface tcp { resource tcp-socket; }
  interface tcp-create-socket { use network.{error-code, ip-address-family}; use tcp.{tcp-socket};
    create-tcp-socket: func(family: ip-address-family) -> result<tcp-socket, error-code>; } }
world guest { include strategy-plugin;
  import wasi:cli/stdout@0.2.3; import wasi:cli/environment@0.2.3; import wasi:cli/exit@0.2.3;
  import wasi:clocks/monotonic-clock@0.2.3; import wasi:clocks/wall-clock@0.2.3; import wasi:random/random@0.2.3;
  import wasi:filesystem/preopens@0.2.3; import wasi:sockets/tcp-create-socket@0.2.3; }";

/// The same as core imports, and a way to say a number: sixteen letters of it, at an address.
const IMPORTS: &str = r#"
  (import "wasi:cli/stdout@0.2.3" "get-stdout" (func $stdout (result i32)))
  (import "wasi:io/streams@0.2.3" "[method]output-stream.write" (func $write (param i32 i32 i32 i32)))
  (import "wasi:cli/environment@0.2.3" "get-environment" (func $environment (param i32)))
  (import "wasi:cli/exit@0.2.3" "exit" (func $exit (param i32)))
  (import "wasi:clocks/monotonic-clock@0.2.3" "now" (func $monotonic (result i64)))
  (import "wasi:clocks/wall-clock@0.2.3" "now" (func $wall (param i32)))
  (import "wasi:random/random@0.2.3" "get-random-u64" (func $random (result i64)))
  (import "wasi:random/random@0.2.3" "get-random-bytes" (func $bytes (param i64 i32)))
  (import "wasi:filesystem/preopens@0.2.3" "get-directories" (func $directories (param i32)))
  (import "wasi:sockets/tcp-create-socket@0.2.3" "create-tcp-socket" (func $socket (param i32 i32)))
  (func $say (param $number i64) (param $at i32) (local $n i32)
    (loop $more
      (i32.store8 (i32.add (local.get $at) (local.get $n))
        (i32.add (i32.const 97) (i32.wrap_i64 (i64.and (local.get $number) (i64.const 15)))))
      (local.set $number (i64.shr_u (local.get $number) (i64.const 4)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $n) (i32.const 16)))))"#;

fn guest(call: &str) -> Fixture {
    let wit = format!("{}\n{WASI}", super::super::fixtures::WIT);
    Fixture::strategy("speaks", call)
        .world(wit, "guest")
        .imports(IMPORTS)
}

/// A host with this guest, which was granted WASI.
fn granted(fixture: &Fixture) -> Host {
    let host = host();
    let candidate = Candidate {
        bytes: fixture.build().into(),
        name: None,
        source: Source::File("speaks.wasm".into()),
        grants: Grants {
            wasi: true,
            ..Grants::default()
        },
    };
    for loaded in host.load_all(&[candidate]) {
        loaded.unwrap();
    }
    host
}

/// [`guest`]'s letters of a number.
fn said(number: u64) -> String {
    (0..16)
        .map(|n| char::from(b'a' + u8::try_from(number >> (4 * n) & 15).unwrap()))
        .collect()
}

/// Says the monotonic time, the wall's seconds and two random numbers.
const TELLS: &str = "(call $say (call $monotonic) (i32.const 1024))
    (call $wall (i32.const 1200)) (call $say (i64.load (i32.const 1200)) (i32.const 1040))
    (call $say (call $random) (i32.const 1056))
    (call $bytes (i64.const 8) (i32.const 1200))
    (call $say (i64.load (i32.load (i32.const 1200))) (i32.const 1072))
    (call $verdict (i32.const 0) {0} (i32.const 1024) (i32.const 64))";

async fn told(host: &Host, case: Case) -> String {
    let decided = host.resolve("speaks", cx(), case, nothing()).await;
    decided.outcome.unwrap().reason
}

#[tokio::test]
async fn time_is_the_calls_and_chance_is_the_questions() {
    let guest = guest(TELLS).texts(&["x"]);
    let (one, other) = (granted(&guest), granted(&guest));
    let answer = told(&one, case()).await;
    let (times, chance) = answer.split_at(32);
    let now_ms = cx().now_ms;
    assert_eq!(times, said(now_ms * 1_000_000) + &said(now_ms / 1_000));
    assert_ne!(chance[..16], chance[16..], "the next number is another");
    for host in [&one, &one, &other] {
        assert_eq!(
            told(host, case()).await,
            answer,
            "the same question, the same answer"
        );
    }
    let question = Case {
        local: document("p1", r#"{"price":"9.80000018"}"#),
        ..case()
    };
    let another = told(&one, question).await;
    assert_eq!(&another[..32], times);
    assert_ne!(&another[32..], chance, "another question has chances of its own");
}

#[tokio::test]
async fn there_is_no_environment_no_file_and_no_network() {
    // An error code of 1 is access-denied.
    let call = "(call $environment (i32.const 1200)) (if (i32.load (i32.const 1204)) (then unreachable))
        (call $directories (i32.const 1200)) (if (i32.load (i32.const 1204)) (then unreachable))
        (call $socket (i32.const 0) (i32.const 1200))
        (if (i32.eqz (i32.load8_u (i32.const 1200))) (then unreachable))
        (if (i32.ne (i32.load8_u (i32.const 1204)) (i32.const 1)) (then unreachable))
        (call $verdict (i32.const 1) {0} {0})";
    let decided = granted(&guest(call).texts(&["x"]))
        .resolve("speaks", cx(), case(), nothing())
        .await;
    assert_eq!(decided.outcome.unwrap().decision, Decision::TakeCloud);
}

#[tokio::test]
async fn what_is_printed_goes_to_the_log_line_by_line() {
    let call = "(call $write (call $stdout) {0} (i32.const 1200))
        (call $write (call $stdout) {1} (i32.const 1200))
        (call $verdict (i32.const 0) {2} {2})";
    let guest = guest(call).texts(&["first\nsec", "ond\n\nthird", "x"]);
    let decided = granted(&guest).resolve("speaks", cx(), case(), nothing()).await;
    assert!(decided.outcome.is_ok());
    let lines: Vec<_> = decided
        .log
        .iter()
        .map(|(level, line)| (*level, line.as_str()))
        .collect();
    assert_eq!(
        lines,
        [
            (Level::Info, "first"),
            (Level::Info, "second"),
            (Level::Info, "third")
        ]
    );
}

#[tokio::test]
async fn leaving_floods_of_handles_and_of_chance_end_the_call() {
    for (call, word) in [
        ("(call $exit (i32.const 0)) unreachable", "exited"),
        (
            "(loop $more (drop (call $stdout)) (br $more)) unreachable",
            "handles",
        ),
        (
            "(call $bytes (i64.const -1) (i32.const 1200)) unreachable",
            "random bytes",
        ),
    ] {
        let decided = granted(&guest(call))
            .resolve("speaks", cx(), case(), nothing())
            .await;
        let failure = decided.outcome.unwrap_err();
        assert!(
            failure.code == FailureCode::Trap && failure.message.contains(word),
            "{failure}"
        );
    }
}
