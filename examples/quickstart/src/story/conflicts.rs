//! The third act: while the line is down, both sides change the same entities; then each type's strategy decides,
//! and a person decides what is left to one.

use anyhow::{Context, bail, ensure};

use super::settle::settle;
use super::{HOUR_S, Touched};
use crate::clock;
use crate::doc;
use crate::hq::Tell;
use crate::outlet::{Change, Conflict, Outlet};
use crate::report::Report;
use crate::stage::Stage;

/// What one side does, and how many hours ago (0: now).
#[derive(Debug, Clone, Copy)]
enum Act {
    Set { value: &'static str, hours_ago: i64 },
    Delete { hours_ago: i64 },
}

/// Whose state shall stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wins {
    Outlet,
    Cloud,
    /// Nobody, until a person has said so; then the outlet's.
    Person,
}

/// Both sides change one field of one entity.
#[derive(Debug)]
struct Case {
    entity_type: &'static str,
    id: &'static str,
    field: &'static str,
    outlet: Act,
    cloud: Act,
    wins: Wins,
}

const CASES: [Case; 8] = [
    Case {
        entity_type: "category",
        id: "cat-1",
        field: "description",
        outlet: Act::Set {
            value: r#""the shop's words""#,
            hours_ago: 0,
        },
        cloud: Act::Set {
            value: r#""headquarters' words""#,
            hours_ago: 1,
        },
        wins: Wins::Cloud,
    },
    Case {
        entity_type: "customer",
        id: "cust-ALFKI",
        field: "phone",
        outlet: Act::Set {
            value: r#""030-1111111""#,
            hours_ago: 1,
        },
        cloud: Act::Set {
            value: r#""030-2222222""#,
            hours_ago: 0,
        },
        wins: Wins::Outlet,
    },
    Case {
        entity_type: "product",
        id: "prod-61",
        field: "price",
        outlet: Act::Set {
            value: "61.10",
            hours_ago: 0,
        },
        cloud: Act::Set {
            value: "61.90",
            hours_ago: 1,
        },
        wins: Wins::Outlet,
    },
    Case {
        entity_type: "product",
        id: "prod-62",
        field: "price",
        outlet: Act::Set {
            value: "62.10",
            hours_ago: 1,
        },
        cloud: Act::Set {
            value: "62.90",
            hours_ago: 0,
        },
        wins: Wins::Cloud,
    },
    Case {
        entity_type: "product",
        id: "prod-63",
        field: "price",
        outlet: Act::Delete { hours_ago: 1 },
        cloud: Act::Set {
            value: "63.90",
            hours_ago: 0,
        },
        wins: Wins::Cloud,
    },
    Case {
        entity_type: "product",
        id: "prod-64",
        field: "price",
        outlet: Act::Set {
            value: "64.10",
            hours_ago: 0,
        },
        cloud: Act::Delete { hours_ago: 1 },
        wins: Wins::Outlet,
    },
    Case {
        entity_type: "product",
        id: "prod-65",
        field: "price",
        outlet: Act::Delete { hours_ago: 0 },
        cloud: Act::Set {
            value: "65.90",
            hours_ago: 1,
        },
        wins: Wins::Outlet,
    },
    Case {
        entity_type: "order",
        id: "ORD-10248",
        field: "status",
        outlet: Act::Set {
            value: r#""refunded""#,
            hours_ago: 1,
        },
        cloud: Act::Set {
            value: r#""disputed""#,
            hours_ago: 0,
        },
        wins: Wins::Person,
    },
];

/// Changed at both outlets instead of at outlet and cloud.
const BETWEEN_OUTLETS: &str = "prod-66";

/// Plays it.
///
/// # Errors
/// When a conflict is not decided as its strategy is named.
pub async fn play(stage: &Stage, report: &Report) -> anyhow::Result<Touched> {
    stage.hq.outage(true).await?;
    for case in &CASES {
        case.outlet.at_outlet(&stage.outlets[0], case).await?;
        case.cloud.at_cloud(stage, case).await?;
    }
    for (outlet, value, hours_ago) in [(0, "66.10", 2), (1, "66.20", 1)] {
        set(
            &stage.outlets[outlet],
            "product",
            BETWEEN_OUTLETS,
            ("price", value),
            hours_ago,
        )
        .await?;
    }
    stage.hq.outage(false).await?;
    settle(stage).await?;

    report.line(
        "conflicts",
        format!(
            "{} entities changed on both sides of a broken line:",
            CASES.len() + 1
        ),
    );
    let found = stage.outlets[0].conflicts().await?;
    for case in &CASES {
        let conflict = of(&found, case.entity_type, case.id);
        let conflict = conflict.with_context(|| format!("no conflict on record for {}", case.id))?;
        report.more(told(conflict));
        if case.wins == Wins::Person {
            ensure!(
                conflict.status == "open",
                "{} was decided without a person",
                case.id
            );
            check(stage, case, case.cloud, &[]).await?;
            let notes = "the customer brought it back";
            stage.outlets[0].resolve(conflict, "local_wins", notes).await?;
            settle(stage).await?;
            let decided = stage.outlets[0].conflicts().await?;
            let decided = of(&decided, case.entity_type, case.id).context("the decision is not on record")?;
            ensure!(
                decided.status == "resolved",
                "{} is still {}",
                case.id,
                decided.status
            );
            report.more(format!("  … and then a person: local_wins, \"{notes}\""));
        } else {
            ensure!(
                conflict.status == "resolved",
                "{} is still {}",
                case.id,
                conflict.status
            );
        }
        let stands = if case.wins == Wins::Cloud {
            case.cloud
        } else {
            case.outlet
        };
        check(stage, case, stands, &stage.outlets).await?;
    }
    between_outlets(stage, report).await?;
    let mut touched: Touched = CASES
        .iter()
        .map(|case| (case.entity_type, case.id.to_owned()))
        .collect();
    touched.push(("product", BETWEEN_OUTLETS.to_owned()));
    Ok(touched)
}

/// Two outlets changed the same price. Whichever reached the cloud first, the later change stands at all three.
async fn between_outlets(stage: &Stage, report: &Report) -> anyhow::Result<()> {
    for outlet in &stage.outlets {
        if let Some(conflict) = of(&outlet.conflicts().await?, "product", BETWEEN_OUTLETS) {
            report.more(format!("{} (outlet 1 against outlet 2)", told(conflict)));
        }
        let there = outlet.doc("product", BETWEEN_OUTLETS).await?;
        let price = there.and_then(|text| doc::member(&text, "price"));
        ensure!(
            price.as_deref() == Some("66.20"),
            "{} has {price:?} for {BETWEEN_OUTLETS}",
            outlet.name
        );
    }
    Ok(())
}

impl Act {
    async fn at_outlet(self, outlet: &Outlet, case: &Case) -> anyhow::Result<()> {
        match self {
            Self::Set { value, hours_ago } => {
                set(outlet, case.entity_type, case.id, (case.field, value), hours_ago).await
            }
            Self::Delete { hours_ago } => {
                let at = clock::ago(hours_ago * HOUR_S);
                let change = Change {
                    entity_type: case.entity_type,
                    id: case.id,
                    doc: None,
                    at: Some(&at),
                };
                outlet.change(&[change]).await
            }
        }
    }

    async fn at_cloud(self, stage: &Stage, case: &Case) -> anyhow::Result<()> {
        match self {
            Self::Set { value, hours_ago } => {
                let patch = format!(r#"{{"{}":{value}}}"#, case.field);
                let at = clock::ago(hours_ago * HOUR_S);
                let patched = stage
                    .hq
                    .patch(case.entity_type, case.id, &patch, Some(&at), Tell::WhenTheyPull)
                    .await?;
                ensure!(
                    patched.version > 1,
                    "headquarters' edit of {} made no version",
                    case.id
                );
                Ok(())
            }
            Self::Delete { hours_ago } => {
                let at = clock::ago(hours_ago * HOUR_S);
                stage
                    .hq
                    .delete(case.entity_type, case.id, Some(&at), Tell::WhenTheyPull)
                    .await
            }
        }
    }

    /// What is then to be found: the field's value, or nothing.
    fn value(self) -> Option<&'static str> {
        match self {
            Self::Set { value, .. } => Some(value),
            Self::Delete { .. } => None,
        }
    }
}

async fn set(
    outlet: &Outlet,
    kind: &str,
    id: &str,
    (field, value): (&str, &str),
    hours_ago: i64,
) -> anyhow::Result<()> {
    let Some(before) = outlet.doc(kind, id).await? else {
        bail!("{} has no {kind} {id}", outlet.name)
    };
    let after = doc::with(&before, field, value)?;
    let at = clock::ago(hours_ago * HOUR_S);
    outlet
        .change(&[Change {
            entity_type: kind,
            id,
            doc: Some(&after),
            at: Some(&at),
        }])
        .await
}

/// Checks what the cloud and the given outlets have of a case's entity.
async fn check(stage: &Stage, case: &Case, stands: Act, outlets: &[Outlet]) -> anyhow::Result<()> {
    let wanted = stands.value();
    let field = |text: Option<String>| text.and_then(|text| doc::member(&text, case.field));
    let at_cloud = field(stage.hq.doc(case.entity_type, case.id).await?);
    ensure!(
        at_cloud.as_deref() == wanted,
        "{}: the cloud has {at_cloud:?}, not {wanted:?}",
        case.id
    );
    for outlet in outlets {
        let there = field(outlet.doc(case.entity_type, case.id).await?);
        ensure!(
            there.as_deref() == wanted,
            "{}: {} has {there:?}, not {wanted:?}",
            case.id,
            outlet.name
        );
    }
    Ok(())
}

fn of<'a>(conflicts: &'a [Conflict], kind: &str, id: &str) -> Option<&'a Conflict> {
    conflicts
        .iter()
        .find(|conflict| conflict.entity_type == kind && conflict.entity_id == id)
}

fn told(conflict: &Conflict) -> String {
    let Conflict {
        entity_id,
        strategy,
        decision,
        reason,
        ..
    } = conflict;
    let reason = reason.as_deref().unwrap_or_default();
    format!("  {entity_id:<11} {strategy:<12} {decision:<11} {reason}")
}
