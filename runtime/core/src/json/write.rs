//! Writes an object out of members that are JSON text already.

/// An object being written at the end of a text.
pub(super) struct ObjectWriter<'o> {
    out: &'o mut String,
    first: bool,
}

impl<'o> ObjectWriter<'o> {
    pub(super) fn begin(out: &'o mut String) -> Self {
        out.push('{');
        ObjectWriter { out, first: true }
    }

    /// Where the next member is to be written, after its comma.
    pub(super) fn member(&mut self) -> &mut String {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
        self.out
    }

    pub(super) fn end(self) {
        self.out.push('}');
    }
}
