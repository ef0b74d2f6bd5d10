//! The plugins as shown.

/// A plugin as shown (`GET /api/v1/plugins`).
#[derive(Clone, Debug, PartialEq)]
pub struct PluginView {
    /// E.g. `newest_wins`.
    pub name: String,
    /// `strategy` or `mapper`; none when it was refused.
    pub kind: Option<&'static str>,
    /// What it says of itself.
    pub version: String,
    /// What it says of itself.
    pub description: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// `active` or `refused`.
    pub state: &'static str,
    /// Why it was refused.
    pub problem: Option<String>,
    /// `embedded`, or the file's name.
    pub source: String,
    /// Types bound to it.
    pub bound_types: Vec<String>,
    /// Calls since start.
    pub calls: u64,
    /// Of which failed.
    pub errors: u64,
    /// Median time of a call.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// Fuel since start, 0 where it is not metered.
    pub fuel: u64,
}
