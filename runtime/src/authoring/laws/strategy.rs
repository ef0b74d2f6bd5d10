//! What a good strategy keeps.

use std::sync::Arc;

use fastrand::Rng;
use selaras_core::json::same_json;

use super::answers::{ids, twice, unfair};
use super::{LawError, Report, Tally, Wanted, money};
use crate::authoring::cases::{Records, Suite, context};
use crate::authoring::samples;
use crate::authoring::workbench::Workbench;
use crate::plugin::{CallContext, Case, Decision, Document, Failure, Instances, Lookup, Trial, Verdict};

/// Questions that share their settings and records.
struct Round {
    cx: CallContext,
    records: Records,
    cases: Vec<Case>,
}

/// Tries all laws of strategies.
pub(super) fn laws(
    bench: &Workbench,
    wanted: &Wanted,
    suite: Option<Suite>,
) -> Result<Vec<Report>, LawError> {
    let mut laws = Laws::new(bench, wanted);
    let mut answered = 0;
    let mut asked = 0;
    let mut first_error = None;
    for round in rounds(bench, wanted, suite) {
        let trials = laws.round(&round);
        asked += trials.len();
        answered += trials.iter().filter(|trial| trial.outcome.is_ok()).count();
        let own = trials
            .iter()
            .filter(|trial| unfair(trial).is_none())
            .find_map(|trial| trial.outcome.as_ref().err());
        first_error = first_error.or_else(|| own.map(ToString::to_string));
    }
    match first_error {
        Some(first) if answered == 0 && laws.answers.broken == 0 => Err(LawError::NothingAnswered {
            name: bench.info.name.clone(),
            asked,
            first,
        }),
        _ => Ok(laws.report()),
    }
}

/// The cases themselves and variations of them, or conflicts over a shop's documents.
fn rounds(bench: &Workbench, wanted: &Wanted, suite: Option<Suite>) -> Vec<Round> {
    let mut rng = Rng::with_seed(wanted.seed);
    if let Some(Suite::Strategy(conflicts)) = suite {
        let posed = conflicts.0;
        let each = wanted.rounds.div_ceil(posed.len());
        let round = |posed: crate::authoring::cases::Posed<Case, _>| {
            let mut cases = vec![posed.question.clone()];
            cases.extend((1..each).map(|_| samples::variation(&posed.question, &mut rng)));
            Round {
                cx: posed.cx,
                records: posed.records,
                cases,
            }
        };
        return posed.into_iter().map(round).collect();
    }
    let documents = samples::documents(&bench.info.entity_types);
    let each = wanted.rounds.div_ceil(documents.len());
    documents
        .iter()
        .map(|document| Round {
            cx: context(&wanted.settings, None),
            records: Records(vec![document.clone()]),
            cases: (0..each).map(|_| samples::conflict(document, &mut rng)).collect(),
        })
        .collect()
}

struct Laws<'a> {
    bench: &'a Workbench,
    wanted: &'a Wanted,
    answers: Tally,
    same: Tally,
    members: Tally,
    ids: Tally,
    again: Tally,
    swap: Tally,
    money: Tally,
}

impl<'a> Laws<'a> {
    fn new(bench: &'a Workbench, wanted: &'a Wanted) -> Self {
        Self {
            bench,
            wanted,
            answers: Tally::new("every question gets an answer within the limits, and JSON that parses"),
            same: Tally::new("the same question gets the same answer, in any order and instance"),
            members: Tally::new("a merge has each member once"),
            ids: Tally::new("a merge invents no ids"),
            again: Tally::new("a merge of a merge is that merge"),
            swap: Tally::new("with the sides exchanged the same document stands"),
            money: Tally::new("a merge conserves the named amounts"),
        }
    }

    fn report(self) -> Vec<Report> {
        let no_merge = "no question was answered with a merge";
        let mut reports = vec![
            self.answers.report("nothing was asked"),
            self.same.report("nothing was asked"),
            self.members.report(no_merge),
            self.ids.report(no_merge),
            self.again.report(no_merge),
        ];
        let demanded = |report| Report {
            demanded: true,
            ..report
        };
        if self.wanted.symmetric {
            reports.push(demanded(self.swap.report("nothing was decided")));
        }
        if !self.wanted.money.is_empty() {
            let none = "no merge has a number at these paths";
            reports.push(demanded(self.money.report(none)));
        }
        reports
    }

    fn round(&mut self, round: &Round) -> Vec<Trial<Verdict>> {
        let lookup: Arc<dyn Lookup> = Arc::new(round.records.clone());
        let ask = |cases: Vec<Case>, instances| self.bench.decide(&round.cx, cases, &lookup, instances);
        let trials = ask(round.cases.clone(), Instances::Fresh);
        let mut backwards: Vec<Case> = round.cases.clone();
        backwards.reverse();
        let mut turned = ask(backwards, Instances::Fresh);
        turned.reverse();
        let together = ask(round.cases.clone(), Instances::Shared);
        let swapped = self
            .wanted
            .symmetric
            .then(|| ask(round.cases.iter().map(exchanged).collect(), Instances::Fresh));

        for (n, (case, trial)) in round.cases.iter().zip(&trials).enumerate() {
            self.answers
                .count(unfair(trial).map(|failure| about(case, [format!("answered: {failure}")])));
            let others = [
                ("asked in the other order", &turned[n]),
                ("asked in one instance", &together[n]),
            ];
            let differs = others
                .into_iter()
                .find(|(_, other)| other.outcome != trial.outcome);
            self.same.count(differs.map(|(how, other)| {
                let lines = [
                    format!("answered: {}", answer(&trial.outcome)),
                    format!("{how}: {}", answer(&other.outcome)),
                ];
                about(case, lines)
            }));
            let Ok(verdict) = &trial.outcome else { continue };
            if let Some(swapped) = &swapped {
                self.exchange(case, verdict, &swapped[n]);
            }
            if let Decision::Merge(merged) = &verdict.decision {
                self.merge(round, &lookup, case, merged, trial);
            }
        }
        trials
    }

    fn merge(
        &mut self,
        round: &Round,
        lookup: &Arc<dyn Lookup>,
        case: &Case,
        merged: &str,
        trial: &Trial<Verdict>,
    ) {
        let shown = || format!("merged: {merged}");
        self.members.count(
            twice(merged).map(|path| about(case, [shown(), format!("the member {path} stands twice")])),
        );
        let mut known = [&case.local, &case.cloud]
            .into_iter()
            .chain(&case.base)
            .chain(&round.records.0)
            .flat_map(|document| ids(&document.body))
            .map(|(_, value)| value)
            .collect::<std::collections::BTreeSet<_>>();
        // What a lookup answered is known too.
        known.extend(looked_up(trial));
        let invented = ids(merged).into_iter().find(|(_, value)| !known.contains(value));
        self.ids.count(
            invented
                .map(|(name, value)| about(case, [shown(), format!("{name} {value} is on neither side")])),
        );
        for path in &self.wanted.money {
            let (there, problem) = money::lost(case, merged, path);
            if there {
                self.money
                    .count(problem.map(|problem| about(case, [shown(), problem])));
            }
        }
        // After a merge both sides last agreed on the cloud's document, and the outlet has the merge to push.
        let next = Case {
            base: Some(case.cloud.clone()),
            local: Document {
                version: case.local.version.max(case.cloud.version) + 1,
                modified_ms: Some(round.cx.now_ms),
                modified_by: None,
                deleted: false,
                body: merged.into(),
                ..case.local.clone()
            },
            cloud: case.cloud.clone(),
        };
        let mut asked = self
            .bench
            .decide(&round.cx, vec![next.clone()], lookup, Instances::Fresh);
        let again = asked.pop().expect("invariant: one answer each");
        let kept = match &again.outcome {
            Ok(verdict) => {
                matches!(stands(&next, verdict), Stands::Document(body) if same_json(body, merged))
            }
            Err(_) => false,
        };
        self.again.count((!kept).then(|| {
            about(
                case,
                [
                    shown(),
                    format!(
                        "asked about the merge and the same cloud's document: {}",
                        answer(&again.outcome)
                    ),
                ],
            )
        }));
    }

    fn exchange(&mut self, case: &Case, verdict: &Verdict, swapped: &Trial<Verdict>) {
        let other = exchanged(case);
        let same = match &swapped.outcome {
            Ok(turned) => stands(case, verdict).same(&stands(&other, turned)),
            Err(_) => false,
        };
        self.swap.count((!same).then(|| {
            let lines = [
                format!("answered: {}", answer(&Ok(verdict.clone()))),
                format!("with the sides exchanged: {}", answer(&swapped.outcome)),
            ];
            about(case, lines)
        }));
    }
}

/// The values of ids that lookups gave.
fn looked_up(trial: &Trial<Verdict>) -> Vec<String> {
    use crate::plugin::LookupAnswer as Answer;
    let mut known = Vec::new();
    for lookup in &trial.lookups {
        match lookup {
            Answer::Get {
                answer: Some(document),
                ..
            } => known.extend(ids(&document.body).into_iter().map(|(_, value)| value)),
            Answer::LocalId { answer: Some(id), .. } | Answer::CloudId { answer: Some(id), .. } => {
                known.push(selaras_core::json::quote(id));
            }
            _ => {}
        }
    }
    known
}

/// What an outlet holds after a verdict.
enum Stands<'a> {
    Document(&'a str),
    Deleted,
    Open,
}

impl Stands<'_> {
    fn same(&self, other: &Stands<'_>) -> bool {
        match (self, other) {
            (Self::Document(a), Stands::Document(b)) => same_json(a, b),
            (Self::Deleted, Stands::Deleted) | (Self::Open, Stands::Open) => true,
            _ => false,
        }
    }
}

fn stands<'a>(case: &'a Case, verdict: &'a Verdict) -> Stands<'a> {
    let side = |document: &'a Document| match document.deleted {
        true => Stands::Deleted,
        false => Stands::Document(&document.body),
    };
    match &verdict.decision {
        Decision::KeepLocal => side(&case.local),
        Decision::TakeCloud => side(&case.cloud),
        Decision::Merge(body) => Stands::Document(body),
        Decision::Delete => Stands::Deleted,
        Decision::Defer => Stands::Open,
    }
}

fn exchanged(case: &Case) -> Case {
    Case {
        base: case.base.clone(),
        local: case.cloud.clone(),
        cloud: case.local.clone(),
    }
}

fn answer(outcome: &Result<Verdict, Failure>) -> String {
    match outcome {
        Ok(verdict) => {
            let word = match &verdict.decision {
                Decision::KeepLocal => "keep-local".to_owned(),
                Decision::TakeCloud => "take-cloud".to_owned(),
                Decision::Merge(body) => format!("merge of {body}"),
                Decision::Delete => "delete".to_owned(),
                Decision::Defer => "defer".to_owned(),
            };
            format!("{word} ({})", verdict.reason)
        }
        Err(failure) => failure.to_string(),
    }
}

/// A question in lines, and what is to be said of it.
fn about<const N: usize>(case: &Case, lines: [String; N]) -> Vec<String> {
    let side = |name: &str, document: Option<&Document>| {
        let text = document.map_or("none", |document| &document.body);
        let stamp = document.and_then(|document| document.modified_ms);
        format!(
            "{name}: {text}{}",
            stamp.map_or(String::new(), |ms| format!(" at {ms}"))
        )
    };
    let sides = [
        side("base", case.base.as_ref()),
        side("local", Some(&case.local)),
        side("cloud", Some(&case.cloud)),
    ];
    sides.into_iter().chain(lines).collect()
}
