//! Compiling a component to machine code: bytes go in, an [`Artifact`] or words come out. Whatever the compiler does,
//! the caller gets an answer.
//!
//! What others wrote is compiled by a child process with limits (`compile/child.rs`): a component can be made so that
//! compiling it takes hours, all memory, or the compiler's life.

mod child;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use wasmtime::Engine;

use super::error::{Refusal, RefusalCode};
use super::grants::Grants;
use super::trusted::Artifact;

pub use self::child::answer;

/// Where components of others are compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compiling {
    /// In this process, without limits: for tests, and components one trusts.
    Here,
    /// In a child process with limits. The program must be a `selaras` of this very build.
    Child(PathBuf),
}

impl Compiling {
    /// In a child of the running program, also when its file was replaced meanwhile.
    #[must_use]
    pub fn by_this_program() -> Self {
        Self::Child(PathBuf::from("/proc/self/exe"))
    }

    /// Compiles `component`, whose size the caller has bounded.
    ///
    /// # Errors
    ///
    /// A refusal that says what the compiler did not like, or which limit it ran into.
    pub(super) fn compile(
        &self,
        engine: &Engine,
        component: &[u8],
        grants: Grants,
    ) -> Result<Artifact, Refusal> {
        let code = match self {
            Self::Here => compile(engine, component)?,
            Self::Child(program) => {
                child::compile(program, engine.get_pooling_config().is_some(), component, grants)?
            }
        };
        Ok(Artifact::from_compiler(code))
    }
}

/// Compiles in this process; a panic of the compiler is a refusal, too.
fn compile(engine: &Engine, component: &[u8]) -> Result<Vec<u8>, Refusal> {
    // The engine is only read; what a panic leaves behind is garbage that nobody sees.
    match catch_unwind(AssertUnwindSafe(|| engine.precompile_component(component))) {
        Ok(Ok(code)) => Ok(code),
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
