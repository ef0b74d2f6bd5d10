//! JSON strings, compared and read without trusting how they were escaped.
//!
//! A JSON string may hold half of a surrogate pair (`"\ud83d"`, what is left where JavaScript cut an emoji in
//! two). Such text is kept and compared exactly; only where it has to become a Rust string does `U+FFFD`
//! stand for it.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::str::Chars;

/// The inside of a JSON string as it stands in the text, of which the scanner said that it is well-formed.
/// Equality and order are those of the code points it means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    raw: &'a str,
    escaped: bool,
}

impl<'a> Text<'a> {
    /// From a JSON string with its quotes.
    pub(super) fn quoted(json: &'a str) -> Self {
        let raw = json
            .strip_prefix('"')
            .and_then(|s| s.strip_suffix('"'))
            .unwrap_or(json);
        Text {
            raw,
            escaped: raw.contains('\\'),
        }
    }

    /// Whether it means this string.
    pub(super) fn is(self, plain: &str) -> bool {
        if self.escaped {
            self.code_points().eq(plain.chars().map(u32::from))
        } else {
            self.raw == plain
        }
    }

    /// What it means. Halves of surrogate pairs become `U+FFFD`.
    pub(super) fn to_str(self) -> Cow<'a, str> {
        if !self.escaped {
            return Cow::Borrowed(self.raw);
        }
        let plain = self
            .code_points()
            .map(|c| char::from_u32(c).unwrap_or(char::REPLACEMENT_CHARACTER));
        Cow::Owned(plain.collect())
    }

    fn code_points(self) -> CodePoints<'a> {
        CodePoints {
            rest: self.raw.chars(),
        }
    }
}

impl Ord for Text<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.escaped || other.escaped {
            self.code_points().cmp(other.code_points())
        } else {
            // UTF-8 sorts as its code points do.
            self.raw.cmp(other.raw)
        }
    }
}

impl PartialOrd for Text<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Text<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Text<'_> {}

/// The code points of a string's inside, halves of surrogate pairs included where they stand alone.
struct CodePoints<'a> {
    rest: Chars<'a>,
}

impl CodePoints<'_> {
    /// The four hexadecimal digits of a `\u` escape.
    fn unit(rest: &mut Chars<'_>) -> Option<u32> {
        (0..4).try_fold(0, |unit, _| Some(unit << 4 | rest.next()?.to_digit(16)?))
    }

    /// The second half of a pair, if that is what comes next.
    fn low_half(&mut self) -> Option<u32> {
        let mut ahead = self.rest.clone();
        if (ahead.next(), ahead.next()) != (Some('\\'), Some('u')) {
            return None;
        }
        let low = Self::unit(&mut ahead).filter(|low| (0xDC00..0xE000).contains(low))?;
        self.rest = ahead;
        Some(low)
    }
}

impl Iterator for CodePoints<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let plain = self.rest.next()?;
        if plain != '\\' {
            return Some(plain.into());
        }
        let meant = match self.rest.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let unit = Self::unit(&mut self.rest)?;
                return match (0xD800..0xDC00)
                    .contains(&unit)
                    .then(|| self.low_half())
                    .flatten()
                {
                    Some(low) => Some(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)),
                    None => Some(unit),
                };
            }
            itself => itself,
        };
        Some(meant.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes_mean_what_the_rfc_says() {
        let text = Text::quoted(r#""\"\\\/\b\f\n\r\tA\u0041\uD83D\ude00é""#);
        assert_eq!(text.to_str(), "\"\\/\u{8}\u{c}\n\r\tAA😀é");
        assert!(text.is("\"\\/\u{8}\u{c}\n\r\tAA😀é"));
    }

    #[test]
    fn half_a_surrogate_pair_is_told_apart_but_reads_as_the_replacement_character() {
        let (a, b) = (Text::quoted(r#""x\ud83d""#), Text::quoted(r#""x\ud83e""#));
        assert_ne!(a, b);
        assert_eq!(a, Text::quoted(r#""x\uD83D""#));
        assert_eq!(a.to_str(), "x\u{FFFD}");
        assert!(!a.is("x\u{FFFD}"));
        assert_eq!(Text::quoted(r#""\ud83d\ud83d\ude00""#).to_str(), "\u{FFFD}😀");
    }

    proptest! {
        #[test]
        fn any_way_of_escaping_a_string_means_that_string(s in any::<String>()) {
            let utf16: String = s.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            let escaped = format!("\"{utf16}\"");
            let printed = serde_json::to_string(&s).unwrap();
            prop_assert_eq!(Text::quoted(&escaped).to_str(), s.as_str());
            prop_assert_eq!(Text::quoted(&printed).to_str(), s.as_str());
            prop_assert_eq!(Text::quoted(&printed), Text::quoted(&escaped));
            prop_assert!(Text::quoted(&escaped).is(&s));
        }

        #[test]
        fn order_does_not_depend_on_escaping(a in any::<String>(), b in any::<String>()) {
            let escape = |s: &str| {
                let units: String = s.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
                format!("\"{units}\"")
            };
            let (plain_a, plain_b) = (serde_json::to_string(&a).unwrap(), serde_json::to_string(&b).unwrap());
            let (escaped_a, escaped_b) = (escape(&a), escape(&b));
            let order = a.cmp(&b);
            prop_assert_eq!(Text::quoted(&plain_a).cmp(&Text::quoted(&escaped_b)), order);
            prop_assert_eq!(Text::quoted(&escaped_a).cmp(&Text::quoted(&plain_b)), order);
            prop_assert_eq!(Text::quoted(&plain_a).cmp(&Text::quoted(&plain_b)), order);
        }
    }
}
