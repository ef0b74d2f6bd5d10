//! The workbench of those who write plugins: new projects, builds, cases, laws, measurements.
//!
//! It asks plugins through the very host that an outlet runs, on questions that it is given or makes up from a seed. It
//! must not know the store, the engine, the cloud or HTTP, read a clock or a source of randomness, or print: what was
//! found is a value, and `cli` shows it.

mod bench;
mod build;
mod cases;
mod compare;
mod embedded;
mod laws;
mod project;
mod samples;
mod suite;
#[cfg(test)]
mod tests;
mod workbench;

pub use self::bench::{Measured, Row, measure};
pub use self::build::{BuildError, Built, build};
pub use self::cases::{CaseError, Suite};
pub use self::laws::{LawError, Outcome, Report, Wanted, laws};
pub use self::project::{Lang, Manifest, ProjectError, create, is_taken};
pub use self::suite::{Ran, run};
pub use self::workbench::{OpenError, Workbench};
