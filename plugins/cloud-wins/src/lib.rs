//! `cloud_wins`: the cloud's document always stands. Looks at nothing, so it cannot fail.

use selaras_sdk::{export_strategy, Conflict, Context, Error, Strategy, Verdict};

/// The strategy.
pub struct CloudWins;

impl Strategy for CloudWins {
    fn resolve(_cx: &Context, conflict: &Conflict) -> Result<Verdict, Error> {
        Ok(Verdict::take_cloud(if conflict.cloud.deleted {
            "The cloud's side always wins here, and the cloud deleted it."
        } else {
            "The cloud's side always wins here."
        }))
    }
}

export_strategy!(CloudWins);

#[cfg(test)]
mod tests {
    use super::*;
    use selaras_sdk::{testing, Decision, Document};

    #[test]
    fn the_cloud_wins_also_when_the_outlet_changed_it_later_or_the_cloud_deleted_it() {
        let local = Document::new("product", "p-1", "{}").with_modified_ms(2_000);
        for cloud in [
            Document::new("product", "p-1", "{}").with_modified_ms(1_000),
            Document::tombstone("product", "p-1"),
        ] {
            let verdict =
                CloudWins::resolve(&testing::context("{}"), &testing::conflict(local.clone(), cloud))
                    .unwrap();
            assert_eq!(verdict.decision, Decision::TakeCloud);
            assert!(!verdict.reason.is_empty());
        }
    }
}
