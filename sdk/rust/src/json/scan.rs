//! Finds where a JSON value ends, refusing what RFC 8259 does not allow. Never recurses, never allocates for a number.

use core::fmt;

/// How deep values may be nested, as the runtime allows.
pub const MAX_DEPTH: usize = 128;

/// Text that is not the JSON that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonError {
    /// Byte position in the text.
    pub at: usize,
    /// What was found wrong there.
    pub problem: &'static str,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.problem)?;
        f.write_str(" at byte ")?;
        fmt::Display::fmt(&self.at, f)
    }
}

impl std::error::Error for JsonError {}

pub(super) type Scanned<T> = Result<T, JsonError>;

pub(super) fn fail<T>(at: usize, problem: &'static str) -> Scanned<T> {
    Err(JsonError { at, problem })
}

/// The position of the next byte that is not white space.
pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// The position after the value that starts at `at`, which must not be white space. `depth` counts what is open around it.
pub(super) fn value_end(bytes: &[u8], mut at: usize, depth: usize) -> Scanned<usize> {
    // One entry an open array or object: true for an object.
    let mut open: Vec<bool> = Vec::new();
    loop {
        match bytes.get(at) {
            Some(&bracket @ (b'{' | b'[')) => {
                if depth + open.len() >= MAX_DEPTH {
                    return fail(at, "nested too deep");
                }
                let object = bracket == b'{';
                at = skip_space(bytes, at + 1);
                if bytes.get(at) == Some(&closing(object)) {
                    at += 1;
                } else {
                    open.push(object);
                    at = member_start(bytes, at, object)?;
                    continue;
                }
            }
            _ => at = scalar_end(bytes, at)?,
        }
        // A value ended: close what ends with it, or go on to the next item.
        loop {
            let Some(&object) = open.last() else { return Ok(at) };
            at = skip_space(bytes, at);
            match bytes.get(at) {
                Some(b',') => {
                    at = member_start(bytes, skip_space(bytes, at + 1), object)?;
                    break;
                }
                Some(&byte) if byte == closing(object) => {
                    open.pop();
                    at += 1;
                }
                _ => return fail(at, "expected a comma or the closing bracket"),
            }
        }
    }
}

fn closing(object: bool) -> u8 {
    if object {
        b'}'
    } else {
        b']'
    }
}

/// The position of an item's value: in an object, behind its name and colon.
fn member_start(bytes: &[u8], at: usize, object: bool) -> Scanned<usize> {
    if object {
        let at = string_end(bytes, at)?;
        colon(bytes, at)
    } else {
        Ok(at)
    }
}

/// The position of the value behind the colon that is expected at `at`.
pub(super) fn colon(bytes: &[u8], at: usize) -> Scanned<usize> {
    let at = skip_space(bytes, at);
    if bytes.get(at) != Some(&b':') {
        return fail(at, "expected a colon");
    }
    Ok(skip_space(bytes, at + 1))
}

fn scalar_end(bytes: &[u8], at: usize) -> Scanned<usize> {
    match bytes.get(at) {
        Some(b'"') => string_end(bytes, at),
        Some(b'-' | b'0'..=b'9') => number_end(bytes, at),
        Some(_) => {
            let literals: [&[u8]; 3] = [b"true", b"false", b"null"];
            match literals.iter().find(|literal| bytes[at..].starts_with(literal)) {
                Some(literal) => Ok(at + literal.len()),
                None => fail(at, "expected a value"),
            }
        }
        None => fail(at, "the text ends too early"),
    }
}

/// The position after the string whose opening quote is at `at`.
pub(super) fn string_end(bytes: &[u8], at: usize) -> Scanned<usize> {
    if bytes.get(at) != Some(&b'"') {
        return fail(at, "expected a string");
    }
    let mut at = at + 1;
    loop {
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => match bytes.get(at + 1) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                Some(b'u') => match bytes.get(at + 2..at + 6) {
                    Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => at += 6,
                    _ => return fail(at, "an escape wants four hexadecimal digits"),
                },
                _ => return fail(at, "there is no such escape"),
            },
            Some(0x00..=0x1f) => return fail(at, "a control character must be escaped"),
            Some(_) => at += 1,
            None => return fail(at, "the text ends within a string"),
        }
    }
}

/// The position after the number that starts at `at`.
pub(super) fn number_end(bytes: &[u8], at: usize) -> Scanned<usize> {
    let digits = |mut at: usize| {
        let start = at;
        while matches!(bytes.get(at), Some(b'0'..=b'9')) {
            at += 1;
        }
        if at == start {
            fail(at, "expected a digit")
        } else {
            Ok(at)
        }
    };
    let start = if bytes.get(at) == Some(&b'-') { at + 1 } else { at };
    let mut end = digits(start)?;
    if end > start + 1 && bytes[start] == b'0' {
        return fail(start, "a number has no leading zero");
    }
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
        end = digits(end + 1 + usize::from(sign))?;
    }
    Ok(end)
}
