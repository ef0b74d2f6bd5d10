//! Entities as lines of JSON, page by page: each line is an entity as it stands when its page is read.

use crate::engine::Engine;
use crate::engine::api::{ExportPage, Unavailable};
use crate::store::keys;
use selaras_core::id::{EntityKey, EntityType};
use selaras_core::json::{Doc, quote};
use selaras_core::record::Record;
use std::fmt::Write;

/// Entities read at a time: documents have at most 4 MiB.
const PAGE: usize = 32;

impl Engine {
    /// The next lines, in the order of types and ids, tombstones included. `after`: what the page before named as `next`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn export_page(
        &self,
        entity_type: Option<&EntityType>,
        after: Option<Vec<u8>>,
    ) -> Result<ExportPage, Unavailable> {
        let (start, to) = match entity_type {
            Some(entity_type) => keys::type_range(keys::RECORD, entity_type),
            None => keys::all(keys::RECORD),
        };
        let from = match after {
            Some(mut last) => {
                last.push(0);
                last
            }
            None => start,
        };
        let found = self.inner.rows.records(&from, &to, PAGE)?;
        let next = found
            .last()
            .filter(|_| found.len() == PAGE)
            .map(|(key, _)| keys::entity(keys::RECORD, key));
        let mut lines = String::new();
        for (key, record) in &found {
            self.write_line(&mut lines, key, record);
        }
        Ok(ExportPage {
            lines: lines.into_bytes(),
            count: found.len() as u64,
            next,
        })
    }

    fn write_line(&self, out: &mut String, key: &EntityKey, record: &Record) {
        let cloud_id = record
            .cloud_id
            .as_ref()
            .map_or_else(|| "null".to_owned(), |id| quote(id.as_str()));
        let line = write!(
            out,
            "{{\"entity_type\":{},\"entity_id\":{},\"cloud_id\":{cloud_id},\"version\":{},\"cloud_version\":{},\
             \"sync_status\":{},\"updated_at\":{},\"deleted\":{},\"data\":",
            quote(key.entity_type.as_str()),
            quote(key.id.as_str()),
            record.version,
            record.cloud_version,
            quote(record.sync_status().as_str()),
            quote(&self.inner.time.resolve(&record.modified).to_rfc3339()),
            record.doc.is_none(),
        );
        line.expect("invariant: a String takes everything");
        match &record.doc {
            Some(doc) => push_on_one_line(out, doc),
            None => out.push_str("null"),
        }
        out.push_str("}\n");
    }
}

/// The document as it is, but for line breaks, which JSON has between its tokens only: they become spaces.
fn push_on_one_line(out: &mut String, doc: &Doc) {
    out.extend(doc.as_str().chars().map(|sign| match sign {
        '\n' | '\r' => ' ',
        other => other,
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::api::{Actor, Change, Intent, Precondition};
    use crate::engine::testing::engine;

    fn actor() -> Actor {
        Actor {
            id: "somebody".to_owned(),
            token_id: None,
        }
    }

    fn change(entity_type: &str, id: &str, intent: Intent) -> Change {
        Change {
            key: EntityKey::parse(entity_type, id).unwrap(),
            intent,
            precondition: Precondition::None,
            updated_at: None,
            change_id: None,
        }
    }

    async fn put(engine: &Engine, entity_type: &str, id: &str, document: &str) {
        let intent = Intent::Put(Doc::parse(document).unwrap());
        engine
            .change(change(entity_type, id, intent), None, &actor())
            .await
            .unwrap();
    }

    fn all(engine: &Engine, entity_type: Option<&str>) -> Vec<String> {
        let entity_type = entity_type.map(|name| EntityType::parse(name).unwrap());
        let (mut lines, mut after) = (Vec::new(), None);
        loop {
            let page = engine.export_page(entity_type.as_ref(), after).unwrap();
            let text = String::from_utf8(page.lines).unwrap();
            assert_eq!(page.count, text.lines().count() as u64);
            lines.extend(text.lines().map(str::to_owned));
            after = page.next;
            if after.is_none() {
                return lines;
            }
        }
    }

    #[tokio::test]
    async fn every_entity_is_a_line_also_over_many_pages() {
        let engine = engine().await;
        for n in 0..100 {
            put(&engine, "product", &format!("p-{n}"), r#"{"n":1.0}"#).await;
            put(&engine, "order", &format!("o-{n}"), "{}").await;
        }
        assert_eq!(all(&engine, None).len(), 200);
        let products = all(&engine, Some("product"));
        assert_eq!(products.len(), 100);
        assert!(products.iter().all(|line| line.contains(r#""data":{"n":1.0}}"#)));
        assert!(all(&engine, Some("nothing")).is_empty());
    }

    #[tokio::test]
    async fn a_document_over_several_lines_is_one_line_and_its_text_is_kept() {
        let engine = engine().await;
        put(
            &engine,
            "product",
            "p",
            "{\r\n  \"price\": 9.80000019,\n  \"says\": \"a\\nb\"}",
        )
        .await;
        let line = &all(&engine, None)[0];
        assert!(
            line.ends_with(r#""data":{    "price": 9.80000019,   "says": "a\nb"}}"#),
            "{line}"
        );
    }

    #[tokio::test]
    async fn a_deleted_entity_is_exported_as_deleted() {
        let engine = engine().await;
        put(&engine, "product", "p", "{}").await;
        // Sent before, so that a tombstone stays.
        engine
            .change(
                change("product", "p", Intent::Delete { strict: true }),
                None,
                &actor(),
            )
            .await
            .unwrap();
        let lines = all(&engine, None);
        assert!(
            lines
                .iter()
                .all(|line| line.ends_with(r#""deleted":true,"data":null}"#)),
            "{lines:?}"
        );
    }
}
