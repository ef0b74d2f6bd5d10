//! The store as shown: whether it serves, the room it has, and what opening it took.

use selaras_core::stamp::Millis;

/// How the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreHealth {
    /// `open`, `compacting` or `reopening`.
    pub state: &'static str,
    /// What stopped it.
    pub error: Option<String>,
    /// Bytes its files take.
    pub bytes_on_disk: u64,
    /// Bytes of what is in it.
    pub live_bytes: u64,
    /// Free bytes on its disk.
    pub free_bytes: u64,
    /// Below so many free bytes nothing new is taken.
    pub min_free_bytes: u64,
    /// Whether new changes are taken.
    pub accepts_changes: bool,
    /// What had to be done to open it, since the process started: when, and what.
    pub recovered: Vec<(Millis, String)>,
}
