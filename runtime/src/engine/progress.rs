//! What a run has done so far, counted by type, and the log lines that are made of it.

use crate::cloud::{Carried, Traffic};
use crate::engine::api::{RunReport, RunStatus};
use crate::engine::decide::{Tally, Verdicts};
use crate::metrics::Metrics;
use crate::store::rows::LogRow;
use selaras_core::id::EntityType;
use selaras_core::json::{Doc, quote};
use selaras_core::push::{Absorbed, Outcome};
use selaras_core::stamp::Millis;
use std::collections::BTreeMap;

/// Counts of one type in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    ok: u64,
    failed: u64,
    conflicts: u64,
}

/// Different errors of a direction that the log keeps; of others it keeps how many there were.
const MOST_ERRORS: usize = 10;

/// Errors, each once, with how often it came.
#[derive(Debug, Default)]
struct Errors {
    sampled: BTreeMap<(String, String), u64>,
    others: u64,
}

impl Errors {
    fn add(&mut self, entity_type: &str, error: &str, times: u64) {
        let name = (entity_type.to_owned(), error.to_owned());
        let room = self.sampled.len() < MOST_ERRORS;
        match self.sampled.get_mut(&name) {
            Some(count) => *count += times,
            None if room => drop(self.sampled.insert(name, times)),
            None => self.others += times,
        }
    }

    fn merge(&mut self, other: Self) {
        for ((entity_type, error), times) in other.sampled {
            self.add(&entity_type, &error, times);
        }
        self.others += other.others;
    }
}

/// What a run has done so far.
#[derive(Debug, Default)]
pub struct Progress {
    /// The run's name.
    run_id: String,
    /// Items the cloud took.
    pub push_ok: u64,
    /// Items it refused or left without a result.
    pub push_failed: u64,
    /// Updates taken in.
    pub pull_ok: u64,
    /// Updates parked or unreadable.
    pub pull_failed: u64,
    /// Conflicts decided by a strategy.
    pub resolved: u64,
    /// Conflicts left to a person.
    pub deferred: u64,
    /// The cloud said that it has something newer, without saying what.
    pub wants_pull: bool,
    /// What went wrong.
    pub error: Option<String>,
    /// What went over the line.
    pub traffic: Traffic,
    /// Of the items that the cloud took, those that it had taken before.
    duplicates: u64,
    /// Of the items that failed, those whose mapper did.
    parked: u64,
    /// Items that met something newer at the cloud.
    contested: u64,
    pages: u64,
    verdicts: Verdicts,
    push_errors: Errors,
    pull_errors: Errors,
    pushed: BTreeMap<String, Count>,
    pulled: BTreeMap<String, Count>,
}

impl Progress {
    /// Of a run of this name.
    pub fn of(run_id: &str) -> Self {
        Self {
            run_id: run_id.to_owned(),
            ..Self::default()
        }
    }

    /// Adds what was done to what is counted for good.
    pub fn count_in(&self, metrics: &Metrics) {
        let push = |outcome, count| metrics.items("push", outcome, count);
        push("success", self.push_ok.saturating_sub(self.duplicates));
        push("duplicate", self.duplicates);
        push("conflict", self.contested);
        push("parked", self.parked);
        push("failed", self.push_failed.saturating_sub(self.parked));
        metrics.items("pull", "success", self.pull_ok);
        metrics.items("pull", "failed", self.pull_failed);
    }

    /// One item's answer was absorbed.
    pub fn pushed(
        &mut self,
        entity_type: &EntityType,
        absorbed: Absorbed,
        outcome: &Outcome,
        (side_came, duplicate): (bool, bool),
    ) {
        let count = self.pushed.entry(entity_type.to_string()).or_default();
        match outcome {
            Outcome::Success { .. } if absorbed == Absorbed::Gone => {
                count.ok += 1;
                self.push_ok += 1;
                self.duplicates += u64::from(duplicate);
            }
            // Settled meanwhile by an echo.
            Outcome::Success { .. } | Outcome::Skipped => {}
            Outcome::Conflict => {
                count.conflicts += 1;
                self.contested += 1;
                self.wants_pull |= !side_came;
            }
            Outcome::Parked { error, .. } => self.push_parked(entity_type, error.clone()),
            Outcome::Failed { error, .. } => {
                self.push_failed(entity_type, error.clone());
            }
            Outcome::Missing => {
                let error = "the cloud's answer has no result for some items".to_owned();
                self.push_failed(entity_type, error);
            }
        }
    }

    /// An item's mapper failed.
    pub fn push_parked(&mut self, entity_type: &EntityType, error: String) {
        self.parked += 1;
        self.push_failed(entity_type, error);
    }

    /// An item failed, or its mapper.
    pub fn push_failed(&mut self, entity_type: &EntityType, error: String) {
        self.push_errors.add(entity_type.as_str(), &error, 1);
        self.pushed.entry(entity_type.to_string()).or_default().failed += 1;
        self.push_failed += 1;
        self.error = Some(error);
    }

    /// An item's mapper keeps it from the cloud.
    pub fn filtered(&mut self, entity_type: &EntityType) {
        self.pushed.entry(entity_type.to_string()).or_default();
    }

    /// An update was taken in.
    pub fn pulled(&mut self, entity_type: &EntityType) {
        self.pulled.entry(entity_type.to_string()).or_default().ok += 1;
        self.pull_ok += 1;
    }

    /// An update was parked or could not be read.
    pub fn pull_failed(&mut self, entity_type: &str, error: String) {
        self.pull_errors.add(entity_type, &error, 1);
        self.pulled.entry(entity_type.to_owned()).or_default().failed += 1;
        self.pull_failed += 1;
        self.error = Some(error);
    }

    /// A page of updates came.
    pub fn page(&mut self) {
        self.pages += 1;
    }

    /// Inboxes were decided.
    pub fn decided(&mut self, tally: Tally) {
        let Verdicts {
            local_wins,
            cloud_wins,
            merged,
            deleted,
        } = tally.verdicts;
        self.verdicts.local_wins += local_wins;
        self.verdicts.cloud_wins += cloud_wins;
        self.verdicts.merged += merged;
        self.verdicts.deleted += deleted;
        self.resolved += tally.resolved;
        self.deferred += tally.deferred;
        self.pull_failed += tally.parked;
    }

    /// Adds another's counts.
    pub fn merge(&mut self, other: Self) {
        self.push_ok += other.push_ok;
        self.push_failed += other.push_failed;
        self.pull_ok += other.pull_ok;
        self.pull_failed += other.pull_failed;
        self.resolved += other.resolved;
        self.deferred += other.deferred;
        self.duplicates += other.duplicates;
        self.parked += other.parked;
        self.contested += other.contested;
        self.wants_pull |= other.wants_pull;
        self.push_errors.merge(other.push_errors);
        self.pull_errors.merge(other.pull_errors);
        self.error = other.error.or(self.error.take());
        for (mine, theirs) in [(&mut self.pushed, other.pushed), (&mut self.pulled, other.pulled)] {
            for (name, count) in theirs {
                let sum = mine.entry(name).or_default();
                sum.ok += count.ok;
                sum.failed += count.failed;
                sum.conflicts += count.conflicts;
            }
        }
    }

    /// The run's report.
    pub fn report(&self, started_at: Millis, duration_ms: u64, stopped: bool) -> RunReport {
        RunReport {
            run_id: self.run_id.clone(),
            status: status(
                stopped,
                self.push_ok + self.pull_ok,
                self.push_failed + self.pull_failed,
            ),
            pushed: self.push_ok,
            push_failed: self.push_failed,
            pulled: self.pull_ok,
            conflicts_resolved: self.resolved,
            conflicts_deferred: self.deferred,
            started_at,
            duration_ms,
            error: self.error.clone(),
        }
    }

    /// The run's log lines: one a direction that had something to do, and one for a run that could not do anything.
    pub fn log_rows(&self, started_at: Millis, duration_ms: u64, stopped: bool) -> Vec<LogRow> {
        let line = |push: bool, counts: &BTreeMap<String, Count>, ok: u64, failed: u64| LogRow {
            push,
            entity_type: (counts.len() == 1)
                .then(|| counts.keys().next().cloned())
                .flatten(),
            entity_count: ok + failed,
            status: match status(stopped, ok, failed) {
                RunStatus::Success => 0,
                RunStatus::Partial => 1,
                RunStatus::Failed => 2,
            },
            error_message: if failed > 0 || stopped {
                self.error.clone()
            } else {
                None
            },
            started_at,
            duration_ms,
            details: self.details(push, counts),
        };
        let mut rows = Vec::new();
        let decided = self.resolved + self.deferred > 0;
        if !self.pulled.is_empty() || decided {
            rows.push(line(false, &self.pulled, self.pull_ok, self.pull_failed));
        }
        if !self.pushed.is_empty() {
            rows.push(line(true, &self.pushed, self.push_ok, self.push_failed));
        }
        if rows.is_empty() && stopped {
            rows.push(line(false, &self.pulled, 0, 0));
        }
        rows
    }

    /// A line's details, a JSON object: the contract says what is in it.
    fn details(&self, push: bool, counts: &BTreeMap<String, Count>) -> Doc {
        let (errors, carried) = match push {
            true => (&self.push_errors, self.traffic.pushes),
            false => (&self.pull_errors, self.traffic.pulls),
        };
        let mut parts = vec![
            format!("\"run_id\":{}", quote(&self.run_id)),
            format!("\"by_type\":{{{}}}", by_type(counts)),
            format!("\"errors\":[{}]", sampled(errors)),
            format!("\"errors_not_shown\":{}", errors.others),
        ];
        if !push {
            let Verdicts {
                local_wins,
                cloud_wins,
                merged,
                deleted,
            } = self.verdicts;
            parts.push(format!(
                "\"conflicts\":{{\"local_wins\":{local_wins},\"cloud_wins\":{cloud_wins},\"merged\":{merged},\
                 \"deleted\":{deleted},\"manual\":{}}}",
                self.deferred
            ));
            parts.push(format!("\"pages\":{}", self.pages));
        }
        let Carried {
            requests,
            sent,
            received,
        } = carried;
        parts.push(format!(
            "\"requests\":{requests},\"bytes_sent\":{sent},\"bytes_received\":{received}"
        ));
        Doc::from_trusted(format!("{{{}}}", parts.join(",")))
    }
}

fn sampled(errors: &Errors) -> String {
    let of = |((entity_type, error), count): (&(String, String), &u64)| {
        format!(
            "{{\"entity_type\":{},\"message\":{},\"count\":{count}}}",
            quote(entity_type),
            quote(error)
        )
    };
    errors.sampled.iter().map(of).collect::<Vec<_>>().join(",")
}

fn status(stopped: bool, ok: u64, failed: u64) -> RunStatus {
    match (stopped, ok, failed) {
        (false, _, 0) => RunStatus::Success,
        (true, 0, _) => RunStatus::Failed,
        (false, 0, _) => RunStatus::Failed,
        _ => RunStatus::Partial,
    }
}

fn by_type(counts: &BTreeMap<String, Count>) -> String {
    let types: Vec<String> = counts
        .iter()
        .map(|(name, c)| {
            let Count {
                ok,
                failed,
                conflicts,
            } = c;
            format!(
                "{}:{{\"success\":{ok},\"failed\":{failed},\"conflicts\":{conflicts}}}",
                quote(name)
            )
        })
        .collect();
    types.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_with_some_failures_is_partial_and_one_with_nothing_but_failures_failed() {
        assert_eq!(status(false, 3, 0), RunStatus::Success);
        assert_eq!(status(false, 3, 1), RunStatus::Partial);
        assert_eq!(status(false, 0, 1), RunStatus::Failed);
        assert_eq!(status(true, 3, 0), RunStatus::Partial);
        assert_eq!(status(true, 0, 0), RunStatus::Failed);
    }

    #[test]
    fn errors_are_sampled_and_the_rest_of_them_counted() {
        let mut progress = Progress::default();
        for n in 0..30 {
            progress.pull_failed("product", format!("bad {}", n % 15));
        }
        let rows = progress.log_rows(Millis(0), 1, false);
        let details: serde_json::Value = serde_json::from_str(rows[0].details.as_str()).unwrap();
        assert_eq!(details["errors"].as_array().unwrap().len(), MOST_ERRORS);
        assert_eq!(details["errors"][0]["count"], 2);
        assert_eq!(details["errors_not_shown"], 10);
        assert_eq!(details["by_type"]["product"]["failed"], 30);
    }

    #[test]
    fn a_line_of_pulling_tells_conflicts_by_what_was_decided() {
        let mut progress = Progress::default();
        let verdicts = Verdicts {
            local_wins: 2,
            merged: 1,
            ..Verdicts::default()
        };
        let tally = Tally {
            settled: 3,
            resolved: 3,
            deferred: 1,
            verdicts,
            ..Tally::default()
        };
        progress.decided(tally);
        progress.decided(tally);
        let rows = progress.log_rows(Millis(0), 1, false);
        let details: serde_json::Value = serde_json::from_str(rows[0].details.as_str()).unwrap();
        let told = &details["conflicts"];
        assert_eq!((&told["local_wins"], &told["merged"]), (&4.into(), &2.into()));
        assert_eq!((&told["cloud_wins"], &told["manual"]), (&0.into(), &2.into()));
    }

    #[test]
    fn a_run_that_had_nothing_to_do_leaves_no_line_in_the_log() {
        assert!(Progress::default().log_rows(Millis(0), 1, false).is_empty());
        assert_eq!(Progress::default().log_rows(Millis(0), 1, true).len(), 1);
    }
}
