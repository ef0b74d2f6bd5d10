//! Who did what: what is written down, and how it is shown.

use selaras_core::json::Doc;
use selaras_core::stamp::Millis;

/// Something that was done to the outlet by somebody. Never holds a secret: who makes one names what may be shown.
#[derive(Clone, Debug)]
pub struct Event {
    pub(crate) actor: String,
    pub(crate) action: &'static str,
    pub(crate) target: String,
    pub(crate) details: serde_json::Map<String, serde_json::Value>,
}

/// The longest text of a record, in bytes: what people write elsewhere may be long.
const MAX_TEXT_BYTES: usize = 1024;

impl Event {
    /// `actor` (a user, a token's id, `cloud`, `folder`, `system` or `anonymous`) did this to `target`.
    pub fn new(actor: &str, action: &'static str, target: impl Into<String>) -> Self {
        Self {
            actor: cut(actor),
            action,
            target: cut(&target.into()),
            details: serde_json::Map::new(),
        }
    }

    /// Adds a detail; null is left out.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<serde_json::Value>) -> Self {
        let value = match value.into() {
            serde_json::Value::Null => return self,
            serde_json::Value::String(text) => cut(&text).into(),
            other => other,
        };
        self.details.insert(name.to_owned(), value);
        self
    }
}

fn cut(text: &str) -> String {
    let end = (0..=text.len().min(MAX_TEXT_BYTES))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text[..end.unwrap_or(0)].to_owned()
}

/// A record of the audit log as shown.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditView {
    /// Its number; they begin with 1, without gaps.
    pub id: u64,
    /// When, corrected.
    pub at: Millis,
    /// Who.
    pub actor: String,
    /// What.
    pub action: String,
    /// To what.
    pub target: String,
    /// More of it: a JSON object, as it was written.
    pub details: Doc,
    /// SHA-256 of the record before it.
    pub prev_hash: [u8; 32],
    /// Its own.
    pub hash: [u8; 32],
}

/// What of the log to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Only what this one did.
    pub actor: Option<String>,
    /// Only this action, or with a dot at its end all that begin so: `user.`
    pub action: Option<String>,
}

/// What going along the whole log has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditVerdict {
    /// Records that are as they were written.
    pub records: u64,
    /// The last of them, or of those that were removed for their age.
    pub head: AuditPlace,
    /// The last record that was removed for its age; none: nothing was.
    pub anchor: Option<AuditPlace>,
    /// The first record that is not as it was written, and what is wrong with it.
    pub broken: Option<(u64, String)>,
}

/// A record by its number and digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditPlace {
    /// Its number; 0: none yet.
    pub id: u64,
    /// Its SHA-256.
    pub hash: [u8; 32],
}

/// Why a login was refused, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRefusal {
    /// Unknown user, wrong password, or inactive.
    Wrong,
    /// Too many failures: there is a wait now.
    Locked {
        /// How long, in seconds.
        seconds: u64,
    },
}
