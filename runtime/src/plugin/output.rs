//! What a plugin says is checked here before anyone believes it.
//!
//! Documents stay text: they are read through once, never parsed to values and never re-printed.

use selaras_core::json::{MAX_DEPTH, depth};
use serde_json::value::RawValue;

use super::convert::ItsDocument;
use super::error::Failure;
use super::limits::CallLimits;
use super::values::{Direction, Document};

/// A merged document: an object within its size.
pub(super) fn merged(limits: &CallLimits, body: &str) -> Result<(), Failure> {
    object(limits, body).map_err(|why| Failure::invalid_output(format!("the merged document {why}")))
}

/// A mapped document: the same entity, and an object within its size (or `null` for a tombstone).
pub(super) fn mapped(
    limits: &CallLimits,
    direction: Direction,
    asked: &Document,
    answer: &ItsDocument,
) -> Result<(), Failure> {
    if answer.key.entity_type != asked.entity_type || answer.key.id != asked.id {
        let (was, is) = (&asked.entity_type, printable(&answer.key.entity_type, 128));
        let (was_id, is_id) = (&asked.id, printable(&answer.key.id, 128));
        return Err(Failure::invalid_output(format!(
            "a mapper returns type and id unchanged: asked for {was} `{was_id}`, it answered {is} `{is_id}`"
        )));
    }
    if asked.deleted && answer.body.trim() == "null" {
        return Ok(());
    }
    let side = match direction {
        Direction::ToCloud => "for the cloud",
        Direction::ToLocal => "for the outlet",
    };
    object(limits, &answer.body).map_err(|why| Failure::invalid_output(format!("the document {side} {why}")))
}

/// The text of a JSON object, not too long and not too deep; else what is wrong with it.
fn object(limits: &CallLimits, text: &str) -> Result<(), String> {
    if text.len() > limits.result_bytes {
        return Err(format!(
            "has {} bytes, at most {} are taken",
            text.len(),
            limits.result_bytes
        ));
    }
    // Deeper ones break recursive parsers in apps and clouds.
    if depth(text) > MAX_DEPTH {
        return Err(format!("is nested deeper than {MAX_DEPTH}"));
    }
    // Reads through the text without recursion or building anything.
    serde_json::from_str::<&RawValue>(text).map_err(|error| format!("is not JSON: {error}"))?;
    if !text.trim_start().starts_with('{') {
        return Err("is not a JSON object".to_owned());
    }
    Ok(())
}

/// `text` fit for a log, a terminal and a page: control characters escaped, cut to `max_bytes` on a character.
pub(super) fn printable(text: &str, max_bytes: usize) -> String {
    let mut out = String::with_capacity(text.len().min(max_bytes));
    for char in text.chars() {
        let end = out.len();
        if must_be_escaped(char) {
            out.extend(char.escape_default());
        } else {
            out.push(char);
        }
        if out.len() > max_bytes {
            out.truncate(end);
            break;
        }
    }
    out
}

/// Control characters, and those that end a line or turn the direction of what follows.
fn must_be_escaped(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<(), String> {
        object(&CallLimits::default(), text)
    }

    #[test]
    fn only_a_json_object_is_a_document() {
        assert_eq!(check(r#" {"a":[1,2,{"b":"}]["}],"n":1e400} "#), Ok(()));
        for (text, why) in [
            ("", "not JSON"),
            ("{", "not JSON"),
            (r#"{"a":1}x"#, "not JSON"),
            (r#"{"a":01}"#, "not JSON"),
            ("[]", "not a JSON object"),
            ("null", "not a JSON object"),
            (r#""{}""#, "not a JSON object"),
        ] {
            assert!(check(text).unwrap_err().contains(why), "{text}");
        }
    }

    #[test]
    fn a_document_is_neither_too_deep_nor_too_long() {
        let nested = |n: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(n), "]".repeat(n));
        assert_eq!(check(&nested(127)), Ok(()));
        assert!(check(&nested(128)).unwrap_err().contains("deeper"));
        assert!(
            check(&nested(400_000)).unwrap_err().contains("deeper"),
            "without overflowing the stack"
        );
        assert_eq!(
            check(&format!(r#"{{"a":"{}"}}"#, r#"[[\"{"#.repeat(1_000))),
            Ok(()),
            "brackets in strings"
        );
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(1 << 20));
        assert!(check(&long).unwrap_err().contains("bytes"));
    }

    #[test]
    fn words_are_cut_on_a_character_and_cannot_play_tricks() {
        assert_eq!(printable("harga naik", 100), "harga naik");
        assert_eq!(
            printable("a\n\u{1b}[31mb\u{202e}c", 100),
            "a\\n\\u{1b}[31mb\\u{202e}c"
        );
        assert_eq!(printable("éé", 3), "é");
        assert_eq!(printable("a\n", 2), "a", "an escape is not cut in two");
        assert!(printable(&"😀".repeat(5_000), 4_096).len() <= 4_096);
    }
}
