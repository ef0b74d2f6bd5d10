//! The heap of a plugin: first what its memory has from the start, then what it asks for.
//!
//! An outlet gives each conflict a fresh instance, which is gone when it has answered. So the room there is from the start
//! is handed out front to back, and begins anew when nothing of it is in use, as between two documents of a mapper. Only
//! what finds no place there is kept account of, in memory that grows: that has to be made accessible and taken away again
//! by the system in each instance, which costs more than most rules do.

#![expect(unsafe_code, reason = "an allocator hands out memory")]

mod first;
#[cfg(target_arch = "wasm32")]
mod instance;
