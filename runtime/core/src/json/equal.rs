//! When two texts are the same JSON: key order aside, the last of duplicate names counting, strings by what
//! they mean, numbers by their exact decimal value.
//!
//! Linear but for the sorting of an object's names; it recurses at most as deep as the scanner lets texts nest.

use super::scan::Shape;
use super::text::Text;
use super::tree::{Node, Tree};
use crate::decimal::same_number;
use std::cell::LazyCell;

/// Whether two texts are the same JSON. Texts that are not JSON are the same only when they are identical.
pub(super) fn same(a: &str, b: &str) -> bool {
    a == b || with_trees(a, b, same_node)
}

/// Whether two objects are the same but for these members of the top level.
pub(super) fn same_ignoring(a: &str, b: &str, ignored: &[&str]) -> bool {
    let counts = |member: &Node<'_>| !ignored.iter().any(|name| member.name().is(name));
    a == b
        || with_trees(a, b, |a, b| {
            same_members(a.children().filter(counts), b.children().filter(counts))
        })
}

fn with_trees(a: &str, b: &str, compare: impl Fn(Node<'_>, Node<'_>) -> bool) -> bool {
    match (Tree::parse(a), Tree::parse(b)) {
        (Ok(a), Ok(b)) => compare(a.root(), b.root()),
        _ => false,
    }
}

fn same_node(a: Node<'_>, b: Node<'_>) -> bool {
    if a.raw() == b.raw() {
        return true;
    }
    match (a.shape(), b.shape()) {
        (Shape::Object, Shape::Object) => same_members(a.children(), b.children()),
        (Shape::Array, Shape::Array) => {
            let (mut a, mut b) = (a.children(), b.children());
            loop {
                match (a.next(), b.next()) {
                    (None, None) => return true,
                    (Some(a), Some(b)) if same_node(a, b) => {}
                    _ => return false,
                }
            }
        }
        (Shape::String, Shape::String) => Text::quoted(a.raw()) == Text::quoted(b.raw()),
        (Shape::Number, Shape::Number) => same_number(a.raw(), b.raw()),
        // Literals have one spelling, and that differs.
        _ => false,
    }
}

fn same_members<'t>(
    a: impl Iterator<Item = Node<'t>> + Clone,
    b: impl Iterator<Item = Node<'t>> + Clone,
) -> bool {
    if names_in_step(a.clone(), b.clone()) {
        // The common case. The same members count on both sides; sorting is put off until one differs.
        let counting = LazyCell::new(|| by_name(a.clone()));
        let counts = |member: Node<'t>| {
            let found = counting.binary_search_by_key(&member.name(), |(name, _)| *name);
            found.is_ok_and(|at| counting[at].1.is(member))
        };
        return a.clone().zip(b).all(|(a, b)| same_node(a, b) || !counts(a));
    }
    let (a, b) = (by_name(a), by_name(b));
    a.len() == b.len()
        && a.iter()
            .zip(&b)
            .all(|((name_a, _), (name_b, _))| name_a == name_b)
        && a.iter().zip(&b).all(|((_, a), (_, b))| same_node(*a, *b))
}

/// Whether both have the same names in the same order and spelling.
fn names_in_step<'t>(a: impl Iterator<Item = Node<'t>>, b: impl Iterator<Item = Node<'t>>) -> bool {
    a.map(Node::raw_name).eq(b.map(Node::raw_name))
}

/// The members that count, sorted by name: of duplicates only the last.
fn by_name<'t>(members: impl Iterator<Item = Node<'t>>) -> Vec<(Text<'t>, Node<'t>)> {
    let mut members: Vec<_> = members.map(|member| (member.name(), member)).collect();
    // Reversed, and the sort is stable: the last of duplicates comes first, and that one is kept.
    members.reverse();
    members.sort_by_key(|(name, _)| *name);
    members.dedup_by(|(earlier, _), (kept, _)| earlier == kept);
    members
}
