//! The laws that a good plugin keeps, tried on its cases and on variations of them.
//!
//! A law that is broken comes with the smallest thing that shows it: the question and both answers. A law that no
//! question touched is not called kept.

mod answers;
mod mapper;
mod money;
mod strategy;

use std::path::PathBuf;

use super::cases::{CaseError, Suite};
use super::workbench::Workbench;
use crate::plugin::Kind;

/// What is asked for beside the laws that every plugin keeps.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The settings where there are no cases: the text of a JSON object.
    pub settings: String,
    /// Files of cases to start from; none: documents of a shop.
    pub cases: Vec<PathBuf>,
    /// The strategy treats both sides alike.
    pub symmetric: bool,
    /// Paths of fields whose amounts no merge may change, e.g. `total` or `lines.price`.
    pub money: Vec<String>,
    /// Questions.
    pub rounds: usize,
    /// What the variations follow from.
    pub seed: u64,
}

/// What became of one law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The law in a few words.
    pub law: &'static str,
    /// It was asked for by name, so that not to show it is to fail.
    pub demanded: bool,
    /// What was found.
    pub outcome: Outcome,
}

/// What was found of a law.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// So many questions showed it.
    Kept(usize),
    /// No question could show it, and why.
    NotShown(&'static str),
    /// So many of so many broke it, and the first of them.
    Broken {
        /// Questions that broke it.
        times: usize,
        /// Questions that could have.
        of: usize,
        /// The first, in lines.
        example: Vec<String>,
    },
}

/// Why laws were not tried.
#[derive(Debug, thiserror::Error)]
pub enum LawError {
    /// A file of cases cannot be used.
    #[error(transparent)]
    Cases(#[from] CaseError),
    /// A law of strategies was asked of a mapper.
    #[error("{name} is a mapper, and {option} asks for a law of strategies; a mapper's laws need no option")]
    NotAStrategy {
        /// The plugin.
        name: String,
        /// The option.
        option: &'static str,
    },
    /// The settings are no JSON object.
    #[error("the settings are not the text of a JSON object: {0}")]
    Settings(selaras_core::json::DocError),
    /// It answered nothing but errors of its own.
    #[error(
        "{name} answered none of {asked} questions but with errors of its own, so nothing is shown; the first: {first}. Give it \
         cases, or settings"
    )]
    NothingAnswered {
        /// The plugin.
        name: String,
        /// Questions.
        asked: usize,
        /// The first error.
        first: String,
    },
}

/// Tries all laws of the plugin's kind.
///
/// # Errors
/// When nothing can be shown.
pub fn laws(bench: &Workbench, wanted: &Wanted) -> Result<Vec<Report>, LawError> {
    selaras_core::json::Doc::parse(&wanted.settings).map_err(LawError::Settings)?;
    let suite = match wanted.cases.as_slice() {
        [] => None,
        files => Some(Suite::read(files, bench.info.kind)?),
    };
    match bench.info.kind {
        Kind::Strategy => strategy::laws(bench, wanted, suite),
        Kind::Mapper => {
            let not = |option| LawError::NotAStrategy {
                name: bench.info.name.clone(),
                option,
            };
            if wanted.symmetric {
                return Err(not("--symmetric"));
            }
            if !wanted.money.is_empty() {
                return Err(not("--money"));
            }
            mapper::laws(bench, wanted, suite)
        }
    }
}

/// Counts what a law was tried on.
struct Tally {
    law: &'static str,
    tried: usize,
    broken: usize,
    example: Vec<String>,
}

impl Tally {
    fn new(law: &'static str) -> Self {
        Self {
            law,
            tried: 0,
            broken: 0,
            example: Vec::new(),
        }
    }

    /// One more question; `problem` in lines if it broke the law.
    fn count(&mut self, problem: Option<Vec<String>>) {
        self.tried += 1;
        if let Some(lines) = problem {
            self.broken += 1;
            if self.broken == 1 {
                self.example = lines;
            }
        }
    }

    fn report(self, not_shown: &'static str) -> Report {
        let outcome = match (self.tried, self.broken) {
            (0, _) => Outcome::NotShown(not_shown),
            (tried, 0) => Outcome::Kept(tried),
            (of, times) => Outcome::Broken {
                times,
                of,
                example: self.example,
            },
        };
        Report {
            law: self.law,
            demanded: false,
            outcome,
        }
    }
}
