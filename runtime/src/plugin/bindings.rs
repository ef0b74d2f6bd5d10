//! The Rust side of the plugin interface, a module a released version. Each version's wit is kept beside its module, as it
//! was released, so that plugins built for it run for as long as the module stands here.
//!
//! A new version gets a module of its own, a line in `shape.rs`, and is converted to the newest one's values.

pub mod v0_1;

pub use v0_1::mapper::selaras::plugin::{log, lookup, types};
pub use v0_1::{mapper, strategy};
