//! Write Selaras plugins in Rust.
//!
//! Owns what a plugin author touches: the [`Strategy`] and [`Mapper`] traits, documents over their JSON text, settings,
//! lookups, the log, a merge by field, and a test double so that a plugin is tested natively, without WebAssembly. It must
//! not do I/O, read a clock, or pass a document's number through floating point. The generated bindings stay invisible.
#![doc = include_str!("../../README.md")]

pub mod json;
pub mod log;
pub mod lookup;
pub mod merge;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

#[doc(hidden)]
pub mod bindings;
mod context;
mod document;
mod error;
#[cfg(any(all(target_arch = "wasm32", feature = "heap"), test))]
mod heap;
mod info;
mod mapper;
mod settings;
mod strategy;

pub use context::Context;
pub use document::{Attrs, Document, Key};
pub use error::Error;
pub use info::Info;
pub use json::{Number, Object, Value};
pub use mapper::{Mapper, Outcome};
pub use settings::Settings;
pub use strategy::{Conflict, Decision, Strategy, Verdict};
