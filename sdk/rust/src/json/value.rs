//! A view of one JSON value in its text. Reading copies nothing until something is asked for.

use std::borrow::Cow;

use super::number::Number;
use super::object::Object;
use super::scan::{fail, skip_space, value_end, JsonError, Scanned};
use super::text;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// One JSON value, as the text it is.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    text: &'a str,
}

impl<'a> Value<'a> {
    /// The value of a whole text.
    ///
    /// # Errors
    /// When the text is not one JSON value, or nested deeper than [`super::MAX_DEPTH`].
    pub fn parse(text: &'a str) -> Result<Self, JsonError> {
        let bytes = text.as_bytes();
        let start = skip_space(bytes, 0);
        let end = value_end(bytes, start, 0)?;
        if skip_space(bytes, end) != bytes.len() {
            return fail(end, "something follows the value");
        }
        Ok(Self::scanned(&text[start..end]))
    }

    /// A value whose text a scan has already accepted.
    pub(super) fn scanned(text: &'a str) -> Self {
        Self { text }
    }

    /// The text itself, to the byte.
    pub fn raw(&self) -> &'a str {
        self.text
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        match self.text.as_bytes().first() {
            Some(b'n') => Kind::Null,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'"') => Kind::String,
            Some(b'[') => Kind::Array,
            Some(b'{') => Kind::Object,
            _ => Kind::Number,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.kind() == Kind::Null
    }

    /// What a string says; none for anything else.
    pub fn as_str(&self) -> Option<Cow<'a, str>> {
        if self.kind() == Kind::String {
            text::decode(self.text)
        } else {
            None
        }
    }

    /// A truth value; none for anything else.
    pub fn as_bool(&self) -> Option<bool> {
        (self.kind() == Kind::Bool).then_some(self.text == "true")
    }

    /// A number with all its digits; none for anything else.
    pub fn as_number(&self) -> Option<Number> {
        (self.kind() == Kind::Number).then(|| Number::scanned(self.text))
    }

    /// An object to read and edit; none for anything else, and for one that has a name twice.
    pub fn as_object(&self) -> Option<Object<'a>> {
        if self.kind() == Kind::Object {
            Object::parse(self.text).ok()
        } else {
            None
        }
    }

    /// The items of an array; none for anything else.
    pub fn as_array(&self) -> Option<Vec<Value<'a>>> {
        if self.kind() == Kind::Array {
            items(self.text).ok()
        } else {
            None
        }
    }

    /// Whether both say the same: key order and white space aside, numbers equal as decimals.
    pub fn same_value(&self, other: &Value<'_>) -> bool {
        if self.text == other.text {
            return true;
        }
        if self.kind() != other.kind() {
            return false;
        }
        match self.kind() {
            Kind::Null | Kind::Bool => false,
            Kind::Number => Number::scanned(self.text).same_value(&Number::scanned(other.text)),
            Kind::String => matches!((self.as_str(), other.as_str()), (Some(a), Some(b)) if a == b),
            Kind::Array => match (self.as_array(), other.as_array()) {
                (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.same_value(b)),
                _ => false,
            },
            Kind::Object => match (self.as_object(), other.as_object()) {
                (Some(a), Some(b)) => a.same_value(&b),
                _ => false,
            },
        }
    }
}

fn items(text: &str) -> Scanned<Vec<Value<'_>>> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = skip_space(bytes, 1);
    while at < bytes.len() && bytes[at] != b']' {
        let end = value_end(bytes, at, 1)?;
        found.push(Value::scanned(&text[at..end]));
        at = skip_space(bytes, end);
        if bytes.get(at) == Some(&b',') {
            at = skip_space(bytes, at + 1);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
