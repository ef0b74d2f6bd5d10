//! Pages of lists, and why a question was not answered.

/// The store cannot serve now.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unavailable {
    /// No room on the disk (507).
    #[error("the disk is full: {0}")]
    DiskFull(String),
    /// Any other failure (503).
    #[error("the store does not answer: {0}")]
    Store(String),
}

/// One page of a list, with where the next begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The page.
    pub items: Vec<T>,
    /// Opaque bytes to go on with; none at the end. (HTTP encodes them.)
    pub next: Option<Vec<u8>>,
}

/// Where a page of a list begins and how long it may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// What an earlier page named as `next`.
    pub after: Option<Vec<u8>>,
    /// 1–500.
    pub limit: usize,
}

/// Why a list could not be given.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The cursor is not one of this list's.
    #[error("the cursor is not one that this list gave out")]
    BadCursor,
    /// No such thing.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The store does not answer.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
