//! Where two JSON texts differ, by path. Numbers are compared as decimals, key order does not count.

use std::collections::BTreeMap;

use selaras_core::json::same_json;
use serde_json::value::RawValue;

/// Differences that are told; who sees twenty looks at the whole.
const MAX_TOLD: usize = 20;

/// Characters of a value that are shown.
const MAX_SHOWN: usize = 160;

/// Each difference as `path: expected …, got …`; none when both are the same JSON.
pub(super) fn differences(expected: &str, got: &str) -> Vec<String> {
    let mut told = Vec::new();
    walk("", expected, got, &mut told);
    told.truncate(MAX_TOLD);
    told
}

fn walk(path: &str, expected: &str, got: &str, told: &mut Vec<String>) {
    if told.len() > MAX_TOLD || same_json(expected, got) {
        return;
    }
    if let (Some(left), Some(right)) = (object(expected), object(got)) {
        for (name, left) in &left {
            match right.get(name) {
                Some(right) => walk(&below(path, name), left.get(), right.get(), told),
                None => told.push(format!(
                    "{}: expected {}, it is missing",
                    below(path, name),
                    shown(left.get())
                )),
            }
        }
        for (name, right) in right.iter().filter(|(name, _)| !left.contains_key(*name)) {
            told.push(format!(
                "{}: not expected, got {}",
                below(path, name),
                shown(right.get())
            ));
        }
        return;
    }
    if let (Some(left), Some(right)) = (array(expected), array(got))
        && left.len() == right.len()
    {
        for (n, (left, right)) in left.iter().zip(&right).enumerate() {
            walk(&format!("{path}[{n}]"), left.get(), right.get(), told);
        }
        return;
    }
    let path = if path.is_empty() { "the document" } else { path };
    told.push(format!(
        "{path}: expected {}, got {}",
        shown(expected),
        shown(got)
    ));
}

fn object(text: &str) -> Option<BTreeMap<String, Box<RawValue>>> {
    serde_json::from_str(text).ok()
}

fn array(text: &str) -> Option<Vec<Box<RawValue>>> {
    serde_json::from_str(text).ok()
}

fn below(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

fn shown(text: &str) -> String {
    let text = text.trim();
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::differences;

    #[test]
    fn the_same_json_has_no_differences() {
        assert!(differences(r#"{"a":1.0,"b":[1,2]}"#, r#"{ "b":[1,2], "a":1 }"#).is_empty());
    }

    #[test]
    fn each_difference_is_told_by_its_path() {
        let expected = r#"{"a":1,"b":{"c":[1,{"d":2}]},"gone":true,"l":[1]}"#;
        let got = r#"{"a":1,"b":{"c":[1,{"d":3}]},"new":"x","l":[1,2]}"#;
        assert_eq!(
            differences(expected, got),
            [
                "b.c[1].d: expected 2, got 3",
                "gone: expected true, it is missing",
                "l: expected [1], got [1,2]",
                "new: not expected, got \"x\"",
            ]
        );
        assert_eq!(differences("{}", "null"), ["the document: expected {}, got null"]);
    }

    #[test]
    fn a_digit_beyond_floating_point_is_a_difference() {
        let told = differences(r#"{"p":9007199254740993}"#, r#"{"p":9007199254740992}"#);
        assert_eq!(told, ["p: expected 9007199254740993, got 9007199254740992"]);
    }
}
