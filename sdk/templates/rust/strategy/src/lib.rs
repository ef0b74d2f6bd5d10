//! `{{name}}`: the count of stock is the shop's; everything else is the cloud's.

use selaras_sdk::{export_strategy, Conflict, Context, Error, Strategy, Verdict};

/// The strategy.
pub struct {{Name}};

impl Strategy for {{Name}} {
    fn resolve(cx: &Context, conflict: &Conflict) -> Result<Verdict, Error> {
        let settings = cx.settings()?;
        settings.allow_only(&["field"])?;
        let field = settings.string("field")?.unwrap_or_else(|| "stock".into());
        if conflict.local.deleted || conflict.cloud.deleted {
            return Ok(Verdict::defer("One side deleted it, which a person should look at."));
        }
        let local = conflict.local.object()?;
        let mut merged = conflict.cloud.object()?;
        let Some(counted) = local.get(&field) else {
            return Ok(Verdict::take_cloud("The shop counted nothing."));
        };
        merged.set(&field, &counted);
        Ok(Verdict::merge(merged.to_json(), "The shop's count, and the cloud's everything else."))
    }
}

export_strategy!({{Name}});

#[cfg(test)]
mod tests {
    use super::*;
    use selaras_sdk::{testing, Decision, Document};

    #[test]
    fn the_shops_count_stands_and_the_cloud_keeps_its_digits() {
        let local = Document::new("product", "p-1", r#"{"price":1.10,"stock":39}"#);
        let cloud = Document::new("product", "p-1", r#"{"price":1.20,"stock":50}"#);
        let verdict = {{Name}}::resolve(&testing::context("{}"), &testing::conflict(local, cloud)).unwrap();
        assert_eq!(verdict.decision, Decision::Merge(r#"{"price":1.20,"stock":39}"#.into()));
    }
}
