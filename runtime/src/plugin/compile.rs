//! Compiling a component to machine code.
//!
//! The seam for compiling in a child process: outside bytes go in, an [`Artifact`] or words come out. Whatever the
//! compiler does, the caller gets an answer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wasmtime::Engine;

use super::error::{Refusal, RefusalCode};
use super::trusted::Artifact;

/// Compiles `component`, whose size the caller has bounded.
///
/// # Errors
///
/// A refusal that says what the compiler did not like; also when the compiler panicked.
pub(super) fn compile(engine: &Engine, component: &[u8]) -> Result<Artifact, Refusal> {
    // The engine is only read; what a panic leaves behind is garbage that nobody sees.
    match catch_unwind(AssertUnwindSafe(|| engine.precompile_component(component))) {
        Ok(Ok(code)) => Ok(Artifact::from_compiler(code)),
        Ok(Err(error)) => Err(Refusal::new(
            RefusalCode::Invalid,
            format!("the component is damaged or uses what plugins may not: {error:#}"),
        )),
        Err(panic) => {
            let said = panic_words(panic.as_ref());
            tracing::error!(said, "the compiler panicked on a component");
            Err(Refusal::new(
                RefusalCode::CompileFailed,
                format!("the compiler cannot handle this component: {said}"),
            ))
        }
    }
}

/// What a panic said.
pub(super) fn panic_words(panic: &(dyn std::any::Any + Send)) -> &str {
    if let Some(words) = panic.downcast_ref::<&str>() {
        words
    } else if let Some(words) = panic.downcast_ref::<String>() {
        words
    } else {
        "it gave no reason"
    }
}
