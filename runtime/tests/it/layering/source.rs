//! What a Rust source names: every path in it, with `use` trees spread out and `self` and `super` followed. It reads
//! tokens, not types: comments and texts are left out, macros are read like the rest. Knows no rule.

use std::iter::Peekable;
use std::vec::IntoIter;

/// A path as a module names it.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    /// The module it stands in, from the crate's root.
    pub module: Vec<String>,
    /// The line it begins in, from 1.
    pub line: usize,
    /// From `crate`, or from the name of another crate or of something in sight.
    pub path: Vec<String>,
}

/// All paths of more than one name, and all that are imported, in a source that is the body of `module`.
pub fn paths(text: &str, module: &[String]) -> Vec<Named> {
    let tokens = tokens(text);
    let declared = declared(&tokens);
    let mut reader = Reader {
        tokens: tokens.into_iter().peekable(),
        file: module.to_vec(),
        declared,
        inner: Vec::new(),
        depth: 0,
        found: Vec::new(),
    };
    reader.read();
    reader.found
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Name(String),
    /// `::`
    Sep,
    Sign(char),
}

/// The modules that a source declares as files of their own: their names are not those of other crates.
fn declared(tokens: &[(usize, Token)]) -> Vec<String> {
    let name = |token: &Token| match token {
        Token::Name(name) => Some(name.clone()),
        Token::Sep | Token::Sign(_) => None,
    };
    tokens
        .windows(3)
        .filter(|w| w[0].1 == Token::Name("mod".to_owned()) && w[2].1 == Token::Sign(';'))
        .filter_map(|w| name(&w[1].1))
        .collect()
}

struct Reader {
    tokens: Peekable<IntoIter<(usize, Token)>>,
    file: Vec<String>,
    declared: Vec<String>,
    /// Modules opened within the file, with the depth of their brace.
    inner: Vec<(String, usize)>,
    depth: usize,
    found: Vec<Named>,
}

impl Reader {
    fn read(&mut self) {
        let mut after_dot = false;
        while let Some((line, token)) = self.tokens.next() {
            let dot = token == Token::Sign('.');
            match token {
                Token::Sign('{') => self.depth += 1,
                Token::Sign('}') => {
                    self.depth = self.depth.saturating_sub(1);
                    self.inner.retain(|(_, depth)| *depth <= self.depth);
                }
                Token::Name(word) if word == "mod" => self.module(),
                Token::Name(word) if word == "use" => self.tree(&[]),
                Token::Name(word) if !after_dot => self.path(line, word),
                Token::Sep => {
                    if let Some((line, Token::Name(word))) = self.next_name() {
                        self.rest(line, vec!["::".to_owned(), word]);
                    }
                }
                Token::Name(_) | Token::Sign(_) => {}
            }
            after_dot = dot;
        }
    }

    fn next_name(&mut self) -> Option<(usize, Token)> {
        self.tokens.next_if(|(_, token)| matches!(token, Token::Name(_)))
    }

    fn next_is(&mut self, wanted: &Token) -> bool {
        self.tokens.next_if(|(_, token)| token == wanted).is_some()
    }

    fn module(&mut self) {
        if let Some((_, Token::Name(name))) = self.next_name()
            && self.next_is(&Token::Sign('{'))
        {
            self.depth += 1;
            self.inner.push((name, self.depth));
        }
    }

    /// A path outside of `use`: it counts when it has more than one name.
    fn path(&mut self, line: usize, first: String) {
        self.rest(line, vec![first]);
    }

    fn rest(&mut self, line: usize, mut path: Vec<String>) {
        while self.next_is(&Token::Sep) {
            let Some((_, Token::Name(name))) = self.next_name() else {
                break;
            };
            path.push(name);
        }
        if path.len() > 1 {
            self.keep(line, path);
        }
    }

    /// What follows `use`, or stands in the braces of one.
    fn tree(&mut self, before: &[String]) {
        let mut path = before.to_vec();
        let mut line = 0;
        while let Some((at, token)) = self.tokens.peek().cloned() {
            match token {
                Token::Sep if path.is_empty() => path.push("::".to_owned()),
                Token::Sep => {}
                // The new name of an import is nobody's path.
                Token::Name(word) if word == "as" => {
                    self.tokens.next();
                }
                Token::Name(word) => path.push(word),
                Token::Sign('*') => path.push("*".to_owned()),
                Token::Sign('{') => {
                    self.tokens.next();
                    return self.group(&path);
                }
                Token::Sign(_) => break,
            }
            line = at;
            self.tokens.next();
        }
        if path.len() > before.len() {
            self.keep(line, path);
        }
    }

    fn group(&mut self, path: &[String]) {
        loop {
            self.tree(path);
            match self.tokens.next() {
                Some((_, Token::Sign(','))) => {}
                _ => return,
            }
        }
    }

    fn keep(&mut self, line: usize, path: Vec<String>) {
        let mut module = self.file.clone();
        module.extend(self.inner.iter().map(|(name, _)| name.clone()));
        let path = self.absolute(&module, path);
        self.found.push(Named { module, line, path });
    }

    fn absolute(&self, module: &[String], mut path: Vec<String>) -> Vec<String> {
        if path[0] == "::" {
            path.remove(0);
            return path;
        }
        let ups = path.iter().take_while(|name| *name == "super").count();
        let local = self.inner.is_empty() && self.declared.contains(&path[0]);
        if path[0] != "self" && ups == 0 && !local {
            return path;
        }
        let base = &module[..module.len().saturating_sub(ups)];
        let skip = ups + usize::from(path[0] == "self");
        let mut whole = vec!["crate".to_owned()];
        whole.extend(base.iter().cloned());
        whole.extend(path.into_iter().skip(skip));
        whole
    }
}

fn tokens(text: &str) -> Vec<(usize, Token)> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, token) = match first {
            _ if rest.starts_with("//") => (rest.find('\n').unwrap_or(rest.len()), None),
            _ if rest.starts_with("/*") => (block_comment(rest), None),
            _ if rest.starts_with("::") => (2, Some(Token::Sep)),
            '"' => (quoted(rest), None),
            '\'' => (tick(rest), None),
            _ if first == '_' || first.is_alphabetic() => word(rest),
            _ if first.is_whitespace() => (first.len_utf8(), None),
            _ => (first.len_utf8(), Some(Token::Sign(first))),
        };
        found.extend(token.map(|token| (line, token)));
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

/// A name or keyword; a text with a prefix (`r"…"`, `br#"…"#`, `c"…"`) is none.
fn word(rest: &str) -> (usize, Option<Token>) {
    let end = |text: &str| {
        text.find(|c: char| c != '_' && !c.is_alphanumeric())
            .unwrap_or(text.len())
    };
    let length = end(rest);
    let (name, after) = rest.split_at(length);
    let hashes = after.bytes().take_while(|byte| *byte == b'#').count();
    let raw = matches!(name, "r" | "br" | "cr");
    if raw && after[hashes..].starts_with('"') {
        let close = format!("\"{}", "#".repeat(hashes));
        let body = &after[hashes + 1..];
        let body_length = body.find(&close).map_or(body.len(), |at| at + close.len());
        return (length + hashes + 1 + body_length, None);
    }
    if matches!(name, "b" | "c") && after.starts_with('"') {
        return (length + quoted(after), None);
    }
    if name == "r" && hashes == 1 {
        let plain = end(&after[1..]);
        return (length + 1 + plain, Some(Token::Name(after[1..=plain].to_owned())));
    }
    (length, Some(Token::Name(name.to_owned())))
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character between ticks, or the tick of a lifetime.
fn tick(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let from = at + escaped.len_utf8();
            rest[from..].find('\'').map_or(rest.len(), |end| from + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while let Some(next) = rest[at..].find(['/', '*']).map(|next| at + next) {
        if rest[next..].starts_with("/*") {
            depth += 1;
            at = next + 2;
        } else if rest[next..].starts_with("*/") {
            depth -= 1;
            at = next + 2;
            if depth == 0 {
                return at;
            }
        } else {
            at = next + 1;
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::paths;

    fn names(text: &str, module: &[&str]) -> Vec<String> {
        let module: Vec<String> = module.iter().map(|name| (*name).to_owned()).collect();
        paths(text, &module)
            .into_iter()
            .map(|named| named.path.join("::"))
            .collect()
    }

    #[test]
    fn use_trees_are_spread_out() {
        let text =
            "pub(crate) use crate::{engine::{api::*, Engine as E}, store};\nuse sled;\nuse ::sled::Tree;";
        assert_eq!(
            names(text, &["http"]),
            [
                "crate::engine::api::*",
                "crate::engine::Engine",
                "crate::store",
                "sled",
                "sled::Tree"
            ]
        );
    }

    #[test]
    fn paths_in_code_and_macros_are_seen() {
        let text = "fn f() { select!(a = crate::store::open() => x.collect::<Vec<wasmtime::Val>>()) }";
        assert_eq!(names(text, &["http"]), ["crate::store::open", "wasmtime::Val"]);
    }

    #[test]
    fn super_and_self_are_followed_also_out_of_modules_within_the_file() {
        let text =
            "use super::b; use self::c; mod tests { use super::*; use super::super::b; } use super::d;";
        assert_eq!(
            names(text, &["store", "a"]),
            [
                "crate::store::b",
                "crate::store::a::c",
                "crate::store::a::*",
                "crate::store::b",
                "crate::store::d"
            ]
        );
    }

    #[test]
    fn a_module_of_the_same_name_is_not_the_crate() {
        assert_eq!(
            names("mod sled; pub use sled::Db;", &["store"]),
            ["crate::store::sled::Db"]
        );
        assert_eq!(names("mod sled; pub use ::sled::Db;", &["store"]), ["sled::Db"]);
    }

    #[test]
    fn comments_texts_characters_and_lifetimes_name_nothing() {
        let text = concat!(
            "// a::b\n/* c::d /* e::f */ g::h */ const A: &'static str = \"i::j \\\" k::l\";\n",
            "const B: &str = r#\"m::n \" o::p\"#; const C: char = '\"'; const D: u8 = b'\\''; fn q<'r>() { s::t() }",
        );
        assert_eq!(names(text, &[]), ["s::t"]);
    }

    #[test]
    fn lines_are_counted_through_texts_and_comments() {
        let found = paths("/* 1\n2 */ const A: &str = \"\n\";\nuse b::c;", &[]);
        assert_eq!(found[0].line, 4);
    }
}
