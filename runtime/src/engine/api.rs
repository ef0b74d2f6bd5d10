//! What the engine's handle takes and answers. Plain values: no HTTP, no rows, no wire shapes of the cloud.
//! `http` turns requests into these and these into the contract's JSON.

mod access;
mod audit;
mod backup;
mod changes;
mod config;
mod conflicts;
mod entities;
mod hooks;
mod limits;
mod lists;
mod parked;
mod plugins;
mod resync;
mod simulate;
mod store;
mod sync;
mod transfer;

pub use access::*;
pub use audit::*;
pub use backup::*;
pub use changes::*;
pub use config::*;
pub use conflicts::*;
pub use entities::*;
pub use hooks::*;
pub use limits::*;
pub use lists::*;
pub use parked::*;
pub use plugins::*;
pub use resync::*;
pub use simulate::*;
pub use store::*;
pub use sync::*;
pub use transfer::*;
