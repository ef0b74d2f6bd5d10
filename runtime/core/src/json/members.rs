//! The members of one object, found in one pass. What is inside their values is validated and passed over.

use super::scan::{Shape, Sink, Span, scan};
use super::text::Text;

/// Where a member stands: its name with quotes, and its value.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    text: &'a str,
    name: Span,
    value: Span,
}

impl<'a> Member<'a> {
    pub(super) fn name(self) -> Text<'a> {
        Text::quoted(self.name.of(self.text))
    }

    pub(super) fn value(self) -> &'a str {
        self.value.of(self.text)
    }

    /// Name, colon and value with all bytes between them.
    pub(super) fn whole(self) -> &'a str {
        Span {
            start: self.name.start,
            end: self.value.end,
        }
        .of(self.text)
    }
}

/// The members of the object that `text` is, in order; none when it is something else.
pub(super) fn members(text: &str) -> Vec<Member<'_>> {
    let mut found = Found {
        text,
        depth: 0,
        name: None,
        start: 0,
        members: Vec::new(),
    };
    match scan(text, &mut found) {
        Ok(()) => found.members,
        Err(_) => Vec::new(),
    }
}

struct Found<'a> {
    text: &'a str,
    depth: u32,
    /// The name whose value comes next; always `None` at the top of an array.
    name: Option<Span>,
    start: usize,
    members: Vec<Member<'a>>,
}

impl Found<'_> {
    fn push(&mut self, value: Span) {
        if let Some(name) = self.name.take() {
            self.members.push(Member {
                text: self.text,
                name,
                value,
            });
        }
    }
}

impl Sink for Found<'_> {
    fn name(&mut self, name: Span) {
        if self.depth == 1 {
            self.name = Some(name);
        }
    }

    fn open(&mut self, _: Shape, start: usize) {
        if self.depth == 1 {
            self.start = start;
        }
        self.depth += 1;
    }

    fn close(&mut self, end: usize) {
        self.depth -= 1;
        if self.depth == 1 {
            self.push(Span {
                start: self.start,
                end,
            });
        }
    }

    fn scalar(&mut self, _: Shape, value: Span) {
        if self.depth == 1 {
            self.push(value);
        }
    }
}
