//! The real data: a trading company's catalogue, customers and invoices, one JSON document a line.

use super::json_text::string_at;
use std::path::Path;

/// One document of the data.
#[derive(Clone, Debug)]
pub struct Line {
    /// The entity type.
    pub entity_type: &'static str,
    /// The document's id.
    pub id: String,
    /// The document as written in the file.
    pub document: String,
}

/// Type and file of each kind.
const FILES: [(&str, &str); 5] = [
    ("category", "categories"),
    ("product", "products"),
    ("customer", "customers"),
    ("order", "orders"),
    ("transaction", "transactions"),
];

/// All documents of a type.
pub fn of(entity_type: &str) -> Vec<Line> {
    let (entity_type, file) = FILES
        .into_iter()
        .find(|(t, _)| *t == entity_type)
        .expect("a type of the data");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../examples/data/{file}.ndjson"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| Line {
            entity_type,
            id: string_at(line, "id").expect("each document has an id"),
            document: line.to_owned(),
        })
        .collect()
}

/// All of it: 1,815 documents.
pub fn all() -> Vec<Line> {
    FILES
        .iter()
        .flat_map(|(entity_type, _)| of(entity_type))
        .collect()
}

#[test]
fn the_data_is_whole() {
    assert_eq!(all().len(), 1815);
}
