//! Runs cases and tells what differs.

use std::sync::Arc;

use super::cases::{ExpectedError, ExpectedMapping, ExpectedVerdict, Posed, Suite};
use super::compare::differences;
use super::workbench::Workbench;
use crate::plugin::{Decision, Failure, Instances, Level, Lookup, Mapped, Trial, Verdict};

/// What became of one case.
pub struct Ran {
    /// Its name.
    pub name: String,
    /// The answer in a word or two, e.g. `merge`.
    pub answer: String,
    /// The reason of a verdict or a skip, or a failure's message.
    pub said: String,
    /// Where the answer differs from the expected one; empty: it does not.
    pub differences: Vec<String>,
    /// Fuel of the call.
    pub fuel: u64,
    /// Its wall time, with the start of its instance.
    pub elapsed_us: u64,
    /// Peak of the instance's memory.
    pub memory_bytes: u64,
    /// What the plugin logged.
    pub log: Vec<(Level, String)>,
}

/// Asks every case in an instance of its own, in order.
pub fn run(bench: &Workbench, suite: Suite) -> Vec<Ran> {
    match suite {
        Suite::Strategy(conflicts) => conflicts
            .0
            .into_iter()
            .map(|posed| {
                let lookup: Arc<dyn Lookup> = Arc::new(posed.records.clone());
                let asked = bench.decide(&posed.cx, vec![posed.question.clone()], &lookup, Instances::Fresh);
                ran(&posed, asked, against_verdict, verdict_words)
            })
            .collect(),
        Suite::Mapper(translations) => translations
            .0
            .into_iter()
            .map(|posed| {
                let lookup: Arc<dyn Lookup> = Arc::new(posed.records.clone());
                let documents = vec![posed.question.document.clone()];
                let direction = posed.question.direction;
                let asked = bench.translate(direction, &posed.cx, documents, &lookup, Instances::Fresh);
                ran(&posed, asked, against_mapping, mapping_words)
            })
            .collect(),
    }
}

/// What of an answer differs from the expected one.
type Against<Q, E, T> = fn(&Posed<Q, E>, &Result<T, Failure>) -> Vec<String>;

fn ran<Q, E, T>(
    posed: &Posed<Q, E>,
    mut asked: Vec<Trial<T>>,
    against: Against<Q, E, T>,
    words: fn(&T) -> (&'static str, &str),
) -> Ran {
    let trial = asked.pop().expect("invariant: one answer each");
    let (answer, said) = match &trial.outcome {
        Ok(answer) => {
            let (answer, said) = words(answer);
            (answer.to_owned(), said.to_owned())
        }
        Err(failure) => (code(failure).to_owned(), failure.message.clone()),
    };
    Ran {
        name: posed.name.clone(),
        answer,
        said,
        differences: against(posed, &trial.outcome),
        fuel: trial.fuel,
        elapsed_us: trial.elapsed_us,
        memory_bytes: trial.memory_bytes,
        log: trial.log,
    }
}

/// The plugin's own code of an error, else the host's.
fn code(failure: &Failure) -> &str {
    failure
        .own
        .as_ref()
        .map_or(failure.code.as_str(), |own| own.code.as_str())
}

fn verdict_words(verdict: &Verdict) -> (&'static str, &str) {
    let word = match verdict.decision {
        Decision::KeepLocal => "keep-local",
        Decision::TakeCloud => "take-cloud",
        Decision::Merge(_) => "merge",
        Decision::Delete => "delete",
        Decision::Defer => "defer",
    };
    (word, &verdict.reason)
}

fn mapping_words(mapped: &Mapped) -> (&'static str, &str) {
    match mapped {
        Mapped::Put(_) => ("put", ""),
        Mapped::Skip(reason) => ("skip", reason),
    }
}

fn against_verdict<Q>(posed: &Posed<Q, ExpectedVerdict>, got: &Result<Verdict, Failure>) -> Vec<String> {
    let expected = match &posed.expected {
        ExpectedVerdict::KeepLocal => "keep-local",
        ExpectedVerdict::TakeCloud => "take-cloud",
        ExpectedVerdict::Merge(_) => "merge",
        ExpectedVerdict::Delete => "delete",
        ExpectedVerdict::Defer => "defer",
        ExpectedVerdict::Error(error) => {
            return against_error(error, got.as_ref().err(), || {
                got.as_ref().map_or("", |verdict| verdict_words(verdict).0)
            });
        }
    };
    let verdict = match got {
        Ok(verdict) => verdict,
        Err(failure) => return vec![format!("expected {expected}, got {failure}")],
    };
    let word = verdict_words(verdict).0;
    let mut told = match (&posed.expected, &verdict.decision) {
        (ExpectedVerdict::Merge(expected), Decision::Merge(got)) => differences(expected.get(), got),
        _ if expected == word => Vec::new(),
        (_, Decision::Merge(got)) => vec![format!("expected {expected}, got merge of {got}")],
        _ => vec![format!("expected {expected}, got {word}")],
    };
    if let Some(reason) = &posed.reason
        && *reason != verdict.reason
    {
        told.push(format!("reason: expected `{reason}`, got `{}`", verdict.reason));
    }
    told
}

fn against_mapping<Q>(posed: &Posed<Q, ExpectedMapping>, got: &Result<Mapped, Failure>) -> Vec<String> {
    match (&posed.expected, got) {
        (ExpectedMapping::Error(error), got) => against_error(error, got.as_ref().err(), || {
            got.as_ref().map_or("", |mapped| mapping_words(mapped).0)
        }),
        (ExpectedMapping::Put(expected), Ok(Mapped::Put(got))) => differences(expected.get(), got),
        (ExpectedMapping::Skip, Ok(Mapped::Skip(_))) => Vec::new(),
        (ExpectedMapping::Put(_), Ok(Mapped::Skip(reason))) => {
            vec![format!("expected put, got skip: {reason}")]
        }
        (ExpectedMapping::Skip, Ok(Mapped::Put(got))) => vec![format!("expected skip, got put of {got}")],
        (ExpectedMapping::Put(_), Err(failure)) => vec![format!("expected put, got {failure}")],
        (ExpectedMapping::Skip, Err(failure)) => vec![format!("expected skip, got {failure}")],
    }
}

fn against_error(
    expected: &ExpectedError,
    failure: Option<&Failure>,
    answer: impl Fn() -> &'static str,
) -> Vec<String> {
    let Some(failure) = failure else {
        return vec![format!(
            "expected the error `{}`, got {}",
            expected.code,
            answer()
        )];
    };
    let mut told = Vec::new();
    if expected.code != code(failure) && expected.code != failure.code.as_str() {
        told.push(format!("expected the error `{}`, got {failure}", expected.code));
    }
    let field = failure.own.as_ref().and_then(|own| own.field.as_deref());
    if expected.field.is_some() && expected.field.as_deref() != field {
        told.push(format!(
            "field: expected `{}`, got {}",
            expected.field.as_deref().unwrap_or_default(),
            field.map_or("none".to_owned(), |field| format!("`{field}`"))
        ));
    }
    if let Some(retryable) = expected.retryable
        && retryable != failure.retryable
    {
        told.push(format!(
            "retryable: expected {retryable}, got {}",
            failure.retryable
        ));
    }
    told
}
