//! A mapper as a component file, in two makes under one name: one that fails at every document, and one that passes them
//! through. Written as WebAssembly text against the canonical ABI of `wit/plugin.wit`.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What the failing make says.
pub const WHY: &str = "not today";

/// The file of the mapper `name` that fails.
pub fn broken(name: &str) -> Vec<u8> {
    // result<outcome, plugin-error> at 512: the error's code and message, not to be retried, no field.
    component(
        name,
        "(i32.store (i32.const 512) (i32.const 1))
         (i32.store (i32.const 520) (i32.const 3000)) (i32.store (i32.const 524) (i32.const 5))
         (i32.store (i32.const 528) (i32.const 3008)) (i32.store (i32.const 532) (i32.const 9))",
    )
}

/// The file of the mapper `name` that passes documents through.
pub fn whole(name: &str) -> Vec<u8> {
    // The document as it came in behind the context.
    component(
        name,
        "(memory.copy (i32.const 528) (i32.add (local.get $p) (i32.const 40)) (i32.const 96))",
    )
}

fn component(name: &str, call: &str) -> Vec<u8> {
    assert_eq!(WHY.len(), 9, "the module says how long it is");
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
          (i32.store (i32.const 72) (i32.const 2900)) (i32.store (i32.const 76) (i32.const 5))
          (i32.store (i32.const 80) (i32.const 2908)) (i32.store (i32.const 84) (i32.const 9))
          (i32.const 64))
        (func $call (param $p i32) (result i32)
          {call}
          (i32.const 512))
        (export "selaras:plugin/mapper@0.1.0#to-cloud" (func $call))
        (export "selaras:plugin/mapper@0.1.0#to-local" (func $call))
        (data (i32.const 2048) "{name}")
        (data (i32.const 2900) "1.2.3")
        (data (i32.const 2908) "A fixture")
        (data (i32.const 3000) "sorry")
        (data (i32.const 3008) "{WHY}"))"#,
        name_len = name.len(),
    );
    let mut module = wat::parse_str(&module).unwrap_or_else(|error| panic!("{error}\n{module}"));
    let mut resolve = Resolve::default();
    let wit = include_str!("../../../../wit/plugin.wit");
    let package = resolve.push_source("plugin.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some("mapper-plugin")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .unwrap();
    encoder.encode().unwrap()
}
