//! What deciding came to, in numbers.

use crate::engine::api::Resolution;

/// What deciding did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Inboxes settled, by whatever means.
    pub settled: u64,
    /// Of which a strategy decided.
    pub resolved: u64,
    /// Conflicts left to a person.
    pub deferred: u64,
    /// Updates parked.
    pub parked: u64,
    /// What strategies decided.
    pub verdicts: Verdicts,
}

/// Conflicts by what was decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    /// The outlet's document went on.
    pub local_wins: u64,
    /// The cloud's was taken.
    pub cloud_wins: u64,
    /// A third one.
    pub merged: u64,
    /// Deleted on both sides.
    pub deleted: u64,
}

impl Tally {
    /// Counts what became of one inbox.
    pub(in crate::engine) fn add(&mut self, resolution: Resolution) {
        match resolution {
            Resolution::Pending => {}
            Resolution::Manual => self.deferred += 1,
            Resolution::LocalWins | Resolution::CloudWins | Resolution::Merged | Resolution::Deleted => {
                self.settled += 1;
                self.resolved += 1;
                let verdicts = &mut self.verdicts;
                *match resolution {
                    Resolution::LocalWins => &mut verdicts.local_wins,
                    Resolution::CloudWins => &mut verdicts.cloud_wins,
                    Resolution::Merged => &mut verdicts.merged,
                    _ => &mut verdicts.deleted,
                } += 1;
            }
            _ => self.settled += 1,
        }
    }
}
