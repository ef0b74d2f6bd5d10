//! The merge of one field, and of an object field by field.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::account::Account;
use super::rules::{Rules, Wins};
use super::Newest;
use crate::json::WriteJson;
use crate::{Object, Value};

/// Where a field is.
pub(super) struct Path {
    /// As rules name it: `lines.price`.
    rule: String,
    /// As people are told: `lines[A-1].price`.
    shown: String,
}

impl Path {
    /// The document itself.
    pub(super) fn root() -> Self {
        Self {
            rule: String::new(),
            shown: String::new(),
        }
    }

    fn member(&self, name: &str) -> Self {
        let dot = if self.rule.is_empty() { "" } else { "." };
        Self {
            rule: [self.rule.as_str(), dot, name].concat(),
            shown: [self.shown.as_str(), dot, name].concat(),
        }
    }

    /// An element of an array: rules do not tell elements apart.
    pub(super) fn element(&self, key: &str) -> Self {
        Self {
            rule: self.rule.clone(),
            shown: [self.shown.as_str(), "[", key, "]"].concat(),
        }
    }
}

/// One field as the three have it; none: it is absent there.
#[derive(Clone, Copy, Default)]
pub(super) struct Three<'a> {
    pub(super) base: Option<Value<'a>>,
    pub(super) local: Option<Value<'a>>,
    pub(super) cloud: Option<Value<'a>>,
}

/// A merge under way.
pub(super) struct Merge<'r> {
    pub(super) rules: &'r Rules,
    pub(super) newest: Newest,
    pub(super) account: Account,
}

impl Merge<'_> {
    /// The JSON text of the merged object.
    pub(super) fn objects(
        &mut self,
        path: &Path,
        base: &Object<'_>,
        local: &Object<'_>,
        cloud: &Object<'_>,
    ) -> String {
        let (in_base, in_local, in_cloud) = (by_name(base), by_name(local), by_name(cloud));
        let mut out = String::from("{");
        let only_cloud = cloud.iter().filter(|(name, _)| !in_local.contains_key(name));
        for (name, _) in local.iter().chain(only_cloud) {
            let three = Three {
                base: in_base.get(name).copied(),
                local: in_local.get(name).copied(),
                cloud: in_cloud.get(name).copied(),
            };
            let Some(text) = self.field(&path.member(name), three) else {
                continue;
            };
            if out.len() > 1 {
                out.push(',');
            }
            name.write_json(&mut out);
            out.push(':');
            out.push_str(&text);
        }
        out.push('}');
        out
    }

    /// The JSON text of the merged field; none: it is absent.
    pub(super) fn field<'a>(&mut self, path: &Path, three: Three<'a>) -> Option<Cow<'a, str>> {
        let Three { base, local, cloud } = three;
        let raw = |value: Option<Value<'a>>| value.map(|value| Cow::Borrowed(value.raw()));
        let agreed = same(local, cloud);
        // Of two equal differences a counter is the sum.
        if agreed && !self.rules.is_counter(&path.rule) && !self.rules.counts_below(&path.rule) {
            return raw(cloud);
        }
        if same(base, local) {
            if !agreed {
                self.account.only_cloud(&path.shown);
            }
            return raw(cloud);
        }
        if same(base, cloud) {
            self.account.only_local(&path.shown);
            return raw(local);
        }
        if self.rules.is_counter(&path.rule) {
            return self.counter(path, three);
        }
        if let Some(merged) = self.within(path, three) {
            return Some(Cow::Owned(merged));
        }
        if agreed {
            return raw(cloud);
        }
        let wins = self.newest.over(self.rules.of_field(&path.rule));
        self.account.contested(&path.shown, wins);
        match wins {
            Wins::Local => raw(local),
            Wins::Cloud | Wins::Newest | Wins::Defer => raw(cloud),
        }
    }

    /// The merge of two objects, or of two arrays whose elements are known; none for anything else.
    fn within(&mut self, path: &Path, three: Three<'_>) -> Option<String> {
        let (local, cloud) = (three.local?, three.cloud?);
        if let (Some(local), Some(cloud)) = (local.as_object(), cloud.as_object()) {
            let base = three.base.and_then(|base| base.as_object()).unwrap_or_default();
            return Some(self.objects(path, &base, &local, &cloud));
        }
        let rules = self.rules;
        self.arrays(path, rules.member_of(&path.rule)?, three)
    }

    /// `base + (local - base) + (cloud - base)`
    fn counter<'a>(&mut self, path: &Path, three: Three<'a>) -> Option<Cow<'a, str>> {
        let number = |value: Option<Value<'_>>| value.and_then(|value| value.as_number());
        let numbers = (number(three.base), number(three.local), number(three.cloud));
        let sum = match numbers {
            (Some(base), Some(local), Some(cloud)) => local.plus(&cloud).and_then(|both| both.minus(&base)),
            _ => None,
        };
        if let Some(sum) = sum {
            self.account.counted(&path.shown);
            return Some(Cow::Owned(sum.as_str().to_owned()));
        }
        if !same(three.local, three.cloud) {
            self.account.uncountable(&path.shown);
        }
        three.cloud.map(|value| Cow::Borrowed(value.raw()))
    }
}

/// Whether both are absent, or say the same.
pub(super) fn same(a: Option<Value<'_>>, b: Option<Value<'_>>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => a.same_value(&b),
        _ => false,
    }
}

fn by_name<'o>(object: &'o Object<'_>) -> BTreeMap<&'o str, Value<'o>> {
    object.iter().collect()
}
