//! `local_wins`: the outlet's document always stands. Looks at nothing, so it cannot fail.

use selaras_sdk::{export_strategy, Conflict, Context, Error, Strategy, Verdict};

/// The strategy.
pub struct LocalWins;

impl Strategy for LocalWins {
    fn resolve(_cx: &Context, conflict: &Conflict) -> Result<Verdict, Error> {
        Ok(Verdict::keep_local(if conflict.local.deleted {
            "The outlet's side always wins here, and the outlet deleted it."
        } else {
            "The outlet's side always wins here."
        }))
    }
}

export_strategy!(LocalWins);

#[cfg(test)]
mod tests {
    use super::*;
    use selaras_sdk::{testing, Decision, Document};

    #[test]
    fn the_outlet_wins_also_when_the_cloud_changed_it_later_or_the_outlet_deleted_it() {
        let cloud = Document::new("product", "p-1", "{}").with_modified_ms(2_000);
        for local in [
            Document::new("product", "p-1", "{}").with_modified_ms(1_000),
            Document::tombstone("product", "p-1"),
        ] {
            let verdict =
                LocalWins::resolve(&testing::context("{}"), &testing::conflict(local, cloud.clone()))
                    .unwrap();
            assert_eq!(verdict.decision, Decision::KeepLocal);
            assert!(!verdict.reason.is_empty());
        }
    }
}
