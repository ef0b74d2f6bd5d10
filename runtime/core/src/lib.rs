//! The rules of Selaras: what a change, an update, a result and a verdict do to an entity. Pure: no I/O, no async, no
//! clock and no randomness of its own; time and identifiers come in as arguments.
//!
//! An [`entity::Entity`] is a value: a record and its queue. Each rule takes one and changes it in memory; the engine
//! commits the difference.

pub mod accept;
pub mod backoff;
pub mod checkpoint;
pub mod clock;
pub mod conflict;
pub mod daily;
pub mod decimal;
pub mod doubt;
pub mod echo;
pub mod entity;
#[cfg(test)]
mod fixture;
pub mod id;
pub mod item;
pub mod json;
pub mod matching;
pub mod offset;
pub mod past;
pub mod payload;
pub mod push;
pub mod rate;
pub mod receive;
pub mod record;
pub mod requeue;
pub mod resync;
pub mod session;
pub mod settle;
pub mod share;
pub mod stamp;
pub mod tombstone;
pub mod update;
