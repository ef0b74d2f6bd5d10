//! `field_merge`: what one side changed since the base is kept, what both changed goes by the settings. How documents are
//! merged is `selaras_sdk::merge`'s; here is only what makes a plugin of it.

use selaras_sdk::merge::{self, Rules};
use selaras_sdk::{export_strategy, Conflict, Context, Error, Info, Strategy, Verdict};

/// The strategy.
pub struct FieldMerge;

impl Strategy for FieldMerge {
    fn info() -> Info {
        Info::default().with_settings_schema(merge::SCHEMA)
    }

    fn resolve(cx: &Context, conflict: &Conflict) -> Result<Verdict, Error> {
        merge::resolve(&Rules::read(&cx.settings()?)?, conflict)
    }
}

export_strategy!(FieldMerge);

#[cfg(test)]
mod tests {
    use super::*;
    use selaras_sdk::{testing, Decision, Document, Value};

    fn conflict() -> Conflict {
        let product = |body| Document::new("product", "p-1", body);
        Conflict {
            base: Some(product(r#"{"price":1.10,"stock":10}"#)),
            ..testing::conflict(
                product(r#"{"price":1.10,"stock":9}"#),
                product(r#"{"price":1.20,"stock":8}"#),
            )
        }
    }

    #[test]
    fn the_settings_are_those_of_the_binding() {
        let settings = r#"{"default":"defer","fields":{"stock":"local"}}"#;
        let verdict = FieldMerge::resolve(&testing::context(settings), &conflict()).unwrap();
        assert_eq!(
            verdict.decision,
            Decision::Merge(r#"{"price":1.20,"stock":9}"#.into())
        );
    }

    #[test]
    fn bad_settings_are_an_error_whatever_the_documents() {
        let both_deleted = testing::conflict(
            Document::tombstone("product", "p-1"),
            Document::tombstone("product", "p-1"),
        );
        let error = FieldMerge::resolve(&testing::context(r#"{"field":{}}"#), &both_deleted).unwrap_err();
        assert_eq!(
            (error.code.as_str(), error.field.as_deref()),
            ("invalid-settings", Some("field"))
        );
    }

    #[test]
    fn the_schema_is_json() {
        assert!(Value::parse(merge::SCHEMA).unwrap().as_object().is_some());
    }
}
