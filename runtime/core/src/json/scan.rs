//! The one reader of JSON text: a validating scanner that tells a [`Sink`] where things stand.
//!
//! It builds nothing, unescapes nothing and never recurses: how deep a text nests costs one bit a level, so
//! a hostile text cannot exhaust the stack. It must not interpret what it reads; that is for the sinks.

/// How deep a text may nest; an object or array at the top is level 1.
pub(super) const MAX_DEPTH: u32 = 128;

/// A stretch of the scanned text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    /// The stretch's text.
    pub(super) fn of(self, text: &str) -> &str {
        &text[self.start..self.end]
    }
}

/// What kind of value stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Object,
    Array,
    String,
    Number,
    /// `true`, `false` or `null`.
    Literal,
}

/// Hears what the scanner passes, in the order of the text.
pub(super) trait Sink {
    /// A member's name, quotes included; its value comes next.
    fn name(&mut self, _name: Span) {}
    /// An object or array begins at this byte.
    fn open(&mut self, _shape: Shape, _start: usize) {}
    /// The innermost open object or array ended before this byte.
    fn close(&mut self, _end: usize) {}
    /// A string (quotes included), number or literal.
    fn scalar(&mut self, _shape: Shape, _value: Span) {}
}

/// Hears nothing: for validation alone.
impl Sink for () {}

/// Why a text is not JSON that we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Syntax { problem: &'static str, at: usize },
    TooDeep,
}

/// Reads one JSON value with nothing but whitespace around it.
pub(super) fn scan(text: &str, sink: &mut impl Sink) -> Result<(), Fault> {
    let mut scanner = Scanner {
        bytes: text.as_bytes(),
        pos: 0,
        open: Nesting::default(),
        sink,
    };
    loop {
        scanner.whitespace();
        if scanner.value()? {
            continue;
        }
        if !scanner.after_value()? {
            return Ok(());
        }
    }
}

/// The open objects and arrays: one bit each, set for an object.
#[derive(Default)]
struct Nesting {
    objects: u128,
    depth: u32,
}

impl Nesting {
    fn push(&mut self, shape: Shape) -> Result<(), Fault> {
        if self.depth == MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        self.objects = self.objects << 1 | u128::from(shape == Shape::Object);
        self.depth += 1;
        Ok(())
    }

    fn pop(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
    }

    fn innermost(&self) -> Option<Shape> {
        match (self.depth, self.objects & 1) {
            (0, _) => None,
            (_, 1) => Some(Shape::Object),
            _ => Some(Shape::Array),
        }
    }
}

struct Scanner<'a, S> {
    bytes: &'a [u8],
    pos: usize,
    open: Nesting,
    sink: &'a mut S,
}

impl<S: Sink> Scanner<'_, S> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    fn fault<T>(&self, problem: &'static str) -> Result<T, Fault> {
        Err(Fault::Syntax {
            problem,
            at: self.pos,
        })
    }

    fn whitespace(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.pos += 1;
        }
    }

    /// Reads a scalar, an empty container, or the opening of a container up to its first value.
    /// True when a value must follow.
    fn value(&mut self) -> Result<bool, Fault> {
        let start = self.pos;
        let shape = match self.peek() {
            Some(b'{') => return self.begin(Shape::Object, b'}'),
            Some(b'[') => return self.begin(Shape::Array, b']'),
            Some(b'"') => {
                self.string()?;
                Shape::String
            }
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Shape::Number
            }
            Some(b't') => self.literal(b"true")?,
            Some(b'f') => self.literal(b"false")?,
            Some(b'n') => self.literal(b"null")?,
            Some(_) => return self.fault("expected a value"),
            None => return self.fault("the text ends where a value was expected"),
        };
        self.sink.scalar(shape, Span { start, end: self.pos });
        Ok(false)
    }

    fn begin(&mut self, shape: Shape, closer: u8) -> Result<bool, Fault> {
        self.open.push(shape)?;
        self.sink.open(shape, self.pos);
        self.pos += 1;
        self.whitespace();
        if self.peek() == Some(closer) {
            self.end();
            return Ok(false);
        }
        if shape == Shape::Object {
            self.name()?;
        }
        Ok(true)
    }

    fn end(&mut self) {
        self.pos += 1;
        self.open.pop();
        self.sink.close(self.pos);
    }

    /// Reads on behind a value: closers, then a comma, or the end of the text. True when a value must follow.
    fn after_value(&mut self) -> Result<bool, Fault> {
        loop {
            self.whitespace();
            match (self.open.innermost(), self.peek()) {
                (None, None) => return Ok(false),
                (None, Some(_)) => return self.fault("unexpected text after the end of the value"),
                (Some(Shape::Object), Some(b'}')) | (Some(Shape::Array), Some(b']')) => self.end(),
                (Some(Shape::Object), Some(b',')) => {
                    self.pos += 1;
                    self.whitespace();
                    self.name()?;
                    return Ok(true);
                }
                (Some(_), Some(b',')) => {
                    self.pos += 1;
                    return Ok(true);
                }
                (Some(_), None) => return self.fault("the text ends inside an object or array"),
                (Some(Shape::Object), Some(_)) => return self.fault("expected `,` or `}`"),
                (Some(_), Some(_)) => return self.fault("expected `,` or `]`"),
            }
        }
    }

    fn name(&mut self) -> Result<(), Fault> {
        if self.peek() != Some(b'"') {
            return self.fault("expected a member name in double quotes");
        }
        let start = self.pos;
        self.string()?;
        self.sink.name(Span { start, end: self.pos });
        self.whitespace();
        if self.peek() != Some(b':') {
            return self.fault("expected `:`");
        }
        self.pos += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), Fault> {
        self.pos += 1;
        loop {
            self.pos += plain_run(&self.bytes[self.pos..]);
            match self.peek() {
                Some(b'"') => {
                    self.pos += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
                Some(_) => return self.fault("a control character inside a string must be escaped"),
                None => return self.fault("the text ends inside a string"),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Fault> {
        match self.bytes.get(self.pos + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.pos += 2;
                Ok(())
            }
            Some(b'u') => match self.bytes.get(self.pos + 2..self.pos + 6) {
                Some(hex) if hex.iter().all(u8::is_ascii_hexdigit) => {
                    self.pos += 6;
                    Ok(())
                }
                _ => self.fault("`\\u` needs four hexadecimal digits"),
            },
            _ => self.fault("unknown escape in a string"),
        }
    }

    fn number(&mut self) -> Result<(), Fault> {
        if self.peek() == Some(b'-') {
            self.pos += 1;
        }
        if self.peek() == Some(b'0') {
            self.pos += 1;
            if matches!(self.peek(), Some(b'0'..=b'9')) {
                return self.fault("a number must not begin with 0");
            }
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.pos += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.pos += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.pos += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let start = self.pos;
        while let Some(b'0'..=b'9') = self.peek() {
            self.pos += 1;
        }
        if self.pos == start {
            self.fault("expected a digit")
        } else {
            Ok(())
        }
    }

    fn literal(&mut self, word: &[u8]) -> Result<Shape, Fault> {
        if !self.bytes[self.pos..].starts_with(word) {
            return self.fault("expected a value");
        }
        self.pos += word.len();
        Ok(Shape::Literal)
    }
}

/// How many leading bytes are neither `"`, `\` nor a control character, eight at a time.
///
/// The masks are the classic has-zero-byte and has-less-than tricks. Only the lowest flagged byte of each
/// is certain, and the lowest is all that is asked for.
fn plain_run(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let mut run = 0;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let special =
            (quote.wrapping_sub(ONES) & !quote | backslash.wrapping_sub(ONES) & !backslash | control) & HIGH;
        if special != 0 {
            return run + special.trailing_zeros() as usize / 8;
        }
        run += 8;
    }
    run + rest
        .iter()
        .take_while(|b| !matches!(b, b'"' | b'\\' | 0..0x20))
        .count()
}

#[cfg(test)]
mod tests;
