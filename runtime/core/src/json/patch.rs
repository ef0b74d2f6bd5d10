//! JSON Merge Patch (RFC 7396) on text: what the patch does not touch keeps its bytes and its place.

use super::scan::Shape;
use super::text::Text;
use super::tree::{Node, Tree};
use super::write::ObjectWriter;
use std::collections::BTreeMap;

/// The text of `target` after `patch`; none when either is not JSON.
pub(super) fn merge_patch(target: &str, patch: &str) -> Option<String> {
    let target_tree = Tree::parse(target).ok()?;
    let patch_tree = Tree::parse(patch).ok()?;
    let mut out = String::with_capacity(target.len() + patch.len());
    write_merged(&mut out, Some(target_tree.root()), patch_tree.root());
    Some(out)
}

/// A member of the patch, and the member of the target that it changes.
struct Touch<'t> {
    patch: Node<'t>,
    target: Option<Node<'t>>,
}

fn write_merged<'t>(out: &mut String, target: Option<Node<'t>>, patch: Node<'t>) {
    if patch.shape() != Shape::Object {
        out.push_str(patch.raw());
        return;
    }
    let target: Vec<_> = match target {
        Some(object) if object.shape() == Shape::Object => {
            object.children().map(|member| (member.name(), member)).collect()
        }
        _ => Vec::new(),
    };
    // Of duplicate names the last counts, in the patch as in the target.
    let mut touches: BTreeMap<Text<'t>, Touch<'t>> = patch
        .children()
        .map(|member| {
            (
                member.name(),
                Touch {
                    patch: member,
                    target: None,
                },
            )
        })
        .collect();
    for (name, member) in &target {
        if let Some(touch) = touches.get_mut(name) {
            touch.target = Some(*member);
        }
    }

    let mut out = ObjectWriter::begin(out);
    for (name, member) in target {
        match touches.get(&name) {
            None => out.member().push_str(member.whole()),
            Some(touch) if touch.changes(member) => {
                write_member(out.member(), member.raw_name(), Some(member), touch.patch);
            }
            Some(_) => {}
        }
    }
    for member in patch.children() {
        if touches
            .get(&member.name())
            .is_some_and(|touch| touch.adds(member))
        {
            write_member(out.member(), member.raw_name(), None, member);
        }
    }
    out.end();
}

fn write_member<'t>(out: &mut String, raw_name: &str, target: Option<Node<'t>>, patch: Node<'t>) {
    out.push_str(raw_name);
    out.push(':');
    write_merged(out, target, patch);
}

impl Touch<'_> {
    fn removes(&self) -> bool {
        self.patch.raw() == "null"
    }

    /// Whether this member of the target is the one that lives on, changed.
    fn changes(&self, member: Node<'_>) -> bool {
        !self.removes() && self.target.is_some_and(|target| target.is(member))
    }

    /// Whether this member of the patch is new to the target.
    fn adds(&self, member: Node<'_>) -> bool {
        !self.removes() && self.target.is_none() && self.patch.is(member)
    }
}
