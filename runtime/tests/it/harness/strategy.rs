//! Strategies as component files, for tests that swap one for another. Written as WebAssembly text against the canonical ABI
//! of `wit/plugin.wit`. Each behaves itself in the self-test, by leaving the sample to a person.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What a strategy does with a conflict.
#[derive(Clone, Copy)]
pub enum Does {
    /// The outlet's document goes on.
    KeepsLocal,
    /// The cloud's is taken.
    TakesCloud,
    /// It traps.
    Breaks,
    /// It answers with an error of its own.
    Refuses,
    /// It takes the cloud's, but says of any settings that it cannot use them.
    WantsNoSettings,
}

/// The time that a plugin is told in its self-test.
const SAMPLE_NOW_MS: u64 = 1_767_225_600_000;

/// The component file of the strategy `name` in this version.
pub fn strategy(name: &str, version: &str, does: Does) -> Vec<u8> {
    assert!(
        name.len() < 64 && version.len() < 32,
        "the module's texts lie apart"
    );
    // result<verdict, plugin-error> at 512. A verdict: what, the merged text, the reason (at 3000), no attributes.
    let verdict = |decision: u32| {
        format!(
            "(i32.store (i32.const 512) (i32.const 0)) (i32.store (i32.const 516) (i32.const {decision}))
             (i32.store (i32.const 528) (i32.const 3000)) (i32.store (i32.const 532) (i32.const 5))"
        )
    };
    // An error: the code twice, in place of a message, not to be retried, about no field.
    let error = |code: u32, length: u32| {
        format!(
            "(i32.store (i32.const 512) (i32.const 1))
             (i32.store (i32.const 516) (i32.const {code})) (i32.store (i32.const 520) (i32.const {length}))
             (i32.store (i32.const 524) (i32.const {code})) (i32.store (i32.const 528) (i32.const {length}))"
        )
    };
    let picky = format!(
        "(if (i32.ne (i32.load offset=28 (local.get $p)) (i32.const 2)) (then {} (return (i32.const 512))))",
        error(3010, 16)
    );
    let (before, call) = match does {
        Does::KeepsLocal => (String::new(), verdict(0)),
        Does::TakesCloud => (String::new(), verdict(1)),
        Does::Breaks => (String::new(), "unreachable".to_owned()),
        Does::Refuses => (String::new(), error(3000, 5)),
        Does::WantsNoSettings => (picky, verdict(1)),
    };
    let defer = verdict(4);
    let module = format!(
        r#"(module
        (memory (export "memory") 2)
        (global $heap (mut i32) (i32.const 65536))
        (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32) (local $at i32)
          (local.set $at (global.get $heap))
          (global.set $heap (i32.and (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 15)) (i32.const -16)))
          (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536)))
            (then (drop (memory.grow (i32.add (i32.const 1) (i32.shr_u (local.get $size) (i32.const 16)))))))
          (local.get $at))
        (func (export "selaras:plugin/info@0.1.0#describe") (result i32)
          (i32.store (i32.const 64) (i32.const 2048)) (i32.store (i32.const 68) (i32.const {name_len}))
          (i32.store (i32.const 72) (i32.const 2900)) (i32.store (i32.const 76) (i32.const {version_len}))
          (i32.store (i32.const 80) (i32.const 3000)) (i32.store (i32.const 84) (i32.const 5))
          (i32.const 64))
        (func (export "selaras:plugin/strategy@0.1.0#resolve") (param $p i32) (result i32)
          {before}
          (if (i64.eq (i64.load offset=16 (local.get $p)) (i64.const {SAMPLE_NOW_MS})) (then {defer} (return (i32.const 512))))
          {call}
          (i32.const 512))
        (data (i32.const 2048) "{name}")
        (data (i32.const 2900) "{version}")
        (data (i32.const 3000) "a-fix")
        (data (i32.const 3010) "invalid-settings"))"#,
        name_len = name.len(),
        version_len = version.len(),
    );
    let mut module = wat::parse_str(&module).unwrap_or_else(|error| panic!("{error}\n{module}"));
    let mut resolve = Resolve::default();
    let wit = include_str!("../../../../wit/plugin.wit");
    let package = resolve.push_source("plugin.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some("strategy-plugin")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .unwrap();
    encoder.encode().unwrap()
}
