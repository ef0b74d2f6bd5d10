//! What goes over the socket.
//!
//! The asker sends one line of JSON, a [`Command`]. From then on both sides send frames: one byte that says what it is,
//! four bytes of length (big-endian, at most [`MAX_FRAME_BYTES`]), and so many bytes.
//!
//! | byte | from | holds |
//! |---|---|---|
//! | `D` | outlet | the next bytes of what was asked for |
//! | `D` | asker | `import`: the next whole lines, answered with `P` before the next `D` |
//! | `P` | outlet | JSON: how far it is; also the sign that it is still at it |
//! | `E` | asker | `import`: nothing; that was all |
//! | `E` | outlet | JSON: `{"ok":true,"data":…}` or `{"ok":false,"error":"…"}`; the last frame |
//!
//! Without an `E` whatever came before is not whole.

use selaras_core::id::EntityType;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Bytes of a frame.
pub const MAX_FRAME_BYTES: usize = 16 << 20;
/// Bytes of the line that asks.
pub(super) const MAX_COMMAND_BYTES: usize = 4096;
/// A frame's first byte and its length.
pub(super) const HEAD_BYTES: usize = 5;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// A backup, as `D` frames. `P`: bytes written so far. Ends with [`BackupSent`].
    Backup,
    /// A backup beside the kept ones. `P` as above. Ends with [`BackupMade`].
    BackUpNow,
    /// Entities as lines, in `D` frames. Ends with [`Exported`].
    Export {
        /// Only this type.
        entity_type: Option<EntityType>,
    },
    /// Lines as changes. `P`, and the end: [`Imported`](crate::engine::api::Imported).
    Import {
        /// Lines are taken in once for each file and salt.
        salt: String,
    },
    /// Rewrite the database. `P` while it is at it. Ends with [`Rewritten`].
    Compact,
    /// How the outlet is. Ends with [`Health`].
    Health,
    /// Its plugins. Ends with [`Listed`]s, by name.
    Plugins,
}

/// A plugin in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// `strategy` or `mapper`; none when it was refused.
    pub kind: Option<String>,
    /// What it says of itself.
    pub version: String,
    /// SHA-256 of the component.
    pub digest: String,
    /// `active`, `suspended`, `installed` or `refused`.
    pub state: String,
    /// `embedded`, `installed`, or a file's name.
    pub source: String,
    /// Why it was refused or suspended.
    pub problem: Option<String>,
    /// What it says of itself.
    pub description: String,
}

/// The database was rewritten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewritten {
    /// Bytes of its files before.
    pub bytes_before: u64,
    /// And after.
    pub bytes_after: u64,
}

/// What a doctor wants to know of a running outlet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `open`, `compacting` or `reopening`.
    pub store: String,
    /// What stopped it.
    pub error: Option<String>,
    /// Whether new changes are taken.
    pub accepts_changes: bool,
    /// Bytes its files take.
    pub bytes_on_disk: u64,
    /// Bytes of what is in it.
    pub live_bytes: u64,
    /// Why the last backup that should have been made was not.
    pub backup_error: Option<String>,
    /// Documents that a plugin could not handle.
    #[serde(default)]
    pub parked: u64,
}

/// A backup was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupSent {
    /// Its bytes.
    pub bytes: u64,
    /// Entries in it.
    pub entries: u64,
}

/// A backup was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupMade {
    /// Where.
    pub file: PathBuf,
    /// Its bytes.
    pub bytes: u64,
}

/// Entities were sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exported {
    /// How many.
    pub entities: u64,
}

/// Bytes so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bytes {
    pub(super) bytes: u64,
}

/// The end, as the outlet says it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) ok: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    Progress,
    End,
}

/// The bytes before a frame's.
pub(super) fn head(kind: Kind, len: usize) -> [u8; HEAD_BYTES] {
    let byte = match kind {
        Kind::Data => b'D',
        Kind::Progress => b'P',
        Kind::End => b'E',
    };
    let len = u32::try_from(len).expect("invariant: a frame is at most 16 MiB");
    let [a, b, c, d] = len.to_be_bytes();
    [byte, a, b, c, d]
}

/// What a frame's head says; none: it is none.
pub(super) fn parse_head(head: [u8; HEAD_BYTES]) -> Option<(Kind, usize)> {
    let [byte, a, b, c, d] = head;
    let kind = match byte {
        b'D' => Kind::Data,
        b'P' => Kind::Progress,
        b'E' => Kind::End,
        _ => return None,
    };
    let len = u32::from_be_bytes([a, b, c, d]) as usize;
    (len <= MAX_FRAME_BYTES).then_some((kind, len))
}
