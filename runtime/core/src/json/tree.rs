//! A whole text laid out as a flat list of places, in one pass and one allocation, for the operations that
//! look inside nested values: comparing and patching. It holds no values of its own, only spans.

use super::scan::{Fault, Shape, Sink, Span, scan};
use super::text::Text;

/// One value of the text.
#[derive(Clone, Copy)]
struct Place {
    shape: Shape,
    /// The name with quotes, when it is a member of an object.
    name: Option<Span>,
    value: Span,
    /// The index of the first place that is not inside this one.
    after: usize,
}

/// A parsed text.
pub(super) struct Tree<'a> {
    text: &'a str,
    places: Vec<Place>,
}

impl<'a> Tree<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, Fault> {
        let mut builder = Builder {
            places: Vec::with_capacity(text.len() / 16 + 1),
            open: Vec::new(),
            name: None,
        };
        scan(text, &mut builder)?;
        Ok(Tree {
            text,
            places: builder.places,
        })
    }

    pub(super) fn root(&self) -> Node<'_> {
        Node { tree: self, index: 0 }
    }
}

/// A value of a [`Tree`].
#[derive(Clone, Copy)]
pub(super) struct Node<'t> {
    tree: &'t Tree<'t>,
    index: usize,
}

impl<'t> Node<'t> {
    fn place(self) -> &'t Place {
        &self.tree.places[self.index]
    }

    /// Whether both are the same place of the same text.
    pub(super) fn is(self, other: Node<'_>) -> bool {
        std::ptr::eq(self.place(), other.place())
    }

    pub(super) fn shape(self) -> Shape {
        self.place().shape
    }

    pub(super) fn raw(self) -> &'t str {
        self.place().value.of(self.tree.text)
    }

    /// The member's name with quotes; empty for what is not a member.
    pub(super) fn raw_name(self) -> &'t str {
        self.place().name.map_or("", |name| name.of(self.tree.text))
    }

    pub(super) fn name(self) -> Text<'t> {
        Text::quoted(self.raw_name())
    }

    /// Name, colon and value of a member with all bytes between them; the value of anything else.
    pub(super) fn whole(self) -> &'t str {
        let place = self.place();
        let start = place.name.map_or(place.value.start, |name| name.start);
        Span {
            start,
            end: place.value.end,
        }
        .of(self.tree.text)
    }

    /// Members of an object or elements of an array, in order.
    pub(super) fn children(self) -> impl Iterator<Item = Node<'t>> + Clone {
        let end = self.place().after;
        let mut next = self.index + 1;
        std::iter::from_fn(move || {
            let child = (next < end).then_some(Node {
                tree: self.tree,
                index: next,
            })?;
            next = child.place().after;
            Some(child)
        })
    }
}

struct Builder {
    places: Vec<Place>,
    open: Vec<usize>,
    name: Option<Span>,
}

impl Sink for Builder {
    fn name(&mut self, name: Span) {
        self.name = Some(name);
    }

    fn open(&mut self, shape: Shape, start: usize) {
        self.open.push(self.places.len());
        self.scalar(shape, Span { start, end: start });
    }

    fn close(&mut self, end: usize) {
        let after = self.places.len();
        if let Some(place) = self.open.pop().and_then(|index| self.places.get_mut(index)) {
            place.value.end = end;
            place.after = after;
        }
    }

    fn scalar(&mut self, shape: Shape, value: Span) {
        let after = self.places.len() + 1;
        self.places.push(Place {
            shape,
            name: self.name.take(),
            value,
            after,
        });
    }
}
