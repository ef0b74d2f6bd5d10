//! Components that mean harm, against the real process: at its start, in its calls, and in the child that compiles.

#[path = "../../src/plugin/fixtures.rs"]
#[allow(dead_code, reason = "the host's own tests use the rest")]
mod fixtures;

use self::fixtures::Fixture;
use crate::harness::json_text::string_at;
use crate::harness::wait;
use crate::outlet::{Outlet, Setup};
use crate::scripted_cloud::ScriptedCloud;
use selaras::clock::monotonic_us;
use selaras::plugin::{Compiling, Grants, Host, HostConfig, Limits, Refusal, RefusalCode};
use selaras::secret::Secret;
use std::path::PathBuf;

const FOREVER: &str = "(call $forever) unreachable";

/// A strategy that takes the cloud's side.
fn well(name: &'static str) -> Vec<u8> {
    Fixture::verdict(name, 1, "", "the cloud's side").build()
}

/// A component around one function of this code, far under the limit of size.
fn bomb(locals: usize, code: &str) -> Vec<u8> {
    let module = format!(
        "(component (core module (memory 1) (func (export \"f\") (param $x i64) (result i64) (local {}) {code} (local.get $x))))",
        "i64 ".repeat(locals)
    );
    wat::parse_str(module).unwrap()
}

/// A function that an optimising compiler needs minutes and gigabytes for: all of it is alive at its end.
fn heavy() -> Vec<u8> {
    let step = "(local.set $x (i64.xor (i64.mul (local.get $x) (i64.load (i32.wrap_i64 (local.get $x)))) (i64.const 77)))\n";
    bomb(0, &step.repeat(300_000))
}

fn host(compiling: Compiling) -> Host {
    Host::start(HostConfig {
        cache_dir: None,
        cache_key: Secret::of([7; 32]),
        threads: 1,
        limits: Limits::default(),
        compiling,
        monotonic_us,
    })
    .unwrap()
}

/// What the gate says where a child of the real program compiles.
fn refusal(component: &[u8]) -> Refusal {
    let host = host(Compiling::Child(PathBuf::from(env!("CARGO_BIN_EXE_selaras"))));
    let refusal = host.check(component, Grants::default()).unwrap_err();
    host.shutdown();
    refusal
}

#[test]
fn what_a_child_compiled_runs_here() {
    let host = host(Compiling::Child(PathBuf::from(env!("CARGO_BIN_EXE_selaras"))));
    let info = host.check(&well("well"), Grants::default()).unwrap();
    assert_eq!(info.name, "well");
    host.shutdown();
}

#[test]
fn a_component_that_is_a_burden_to_compile_is_refused_and_this_process_lives() {
    let said = refusal(&heavy());
    assert_eq!(said.code, RefusalCode::CompileFailed, "{said}");
    assert!(said.message.contains("compiling it takes more than"), "{said}");
}

#[test]
fn many_locals_and_deep_nesting_end_in_an_answer() {
    let said = refusal(&bomb(60_000, ""));
    assert_eq!(said.code, RefusalCode::Invalid, "{said}");
    // It compiles or it does not; then it is no plugin.
    for component in [
        bomb(49_000, ""),
        bomb(0, &format!("{}{}", "(block ".repeat(10_000), ")".repeat(10_000))),
    ] {
        let said = refusal(&component);
        let codes = [
            RefusalCode::CompileFailed,
            RefusalCode::WrongWorld,
            RefusalCode::Invalid,
        ];
        assert!(codes.contains(&said.code), "{said}");
    }
}

#[test]
fn a_compiler_that_cannot_run_or_says_nothing_is_a_refusal() {
    let check = |program: &str| {
        let host = host(Compiling::Child(PathBuf::from(program)));
        let refusal = host.check(&well("well"), Grants::default()).unwrap_err();
        host.shutdown();
        refusal
    };
    assert_eq!(check("/nowhere/selaras").code, RefusalCode::Internal);
    assert_eq!(check("/bin/false").code, RefusalCode::CompileFailed);
    let said = check("/bin/true");
    assert_ne!(
        said.code,
        RefusalCode::Internal,
        "no code is no component: {said}"
    );
}

/// Files for the plugins folder, by name.
fn folder(setup: &Setup, files: &[(&str, Vec<u8>)]) {
    let plugins = setup.data_dir().join("plugins");
    std::fs::create_dir_all(&plugins).unwrap();
    for (name, bytes) in files {
        std::fs::write(plugins.join(name), bytes).unwrap();
    }
}

#[tokio::test]
async fn a_folder_of_hostile_files_is_refused_file_by_file_and_the_outlet_serves() {
    let component = well("whole");
    let start = |name, code: &str| Fixture::verdict(name, 0, "", "").start(code).build();
    let files = [
        (
            "a_core_module.wasm",
            wat::parse_str("(module)").unwrap(),
            "core-module",
        ),
        ("cut.wasm", component[..component.len() / 2].to_vec(), "invalid"),
        ("huge.wasm", vec![0; (8 << 20) + 1], "too-large"),
        ("hangs.wasm", start("hangs", "(call $forever)"), "start-timeout"),
        ("traps.wasm", start("traps", "unreachable"), "start-trapped"),
        (
            "rude.wasm",
            Fixture::strategy("rude", FOREVER).rude().build(),
            "self-test-failed",
        ),
        ("taken.wasm", well("newest_wins"), "name-taken"),
    ];
    let cloud = ScriptedCloud::start().await;
    let setup = Setup::of(&cloud);
    let bytes: Vec<_> = files
        .iter()
        .map(|(name, bytes, _)| (*name, bytes.clone()))
        .collect();
    folder(&setup, &bytes);
    folder(&setup, &[("good.wasm", well("good"))]);
    let outlet = setup.with_problems().start().await;
    let listed = outlet.read("plugins").await.expect(200).list();
    for (file, _, code) in &files {
        let entry = listed
            .iter()
            .find(|entry| string_at(entry, "source").as_deref() == Some(*file));
        let entry = entry.unwrap_or_else(|| panic!("{file} is not listed"));
        assert_eq!(string_at(entry, "state").as_deref(), Some("refused"), "{entry}");
        let problem = string_at(entry, "problem").unwrap();
        assert!(problem.starts_with(&format!("{code}: ")), "{file}: {problem}");
    }
    let good = outlet.read("plugins/good").await.expect(200);
    assert_eq!(good.str("data.state"), "active");
    outlet.put("product", "p", r#"{"n":1}"#).await.expect(201);
    outlet.settle().await;
    assert_eq!(cloud.state().times_applied("product", "p"), 1);
}

/// Both sides change the entity.
async fn contest(cloud: &ScriptedCloud, outlet: &Outlet, entity_type: &str, id: &str) {
    outlet
        .contest(cloud, (entity_type, id), r#"{"n":2}"#, r#"{"n":3}"#)
        .await;
}

#[tokio::test]
async fn a_hostile_strategy_defers_with_a_code_and_other_types_are_decided_meanwhile() {
    let eats = "(loop $more (br_if $more (i32.ne (i32.const -1) (memory.grow (i32.const 16))))) unreachable";
    let cases = [
        ("hang", Fixture::strategy("hangs", FOREVER), "plugin-timeout"),
        ("trap", Fixture::strategy("traps", "unreachable"), "plugin-trap"),
        ("hunger", Fixture::strategy("eats", eats), "plugin-trap"),
        (
            "lie",
            Fixture::strategy("lies", "(i32.const -4)"),
            "plugin-invalid-output",
        ),
        (
            "list",
            Fixture::verdict("lists", 2, "[]", ""),
            "plugin-invalid-output",
        ),
    ];
    let cloud = ScriptedCloud::start().await;
    let setup = Setup::of(&cloud);
    for (file, fixture, _) in &cases {
        folder(&setup, &[(&format!("{file}.wasm"), fixture.build())]);
    }
    let outlet = setup.start().await;
    // Only what this test asks for runs, or a change could be pushed before both sides have theirs.
    outlet
        .configure("sync", r#"{"push_delay_ms":3600000}"#)
        .await
        .expect(200);
    let strategies = ["hangs", "traps", "eats", "lies", "lists"];
    for ((entity_type, _, _), strategy) in cases.iter().zip(strategies) {
        outlet
            .bind(entity_type, &format!(r#"{{"strategy":"{strategy}"}}"#))
            .await;
        outlet.put(entity_type, "x", r#"{"n":1}"#).await.expect(201);
    }
    outlet.bind("good", r#"{"strategy":"cloud_wins"}"#).await;
    outlet.put("good", "x", r#"{"n":1}"#).await.expect(201);
    outlet.settle().await;
    for (entity_type, _, _) in &cases {
        contest(&cloud, &outlet, entity_type, "x").await;
    }
    contest(&cloud, &outlet, "good", "x").await;
    outlet
        .run_until("the good one to be decided", |status| {
            status.num("data.conflict_count") == i64::try_from(cases.len()).unwrap()
        })
        .await;
    assert_eq!(outlet.content("good", "x").await.as_deref(), Some(r#"{"n":2}"#));
    for (entity_type, _, code) in &cases {
        let conflict = wait::until("its failure to be on record", || async {
            let conflict = outlet.conflict_of(entity_type, "x").await;
            conflict.string("data.error").is_some().then_some(conflict)
        })
        .await;
        assert_eq!(conflict.str("data.status"), "open", "{entity_type}");
        assert!(
            conflict.str("data.error").contains(code),
            "{entity_type}: {}",
            conflict.text
        );
        assert_eq!(
            outlet.content(entity_type, "x").await.as_deref(),
            Some(r#"{"n":3}"#)
        );
    }
    // The process is the one that was started, and answers.
    outlet.anonymous("GET", "/readyz").await.expect(200);
}
