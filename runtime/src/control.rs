//! The control socket: what the commands of this machine ask of a running outlet, over `control.sock` in the data
//! directory. Who can open it owns the data, so it needs no password.
//!
//! Owns the protocol (`protocol.rs`, where it is described), both its ends, and the socket's file. It must not do the
//! work: it asks the engine, and knows nothing below its handle. A new command is a case of [`Command`] and an arm in
//! `commands.rs`.

mod client;
mod commands;
mod connection;
mod protocol;
mod server;
mod socket;

pub use client::{Answer, Client, ClientError};
pub use protocol::{BackupMade, BackupSent, Command, Exported, Health, Listed, MAX_FRAME_BYTES, Rewritten};
pub use server::Server;
pub use socket::SOCKET;

#[cfg(test)]
mod tests;
