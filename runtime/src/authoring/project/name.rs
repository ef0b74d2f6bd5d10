//! What a plugin may be called: what the gate and every language take, and nobody has.

use super::ProjectError;
use crate::plugin::bundle::BUNDLE;

/// As long as the gate takes a name.
pub(super) const MAX_NAME_BYTES: usize = 64;

/// Names that Rust has for itself; the name of a plugin in Rust is its crate's.
#[rustfmt::skip] // a list
const RESERVED: [&str; 62] = [
    "abstract", "alloc", "as", "async", "await", "become", "box", "break", "const", "continue", "core",
    "crate", "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in",
    "let", "loop", "macro", "main", "match", "mod", "move", "mut", "override", "plugin", "priv", "proc_macro",
    "pub", "ref", "return", "selaras", "selaras_sdk", "self", "static", "std", "struct", "super", "test",
    "tests", "trait", "true", "try", "type", "typeof", "union", "unsafe", "unsized", "use", "virtual", "where",
    "while", "yield",
];

/// Whether a plugin of this name comes with the binary, so that no other can be installed under it.
#[must_use]
pub fn is_taken(name: &str) -> bool {
    BUNDLE.iter().any(|(taken, _)| *taken == name)
}

/// Whether a new plugin may be called so.
pub(super) fn check(name: &str) -> Result<(), ProjectError> {
    let fits = name.len() <= MAX_NAME_BYTES
        && name.starts_with(|char: char| char.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    let taken = |why| ProjectError::Taken {
        name: name.to_owned(),
        why,
    };
    if !fits {
        Err(ProjectError::Name(name.to_owned()))
    } else if is_taken(name) {
        Err(taken("the plugin of that name comes with Selaras"))
    } else if RESERVED.contains(&name) {
        Err(taken("it is a word of the languages that plugins are written in"))
    } else {
        Ok(())
    }
}

/// `stock_counts` as a type's name: `StockCounts`.
pub(super) fn camel(name: &str) -> String {
    let mut parts = name.split('_').filter(|part| !part.is_empty());
    let mut camel = String::with_capacity(name.len());
    for part in &mut parts {
        let (first, rest) = part.split_at(1);
        camel.push_str(&first.to_ascii_uppercase());
        camel.push_str(rest);
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_every_language_and_the_gate_take() {
        for name in ["stock_counts", "a", "m2"] {
            assert!(check(name).is_ok(), "{name}");
        }
        let long = "x".repeat(65);
        for name in [
            "",
            "_x",
            "2m",
            "Stock",
            "stock-counts",
            "a b",
            "../x",
            long.as_str(),
        ] {
            assert!(matches!(check(name), Err(ProjectError::Name(_))), "{name}");
        }
        for name in ["cloud_wins", "async", "selaras"] {
            assert!(matches!(check(name), Err(ProjectError::Taken { .. })), "{name}");
        }
    }

    #[test]
    fn a_type_is_named_after_the_plugin() {
        assert_eq!(camel("stock_counts"), "StockCounts");
        assert_eq!(camel("a__b2_"), "AB2");
    }
}
