//! `manual`: leaves every conflict to a person. It never decides.

use selaras_sdk::{export_strategy, Conflict, Context, Error, Strategy, Verdict};

/// The strategy.
pub struct Manual;

impl Strategy for Manual {
    fn resolve(_cx: &Context, _conflict: &Conflict) -> Result<Verdict, Error> {
        Ok(Verdict::defer("Conflicts of this type are decided by a person."))
    }
}

export_strategy!(Manual);

#[cfg(test)]
mod tests {
    use super::*;
    use selaras_sdk::{testing, Decision, Document};

    #[test]
    fn every_conflict_is_left_to_a_person_also_where_both_sides_agree() {
        let live = Document::new("product", "p-1", "{}");
        for cloud in [live.clone(), Document::tombstone("product", "p-1")] {
            let verdict =
                Manual::resolve(&testing::context("{}"), &testing::conflict(live.clone(), cloud)).unwrap();
            assert_eq!(verdict.decision, Decision::Defer);
            assert!(!verdict.reason.is_empty());
        }
    }
}
