//! `newest_wins`: the side that was changed last stands. A tie or a missing stamp goes to the cloud, so that every outlet
//! decides the same.

use selaras_sdk::{export_strategy, Conflict, Context, Error, Strategy, Verdict};

/// The strategy.
pub struct NewestWins;

impl Strategy for NewestWins {
    fn resolve(_cx: &Context, conflict: &Conflict) -> Result<Verdict, Error> {
        let (Some(local), Some(cloud)) = (conflict.local.modified_ms, conflict.cloud.modified_ms) else {
            return Ok(Verdict::take_cloud(
                match (conflict.local.modified_ms, conflict.cloud.modified_ms) {
                    (None, None) => "Neither side says when it was changed, so the cloud's side wins.",
                    (None, _) => {
                        "The outlet's side does not say when it was changed, so the cloud's side wins."
                    }
                    _ => "The cloud does not say when it was changed, so the cloud's side wins.",
                },
            ));
        };
        Ok(if local > cloud {
            let did = if conflict.local.deleted {
                "The outlet deleted it "
            } else {
                "The outlet changed it "
            };
            Verdict::keep_local(reason(
                did,
                local - cloud,
                " after the cloud did, so the outlet's side wins.",
            ))
        } else if cloud > local {
            let did = if conflict.cloud.deleted {
                "The cloud deleted it "
            } else {
                "The cloud changed it "
            };
            Verdict::take_cloud(reason(
                did,
                cloud - local,
                " after the outlet did, so the cloud's side wins.",
            ))
        } else {
            Verdict::take_cloud("Both sides were changed at the same moment, so the cloud's side wins.")
        })
    }
}

export_strategy!(NewestWins);

fn reason(before: &str, ms: u64, after: &str) -> String {
    let mut text = String::from(before);
    push_duration(ms, &mut text);
    text.push_str(after);
    text
}

/// The two largest units of a duration: `2 days 3 hours`, `4 minutes 1 second`, `250 milliseconds`.
fn push_duration(ms: u64, out: &mut String) {
    const UNITS: [(u64, &str); 5] = [
        (86_400_000, "day"),
        (3_600_000, "hour"),
        (60_000, "minute"),
        (1_000, "second"),
        (1, "millisecond"),
    ];
    let mut rest = ms;
    let mut said = 0;
    for (size, unit) in UNITS {
        let count = rest / size;
        rest %= size;
        if count > 0 {
            if said > 0 {
                out.push(' ');
            }
            out.push_str(&count.to_string());
            out.push(' ');
            out.push_str(unit);
            if count > 1 {
                out.push('s');
            }
        }
        // The second unit is the one right below the first, or none.
        said += usize::from(count > 0 || said > 0);
        if said == 2 {
            break;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use selaras_sdk::{testing, Decision, Document};

    fn decide(local: Option<u64>, cloud: Option<u64>) -> Verdict {
        let side = |stamp| Document {
            modified_ms: stamp,
            ..Document::new("product", "p-1", "{}")
        };
        NewestWins::resolve(
            &testing::context("{}"),
            &testing::conflict(side(local), side(cloud)),
        )
        .unwrap()
    }

    #[test]
    fn the_side_that_was_changed_last_wins() {
        assert_eq!(decide(Some(2), Some(1)).decision, Decision::KeepLocal);
        assert_eq!(decide(Some(1), Some(2)).decision, Decision::TakeCloud);
        assert_eq!(decide(Some(u64::MAX), Some(0)).decision, Decision::KeepLocal);
    }

    #[test]
    fn ties_and_missing_stamps_go_to_the_cloud() {
        for (local, cloud) in [(Some(5), Some(5)), (None, Some(5)), (Some(5), None), (None, None)] {
            assert_eq!(
                decide(local, cloud).decision,
                Decision::TakeCloud,
                "{local:?} {cloud:?}"
            );
        }
    }

    #[test]
    fn a_delete_counts_as_a_change_like_any_other() {
        let live = Document::new("product", "p-1", "{}").with_modified_ms(1);
        let gone = Document::tombstone("product", "p-1").with_modified_ms(2);
        let cx = testing::context("{}");
        let kept = NewestWins::resolve(&cx, &testing::conflict(gone.clone(), live.clone())).unwrap();
        assert_eq!(kept.decision, Decision::KeepLocal);
        let taken = NewestWins::resolve(&cx, &testing::conflict(live, gone)).unwrap();
        assert_eq!(taken.decision, Decision::TakeCloud);
        assert!(
            taken.reason.starts_with("The cloud deleted it "),
            "{}",
            taken.reason
        );
    }

    #[test]
    fn the_reason_says_by_how_much_in_words() {
        let second = 1_000;
        let (minute, hour, day) = (60 * second, 3_600 * second, 86_400 * second);
        for (ms, words) in [
            (250, "250 milliseconds"),
            (second, "1 second"),
            (4 * minute + second, "4 minutes 1 second"),
            (2 * day + 3 * hour + minute, "2 days 3 hours"),
            (day + minute, "1 day"),
        ] {
            let expected =
                format!("The outlet changed it {words} after the cloud did, so the outlet's side wins.");
            assert_eq!(decide(Some(10 + ms), Some(10)).reason, expected);
        }
    }
}
