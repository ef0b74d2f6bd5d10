//! What a good mapper keeps.

use std::sync::Arc;

use fastrand::Rng;
use selaras_core::json::same_json;

use super::answers::{twice, unfair};
use super::{LawError, Report, Tally, Wanted};
use crate::authoring::cases::{Records, Suite, context};
use crate::authoring::samples;
use crate::authoring::workbench::Workbench;
use crate::plugin::{CallContext, Direction, Document, Failure, Instances, Lookup, Mapped, Trial};

/// Documents of the outlet that share their settings and records.
struct Round {
    cx: CallContext,
    records: Records,
    documents: Vec<Document>,
}

/// Tries all laws of mappers.
pub(super) fn laws(
    bench: &Workbench,
    wanted: &Wanted,
    suite: Option<Suite>,
) -> Result<Vec<Report>, LawError> {
    let mut laws = Laws {
        bench,
        answers: Tally::new(
            "every document gets an answer within the limits: JSON that parses, of the same type and id",
        ),
        same: Tally::new("the same document gets the same answer, in any order and instance"),
        members: Tally::new("what goes to the cloud has each member once"),
        back: Tally::new("what went to the cloud and comes back is the outlet's document again"),
        gone: Tally::new("a deleted document is taken too, both ways"),
    };
    let (mut asked, mut answered, mut first_error) = (0, 0, None);
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

/// The outlet's documents of the cases and variations of them, or a shop's. What is only asked towards the outlet is
/// in the cloud's shape and not a document to start from.
fn rounds(bench: &Workbench, wanted: &Wanted, suite: Option<Suite>) -> Vec<Round> {
    let mut rng = Rng::with_seed(wanted.seed);
    let mut seeds: Vec<(CallContext, Records, Document)> = Vec::new();
    if let Some(Suite::Mapper(translations)) = suite {
        let own = translations.0.into_iter().filter(|posed| {
            posed.question.direction == Direction::ToCloud && !posed.question.document.deleted
        });
        seeds.extend(own.map(|posed| (posed.cx, posed.records, posed.question.document)));
    } else {
        let documents = samples::documents(&bench.info.entity_types);
        seeds.extend(
            documents
                .into_iter()
                .map(|document| (context(&wanted.settings, None), Records::default(), document)),
        );
    }
    let each = wanted.rounds.div_ceil(seeds.len().max(1));
    let round = |(cx, records, document): (CallContext, Records, Document)| {
        let mut documents = vec![document.clone()];
        documents.extend((1..each).map(|_| samples::edited(&document, &mut rng)));
        Round {
            cx,
            records,
            documents,
        }
    };
    seeds.into_iter().map(round).collect()
}

struct Laws<'a> {
    bench: &'a Workbench,
    answers: Tally,
    same: Tally,
    members: Tally,
    back: Tally,
    gone: Tally,
}

impl Laws<'_> {
    fn report(self) -> Vec<Report> {
        let nothing = "no document went to the cloud";
        vec![
            self.answers.report("nothing was asked"),
            self.same.report("nothing was asked"),
            self.members.report(nothing),
            self.back.report(nothing),
            self.gone.report("nothing was asked"),
        ]
    }

    fn round(&mut self, round: &Round) -> Vec<Trial<Mapped>> {
        let lookup: Arc<dyn Lookup> = Arc::new(round.records.clone());
        let ask = |documents: Vec<Document>, instances| {
            self.bench
                .translate(Direction::ToCloud, &round.cx, documents, &lookup, instances)
        };
        let trials = ask(round.documents.clone(), Instances::Fresh);
        let together = ask(round.documents.clone(), Instances::Shared);
        let mut turned = ask(round.documents.iter().rev().cloned().collect(), Instances::Shared);
        turned.reverse();

        for (n, (document, trial)) in round.documents.iter().zip(&trials).enumerate() {
            self.answers
                .count(unfair(trial).map(|failure| about(document, [format!("answered: {failure}")])));
            let others = [
                ("asked in one instance", &together[n]),
                ("in the other order", &turned[n]),
            ];
            let differs = others
                .into_iter()
                .find(|(_, other)| other.outcome != trial.outcome);
            self.same.count(differs.map(|(how, other)| {
                let lines = [
                    format!("answered: {}", answer(&trial.outcome)),
                    format!("{how}: {}", answer(&other.outcome)),
                ];
                about(document, lines)
            }));
            if let Ok(Mapped::Put(body)) = &trial.outcome {
                self.members.count(twice(body).map(|path| {
                    about(
                        document,
                        [
                            format!("for the cloud: {body}"),
                            format!("the member {path} stands twice"),
                        ],
                    )
                }));
                self.round_trip(round, document, body);
            }
        }
        // Where it cannot do with the settings, a deleted document is no different.
        if let (Some(document), Some(Ok(_))) = (
            round.documents.first(),
            trials.first().map(|first| &first.outcome),
        ) {
            self.deleted(round, document);
        }
        trials
    }

    /// There and back, at an outlet that has the document.
    fn round_trip(&mut self, round: &Round, document: &Document, body: &str) {
        let mut records = vec![document.clone()];
        records.extend(round.records.0.iter().cloned());
        let lookup: Arc<dyn Lookup> = Arc::new(Records(records));
        let cloud = Document {
            body: body.into(),
            ..document.clone()
        };
        let mut asked = self.bench.translate(
            Direction::ToLocal,
            &round.cx,
            vec![cloud],
            &lookup,
            Instances::Fresh,
        );
        let back = asked.pop().expect("invariant: one answer each");
        self.answers.count(unfair(&back).map(|failure| {
            about(
                document,
                [format!("for the cloud: {body}"), format!("back: {failure}")],
            )
        }));
        let same = matches!(&back.outcome, Ok(Mapped::Put(again)) if same_json(again, &document.body));
        self.back.count((!same).then(|| {
            let lines = [
                format!("for the cloud: {body}"),
                format!("back: {}", answer(&back.outcome)),
            ];
            about(document, lines)
        }));
    }

    fn deleted(&mut self, round: &Round, document: &Document) {
        let lookup: Arc<dyn Lookup> = Arc::new(round.records.clone());
        let gone = samples::tombstone(document);
        for direction in [Direction::ToCloud, Direction::ToLocal] {
            let mut asked = self.bench.translate(
                direction,
                &round.cx,
                vec![gone.clone()],
                &lookup,
                Instances::Fresh,
            );
            let trial = asked.pop().expect("invariant: one answer each");
            self.gone.count(match &trial.outcome {
                Ok(_) => None,
                Err(failure) => Some(about(&gone, [format!("{direction:?}: {failure}")])),
            });
        }
    }
}

fn answer(outcome: &Result<Mapped, Failure>) -> String {
    match outcome {
        Ok(Mapped::Put(body)) => body.clone(),
        Ok(Mapped::Skip(reason)) => format!("skip ({reason})"),
        Err(failure) => failure.to_string(),
    }
}

/// A document in a line, and what is to be said of it.
fn about<const N: usize>(document: &Document, lines: [String; N]) -> Vec<String> {
    let of = format!("the outlet's {}: {}", document.entity_type, document.body);
    std::iter::once(of).chain(lines).collect()
}
