//! What the laws ask of single answers, whatever kind of plugin gave them.

use std::collections::BTreeSet;

use selaras_core::json::Doc;
use serde_json::value::RawValue;

use crate::authoring::samples::names_an_entity;
use crate::plugin::{Failure, FailureCode, Trial};

/// What is wrong with an answer that is none. An error of the plugin's own is an answer: it leaves things to a person.
pub(super) fn unfair<T>(trial: &Trial<T>) -> Option<&Failure> {
    trial
        .outcome
        .as_ref()
        .err()
        .filter(|failure| failure.code != FailureCode::Error)
}

/// A member that stands twice in one object, by its path.
pub(super) fn twice(text: &str) -> Option<String> {
    visit(text, "", &mut |path, names, _| {
        let mut seen = BTreeSet::new();
        names
            .iter()
            .find(|name| !seen.insert(name.as_str()))
            .map(|name| format!("{path}{name}"))
    })
}

/// The ids in a document: of each member that names an entity, its value.
pub(super) fn ids(text: &str) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    visit::<()>(text, "", &mut |_, _, members| {
        for (name, value) in members.iter().filter(|(name, _)| names_an_entity(name)) {
            found.insert((name.clone(), (*value).to_owned()));
        }
        None
    });
    found
}

/// What `at` says of an object: its path with a dot behind, its members' names and the members.
type At<'a, T> = &'a mut dyn FnMut(&str, &[String], &[(String, &str)]) -> Option<T>;

/// Goes over every object of a text, outermost first, until `at` has something.
fn visit<T>(text: &str, path: &str, at: At<'_, T>) -> Option<T> {
    if let Ok(doc) = Doc::parse(text) {
        let members: Vec<(String, &str)> = doc
            .members()
            .into_iter()
            .map(|(name, value)| (name.into_owned(), value))
            .collect();
        let names: Vec<String> = members.iter().map(|(name, _)| name.clone()).collect();
        return at(path, &names, &members).or_else(|| {
            members
                .iter()
                .find_map(|(name, value)| visit(value, &format!("{path}{name}."), at))
        });
    }
    let elements: Vec<Box<RawValue>> = serde_json::from_str(text).unwrap_or_default();
    elements
        .iter()
        .enumerate()
        .find_map(|(n, element)| visit(element.get(), &format!("{path}{n}."), at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_stands_twice_is_found_at_any_depth() {
        assert_eq!(twice(r#"{"a":1,"b":[{"c":1,"c":2}]}"#).as_deref(), Some("b.0.c"));
        assert_eq!(twice(r#"{"a":1,"b":[{"c":1},{"c":2}]}"#), None);
    }

    #[test]
    fn ids_are_collected_from_everywhere() {
        let found = ids(r#"{"id":"o-1","lines":[{"product_id":"p-2","qty":1}],"paid":true}"#);
        let pairs: Vec<_> = found.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("id", "\"o-1\""), ("product_id", "\"p-2\"")]);
    }
}
