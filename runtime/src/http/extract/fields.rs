//! Members of a JSON object, one by one, with every problem named at once.

use crate::http::ApiError;
use crate::http::error::Detail;
use selaras_core::json::Doc;
use selaras_core::stamp::Millis;
use std::borrow::Cow;

/// What a member may be read as.
pub(crate) trait FromField: Sized {
    /// What the client should have sent: `a string`.
    const EXPECTED: &'static str;

    /// Reads the member's raw JSON text.
    fn from_json(raw: &str) -> Option<Self>;
}

macro_rules! by_serde {
    ($($kind:ty => $expected:literal),*) => {$(
        impl FromField for $kind {
            const EXPECTED: &'static str = $expected;

            fn from_json(raw: &str) -> Option<Self> {
                serde_json::from_str(raw).ok()
            }
        }
    )*};
}

by_serde! {
    String => "must be a string",
    bool => "must be true or false",
    u8 => "must be a whole number from 0 to 255",
    u32 => "must be a whole number from 0 to 4294967295",
    u64 => "must be a whole number, 0 or more",
    f64 => "must be a number"
}

impl FromField for Doc {
    const EXPECTED: &'static str = "must be a JSON object";

    fn from_json(raw: &str) -> Option<Self> {
        // The text is part of a parsed document, but it may be no object.
        Doc::parse(raw).ok()
    }
}

impl FromField for Millis {
    const EXPECTED: &'static str = "must be a time like 2026-01-27T10:30:00Z";

    fn from_json(raw: &str) -> Option<Self> {
        Millis::parse_rfc3339(&String::from_json(raw)?)
    }
}

/// An id that some clouds send as a number: its text either way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text(pub(crate) String);

impl FromField for Text {
    const EXPECTED: &'static str = "must be a string";

    fn from_json(raw: &str) -> Option<Self> {
        match raw.as_bytes().first()? {
            b'"' => String::from_json(raw).map(Self),
            b'-' | b'0'..=b'9' => Some(Self(raw.to_owned())),
            _ => None,
        }
    }
}

/// The members of one object, read by name. Problems are collected; [`Fields::finish`] answers with all of them.
pub(crate) struct Fields<'a> {
    path: String,
    members: Vec<(Cow<'a, str>, &'a str)>,
    problems: Vec<Detail>,
    missing: Vec<Detail>,
}

/// A body that is an object.
pub(crate) fn object(doc: &Doc) -> Fields<'_> {
    Fields::new(doc, String::new())
}

impl<'a> Fields<'a> {
    /// The members of `doc`, named `path.member` in problems.
    pub(crate) fn new(doc: &'a Doc, path: String) -> Self {
        Self {
            path,
            members: doc.members(),
            problems: Vec::new(),
            missing: Vec::new(),
        }
    }

    /// The member's raw text; `null` is none, the last of equal names counts.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a str> {
        self.raw_or_null(name).filter(|raw| *raw != "null")
    }

    /// The member's raw text, `null` included.
    pub(crate) fn raw_or_null(&self, name: &str) -> Option<&'a str> {
        self.members
            .iter()
            .rev()
            .find(|(given, _)| given == name)
            .map(|(_, raw)| *raw)
    }

    /// A member that may be missing.
    pub(crate) fn optional<T: FromField>(&mut self, name: &str) -> Option<T> {
        let raw = self.raw(name)?;
        let read = T::from_json(raw);
        if read.is_none() {
            self.problem(name, T::EXPECTED);
        }
        read
    }

    /// A member that may be missing (`None`) or `null` (`Some(None)`).
    pub(crate) fn nullable<T: FromField>(&mut self, name: &str) -> Option<Option<T>> {
        match self.raw_or_null(name)? {
            "null" => Some(None),
            _ => self.optional(name).map(Some),
        }
    }

    /// A member that must be there. Where it is not, the default stands in and [`Fields::finish`] refuses.
    pub(crate) fn required<T: FromField + Default>(&mut self, name: &str) -> T {
        if self.raw(name).is_none() {
            let field = self.named(name);
            self.missing.push(Detail {
                field,
                problem: format!("is missing: {}", T::EXPECTED),
            });
        }
        self.optional(name).unwrap_or_default()
    }

    /// A string that must be there and not be empty.
    pub(crate) fn required_text(&mut self, name: &str) -> String {
        let text: String = self.required(name);
        if self.raw(name).is_some_and(|raw| raw == "\"\"") {
            let field = self.named(name);
            self.missing.push(Detail {
                field,
                problem: "is empty".to_owned(),
            });
        }
        text
    }

    /// A string of at most `max` bytes that may be missing.
    pub(crate) fn short(&mut self, name: &str, max: usize) -> Option<String> {
        let text: String = self.optional(name)?;
        if text.len() > max {
            self.problem(name, format!("must be at most {max} bytes long"));
        }
        Some(text)
    }

    /// One of these words, that may be missing.
    pub(crate) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let text: String = self.optional(name)?;
        let meant = words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, meant)| *meant);
        if meant.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.problem(name, format!("must be one of {}", known.join(", ")));
        }
        meant
    }

    /// Notes what is wrong with a member.
    pub(crate) fn problem(&mut self, name: &str, problem: impl Into<String>) {
        let field = self.named(name);
        self.problems.push(Detail {
            field,
            problem: problem.into(),
        });
    }

    /// Notes what is wrong with a member, unless it is missing or no string, which is noted already.
    pub(crate) fn present_problem(&mut self, name: &str, problem: impl Into<String>) {
        if self.raw(name).is_some_and(|raw| raw.starts_with('"')) {
            self.problem(name, problem);
        }
    }

    /// Notes the members that are none of `known`.
    pub(crate) fn only(&mut self, known: &[&str]) {
        let strangers: Vec<String> = self
            .members
            .iter()
            .filter(|(name, _)| !known.contains(&name.as_ref()))
            .map(|(name, _)| name.to_string())
            .collect();
        for name in strangers {
            self.problem(
                &name,
                format!("is not known here: known are {}", known.join(", ")),
            );
        }
    }

    /// Takes the problems out, for a caller that collects them over many objects.
    pub(crate) fn into_problems(mut self) -> Vec<Detail> {
        self.missing.append(&mut self.problems);
        self.missing
    }

    /// Refuses with 422 when anything was wrong.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        let problems = self.into_problems();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(ApiError::invalid_fields(problems))
        }
    }

    /// Refuses with 400 when members are missing, else like [`Fields::finish`].
    pub(crate) fn finish_missing_first(self) -> Result<(), ApiError> {
        if self.missing.is_empty() {
            self.finish()
        } else {
            Err(ApiError::missing_fields(self.missing))
        }
    }

    fn named(&self, name: &str) -> String {
        // A member's name is the client's text: cut, so that an answer stays small.
        let name: String = name.chars().take(100).collect();
        if self.path.is_empty() {
            name
        } else {
            format!("{}.{name}", self.path)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doc(text: &str) -> Doc {
        Doc::parse(text).unwrap()
    }

    #[test]
    fn all_problems_are_named_at_once_with_their_path() {
        let doc = doc(r#"{"batch_size":"many","enabled":1,"known":true}"#);
        let mut fields = Fields::new(&doc, "config".to_owned());
        fields.optional::<u32>("batch_size");
        fields.optional::<bool>("enabled");
        fields.required::<String>("name");
        assert_eq!(fields.optional::<bool>("known"), Some(true));
        let error = fields.finish().unwrap_err();
        let named: Vec<&str> = error.details().iter().map(|d| d.field.as_str()).collect();
        assert_eq!(named, ["config.name", "config.batch_size", "config.enabled"]);
    }

    #[test]
    fn a_missing_member_is_400_and_a_wrong_one_422() {
        let doc = doc(r#"{"a":1}"#);
        let mut fields = object(&doc);
        fields.required_text("b");
        assert_eq!(fields.finish_missing_first().unwrap_err().status(), 400);
        let mut fields = object(&doc);
        fields.required_text("a");
        assert_eq!(fields.finish_missing_first().unwrap_err().status(), 422);
    }

    #[test]
    fn null_is_missing_except_where_it_means_none() {
        let doc = doc(r#"{"mapper":null}"#);
        let mut fields = object(&doc);
        assert_eq!(fields.optional::<String>("mapper"), None);
        assert_eq!(fields.nullable::<String>("mapper"), Some(None));
        assert_eq!(fields.nullable::<String>("other"), None);
        fields.finish().unwrap();
    }

    #[test]
    fn a_strange_member_is_named_with_the_known_ones() {
        let doc = doc(r#"{"batch_sise":1}"#);
        let mut fields = object(&doc);
        fields.only(&["batch_size"]);
        let error = fields.finish().unwrap_err();
        assert_eq!(error.details()[0].field, "batch_sise");
        assert!(error.details()[0].problem.contains("batch_size"));
    }

    #[test]
    fn an_id_sent_as_a_number_keeps_its_digits() {
        assert_eq!(
            Text::from_json("12345678901234567890"),
            Some(Text("12345678901234567890".to_owned()))
        );
        assert_eq!(Text::from_json("\"c-1\""), Some(Text("c-1".to_owned())));
        assert_eq!(Text::from_json("{}"), None);
    }
}
