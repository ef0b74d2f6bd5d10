//! An object's members, editable one by one. Untouched members keep their bytes and their order.

use core::fmt;
use std::borrow::Cow;

use super::scan::{colon, fail, skip_space, string_end, value_end, JsonError, Scanned};
use super::text;
use super::value::Value;
use super::write::WriteJson;

/// Two members would have the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameTaken {
    /// The name.
    pub name: String,
}

impl fmt::Display for NameTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("two fields would be called ")?;
        f.write_str(&self.name)
    }
}

impl std::error::Error for NameTaken {}

#[derive(Debug, Clone)]
struct Member<'a> {
    name: Cow<'a, str>,
    /// The name's literal, so that an untouched one keeps its escapes.
    literal: Cow<'a, str>,
    value: Cow<'a, str>,
}

/// A JSON object over its text.
///
/// A name that occurs twice is refused: the two sides could each read another of them, and a field that must not leave
/// the outlet could hide behind its twin.
#[derive(Debug, Clone, Default)]
pub struct Object<'a> {
    members: Vec<Member<'a>>,
}

impl<'a> Object<'a> {
    /// An object without members.
    pub fn new() -> Self {
        Self::default()
    }

    /// The object of a whole text.
    ///
    /// # Errors
    /// When the text is not one JSON object, is nested deeper than [`super::MAX_DEPTH`], or has a name twice.
    pub fn parse(text: &'a str) -> Result<Self, JsonError> {
        let bytes = text.as_bytes();
        let start = skip_space(bytes, 0);
        if bytes.get(start) != Some(&b'{') {
            return fail(start, "expected an object");
        }
        let mut members = Vec::new();
        let mut at = skip_space(bytes, start + 1);
        if bytes.get(at) == Some(&b'}') {
            at += 1;
        } else {
            loop {
                let (member, end) = member(text, at)?;
                members.push(member);
                at = skip_space(bytes, end);
                match bytes.get(at) {
                    Some(b',') => at = skip_space(bytes, at + 1),
                    Some(b'}') => break at += 1,
                    _ => return fail(at, "expected a comma or the closing bracket"),
                }
            }
        }
        if skip_space(bytes, at) != bytes.len() {
            return fail(at, "something follows the object");
        }
        let object = Self { members };
        match object.repeated_name() {
            None => Ok(object),
            Some(_) => fail(start, "a name occurs twice in the object"),
        }
    }

    /// The names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Value<'_>)> {
        self.members
            .iter()
            .map(|member| (member.name.as_ref(), Value::scanned(&member.value)))
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<Value<'_>> {
        self.members
            .iter()
            .find(|member| member.name == name)
            .map(|member| Value::scanned(&member.value))
    }

    /// Whether there is a member of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Gives a name a value: in its place when it is there, else at the end.
    pub fn set<T: WriteJson + ?Sized>(&mut self, name: &str, value: &T) {
        let mut written = String::new();
        value.write_json(&mut written);
        match self.members.iter_mut().find(|member| member.name == name) {
            Some(member) => member.value = Cow::Owned(written),
            None => self.members.push(Member {
                name: Cow::Owned(name.to_owned()),
                literal: Cow::Owned(literal(name)),
                value: Cow::Owned(written),
            }),
        }
    }

    /// Takes a member out; whether it was there.
    pub fn remove(&mut self, name: &str) -> bool {
        let before = self.members.len();
        self.members.retain(|member| member.name != name);
        self.members.len() != before
    }

    /// Gives a member another name, in its place; whether it was there.
    ///
    /// # Errors
    /// When another member has that name. The object is then as it was.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<bool, NameTaken> {
        let there = self.contains(from);
        self.rename_all(|name| (name == from).then_some(to))?;
        Ok(there)
    }

    /// Gives all members for which `new_name` answers another name, all at once, so that names can be exchanged.
    ///
    /// # Errors
    /// When two members would have the same name. The object is then as it was.
    pub fn rename_all<'n>(&mut self, new_name: impl Fn(&str) -> Option<&'n str>) -> Result<(), NameTaken> {
        let mut renamed = self.clone();
        for member in &mut renamed.members {
            if let Some(name) = new_name(&member.name) {
                if name != member.name {
                    member.name = Cow::Owned(name.to_owned());
                    member.literal = Cow::Owned(literal(name));
                }
            }
        }
        if let Some(name) = renamed.repeated_name() {
            return Err(NameTaken {
                name: name.to_owned(),
            });
        }
        *self = renamed;
        Ok(())
    }

    /// The object as JSON text, without white space between members.
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(
            2 + self
                .members
                .iter()
                .map(|member| member.literal.len() + member.value.len() + 2)
                .sum::<usize>(),
        );
        self.write_json(&mut out);
        out
    }

    /// Whether both say the same: key order and white space aside, numbers equal as decimals.
    pub fn same_value(&self, other: &Object<'_>) -> bool {
        let by_name = |object: &Object<'_>| {
            let mut order: Vec<usize> = (0..object.members.len()).collect();
            order.sort_by(|a, b| object.members[*a].name.cmp(&object.members[*b].name));
            order
        };
        self.len() == other.len()
            && by_name(self).into_iter().zip(by_name(other)).all(|(a, b)| {
                let (a, b) = (&self.members[a], &other.members[b]);
                a.name == b.name && Value::scanned(&a.value).same_value(&Value::scanned(&b.value))
            })
    }

    fn repeated_name(&self) -> Option<&str> {
        let mut names: Vec<&str> = self.members.iter().map(|member| member.name.as_ref()).collect();
        names.sort_unstable();
        names
            .windows(2)
            .find(|pair| pair[0] == pair[1])
            .map(|pair| pair[0])
    }
}

impl WriteJson for Object<'_> {
    fn write_json(&self, out: &mut String) {
        out.push('{');
        for (at, member) in self.members.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            out.push_str(&member.literal);
            out.push(':');
            out.push_str(&member.value);
        }
        out.push('}');
    }
}

fn literal(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    text::encode(name, &mut out);
    out
}

fn member(source: &str, at: usize) -> Scanned<(Member<'_>, usize)> {
    let bytes = source.as_bytes();
    let name_end = string_end(bytes, at)?;
    let literal = &source[at..name_end];
    let Some(name) = text::decode(literal) else {
        return fail(at, "a lone surrogate is no text");
    };
    let start = colon(bytes, name_end)?;
    let end = value_end(bytes, start, 1)?;
    Ok((
        Member {
            name,
            literal: Cow::Borrowed(literal),
            value: Cow::Borrowed(&source[start..end]),
        },
        end,
    ))
}

#[cfg(test)]
mod tests;
