//! Between the limits of a binding and what the plugin host is told. The host knows what is sensible.

use crate::engine::api::{PluginLimits, PluginLimitsPatch};
use crate::plugin::CallLimits;

impl Default for PluginLimits {
    fn default() -> Self {
        Self::from(CallLimits::default())
    }
}

impl From<CallLimits> for PluginLimits {
    fn from(limits: CallLimits) -> Self {
        Self {
            timeout_ms: limits.timeout_ms,
            memory_bytes: limits.memory_bytes as u64,
            table_elements: limits.table_elements as u64,
            lifted_bytes: limits.lifted_bytes as u64,
            log_lines: limits.log_lines as u64,
            result_bytes: limits.result_bytes as u64,
        }
    }
}

impl From<PluginLimits> for CallLimits {
    fn from(limits: PluginLimits) -> Self {
        let size = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        Self {
            timeout_ms: limits.timeout_ms,
            memory_bytes: size(limits.memory_bytes),
            table_elements: size(limits.table_elements),
            lifted_bytes: size(limits.lifted_bytes),
            log_lines: size(limits.log_lines),
            result_bytes: size(limits.result_bytes),
        }
    }
}

/// What is wrong with the limits, by field.
pub fn problems(patch: &PluginLimitsPatch) -> Vec<(String, String)> {
    let (least, most) = (
        PluginLimits::from(CallLimits::LEAST),
        PluginLimits::from(CallLimits::MOST),
    );
    let bounds = [
        ("timeout_ms", patch.timeout_ms, least.timeout_ms, most.timeout_ms),
        (
            "memory_bytes",
            patch.memory_bytes,
            least.memory_bytes,
            most.memory_bytes,
        ),
        (
            "table_elements",
            patch.table_elements,
            least.table_elements,
            most.table_elements,
        ),
        (
            "lifted_bytes",
            patch.lifted_bytes,
            least.lifted_bytes,
            most.lifted_bytes,
        ),
        ("log_lines", patch.log_lines, least.log_lines, most.log_lines),
        (
            "result_bytes",
            patch.result_bytes,
            least.result_bytes,
            most.result_bytes,
        ),
    ];
    bounds
        .into_iter()
        .filter(|(_, value, least, most)| value.is_some_and(|value| !(*least..=*most).contains(&value)))
        .map(|(field, _, least, most)| (format!("limits.{field}"), format!("{least} to {most}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_set_is_as_the_host_has_it_and_the_bounds_are_named() {
        let set = PluginLimitsPatch {
            timeout_ms: Some(0),
            memory_bytes: Some(1 << 40),
            log_lines: Some(0),
            ..PluginLimitsPatch::default()
        };
        let fields: Vec<String> = problems(&set).into_iter().map(|(field, _)| field).collect();
        assert_eq!(fields, ["limits.timeout_ms", "limits.memory_bytes"]);
        assert_eq!(problems(&PluginLimitsPatch::default()), []);
        let within = set.over(PluginLimits::default());
        assert_eq!(
            CallLimits::from(within).lifted_bytes,
            CallLimits::default().lifted_bytes
        );
        assert_eq!(CallLimits::from(within).log_lines, 0);
    }
}
