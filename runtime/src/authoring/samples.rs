//! Questions that nobody wrote: documents of a shop, and variations of them from a seed.
//!
//! Variations work on the text of a document, so that a number stays the digits it is made of. What names an entity
//! (`id`, `…_id`) stays, and so do the names of elements: a variation is an edit, not another document.

use std::collections::BTreeMap;

use fastrand::Rng;
use selaras_core::json::quote;
use serde_json::value::RawValue;

use super::cases::NOW_MS;
use crate::plugin::{Case, Document};

/// About 1 KB, of everything that documents have.
const PRODUCT: &str = r#"{"id":"p-1","sku":"BEV-0001","name":"Chai","description":"10 boxes x 20 bags, from the highlands. Keep dry and cool, and away from anything that smells; best within a year.","price":18.00,"cost":11.4375,"stock":39,"reorder_level":10,"discontinued":false,"category_id":"cat-1","barcode":"4006381333931","weight_kg":0.50,"tags":["tea","black","box"],"dimensions":{"width":12.5,"height":20,"depth":7.25},"suppliers":[{"id":"s-1","name":"Exotic Liquids","price":17.10},{"id":"s-7","name":"Tokyo Traders","price":16.95}],"note":null,"tax":{"code":"A","rate":0.11},"updated_by":"till-2"}"#;
const ORDER: &str = r#"{"id":"o-10248","customer_id":"VINET","placed_at":"2026-01-27T10:30:00Z","status":"open","lines":[{"id":"l-1","product_id":"p-11","quantity":12,"price":14.00},{"id":"l-2","product_id":"p-42","quantity":10,"price":9.80}],"total":266.00,"paid":false,"note":"ring twice"}"#;

/// The documents to start from when there are no cases.
pub(super) fn documents(entity_types: &[String]) -> Vec<Document> {
    let made_for = |n: usize, given: &str| entity_types.get(n).map_or(given, String::as_str).to_owned();
    let document = |entity_type: String, id: &str, body: &str| Document {
        entity_type,
        id: id.into(),
        cloud_id: Some(format!("cloud-{id}")),
        version: 1,
        deleted: false,
        modified_ms: Some(NOW_MS - 3_600_000),
        modified_by: None,
        body: body.into(),
    };
    let mut all = vec![document(made_for(0, "product"), "p-1", PRODUCT)];
    if entity_types.len() != 1 {
        all.push(document(made_for(1, "order"), "o-10248", ORDER));
    }
    all
}

/// A conflict over this document: both sides as they came from it, each edited.
pub(super) fn conflict(document: &Document, rng: &mut Rng) -> Case {
    let gone = rng.u8(0..16);
    let mut side = |version, gone| {
        let edited = if gone {
            tombstone(document)
        } else {
            edited(document, rng)
        };
        Document {
            version,
            modified_ms: stamp(rng),
            ..edited
        }
    };
    let (local, cloud) = (side(2, gone == 0), side(3, gone == 1));
    let base = (rng.u8(0..4) > 0).then(|| document.clone());
    Case { base, local, cloud }
}

/// A variation of a case: its sides edited further.
pub(super) fn variation(case: &Case, rng: &mut Rng) -> Case {
    let mut edit = |document: &Document| {
        if document.deleted {
            document.clone()
        } else {
            Document {
                modified_ms: stamp(rng),
                ..edited(document, rng)
            }
        }
    };
    Case {
        base: case.base.clone(),
        local: edit(&case.local),
        cloud: edit(&case.cloud),
    }
}

/// The document after up to three edits.
pub(super) fn edited(document: &Document, rng: &mut Rng) -> Document {
    let Some(mut tree) = Tree::read(&document.body) else {
        return document.clone();
    };
    for _ in 0..rng.u8(0..=3) {
        tree.edit(rng);
    }
    let mut body = String::new();
    tree.write(&mut body);
    Document {
        body: body.into(),
        ..document.clone()
    }
}

/// The same entity, deleted.
pub(super) fn tombstone(document: &Document) -> Document {
    Document {
        deleted: true,
        body: "null".into(),
        ..document.clone()
    }
}

/// A time of change: often equal on both sides, at times unknown.
fn stamp(rng: &mut Rng) -> Option<u64> {
    (rng.u8(0..8) > 0).then(|| NOW_MS - 60_000 * rng.u64(0..4))
}

/// A JSON text in pieces; what is neither object nor array stays text.
enum Tree {
    Object(Vec<(String, Tree)>),
    Array(Vec<Tree>),
    Leaf(String),
}

impl Tree {
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        Some(match text.as_bytes().first()? {
            b'{' => {
                let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).ok()?;
                let read = members
                    .into_iter()
                    .map(|(name, value)| Some((name, Self::read(value.get())?)));
                Self::Object(read.collect::<Option<_>>()?)
            }
            b'[' => {
                let elements: Vec<Box<RawValue>> = serde_json::from_str(text).ok()?;
                let read = elements.iter().map(|element| Self::read(element.get()));
                Self::Array(read.collect::<Option<_>>()?)
            }
            _ => Self::Leaf(text.to_owned()),
        })
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Leaf(text) => out.push_str(text),
            Self::Object(members) => {
                out.push('{');
                for (n, (name, value)) in members.iter().enumerate() {
                    out.push_str(if n > 0 { "," } else { "" });
                    out.push_str(&quote(name));
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
            Self::Array(elements) => {
                out.push('[');
                for (n, element) in elements.iter().enumerate() {
                    out.push_str(if n > 0 { "," } else { "" });
                    element.write(out);
                }
                out.push(']');
            }
        }
    }

    /// One edit somewhere in it.
    fn edit(&mut self, rng: &mut Rng) {
        match self {
            Self::Leaf(text) => *text = other(text, rng),
            Self::Array(elements) => match rng.u8(0..6) {
                0 if !elements.is_empty() => drop(elements.remove(rng.usize(..elements.len()))),
                _ if !elements.is_empty() => {
                    let n = rng.usize(..elements.len());
                    elements[n].edit(rng);
                }
                _ => {}
            },
            Self::Object(members) => match rng.u8(0..10) {
                0 => {
                    let name = format!("x_{}", rng.u8(0..4));
                    members.retain(|(there, _)| *there != name);
                    members.push((name, Self::Leaf(rng.u16(..).to_string())));
                }
                1 => {
                    let n = rng.usize(..members.len().max(1));
                    if members.get(n).is_some_and(|(name, _)| !names_an_entity(name)) {
                        members.remove(n);
                    }
                }
                _ => {
                    let free: Vec<_> = members
                        .iter_mut()
                        .filter(|(name, _)| !names_an_entity(name))
                        .collect();
                    let count = free.len();
                    if let Some((_, value)) = free.into_iter().nth(rng.usize(..count.max(1))) {
                        value.edit(rng);
                    }
                }
            },
        }
    }
}

/// Whether a member of this name holds an entity's name.
pub(super) fn names_an_entity(name: &str) -> bool {
    name == "id" || name.ends_with("_id")
}

/// Another value of the same kind; a number keeps its decimals.
fn other(text: &str, rng: &mut Rng) -> String {
    match text.as_bytes().first() {
        Some(b't' | b'f') => rng.bool().to_string(),
        Some(b'"') => quote(["Chai", "Chang", "Kopi", "teh \"tarik\"", "é\u{1f375}"][rng.usize(..5)]),
        Some(b'0'..=b'9' | b'-') if !text.contains(['e', 'E']) => {
            let digits = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            let whole = rng.u32(0..1_000);
            if digits == 0 {
                whole.to_string()
            } else {
                let decimals: String = (0..digits).map(|_| char::from(rng.u8(b'0'..=b'9'))).collect();
                format!("{whole}.{decimals}")
            }
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use selaras_core::json::{Doc, same_json};

    #[test]
    fn a_document_read_and_written_is_itself_to_the_digit() {
        for text in [PRODUCT, ORDER, r#"{"a":1e400,"b":0.10,"c":{"d":[]}}"#] {
            let mut written = String::new();
            Tree::read(text).unwrap().write(&mut written);
            assert!(same_json(text, &written), "{written}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_conflicts_and_ids_stay() {
        let product = &documents(&[])[0];
        let draw = |seed| {
            let mut rng = Rng::with_seed(seed);
            (0..50).map(|_| conflict(product, &mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        let sides = draw(7).into_iter().flat_map(|case| [case.local, case.cloud]);
        let live: Vec<Document> = sides.filter(|side| !side.deleted).collect();
        assert!(live.iter().any(|side| !same_json(&side.body, PRODUCT)));
        for side in &live {
            let doc = Doc::parse(&side.body).unwrap();
            assert_eq!(doc.get("id"), Some("\"p-1\""), "{}", side.body);
            assert_eq!(doc.get("category_id"), Some("\"cat-1\""), "{}", side.body);
        }
    }
}
