//! A light walk over JSON text whose syntax was checked once: spans, no values, no copies, no numbers parsed.
//! Answers are tens of megabytes of documents that must keep their bytes, so they are cut, never re-printed.

use serde_json::value::RawValue;
use std::borrow::Cow;

/// The text of one JSON value, known to be well-formed, without space around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Json<'a>(&'a str);

/// One member of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member<'a> {
    /// The name, unescaped.
    pub name: Cow<'a, str>,
    /// Name, colon and value as written.
    pub whole: &'a str,
    /// The value.
    pub value: Json<'a>,
}

impl<'a> Json<'a> {
    /// Checks the syntax of a whole text.
    pub fn check(text: &'a str) -> Result<Self, serde_json::Error> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Ok(Self(raw.get().trim()))
    }

    /// The text.
    pub fn text(self) -> &'a str {
        self.0
    }

    fn first(self) -> u8 {
        self.0.as_bytes().first().copied().unwrap_or(b'n')
    }

    pub fn is_object(self) -> bool {
        self.first() == b'{'
    }

    pub fn is_array(self) -> bool {
        self.first() == b'['
    }

    pub fn is_null(self) -> bool {
        self.first() == b'n'
    }

    /// The members in order, duplicates included; none of what is no object.
    pub fn members(self) -> Members<'a> {
        Members {
            text: self.0,
            at: if self.is_object() { 1 } else { self.0.len() },
        }
    }

    /// The elements in order; none of what is no array.
    pub fn elements(self) -> Elements<'a> {
        Elements {
            text: self.0,
            at: if self.is_array() { 1 } else { self.0.len() },
        }
    }

    /// The member of that name; of duplicates the last. `null` counts as absent.
    pub fn get(self, name: &str) -> Option<Json<'a>> {
        self.members()
            .filter(|m| m.name == name)
            .last()
            .map(|m| m.value)
            .filter(|v| !v.is_null())
    }

    /// A string's value; none of other kinds, and none of one that is no Unicode (a lone surrogate).
    pub fn string(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') {
            serde_json::from_str::<String>(self.0).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(inner))
        }
    }

    /// An id or a message: a string that is not empty, or a number by its very digits.
    pub fn word(self) -> Option<String> {
        match self.first() {
            b'"' => self.string().filter(|s| !s.is_empty()).map(Cow::into_owned),
            b'-' | b'0'..=b'9' => Some(self.0.to_owned()),
            _ => None,
        }
    }

    /// A whole number, as a number (`3`, `3.0`) or as a string (`"3"`).
    pub fn whole(self) -> Option<u64> {
        let text = self.string().unwrap_or(Cow::Borrowed(self.0));
        let digits = match text.trim().split_once('.') {
            Some((whole, zeros)) if zeros.bytes().all(|b| b == b'0') => whole,
            Some(_) => return None,
            None => text.trim(),
        };
        digits.parse().ok()
    }

    /// A truth value, also as a string.
    pub fn truth(self) -> Option<bool> {
        match self.string().as_deref().unwrap_or(self.0) {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }
}

/// See [`Json::members`].
pub(super) struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let bytes = self.text.as_bytes();
        let start = skip_separators(bytes, self.at);
        if bytes.get(start) != Some(&b'"') {
            self.at = bytes.len();
            return None;
        }
        let name_end = value_end(bytes, start);
        let from = skip_separators(bytes, name_end);
        let to = value_end(bytes, from);
        self.at = to;
        let raw = Json(&self.text[start..name_end]);
        Some(Member {
            name: raw.string().unwrap_or(Cow::Borrowed(raw.0)),
            whole: &self.text[start..to],
            value: Json(&self.text[from..to]),
        })
    }
}

/// See [`Json::elements`].
pub(super) struct Elements<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Json<'a>> {
        let bytes = self.text.as_bytes();
        let start = skip_separators(bytes, self.at);
        if start >= bytes.len() || bytes[start] == b']' {
            self.at = bytes.len();
            return None;
        }
        self.at = value_end(bytes, start);
        Some(Json(&self.text[start..self.at]))
    }
}

/// Past space, commas and colons: in well-formed JSON there is no other way to the next name or value.
fn skip_separators(bytes: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t' | b',' | b':') = bytes.get(at) {
        at += 1;
    }
    at
}

/// One past the value that begins at `at`.
fn value_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0usize;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            b',' | b' ' | b'\n' | b'\r' | b'\t' if depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// One past the closing quote of the string that begins at `at`.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    at += 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    fn names_and_texts(text: &str) -> Vec<(String, String)> {
        Json::check(text)
            .unwrap()
            .members()
            .map(|m| (m.name.into_owned(), m.value.text().to_owned()))
            .collect()
    }

    #[test]
    fn members_keep_their_bytes() {
        let text = " { \"a\" : 1e400 ,\n\"b\\\"\":{\"x\":[\"}\",\"\\\\\"]}, \"c\":\"\\u0041,\", \"d\":[],\"d\":0.10 } ";
        assert_eq!(
            names_and_texts(text),
            [
                ("a", "1e400"),
                ("b\"", r#"{"x":["}","\\"]}"#),
                ("c", r#""\u0041,""#),
                ("d", "[]"),
                ("d", "0.10")
            ]
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
        );
        let first = Json::check(text).unwrap().members().next().unwrap();
        assert_eq!(first.whole, "\"a\" : 1e400");
    }

    #[test]
    fn of_duplicates_the_last_counts_and_null_is_absent() {
        let json = Json::check(r#"{"a":1,"a":2,"b":null}"#).unwrap();
        assert_eq!(json.get("a").and_then(Json::whole), Some(2));
        assert_eq!(json.get("b"), None);
        assert_eq!(json.get("c"), None);
    }

    #[test]
    fn ids_and_numbers_are_taken_in_every_dress() {
        let json = |text| Json::check(text).unwrap();
        assert_eq!(json("\"c-1\"").word().as_deref(), Some("c-1"));
        assert_eq!(
            json("12345678901234567890123").word().as_deref(),
            Some("12345678901234567890123")
        );
        for not in ["\"\"", "null", "true", "{}", "[1]"] {
            assert_eq!(json(not).word(), None, "{not}");
        }
        for three in ["3", "\"3\"", "3.0", "\" 3.00 \""] {
            assert_eq!(json(three).whole(), Some(3), "{three}");
        }
        for not in [
            "-3",
            "3.5",
            "\"three\"",
            "1e3",
            "99999999999999999999999",
            "null",
            "[]",
        ] {
            assert_eq!(json(not).whole(), None, "{not}");
        }
        assert_eq!(json("\"true\"").truth(), Some(true));
        assert_eq!(json("1").truth(), None);
        assert_eq!(json(r#""\ud800""#).string(), None);
    }

    #[test]
    fn hostile_depth_does_not_exhaust_the_stack() {
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        let json = Json::check(&deep).unwrap();
        assert_eq!(json.elements().count(), 1);
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~\\n\"\\\\\u{e9}]{0,12}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[ -~\"\\\\]{0,8}", inner, 0..6)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_walk_sees_what_a_full_parser_sees(v in value(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&v) } else { serde_json::to_string(&v) }.unwrap();
            let json = Json::check(&text).unwrap();
            let parse = |j: Json<'_>| serde_json::from_str::<Value>(j.text()).unwrap();
            match &v {
                Value::Object(map) => {
                    let seen: serde_json::Map<_, _> =
                        json.members().map(|m| (m.name.into_owned(), parse(m.value))).collect();
                    prop_assert_eq!(&seen, map);
                }
                Value::Array(list) => {
                    let seen: Vec<_> = json.elements().map(parse).collect();
                    prop_assert_eq!(&seen, list);
                }
                other => {
                    prop_assert_eq!(&parse(json), other);
                    prop_assert_eq!(json.members().count() + json.elements().count(), 0);
                }
            }
        }
    }
}
