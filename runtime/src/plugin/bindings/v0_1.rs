//! `selaras:plugin@0.1.0`, one module a world. Generated; nothing is written by hand here.
//!
//! The strategy world reuses the mapper world's imports and types, so the host implements each import once.

#![allow(missing_docs, reason = "generated from the wit, which holds the words")]
#![allow(clippy::all, clippy::pedantic, reason = "generated code")]

/// The world `mapper-plugin`, and the imports and types that both worlds share.
pub mod mapper {
    wasmtime::component::bindgen!({
        path: "src/plugin/bindings/v0_1",
        world: "mapper-plugin",
        imports: { default: trappable },
    });
}

/// The world `strategy-plugin`.
pub mod strategy {
    wasmtime::component::bindgen!({
        path: "src/plugin/bindings/v0_1",
        world: "strategy-plugin",
        imports: { default: trappable },
        with: {
            "selaras:plugin/types": super::mapper::selaras::plugin::types,
            "selaras:plugin/log": super::mapper::selaras::plugin::log,
            "selaras:plugin/lookup": super::mapper::selaras::plugin::lookup,
        },
    });
}
