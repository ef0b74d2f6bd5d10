//! What can go wrong, at the host's edge: a call's [`Failure`], a component's [`Refusal`], the host's [`HostError`].
//!
//! Codes are for machines and stay; messages are for people and may change. No HTTP here.

use serde::{Deserialize, Serialize};

/// Why a call gave nothing that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureCode {
    /// It ran out of time.
    #[serde(rename = "plugin-timeout")]
    Timeout,
    /// It trapped: unreachable code, memory or stack exhausted, a panic.
    #[serde(rename = "plugin-trap")]
    Trap,
    /// It answered with an error of its own, see [`Failure::own`].
    #[serde(rename = "plugin-error")]
    Error,
    /// Its answer breaks the interface's rules.
    #[serde(rename = "plugin-invalid-output")]
    InvalidOutput,
    /// There is no such plugin, it is of the other kind, or the host is shutting down.
    #[serde(rename = "plugin-missing")]
    Missing,
}

impl FailureCode {
    /// The code as it is kept and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "plugin-timeout",
            Self::Trap => "plugin-trap",
            Self::Error => "plugin-error",
            Self::InvalidOutput => "plugin-invalid-output",
            Self::Missing => "plugin-missing",
        }
    }
}

impl std::fmt::Display for FailureCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The plugin's own words of a `plugin-error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnError {
    /// E.g. `invalid-document`.
    pub code: String,
    /// The field it is about.
    pub field: Option<String>,
}

/// A call that gave nothing that can be used. It never decides anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Failure {
    /// What kind of failure.
    pub code: FailureCode,
    /// What happened, in words; safe to show.
    pub message: String,
    /// True: trying again later can help. False: it waits until the plugin, its settings or a person changes something.
    pub retryable: bool,
    /// The plugin's own error, for [`FailureCode::Error`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own: Option<OwnError>,
}

impl Failure {
    pub(super) fn timeout(message: impl Into<String>) -> Self {
        Self {
            code: FailureCode::Timeout,
            message: message.into(),
            retryable: true,
            own: None,
        }
    }

    pub(super) fn trap(message: impl Into<String>) -> Self {
        Self {
            code: FailureCode::Trap,
            message: message.into(),
            retryable: false,
            own: None,
        }
    }

    pub(super) fn invalid_output(message: impl Into<String>) -> Self {
        Self {
            code: FailureCode::InvalidOutput,
            message: message.into(),
            retryable: false,
            own: None,
        }
    }

    /// No plugin of this name and kind.
    pub fn missing(message: impl Into<String>) -> Self {
        Self {
            code: FailureCode::Missing,
            message: message.into(),
            retryable: false,
            own: None,
        }
    }

    pub(super) fn shutting_down() -> Self {
        Self {
            retryable: true,
            ..Self::missing("the plugin host is shutting down")
        }
    }

    /// The instance is gone; whoever shared it has to be asked again in a new one.
    pub(super) fn lost_the_instance(&self) -> bool {
        matches!(self.code, FailureCode::Timeout | FailureCode::Trap)
    }
}

/// Why a component is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalCode {
    /// The bytes are not WebAssembly.
    NotWebassembly,
    /// A core module, not a component.
    CoreModule,
    /// Larger than the limit.
    TooLarge,
    /// Damaged, or uses something that is switched off.
    Invalid,
    /// The compiler gave up or crashed.
    CompileFailed,
    /// It asks for something that plugins do not get.
    ImportNotAllowed,
    /// It is neither a mapper nor a strategy, or both, or of another version of the interface.
    WrongWorld,
    /// A function or interface is missing or has another type.
    MissingExport,
    /// It needs more memory, tables or instances than a plugin gets.
    OverLimits,
    /// It trapped while starting or describing itself.
    StartTrapped,
    /// It ran out of time while starting or describing itself.
    StartTimeout,
    /// What it says of itself cannot be used, e.g. its name.
    BadInfo,
    /// The sample call trapped, ran out of time or answered nonsense.
    SelfTestFailed,
    /// The name belongs to another plugin.
    NameTaken,
    /// Only signed components are taken, and it is not.
    NotSigned,
    /// Its signature does not hold.
    BadSignature,
    /// It is signed by nobody who is trusted.
    Untrusted,
    /// It was signed before what has run.
    Older,
    /// The name belongs to a plugin of the other kind.
    OtherKind,
    /// The host itself failed; the log says more.
    Internal,
}

impl RefusalCode {
    /// The code as it is kept and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotWebassembly => "not-webassembly",
            Self::CoreModule => "core-module",
            Self::TooLarge => "too-large",
            Self::Invalid => "invalid",
            Self::CompileFailed => "compile-failed",
            Self::ImportNotAllowed => "import-not-allowed",
            Self::WrongWorld => "wrong-world",
            Self::MissingExport => "missing-export",
            Self::OverLimits => "over-limits",
            Self::StartTrapped => "start-trapped",
            Self::StartTimeout => "start-timeout",
            Self::BadInfo => "bad-info",
            Self::SelfTestFailed => "self-test-failed",
            Self::NameTaken => "name-taken",
            Self::NotSigned => "not-signed",
            Self::BadSignature => "bad-signature",
            Self::Untrusted => "untrusted",
            Self::Older => "older",
            Self::OtherKind => "other-kind",
            Self::Internal => "internal",
        }
    }
}

/// A component that is not accepted, and what its author can do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}: {message}", code.as_str())]
pub struct Refusal {
    /// What kind of refusal.
    pub code: RefusalCode,
    /// What is wrong, in words; safe to show.
    pub message: String,
}

impl Refusal {
    /// Why, in words that are safe to show.
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// The host cannot work at all.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Neither the pooling nor the plain allocator can be set up.
    #[error("the WebAssembly engine cannot start: {0}")]
    Engine(#[source] wasmtime::Error),
    /// The interface cannot be linked.
    #[error("the plugin interface cannot be linked: {0}")]
    Link(#[source] wasmtime::Error),
    /// No thread to run plugins on.
    #[error("no thread for plugins: {0}")]
    Thread(#[source] std::io::Error),
}
