//! What one call may cost, and the meter that holds memory and tables to it.
//!
//! Time is held by the epoch (`ticker.rs`), what a plugin may say by `guest.rs`, its answers by `output.rs`.

use wasmtime::ResourceLimiter;

/// Limits of one plugin and one call. Each default has its reason beside it.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Wall time of a call with its instantiation. A decision takes 30 µs; an interpreter inside a component 1 ms.
    pub call_ms: u64,
    /// Wall time of each step of loading. Ten times a call: at start everything loads at once on two cores.
    pub load_ms: u64,
    /// Bytes summed over all linear memories of an instance. Two documents of 256 KiB, parsed, fit many times.
    pub memory_bytes: usize,
    /// Elements of each table. Rust guests need tens, a JavaScript engine about 2,000.
    pub table_elements: usize,
    /// Bytes lifted out of the guest by one host call or answer. Eight answers at their limit.
    pub lifted_bytes: usize,
    /// Log lines of a call that are kept.
    pub log_lines: usize,
    /// Bytes of all kept log lines of a call.
    pub log_bytes: usize,
    /// Reads of the outlet's records in a call; each is kept with the conflict.
    pub lookups: usize,
    /// Bytes of all recorded questions and answers of a call.
    pub lookup_bytes: usize,
    /// Bytes of a document that comes out.
    pub result_bytes: usize,
    /// Bytes of a reason that comes out.
    pub reason_bytes: usize,
    /// Bytes of a component file.
    pub component_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            call_ms: 100,
            load_ms: 1_000,
            memory_bytes: 32 << 20,
            table_elements: 10_000,
            lifted_bytes: 8 << 20,
            log_lines: 64,
            log_bytes: 16 << 10,
            lookups: 256,
            lookup_bytes: 1 << 20,
            result_bytes: 1 << 20,
            reason_bytes: 4 << 10,
            component_bytes: 8 << 20,
        }
    }
}

/// Core instances, tables and memories that one component may be composed of. They only size the pool's address
/// space; the sum of the bytes is what is limited.
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
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            memory_limit: limits.memory_bytes,
            memory_used: 0,
            table_limit: limits.table_elements,
            refused: None,
        }
    }

    /// Bytes of all its memories.
    pub(super) fn used(&self) -> usize {
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
        let mut meter = Meter::new(&Limits {
            memory_bytes: 3 << 16,
            ..Limits::default()
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
        let mut meter = Meter::new(&Limits::default());
        assert!(meter.table_growing(0, 10_000, None).unwrap());
        assert!(!meter.table_growing(0, 10_001, None).unwrap());
        assert!(meter.refused().unwrap().contains("table"));
    }
}
