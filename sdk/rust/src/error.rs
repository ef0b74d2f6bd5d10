//! What a plugin says when it cannot decide or translate. The host keeps it with the conflict or the parked document.

use core::fmt;

/// A plugin's own failure. It never decides a conflict and never drops a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// Machine-readable, in kebab case, such as `invalid-document`.
    pub code: String,
    /// What is wrong and what to do, in words an admin understands.
    pub message: String,
    /// True: try again with backoff. False: wait until the plugin, its settings or a person changes something.
    pub retryable: bool,
    /// The field it is about.
    pub field: Option<String>,
}

impl Error {
    /// A failure that trying again will not heal.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            retryable: false,
            field: None,
        }
    }

    /// The same failure, worth trying again later.
    #[must_use]
    pub fn retryable(self) -> Self {
        Self {
            retryable: true,
            ..self
        }
    }

    /// The same failure, about one field.
    #[must_use]
    pub fn field(self, field: impl Into<String>) -> Self {
        Self {
            field: Some(field.into()),
            ..self
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.code)?;
        f.write_str(": ")?;
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
