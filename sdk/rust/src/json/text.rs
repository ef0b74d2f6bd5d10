//! Strings between their JSON text and what they say. Bytes that need no change are borrowed.

use std::borrow::Cow;

/// What a string literal (with its quotes, already scanned) says; none for a lone surrogate, which is no text.
pub(super) fn decode(literal: &str) -> Option<Cow<'_, str>> {
    let inner = &literal[1..literal.len() - 1];
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let (character, used) = unescape(&rest[at..])?;
        out.push(character);
        rest = &rest[at + used..];
    }
    out.push_str(rest);
    Some(Cow::Owned(out))
}

/// The character of the escape that `rest` starts with, and the escape's length.
fn unescape(rest: &str) -> Option<(char, usize)> {
    let simple = |character| Some((character, 2));
    match rest.as_bytes()[1] {
        b'n' => simple('\n'),
        b't' => simple('\t'),
        b'r' => simple('\r'),
        b'b' => simple('\u{8}'),
        b'f' => simple('\u{c}'),
        b'u' => {
            let unit = hex(rest, 2)?;
            if !(0xd800..0xdc00).contains(&unit) {
                return Some((char::from_u32(unit)?, 6));
            }
            let low = if rest.get(6..8) == Some("\\u") {
                hex(rest, 8)?
            } else {
                return None;
            };
            if !(0xdc00..0xe000).contains(&low) {
                return None;
            }
            Some((
                char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))?,
                12,
            ))
        }
        same => simple(char::from(same)),
    }
}

fn hex(text: &str, at: usize) -> Option<u32> {
    u32::from_str_radix(text.get(at..at + 4)?, 16).ok()
}

/// Writes a string literal, with quotes.
pub(super) fn encode(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x00..=0x1f => "\\u00",
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(escape);
        if escape.len() == 4 {
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
        from = at + 1;
    }
    out.push_str(&text[from..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_string_without_escapes_is_borrowed() {
        assert!(matches!(
            decode("\"harga é 😀\""),
            Some(Cow::Borrowed("harga é 😀"))
        ));
    }

    #[test]
    fn escapes_say_what_rfc_8259_says() {
        assert_eq!(
            decode(r#""a\n\t\r\b\f\/\\\"\u00e9\ud83d\ude00z""#).unwrap(),
            "a\n\t\r\u{8}\u{c}/\\\"é😀z"
        );
    }

    #[test]
    fn a_lone_surrogate_is_no_text() {
        for literal in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\u0041""#, r#""\ud800x""#] {
            assert_eq!(decode(literal), None, "{literal}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same_here_and_by_serde(text in any::<String>()) {
            let mut literal = String::new();
            encode(&text, &mut literal);
            prop_assert_eq!(decode(&literal).unwrap(), text.as_str());
            prop_assert_eq!(serde_json::from_str::<String>(&literal).unwrap(), text);
        }
    }
}
