//! The plugin host: WebAssembly components that translate documents (mappers) and decide conflicts (strategies).
//!
//! It owns loading, limits and calls. It must not know the store, the engine, the cloud or HTTP: documents come in
//! as values, reads of the outlet's records through [`Lookup`], the time through [`HostConfig::monotonic_us`].
//!
//! The way of a component: `gate` (check → compile or cached code → trial instantiation → describe → self-test),
//! then `registry`, then `call` on the threads of `threads`. Nothing a plugin does can reach further than its
//! own call: time (`ticker`), memory (`limits`), what it may say (`guest`) and what it answers (`output`).

mod bindings;
pub mod bundle;
mod cache;
mod call;
mod compile;
mod convert;
mod engine;
mod error;
mod gate;
mod grants;
mod guest;
mod host;
mod life;
mod limits;
mod map;
mod output;
mod registry;
mod shadow;
mod shape;
pub mod signature;
mod stats;
mod threads;
mod ticker;
mod trial;
mod trusted;
mod values;
mod wasi;
mod watch;

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod tests;

pub use self::compile::{Compiling, answer as compile_as_child};
pub use self::error::{Failure, FailureCode, HostError, OwnError, Refusal, RefusalCode};
pub use self::gate::PluginInfo;
pub use self::grants::Grants;
pub use self::host::{Called, Candidate, Host, HostConfig, OnCall};
pub use self::life::{PluginEvent, Prepared, Trust};
pub use self::limits::{CallLimits, Limits};
pub use self::registry::{PluginState, PluginStatus, Source};
pub use self::shadow::{Difference, Said, ShadowStatus};
pub use self::shape::Kind;
pub use self::stats::Usage;
pub use self::trial::{Instances, Trial};
pub use self::values::{
    CallContext, Case, Decided, Decision, Direction, Document, Level, Lookup, LookupAnswer, Mapped, NoLookup,
    Tried, Verdict,
};
pub use self::watch::Noticed;
