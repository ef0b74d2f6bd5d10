//! What can go wrong between here and the cloud, told so that an admin understands it and the engine can choose
//! without reading text. It does not decide about retries.

use std::time::Duration;

/// Why a call has no usable answer. After anything but a refusal the cloud may or may not have acted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// No connection: DNS, TCP or TLS.
    #[error("the cloud cannot be reached: {0}")]
    Unreachable(String),
    /// The connection broke after the request began to leave.
    #[error("the connection to the cloud broke before its whole answer was here: {0}")]
    Interrupted(String),
    /// No whole answer in time.
    #[error("the cloud did not answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// 5xx.
    #[error("the cloud has a problem of its own (HTTP {status}){}", tail(excerpt))]
    Server {
        /// 500–599.
        status: u16,
        /// The beginning of what it said.
        excerpt: String,
        /// When it wants to be asked again, where it says so.
        retry_after: Option<Duration>,
    },
    /// 429, or a body that says so.
    #[error("the cloud asks for fewer requests{}", .retry_after.map(|d| format!(", and to wait {} s", d.as_secs())).unwrap_or_default())]
    RateLimited {
        /// How long to wait, where it says so; at most an hour.
        retry_after: Option<Duration>,
    },
    /// Nothing was sent: the limit on requests is used up. The engine's own word; the client never says it.
    #[error("the limit on requests to the cloud is used up; it goes on when the next one may be made")]
    OverLimit {
        /// Until then.
        wait: Duration,
    },
    /// 401.
    #[error("the cloud does not accept the API key (HTTP 401); check cloud_api_key{}", tail(.0))]
    Unauthorized(String),
    /// 403.
    #[error("the cloud does not let this outlet in (HTTP 403); check outlet_id, outlet_code and the key's rights{}", tail(.0))]
    Forbidden(String),
    /// 404.
    #[error("the cloud does not know this address or outlet (HTTP 404); check cloud_api_url and outlet_id{}", tail(.0))]
    NotFound(String),
    /// 410: of `updates`, that the checkpoint is too old.
    #[error("the cloud no longer has what was asked for (HTTP 410); the checkpoint is too old")]
    Gone,
    /// 413.
    #[error("the request is too large for the cloud (HTTP 413)")]
    TooLarge,
    /// Any other 4xx.
    #[error("the cloud refused the request (HTTP {status}){}", tail(message))]
    Refused {
        /// The status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// A 2xx whose body says `success: false`.
    #[error("the cloud answered that it did not succeed{}", tail(message))]
    NotSuccess {
        /// What it said.
        message: String,
    },
    /// An answer that is not the contract's.
    #[error("the cloud's answer makes no sense: {0}")]
    Nonsense(String),
}

impl LinkError {
    /// A word for logs, statistics and tests.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "unreachable",
            Self::Interrupted(_) => "interrupted",
            Self::Timeout(_) => "timeout",
            Self::Server { .. } => "server_error",
            Self::RateLimited { .. } => "rate_limited",
            Self::OverLimit { .. } => "over_limit",
            Self::Unauthorized(_) => "unauthorized",
            Self::Forbidden(_) => "forbidden",
            Self::NotFound(_) => "not_found",
            Self::Gone => "gone",
            Self::TooLarge => "too_large",
            Self::Refused { .. } => "refused",
            Self::NotSuccess { .. } => "not_success",
            Self::Nonsense(_) => "nonsense",
        }
    }

    /// How long the cloud asks to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Server { retry_after, .. } => *retry_after,
            Self::OverLimit { wait } => Some(*wait),
            _ => None,
        }
    }

    /// Whether what was sent is to blame (400, 413, 422), so that sending it alone finds the culprit.
    pub fn blames_payload(&self) -> bool {
        matches!(
            self,
            Self::TooLarge
                | Self::Refused {
                    status: 400 | 422,
                    ..
                }
        )
    }

    /// Whether any HTTP answer came: the line itself works.
    pub fn heard(&self) -> bool {
        !matches!(
            self,
            Self::Unreachable(_) | Self::Interrupted(_) | Self::Timeout(_)
        )
    }

    /// Whether other calls may well succeed all the same: the cloud answers, and neither refuses this outlet nor asks
    /// to be left alone.
    pub fn stops_only_this_call(&self) -> bool {
        self.heard()
            && !matches!(
                self,
                Self::Unauthorized(_)
                    | Self::Forbidden(_)
                    | Self::RateLimited { .. }
                    | Self::OverLimit { .. }
            )
    }

    /// Whether the cloud surely did nothing with the request.
    pub fn surely_not_applied(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::RateLimited { .. }
            | Self::OverLimit { .. }
            | Self::Unauthorized(_)
            | Self::Forbidden(_)
            | Self::NotFound(_)
            | Self::Gone
            | Self::TooLarge
            | Self::Refused { .. } => true,
            Self::Interrupted(_)
            | Self::Timeout(_)
            | Self::Server { .. }
            | Self::NotSuccess { .. }
            | Self::Nonsense(_) => false,
        }
    }
}

fn tail(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

/// The beginning of a text for a message: one line, no control characters, at most 200 characters.
pub(super) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut out = String::new();
    for word in text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|w| !w.is_empty())
    {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
        if let Some((cut, _)) = out.char_indices().nth(LONGEST) {
            out.truncate(cut);
            out.push('…');
            break;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_400_413_and_422_blame_the_payload() {
        let refused = |status| LinkError::Refused {
            status,
            message: String::new(),
        };
        assert!(refused(400).blames_payload() && refused(422).blames_payload());
        assert!(LinkError::TooLarge.blames_payload());
        for not in [
            refused(409),
            LinkError::Gone,
            LinkError::Unauthorized(String::new()),
            LinkError::RateLimited { retry_after: None },
            LinkError::Nonsense(String::new()),
            LinkError::Timeout(Duration::from_secs(1)),
        ] {
            assert!(!not.blames_payload(), "{not}");
        }
    }

    #[test]
    fn messages_say_what_to_check() {
        assert!(
            LinkError::Unauthorized(String::new())
                .to_string()
                .contains("cloud_api_key")
        );
        assert!(
            LinkError::NotFound("no such outlet".into())
                .to_string()
                .ends_with(": no such outlet")
        );
        let limited = LinkError::RateLimited {
            retry_after: Some(Duration::from_secs(30)),
        };
        assert_eq!(
            limited.to_string(),
            "the cloud asks for fewer requests, and to wait 30 s"
        );
    }

    #[test]
    fn an_excerpt_is_one_short_line_without_control_characters() {
        assert_eq!(
            excerpt("  <h1>Oops</h1>\r\n\u{1b}[31mred\0 "),
            "<h1>Oops</h1> [31mred"
        );
        assert_eq!(excerpt(&"é".repeat(500)).chars().count(), 201);
        assert_eq!(excerpt(""), "");
    }
}
