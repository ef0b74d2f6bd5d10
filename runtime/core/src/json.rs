//! Documents as JSON text. [`Doc`] keeps an object as the very text it arrived in, so that numbers, spacing and
//! member order survive byte for byte; the functions here read, compare and edit such text without re-printing
//! what they do not change. No number ever becomes a float, and nothing here knows what a member means.

mod equal;
mod members;
mod patch;
mod scan;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod write;

use members::{Member, members};
use scan::Fault;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use text::Text;
use write::ObjectWriter;

/// How deep a document may nest; the document itself is level 1.
pub const MAX_DEPTH: usize = scan::MAX_DEPTH as usize;

/// Why a text is not a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocError {
    /// The text is not JSON (RFC 8259).
    #[error("not valid JSON: {message} at line {line} column {column}")]
    NotJson {
        /// What is wrong.
        message: &'static str,
        /// Counted from 1.
        line: usize,
        /// In characters, counted from 1.
        column: usize,
    },
    /// The text is JSON, but not an object.
    #[error("a document must be a JSON object")]
    NotAnObject,
    /// Objects and arrays are inside each other more than [`MAX_DEPTH`] levels deep.
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
}

impl DocError {
    fn of(fault: Fault, text: &str) -> Self {
        let (message, at) = match fault {
            Fault::TooDeep => return DocError::TooDeep,
            Fault::Syntax { problem, at } => (problem, at),
        };
        let before = text.as_bytes().get(..at).unwrap_or_default();
        let line_start = before
            .iter()
            .rposition(|b| *b == b'\n')
            .map_or(0, |newline| newline + 1);
        // Continuation bytes of UTF-8 begin no character.
        let column = before[line_start..].iter().filter(|b| **b & 0xC0 != 0x80).count() + 1;
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        DocError::NotJson {
            message,
            line,
            column,
        }
    }
}

/// A JSON object, kept as text. Cloning is cheap. `==` compares bytes; see [`Doc::same`] for meaning.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Doc(Arc<str>);

#[expect(clippy::len_without_is_empty, reason = "the text of an object is never empty")]
impl Doc {
    /// Takes a text from outside; whitespace around the object is trimmed, nothing else changes.
    ///
    /// # Errors
    /// When the text is not JSON, not an object, or nests deeper than [`MAX_DEPTH`].
    pub fn parse(text: &str) -> Result<Doc, DocError> {
        scan::scan(text, &mut ()).map_err(|fault| DocError::of(fault, text))?;
        let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
        if trimmed.starts_with('{') {
            Ok(Doc(trimmed.into()))
        } else {
            Err(DocError::NotAnObject)
        }
    }

    /// Takes a text that this crate or its store made: a document's text, without looking at it. Should it not
    /// be one after all, it reads as an object without members.
    pub fn from_trusted(text: String) -> Doc {
        debug_assert!(Doc::parse(&text).is_ok(), "not a document: {text}");
        Doc(text.into())
    }

    /// The text itself, shared.
    pub fn into_text(self) -> Arc<str> {
        self.0
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text's length in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// How many objects and arrays are inside each other at the deepest place, itself included.
    pub fn depth(&self) -> usize {
        depth(&self.0)
    }

    /// The members of the top level in the order of the text, duplicates included: names as what they mean,
    /// values as raw JSON. One pass; better than several [`Doc::get`]s.
    pub fn members(&self) -> Vec<(Cow<'_, str>, &str)> {
        members(&self.0)
            .into_iter()
            .map(|member| (member.name().to_str(), member.value()))
            .collect()
    }

    /// A member's value as raw JSON; of duplicates the last.
    pub fn get(&self, name: &str) -> Option<&str> {
        members(&self.0)
            .into_iter()
            .rfind(|member| member.name().is(name))
            .map(Member::value)
    }

    /// A member's value, when it is a JSON string. (Half a surrogate pair reads as `U+FFFD`.)
    pub fn get_string(&self, name: &str) -> Option<String> {
        let value = self.get(name)?;
        value
            .starts_with('"')
            .then(|| Text::quoted(value).to_str().into_owned())
    }

    /// This document with members set to raw JSON values. Members of these names are removed wherever they
    /// stand, and the new ones appended in the order given; all others keep their bytes and order.
    pub fn with(&self, set: &[(&str, &str)]) -> Doc {
        debug_assert!(
            set.iter().all(|(_, value)| scan::scan(value, &mut ()).is_ok()),
            "not JSON: {set:?}"
        );
        if set.is_empty() {
            return self.clone();
        }
        let added: usize = set.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
        let mut edited = String::with_capacity(self.len() + added);
        let mut out = ObjectWriter::begin(&mut edited);
        for member in members(&self.0) {
            let name = member.name();
            if !set.iter().any(|(replaced, _)| name.is(replaced)) {
                out.member().push_str(member.whole());
            }
        }
        for (name, value) in set {
            let text = out.member();
            text.push_str(&quote(name));
            text.push(':');
            text.push_str(value);
        }
        out.end();
        Doc(edited.into())
    }

    /// This document without these members. The very same document when it has none of them.
    pub fn without(&self, names: &[&str]) -> Doc {
        let members = members(&self.0);
        let removed = |member: &Member<'_>| names.iter().any(|name| member.name().is(name));
        if !members.iter().any(removed) {
            return self.clone();
        }
        let mut edited = String::with_capacity(self.len());
        let mut out = ObjectWriter::begin(&mut edited);
        for member in members.iter().filter(|member| !removed(member)) {
            out.member().push_str(member.whole());
        }
        out.end();
        Doc(edited.into())
    }

    /// This document after a JSON Merge Patch (RFC 7396). Members that the patch does not name keep their bytes
    /// and place, a changed one keeps its place, new ones come last in the patch's order.
    pub fn merge_patch(&self, patch: &Doc) -> Doc {
        if members(&patch.0).is_empty() {
            return self.clone();
        }
        match patch::merge_patch(&self.0, &patch.0) {
            Some(text) => Doc(text.into()),
            // Only a text that was trusted wrongly; see `from_trusted`.
            None => self.clone(),
        }
    }

    /// Whether both are the same JSON; see [`same_json`].
    pub fn same(&self, other: &Doc) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || same_json(&self.0, &other.0)
    }

    /// Whether both are the same JSON when these members of the top level are left out on both sides.
    pub fn same_ignoring(&self, other: &Doc, names: &[&str]) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || equal::same_ignoring(&self.0, &other.0, names)
    }
}

impl fmt::Debug for Doc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Doc({})", self.0)
    }
}

/// A document is stored as a plain string.
impl Serialize for Doc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// From a stored row, whose text is trusted as by [`Doc::from_trusted`]. What comes over a wire goes through
/// [`Doc::parse`].
impl<'de> Deserialize<'de> for Doc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Doc, D::Error> {
        Arc::<str>::deserialize(deserializer).map(Doc)
    }
}

/// How many objects and arrays are inside each other at the deepest place of a JSON text; of any other text some number.
pub fn depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => loop {
                match bytes.next() {
                    Some(b'\\') => drop(bytes.next()),
                    Some(b'"') | None => break,
                    Some(_) => {}
                }
            },
            _ => {}
        }
    }
    deepest
}

/// Whether two texts are the same JSON: key order aside, the last of duplicate names counting, strings by what
/// they mean, numbers by their exact decimal value (`1`, `1.0` and `10e-1` are one). Texts that are not JSON or
/// nest too deep are the same only when they are identical.
pub fn same_json(a: &str, b: &str) -> bool {
    equal::same(a, b)
}

/// The JSON string that means this text.
pub fn quote(s: &str) -> String {
    serde_json::to_string(s).expect("invariant: every string can be written as JSON")
}
