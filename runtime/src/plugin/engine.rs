//! How wasmtime is set up: what WebAssembly may use here, and where instances live.
//!
//! Everything that changes compiled code is decided here, so that one hash ([`compatibility`]) tells whether cached
//! code fits.

use std::hash::{Hash, Hasher};

use sha2::{Digest, Sha256};
use wasmtime::{Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use super::error::HostError;
use super::limits::{CORE_INSTANCES_PER_COMPONENT, CallLimits, MEMORIES_PER_COMPONENT, TABLES_PER_COMPONENT};

/// Address space of one memory. With the whole 4 GiB of a 32-bit memory reserved, compiled code needs no bounds
/// checks; it is address space only.
const POOLED_RESERVATION: u64 = 4 << 30;

/// The same where address space is scarce (the pool could not be had): just what a plugin gets by default, with checks.
const PLAIN_RESERVATION: u64 = 32 << 20;

/// Bytes of a memory that stay with its slot between calls. A small guest touches less than this and then costs no
/// page faults; with few slots it is nothing to the process.
const KEEP_RESIDENT: usize = 256 << 10;

/// WebAssembly stack. Worker threads have room for this and a lookup on top of it.
pub(super) const WASM_STACK: usize = 512 << 10;

/// Builds the engine with a pool for `slots` instances at a time; without a pool where that cannot be had.
pub(super) fn start(slots: u32) -> Result<Engine, HostError> {
    let mut pooled = code(true);
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(slots)));
    match Engine::new(&pooled) {
        Ok(engine) => Ok(engine),
        Err(error) => {
            tracing::warn!(%error, "no pool for plugin instances; each call allocates its own");
            Engine::new(&code(false)).map_err(HostError::Engine)
        }
    }
}

/// An engine that only compiles, for one that [`start`] made with or without a pool. It reserves nothing.
pub(super) fn compiler(pooled: bool) -> Result<Engine, HostError> {
    Engine::new(&code(pooled)).map_err(HostError::Engine)
}

/// All that decides what the code looks like.
fn code(pooled: bool) -> Config {
    let mut config = base();
    if pooled {
        config.memory_reservation(POOLED_RESERVATION);
    } else {
        config.memory_reservation(PLAIN_RESERVATION);
        // A memory that outgrows it is moved to where there is just as much room as it needs.
        config.memory_reservation_for_growth(0);
    }
    config
}

fn base() -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        // Off without it wasmtime 48 panics compiling some composed components; the sum of the bytes is limited.
        .wasm_multi_memory(true)
        .wasm_memory64(false)
        .shared_memory(false)
        .gc_support(false)
        .concurrency_support(false)
        // The same answer on every processor (promise 10).
        .cranelift_nan_canonicalization(true)
        .relaxed_simd_deterministic(true)
        .cranelift_opt_level(OptLevel::Speed)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(WASM_STACK)
        // A trap's code and message say enough; frames cost time on every trap and room in every artifact.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .native_unwind_info(false);
    config
}

fn pool(slots: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(slots)
        .total_core_instances(slots * CORE_INSTANCES_PER_COMPONENT)
        .max_core_instances_per_component(CORE_INSTANCES_PER_COMPONENT)
        .total_memories(slots * MEMORIES_PER_COMPONENT)
        .max_memories_per_component(MEMORIES_PER_COMPONENT)
        .max_memories_per_module(MEMORIES_PER_COMPONENT)
        .max_memory_size(CallLimits::MOST.memory_bytes)
        .total_tables(slots * TABLES_PER_COMPONENT)
        .max_tables_per_component(TABLES_PER_COMPONENT)
        .max_tables_per_module(TABLES_PER_COMPONENT)
        .table_elements(CallLimits::MOST.table_elements)
        .linear_memory_keep_resident(KEEP_RESIDENT)
        .table_keep_resident(4 << 10)
        .pagemap_scan(Enabled::Auto)
        // One warm slot for each plugin that is in use, or nearly.
        .max_unused_warm_slots(slots * 2)
        .decommit_batch_size(1);
    pool
}

/// A digest of all that makes compiled code fit this engine: wasmtime's version, these settings, the processor.
pub(super) fn compatibility(engine: &Engine) -> [u8; 32] {
    let mut hasher = ShaHasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize().into()
}

/// `Hash` into SHA-256: the standard hasher is neither stable over releases nor wide enough for a file's name.
struct ShaHasher(Sha256);

impl Hasher for ShaHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        u64::from_le_bytes(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_compiles_makes_code_that_fits() {
        let fits = |engine: &Engine, pooled| {
            let compiler = compiler(pooled).unwrap();
            compatibility(engine) == compatibility(&compiler)
        };
        let pooled = start(1).unwrap();
        assert!(pooled.get_pooling_config().is_some() && fits(&pooled, true) && !fits(&pooled, false));
        let plain = compiler(false).unwrap();
        assert!(fits(&plain, false));
    }
}
