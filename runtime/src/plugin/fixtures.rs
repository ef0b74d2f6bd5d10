//! Small components for tests, written as WebAssembly text against the canonical ABI.
//!
//! A fixture behaves itself in the self-test (unless it says otherwise) and does its worst in a real call. Offsets
//! follow from `wit/plugin.wit` by the canonical ABI's layout rules.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// The interface as it is.
pub(super) const WIT: &str = include_str!("../../../wit/plugin.wit");

/// The self-test's clock, by which a fixture knows that it is being tested.
pub(super) const SAMPLE_NOW_MS: u64 = 1_767_225_600_000;

/// Where a call's parameters hold what fixtures look at, from the pointer `$p`.
pub(super) mod at {
    /// The call's time, u64.
    pub const NOW: u32 = 16;
    /// A strategy's `conflict.local.body`, pointer and length.
    pub const LOCAL_BODY: u32 = 40 + 104 + 84;
    /// A strategy's `conflict.cloud.key`: type and id, pointer and length each.
    pub const CLOUD_KEY: u32 = 40 + 200;
    /// A mapper's `doc.key.id`, pointer and length.
    pub const DOC_ID: u32 = 40 + 8;
}

/// Imports of all look-ups.
pub(super) const LOOKUP: &str = r#"
    (import "selaras:plugin/lookup@0.1.0" "get" (func $get (param i32 i32 i32 i32 i32)))
    (import "selaras:plugin/lookup@0.1.0" "local-id" (func $local_id (param i32 i32 i32 i32 i32)))
    (import "selaras:plugin/lookup@0.1.0" "cloud-id" (func $cloud_id (param i32 i32 i32 i32 i32)))"#;

/// The component of [`Fixture::asks`], for tests above the host.
pub(crate) fn asks() -> Vec<u8> {
    Fixture::asks().build()
}

/// A strategy that merges everything to this text.
pub(crate) fn merges_to(text: &str) -> Vec<u8> {
    Fixture::verdict("merges", 2, text, "always the same").build()
}

/// A strategy that never answers.
pub(crate) fn hangs() -> Vec<u8> {
    Fixture::strategy("hangs", "(call $forever) unreachable").build()
}

/// A mapper that passes the first document of an instance as it is and skips those that follow.
pub(crate) fn remembers() -> Vec<u8> {
    let call = "(global.set $count (i32.add (global.get $count) (i32.const 1)))
        (if (i32.gt_u (global.get $count) (i32.const 1)) (then (return (call $skip {0}))))
        (call $put (local.get $p))";
    Fixture::mapper("remembers", call).texts(&["seen one"]).build()
}

/// A mapper both ways to this text.
pub(crate) fn maps_to(text: &str) -> Vec<u8> {
    let call = "(drop (call $put (local.get $p))) (call $body {0}) (i32.const 512)";
    Fixture::mapper("maps", call).texts(&[text]).build()
}

/// A component to be.
#[derive(Clone)]
pub(super) struct Fixture {
    mapper: bool,
    name: &'static str,
    wit: String,
    world: String,
    /// `resolve`, or `to-cloud` and `to-local`: takes `$p`, leaves the answer's address.
    call: String,
    /// What runs while the component starts.
    start: String,
    /// Runs before `describe` answers.
    describe: String,
    /// Fields of the module besides: imports first.
    imports: String,
    /// Runs first whenever the host asks for room, `$size` bytes of it.
    realloc: String,
    afterwards: String,
    pages: u32,
    polite: bool,
    texts: Texts,
}

/// Constant strings in the module's memory.
#[derive(Clone, Default)]
struct Texts {
    at: usize,
    data: String,
}

impl Texts {
    /// Puts a text into memory; answers `(i32.const ADDRESS) (i32.const LENGTH)`.
    fn put(&mut self, text: &str) -> String {
        let address = 2_048 + self.at;
        let escaped: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
        self.data
            .push_str(&format!("(data (i32.const {address}) \"{escaped}\")\n"));
        self.at += text.len();
        assert!(self.at < 60_000, "the fixture's texts end before its heap");
        format!("(i32.const {address}) (i32.const {})", text.len())
    }
}

impl Fixture {
    fn new(mapper: bool, name: &'static str, call: &str) -> Self {
        Self {
            mapper,
            name,
            wit: WIT.to_owned(),
            world: if mapper {
                "mapper-plugin"
            } else {
                "strategy-plugin"
            }
            .to_owned(),
            call: call.to_owned(),
            start: String::new(),
            describe: String::new(),
            imports: String::new(),
            realloc: String::new(),
            afterwards: String::new(),
            pages: 2,
            polite: true,
            texts: Texts::default(),
        }
    }

    /// A strategy whose `resolve` runs `call`.
    pub(super) fn strategy(name: &'static str, call: &str) -> Self {
        Self::new(false, name, call)
    }

    /// A strategy that merges to what it is answered about the entity itself, because of the outlet's id of the category
    /// that the cloud calls `cloud-c1`; it asks for the cloud's id of the category `c9` too.
    pub(super) fn asks() -> Self {
        let key: String = (0..4)
            .map(|n| format!("(i32.load offset={} (local.get $p)) ", at::CLOUD_KEY + 4 * n))
            .collect();
        let call = format!(
            "(call $get {key} (i32.const 1024))
             (call $local_id {{0}} {{1}} (i32.const 1200))
             (call $cloud_id {{0}} {{2}} (i32.const 1216))
             (call $verdict (i32.const 2)
               (i32.load (i32.const {body})) (i32.load (i32.const {length}))
               (i32.load (i32.const 1204)) (i32.load (i32.const 1208)))",
            body = 1024 + 8 + 84,
            length = 1024 + 8 + 88,
        );
        Self::strategy("asks", &call)
            .imports(LOOKUP)
            .texts(&["category", "cloud-c1", "c9"])
    }

    /// A mapper whose functions both run `call`.
    pub(super) fn mapper(name: &'static str, call: &str) -> Self {
        Self::new(true, name, call)
    }

    /// A strategy that gives this verdict.
    pub(super) fn verdict(name: &'static str, decision: u32, merged: &str, reason: &str) -> Self {
        let mut fixture = Self::strategy(name, "");
        let (merged, reason) = (fixture.texts.put(merged), fixture.texts.put(reason));
        fixture.call = format!("(call $verdict (i32.const {decision}) {merged} {reason})");
        fixture
    }

    /// Names texts for `call`: `{0}` stands for the first.
    pub(super) fn texts(mut self, texts: &[&str]) -> Self {
        for (n, text) in texts.iter().enumerate() {
            let placed = self.texts.put(text);
            self.call = self.call.replace(&format!("{{{n}}}"), &placed);
        }
        self
    }

    pub(super) fn start(mut self, code: &str) -> Self {
        self.start = format!("(func $start {code}) (start $start)");
        self
    }

    pub(super) fn describe(mut self, code: &str) -> Self {
        self.describe = code.to_owned();
        self
    }

    pub(super) fn imports(mut self, fields: &str) -> Self {
        self.imports = fields.to_owned();
        self
    }

    pub(super) fn realloc(mut self, code: &str) -> Self {
        self.realloc = code.to_owned();
        self
    }

    /// Runs after each answer of a strategy was read.
    pub(super) fn afterwards(mut self, code: &str) -> Self {
        self.afterwards = format!(
            "(func (export \"cabi_post_selaras:plugin/strategy@0.1.0#resolve\") (param $p i32) {code})"
        );
        self
    }

    pub(super) fn pages(mut self, pages: u32) -> Self {
        self.pages = pages;
        self
    }

    /// Does its worst in the self-test already.
    pub(super) fn rude(mut self) -> Self {
        self.polite = false;
        self
    }

    /// Builds against another interface or world.
    pub(super) fn world(mut self, wit: String, world: &str) -> Self {
        self.wit = wit;
        self.world = world.to_owned();
        self
    }

    /// The component's bytes.
    pub(super) fn build(&self) -> Vec<u8> {
        let module = self.module();
        encode(
            wat::parse_str(&module).unwrap_or_else(|error| panic!("{error}\n{module}")),
            &self.wit,
            &self.world,
        )
    }

    fn module(&self) -> String {
        let Self {
            imports,
            start,
            describe,
            call,
            realloc,
            afterwards,
            pages,
            ..
        } = self;
        let mut texts = self.texts.clone();
        let version = texts.put("1.2.3");
        let about = texts.put("A fixture");
        let name = texts.put(self.name);
        let pair = |address: u32, text: &str| {
            let (ptr, len) = text.split_once(") (").expect("two constants");
            format!(
                "(i32.store (i32.const {address}) {ptr})) (i32.store (i32.const {}) ({len})",
                address + 4
            )
        };
        let info = [pair(64, &name), pair(72, &version), pair(80, &about)].concat();
        let (nicely, functions) = if self.mapper {
            (
                "(call $put (local.get $p))",
                ["mapper@0.1.0#to-cloud", "mapper@0.1.0#to-local"].as_slice(),
            )
        } else {
            let nothing = "(i32.const 0) (i32.const 0)";
            (
                &*format!("(call $verdict (i32.const 4) {nothing} {nothing})"),
                ["strategy@0.1.0#resolve"].as_slice(),
            )
        };
        let sample = SAMPLE_NOW_MS;
        let polite = if self.polite {
            format!(
                "(if (i64.eq (i64.load offset={} (local.get $p)) (i64.const {sample})) (then (return {nicely})))",
                at::NOW
            )
        } else {
            String::new()
        };
        let exports: String = functions
            .iter()
            .map(|function| format!("(export \"selaras:plugin/{function}\" (func $call))\n"))
            .collect();
        let data = &texts.data;
        format!(
            r#"(module
            {imports}
            (memory (export "memory") {pages})
            (table $table 1 funcref)
            (global $heap (mut i32) (i32.const 65536))
            (global $count (mut i32) (i32.const 0))
            (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32) (local $at i32)
              {realloc}
              (local.set $at (global.get $heap))
              (global.set $heap (i32.and (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 15)) (i32.const -16)))
              (block $fits
                (br_if $fits (i32.le_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))))
                (br_if $fits (i32.ne (i32.const -1) (memory.grow
                  (i32.add (i32.const 1) (i32.shr_u (local.get $size) (i32.const 16))))))
                unreachable)
              (local.get $at))
            ;; result<verdict, plugin-error> at 256
            (func $verdict (param $decision i32) (param $m i32) (param $ml i32) (param $r i32) (param $rl i32) (result i32)
              (i32.store (i32.const 256) (i32.const 0))
              (i32.store (i32.const 260) (local.get $decision))
              (i32.store (i32.const 264) (local.get $m)) (i32.store (i32.const 268) (local.get $ml))
              (i32.store (i32.const 272) (local.get $r)) (i32.store (i32.const 276) (local.get $rl))
              (i32.store (i32.const 280) (i32.const 0)) (i32.store (i32.const 284) (i32.const 0))
              (i32.const 256))
            ;; the error of a strategy, at 256
            (func $error (param $c i32) (param $cl i32) (param $m i32) (param $ml i32) (param $retry i32) (result i32)
              (i32.store (i32.const 256) (i32.const 1))
              (i32.store (i32.const 260) (local.get $c)) (i32.store (i32.const 264) (local.get $cl))
              (i32.store (i32.const 268) (local.get $m)) (i32.store (i32.const 272) (local.get $ml))
              (i32.store (i32.const 276) (local.get $retry))
              (i32.store (i32.const 280) (i32.const 1))
              (i32.store (i32.const 284) (local.get $c)) (i32.store (i32.const 288) (local.get $cl))
              (i32.const 256))
            ;; result<outcome, plugin-error> at 512: the document as it came
            (func $put (param $p i32) (result i32)
              (memory.copy (i32.const 528) (i32.add (local.get $p) (i32.const 40)) (i32.const 96))
              (i32.store (i32.const 512) (i32.const 0)) (i32.store (i32.const 520) (i32.const 0))
              (i32.const 512))
            (func $body (param $b i32) (param $bl i32)
              (i32.store (i32.const 612) (local.get $b)) (i32.store (i32.const 616) (local.get $bl)))
            (func $skip (param $r i32) (param $rl i32) (result i32)
              (i32.store (i32.const 512) (i32.const 0)) (i32.store (i32.const 520) (i32.const 1))
              (i32.store (i32.const 528) (local.get $r)) (i32.store (i32.const 532) (local.get $rl))
              (i32.const 512))
            (func $forever (loop $again (br $again)))
            {start}
            {afterwards}
            (func (export "selaras:plugin/info@0.1.0#describe") (result i32)
              {describe}
              {info}
              (i32.const 64))
            (func $call (param $p i32) (result i32) (local $n i32)
              {polite}
              {call})
            {exports}
            {data})"#
        )
    }
}

/// Makes a component of a core module that speaks `world`.
fn encode(mut module: Vec<u8>, wit: &str, world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve
        .push_source(
            "acme.wit",
            "package acme:net@1.0.0; interface socket { open: func() -> u32; }",
        )
        .unwrap();
    let package = resolve.push_source("plugin.wit", wit).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .unwrap()
        .encode()
        .unwrap()
}
