//! The merge of arrays whose elements are known by one of their members.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::{Merge, Path, Three};
use crate::json::Kind;
use crate::Value;

/// The elements of an array by their keys, and the keys in order.
#[derive(Default)]
struct Keyed<'a> {
    order: Vec<String>,
    elements: BTreeMap<String, Value<'a>>,
}

impl<'a> Keyed<'a> {
    /// None: it is no array of objects that each have another text, number or truth value at `member`.
    fn of(array: Value<'a>, member: &str) -> Option<Self> {
        let mut keyed = Self::default();
        for element in array.as_array()? {
            let key = key_of(&element.as_object()?.get(member)?)?;
            keyed.order.push(key.clone());
            if keyed.elements.insert(key, element).is_some() {
                return None;
            }
        }
        Some(keyed)
    }

    fn get(&self, key: &str) -> Option<Value<'a>> {
        self.elements.get(key).copied()
    }

    /// Its keys that the two others have too, in its order.
    fn shared(&self, one: &Self, other: &Self) -> Vec<&str> {
        let order = self.order.iter().map(String::as_str);
        order
            .filter(|key| one.elements.contains_key(*key) && other.elements.contains_key(*key))
            .collect()
    }
}

impl Merge<'_> {
    /// The JSON text of the merged array; none where an element is not known by `member`: the array is one value then.
    pub(super) fn arrays(&mut self, path: &Path, member: &str, three: Three<'_>) -> Option<String> {
        let (local, cloud) = (Keyed::of(three.local?, member)?, Keyed::of(three.cloud?, member)?);
        let base = match three.base {
            Some(base) if base.kind() == Kind::Array => Keyed::of(base, member)?,
            _ => Keyed::default(),
        };
        let reordered = cloud.shared(&base, &local) != base.shared(&cloud, &local);
        let (first, second) = if reordered {
            (&cloud, &local)
        } else {
            (&local, &cloud)
        };
        let mut seen = BTreeSet::new();
        let mut out = String::from("[");
        for key in first
            .order
            .iter()
            .chain(&second.order)
            .filter(|key| seen.insert(*key))
        {
            let element = Three {
                base: base.get(key),
                local: local.get(key),
                cloud: cloud.get(key),
            };
            let Some(text) = self.field(&path.element(&key[1..]), element) else {
                continue;
            };
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(&text);
        }
        out.push(']');
        Some(out)
    }
}

/// What an element is known by, behind a letter for its kind: `1` and `1.0` are one key, `"1"` is another.
fn key_of(value: &Value<'_>) -> Option<String> {
    match value.kind() {
        Kind::String => Some(["s", &value.as_str()?].concat()),
        Kind::Number => Some(["n", &value.as_number()?.normal()].concat()),
        Kind::Bool => Some(["b", value.raw()].concat()),
        Kind::Null | Kind::Array | Kind::Object => None,
    }
}
