//! What can be written as JSON text. Floats are left out on purpose: a number is an integer or a [`Number`].

use std::borrow::Cow;

use super::number::{push_integer, Number};
use super::text;
use super::value::Value;

/// Something that has a JSON text.
pub trait WriteJson {
    /// Appends the text to `out`.
    fn write_json(&self, out: &mut String);
}

impl<T: WriteJson + ?Sized> WriteJson for &T {
    fn write_json(&self, out: &mut String) {
        (**self).write_json(out);
    }
}

impl WriteJson for str {
    fn write_json(&self, out: &mut String) {
        text::encode(self, out);
    }
}

impl WriteJson for String {
    fn write_json(&self, out: &mut String) {
        text::encode(self, out);
    }
}

impl WriteJson for Cow<'_, str> {
    fn write_json(&self, out: &mut String) {
        text::encode(self, out);
    }
}

impl WriteJson for bool {
    fn write_json(&self, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }
}

impl WriteJson for Number {
    fn write_json(&self, out: &mut String) {
        out.push_str(self.as_str());
    }
}

impl WriteJson for Value<'_> {
    fn write_json(&self, out: &mut String) {
        out.push_str(self.raw());
    }
}

impl<T: WriteJson> WriteJson for Option<T> {
    fn write_json(&self, out: &mut String) {
        match self {
            Some(value) => value.write_json(out),
            None => out.push_str("null"),
        }
    }
}

impl<T: WriteJson> WriteJson for [T] {
    fn write_json(&self, out: &mut String) {
        out.push('[');
        for (at, item) in self.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            item.write_json(out);
        }
        out.push(']');
    }
}

impl<T: WriteJson> WriteJson for Vec<T> {
    fn write_json(&self, out: &mut String) {
        self.as_slice().write_json(out);
    }
}

macro_rules! integers {
    ($($integer:ty)*) => {$(
        impl WriteJson for $integer {
            fn write_json(&self, out: &mut String) {
                push_integer(i128::from(*self), out);
            }
        }
    )*};
}

integers!(u8 u16 u32 u64 i8 i16 i32 i64 i128);
