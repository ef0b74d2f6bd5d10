//! What a plugin's call of one entity type may cost.

use serde::{Deserialize, Serialize};

/// The limits in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct PluginLimits {
    /// Wall time of a call.
    pub timeout_ms: u64,
    /// Bytes of all its memories together.
    pub memory_bytes: u64,
    /// Elements of each of its tables.
    pub table_elements: u64,
    /// Bytes that it may hand over in one answer or host call.
    pub lifted_bytes: u64,
    /// Log lines that are kept.
    pub log_lines: u64,
    /// Bytes of a document that comes out.
    pub result_bytes: u64,
}

/// Limits as they are set. `None`: as the default binding says, else the runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct PluginLimitsPatch {
    /// See [`PluginLimits`].
    pub timeout_ms: Option<u64>,
    /// See [`PluginLimits`].
    pub memory_bytes: Option<u64>,
    /// See [`PluginLimits`].
    pub table_elements: Option<u64>,
    /// See [`PluginLimits`].
    pub lifted_bytes: Option<u64>,
    /// See [`PluginLimits`].
    pub log_lines: Option<u64>,
    /// See [`PluginLimits`].
    pub result_bytes: Option<u64>,
}

impl PluginLimitsPatch {
    /// These over `below`.
    #[must_use]
    pub fn over(&self, below: PluginLimits) -> PluginLimits {
        PluginLimits {
            timeout_ms: self.timeout_ms.unwrap_or(below.timeout_ms),
            memory_bytes: self.memory_bytes.unwrap_or(below.memory_bytes),
            table_elements: self.table_elements.unwrap_or(below.table_elements),
            lifted_bytes: self.lifted_bytes.unwrap_or(below.lifted_bytes),
            log_lines: self.log_lines.unwrap_or(below.log_lines),
            result_bytes: self.result_bytes.unwrap_or(below.result_bytes),
        }
    }
}
