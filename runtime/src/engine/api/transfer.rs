//! Entities on their way out as lines, and lines on their way in as changes.

use super::Unavailable;

/// A stretch of an export: whole lines, and where the next begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportPage {
    /// One JSON object a line, each with its line's end.
    pub lines: Vec<u8>,
    /// How many.
    pub count: u64,
    /// What to go on with; none at the end.
    pub next: Option<Vec<u8>>,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Imported {
    /// Lines that were read, empty ones included.
    pub lines: u64,
    /// Changes that were taken in.
    pub taken: u64,
    /// Changes that an earlier import of the same file had taken in.
    pub repeated: u64,
}

/// Why an import ended. What was taken in before stays, of the batch at hand nothing is.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A line is wrong.
    #[error("line {line}: {problem}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// More at a time than is taken in as one.
    #[error("a batch has at most {most} lines")]
    TooMany {
        /// So many.
        most: usize,
    },
    /// The store does not take it.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
