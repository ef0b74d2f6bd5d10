//! What a plugin costs, on questions of about 1 KB or on given cases.

use std::sync::Arc;

use fastrand::Rng;

use super::cases::{Records, Suite, context};
use super::samples;
use super::workbench::Workbench;
use crate::plugin::{CallContext, Case, Direction, Document, Instances, Kind, Lookup, Trial};

/// Questions that are asked at once; between them nothing is measured.
const AT_ONCE: usize = 100;

/// What was measured.
pub struct Measured {
    /// Each way of asking.
    pub rows: Vec<Row>,
}

/// One way of asking, in numbers over all its calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What was asked, and how.
    pub what: &'static str,
    /// Calls.
    pub calls: usize,
    /// Calls that gave no answer.
    pub failed: usize,
    /// Half took no longer, in microseconds.
    pub p50_us: u64,
    /// 99 of 100 took no longer, in microseconds.
    pub p99_us: u64,
    /// The longest, in microseconds.
    pub max_us: u64,
    /// Fuel of the median call by fuel.
    pub fuel: u64,
    /// The largest memory of an instance.
    pub memory_bytes: u64,
}

/// Asks about `calls` times in each way.
pub fn measure(bench: &Workbench, suite: Option<Suite>, calls: usize) -> Measured {
    let mut rng = Rng::with_seed(1);
    let rows = match bench.info.kind {
        Kind::Strategy => {
            let questions = conflicts(bench, suite, &mut rng);
            let ask = |instances| {
                gather(&questions, calls, |(cx, records, case), count| {
                    let lookup: Arc<dyn Lookup> = Arc::new(records.clone());
                    bench.decide(cx, vec![case.clone(); count], &lookup, instances)
                })
            };
            vec![
                row(
                    "resolve, a fresh instance each (as an outlet asks)",
                    &ask(Instances::Fresh),
                ),
                row("resolve, in one instance", &ask(Instances::Shared)),
            ]
        }
        Kind::Mapper => {
            let questions = documents(bench, suite);
            let ask = |direction, instances| {
                gather(&questions, calls, |(cx, records, document), count| {
                    let lookup: Arc<dyn Lookup> = Arc::new(records.clone());
                    bench.translate(direction, cx, vec![document.clone(); count], &lookup, instances)
                })
            };
            vec![
                row(
                    "to-cloud, a batch of 100 an instance (as an outlet asks)",
                    &ask(Direction::ToCloud, Instances::Shared),
                ),
                row(
                    "to-cloud, a fresh instance each",
                    &ask(Direction::ToCloud, Instances::Fresh),
                ),
                row(
                    "to-local, a batch of 100 an instance",
                    &ask(Direction::ToLocal, Instances::Shared),
                ),
            ]
        }
    };
    Measured { rows }
}

fn conflicts(bench: &Workbench, suite: Option<Suite>, rng: &mut Rng) -> Vec<(CallContext, Records, Case)> {
    match suite {
        Some(Suite::Strategy(conflicts)) => conflicts
            .0
            .into_iter()
            .map(|posed| (posed.cx, posed.records, posed.question))
            .collect(),
        _ => samples::documents(&bench.info.entity_types)
            .iter()
            .map(|document| {
                (
                    context("{}", None),
                    Records::default(),
                    samples::conflict(document, rng),
                )
            })
            .collect(),
    }
}

fn documents(bench: &Workbench, suite: Option<Suite>) -> Vec<(CallContext, Records, Document)> {
    match suite {
        Some(Suite::Mapper(translations)) => translations
            .0
            .into_iter()
            .map(|posed| (posed.cx, posed.records, posed.question.document))
            .collect(),
        _ => samples::documents(&bench.info.entity_types)
            .into_iter()
            .map(|document| (context("{}", None), Records::default(), document))
            .collect(),
    }
}

/// The answers to `calls` questions, each question in its turn, some at a time.
fn gather<Q, T>(questions: &[Q], calls: usize, ask: impl Fn(&Q, usize) -> Vec<Trial<T>>) -> Vec<Trial<T>> {
    let mut trials = Vec::with_capacity(calls);
    for question in questions.iter().cycle() {
        let count = AT_ONCE.min(calls - trials.len());
        if count == 0 {
            break;
        }
        trials.extend(ask(question, count));
    }
    trials
}

fn row<T>(what: &'static str, trials: &[Trial<T>]) -> Row {
    let mut times: Vec<u64> = trials.iter().map(|trial| trial.elapsed_us).collect();
    let mut fuel: Vec<u64> = trials.iter().map(|trial| trial.fuel).collect();
    times.sort_unstable();
    fuel.sort_unstable();
    Row {
        what,
        calls: trials.len(),
        failed: trials.iter().filter(|trial| trial.outcome.is_err()).count(),
        p50_us: at(&times, 50),
        p99_us: at(&times, 99),
        max_us: at(&times, 100),
        fuel: at(&fuel, 50),
        memory_bytes: trials.iter().map(|trial| trial.memory_bytes).max().unwrap_or(0),
    }
}

/// The value that `percent` of 100 do not exceed.
fn at(sorted: &[u64], percent: usize) -> u64 {
    let n = (sorted.len() * percent).div_ceil(100).max(1) - 1;
    sorted.get(n).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::at;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let sorted: Vec<u64> = (1..=200).collect();
        assert_eq!(
            (at(&sorted, 50), at(&sorted, 99), at(&sorted, 100)),
            (100, 198, 200)
        );
        assert_eq!((at(&[7], 50), at(&[], 99)), (7, 0));
    }
}
