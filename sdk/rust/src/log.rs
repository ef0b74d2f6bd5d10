//! Lines for the outlet's log. The host caps lines and bytes per call; what is over is dropped and counted.

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For who writes the plugin.
    Trace,
    /// For who looks for a fault.
    Debug,
    /// Worth knowing.
    Info,
    /// Wants attention some day.
    Warn,
    /// Wants attention now.
    Error,
}

/// Writes a line.
pub fn write(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    {
        use crate::bindings::imports::selaras::plugin::log as wit;
        let level = match level {
            Level::Trace => wit::Level::Trace,
            Level::Debug => wit::Level::Debug,
            Level::Info => wit::Level::Info,
            Level::Warn => wit::Level::Warn,
            Level::Error => wit::Level::Error,
        };
        wit::write(level, message);
    }
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::record_log(level, message);
}

/// Writes a line for who looks for a fault.
pub fn debug(message: &str) {
    write(Level::Debug, message);
}

/// Writes a line worth knowing.
pub fn info(message: &str) {
    write(Level::Info, message);
}

/// Writes a line that wants attention some day.
pub fn warn(message: &str) {
    write(Level::Warn, message);
}

/// Writes a line that wants attention now.
pub fn error(message: &str) {
    write(Level::Error, message);
}
