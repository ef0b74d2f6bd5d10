//! What one call may cost, and the meter that holds memory and tables to it.
//!
//! Time is held by the epoch (`ticker.rs`), what a plugin may say by `guest.rs`, its answers by `output.rs`.

use wasmtime::ResourceLimiter;

use super::grants::Grants;

/// Limits of one call, which a binding may set. Each default has its reason beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallLimits {
    /// Wall time of a call with its instantiation. A decision takes 30 µs; an interpreter inside a component 1 ms.
    pub timeout_ms: u64,
    /// Bytes summed over all linear memories of an instance. Two documents of 256 KiB, parsed, fit many times.
    pub memory_bytes: usize,
    /// Elements of each table. Rust guests need tens, a JavaScript engine about 2,000.
    pub table_elements: usize,
    /// Bytes lifted out of the guest by one host call or answer. Eight answers at their limit.
    pub lifted_bytes: usize,
    /// Log lines that are kept.
    pub log_lines: usize,
    /// Bytes of a document that comes out.
    pub result_bytes: usize,
}

impl Default for CallLimits {
    fn default() -> Self {
        Self {
            timeout_ms: 100,
            memory_bytes: 32 << 20,
            table_elements: 10_000,
            lifted_bytes: 8 << 20,
            log_lines: 64,
            result_bytes: 1 << 20,
        }
    }
}

impl CallLimits {
    /// The least that a plugin can be held to: any of the binary's own still works with it.
    pub const LEAST: Self = Self {
        timeout_ms: 1,
        memory_bytes: 2 << 20,
        table_elements: 100,
        lifted_bytes: 64 << 10,
        log_lines: 0,
        result_bytes: 1 << 10,
    };

    /// The most that a plugin can be given: two calls at a time, on a box with 1 GiB, for seconds.
    pub const MOST: Self = Self {
        timeout_ms: 5_000,
        memory_bytes: 256 << 20,
        table_elements: 100_000,
        lifted_bytes: 64 << 20,
        log_lines: 1_000,
        result_bytes: 8 << 20,
    };

    /// What a component is tried with at the gate: what it gets by default. One with the `large` grant is an interpreter
    /// most often; whether a binding gives it the memory is the binding's business.
    pub(super) fn of_trial(grants: Grants) -> Self {
        let memory_bytes = if grants.large {
            Self::MOST.memory_bytes
        } else {
            Self::default().memory_bytes
        };
        Self {
            memory_bytes,
            ..Self::default()
        }
    }
}

/// Limits that are the same for all plugins. Each default has its reason beside it.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Wall time of each step of loading. Ten times a call: at start everything loads at once on two cores.
    pub load_ms: u64,
    /// Wall time that every call gets on top of its own. None on an outlet; a simulation, whose time stands still in a
    /// call, wants no verdict to depend on how busy the machine is.
    pub grace_ms: u64,
    /// Bytes of all kept log lines of a call.
    pub log_bytes: usize,
    /// Reads of the outlet's records in a call; each is kept with the conflict.
    pub lookups: usize,
    /// Bytes of all recorded questions and answers of a call.
    pub lookup_bytes: usize,
    /// Bytes of a reason that comes out.
    pub reason_bytes: usize,
    /// Bytes of a component file.
    pub component_bytes: usize,
    /// The same with the `large` grant: Python inside a component has 18 MB.
    pub large_component_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            load_ms: 1_000,
            grace_ms: 0,
            log_bytes: 16 << 10,
            lookups: 256,
            lookup_bytes: 1 << 20,
            reason_bytes: 4 << 10,
            component_bytes: 8 << 20,
            large_component_bytes: 64 << 20,
        }
    }
}

/// Core instances, tables and memories that one component may be composed of. They only size the pool's address
/// space; the sum of the bytes is what is limited. Python with its libraries linked and WASI stubbed has 38 instances.
pub(super) const CORE_INSTANCES_PER_COMPONENT: u32 = 64;
/// See [`CORE_INSTANCES_PER_COMPONENT`].
pub(super) const TABLES_PER_COMPONENT: u32 = 16;
/// See [`CORE_INSTANCES_PER_COMPONENT`].
pub(super) const MEMORIES_PER_COMPONENT: u32 = 8;

/// Counts an instance's memory over all its memories, and remembers what it was refused.
#[derive(Debug)]
pub(super) struct Meter {
    memory_limit: usize,
    memory_used: usize,
    table_limit: usize,
    /// Bytes or elements it asked for in vain: a guest usually traps right afterwards, and this is why.
    refused: Option<String>,
}

impl Meter {
    pub(super) fn new(limits: &CallLimits) -> Self {
        Self {
            memory_limit: limits.memory_bytes,
            memory_used: 0,
            table_limit: limits.table_elements,
            refused: None,
        }
    }

    /// Bytes of all its memories. They never shrink, so this is also the most it had.
    pub(super) fn memory_used(&self) -> usize {
        self.memory_used
    }

    /// What it was refused, if anything.
    pub(super) fn refused(&self) -> Option<&str> {
        self.refused.as_deref()
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.memory_used.saturating_add(desired.saturating_sub(current));
        if total > self.memory_limit {
            let mib = self.memory_limit >> 20;
            self.refused = Some(format!(
                "it asked for {total} bytes of memory, a plugin gets {mib} MiB"
            ));
            return Ok(false);
        }
        self.memory_used = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if desired > self.table_limit {
            let limit = self.table_limit;
            self.refused = Some(format!(
                "it asked for {desired} table elements, a plugin gets {limit}"
            ));
            return Ok(false);
        }
        Ok(true)
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_PER_COMPONENT as usize
    }

    fn tables(&self) -> usize {
        TABLES_PER_COMPONENT as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_PER_COMPONENT as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_summed_over_all_memories() {
        let mut meter = Meter::new(&CallLimits {
            memory_bytes: 3 << 16,
            ..CallLimits::default()
        });
        assert!(meter.memory_growing(0, 2 << 16, None).unwrap());
        assert!(
            meter.memory_growing(0, 1 << 16, None).unwrap(),
            "a second memory fits exactly"
        );
        assert!(!meter.memory_growing(1 << 16, 2 << 16, None).unwrap());
        assert!(meter.refused().unwrap().contains("memory"));
    }

    #[test]
    fn tables_hold_no_more_than_their_limit() {
        let mut meter = Meter::new(&CallLimits::default());
        assert!(meter.table_growing(0, 10_000, None).unwrap());
        assert!(!meter.table_growing(0, 10_001, None).unwrap());
        assert!(meter.refused().unwrap().contains("table"));
    }
}
