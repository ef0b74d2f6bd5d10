//! How many requests a minute the cloud may be sent: a limit that is set, or learned from its refusals, kept so that
//! no way of counting a minute finds more. It owns when the next request may go and how large batches are when
//! requests are what is scarce; it does not send, wait or know what a request carries.
//!
//! The cloud counts a request at some moment between its begin and its end here. So a request takes a place from
//! when it begins until a minute after it ended, and never are more places taken than the limit has: then no two
//! requests of which one is over the limit can fall into one minute of the cloud's, fixed or sliding.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// A minute, and a second for clouds that count by whole seconds.
const WINDOW_MS: u64 = 61_000;
/// The minute as the cloud means it.
const MINUTE_MS: u64 = 60_000;
/// The contract's limit. A first refusal below it may have another cause than the rate, so no lower one is learned.
const CONTRACT: u32 = 100;
/// A learned limit doubles after each such time without a refusal.
const DOUBLES_AFTER_MS: u64 = 3_600_000;
/// A learned limit above this is forgotten.
const FORGOTTEN: u32 = 1_000;
/// One in so many places of the limit may be taken before what is taken must be kept again.
const KEPT_EVERY: u32 = 10;

/// The requests of the last minute, and how many may be made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Budget {
    /// Requests a minute by the settings; 0: not set.
    set: u32,
    learned: Option<Learned>,
    /// Requests that have begun and not ended.
    under_way: usize,
    /// Those that ended and still count, oldest first.
    ended: VecDeque<Ended>,
    /// When the last one began.
    last: Option<u64>,
    /// Begun since what is taken was last kept.
    unkept: u32,
    /// Batches are as large as may be, until the backlog is gone.
    grown: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Learned {
    limit: u32,
    at: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Ended {
    /// When it no longer counts.
    leaves: u64,
    refused: bool,
}

/// A place taken by a request; it goes back with [`Budget::end`] or [`Budget::cancel`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    at: u64,
    last: Option<u64>,
}

/// The limit in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Requests a minute; at least 1.
    pub requests: u32,
    /// It comes from the cloud's refusals, not from the settings.
    pub learned: bool,
}

/// What outlives a restart. Times are relative to when it was made, in ms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// The learned limit and how long ago it was learned.
    learned: Option<(u32, u64)>,
    /// How many requests count for how much longer, in whole seconds of them.
    counting: Vec<(u64, u32)>,
}

impl Budget {
    /// The limit by the settings; 0: none.
    pub fn set(&mut self, requests: u32) {
        self.set = requests;
    }

    /// The limit in force: the lower of what is set and what was learned. None: there is none, or it is not known.
    pub fn limit(&self, now: u64) -> Option<Limit> {
        let learned = self.learned.and_then(|learned| learned.now(now));
        match (learned, self.set) {
            (None, 0) => None,
            (Some(requests), set) if set == 0 || requests < set => Some(Limit {
                requests,
                learned: true,
            }),
            (_, requests) => Some(Limit {
                requests,
                learned: false,
            }),
        }
    }

    /// Requests under way, and of the last minute.
    pub fn used(&mut self, now: u64) -> usize {
        while self.ended.front().is_some_and(|first| first.leaves <= now) {
            self.ended.pop_front();
        }
        self.under_way + self.ended.len()
    }

    /// How long until a request may begin; 0: now.
    ///
    /// A quarter of the limit may go at once. After that requests are spread: over the time until the first of the
    /// burst comes back, later evenly. So what becomes urgent never waits a whole minute behind what was sent at once.
    pub fn opens_in(&mut self, now: u64) -> u64 {
        let used = self.used(now);
        let Some(limit) = self.limit(now).map(|limit| limit.requests) else {
            return 0;
        };
        let Some(room) = (limit as usize).checked_sub(used + 1) else {
            let over = used - limit as usize;
            let leaves = self.ended.get(over).map_or(now + WINDOW_MS, |ended| ended.leaves);
            return leaves.saturating_sub(now).max(1);
        };
        let Some(last) = self.last.filter(|_| used >= burst(limit)) else {
            return 0;
        };
        let comes_back = self.ended.front().map_or(last + WINDOW_MS, |first| first.leaves);
        let even = WINDOW_MS / u64::from(limit);
        let spread = comes_back.saturating_sub(last) / (room as u64 + 2);
        (last + even.max(spread)).saturating_sub(now)
    }

    /// Takes a place for a request that begins now.
    ///
    /// # Errors
    /// How long to wait, in ms.
    pub fn begin(&mut self, now: u64) -> Result<Place, u64> {
        match self.opens_in(now) {
            0 => Ok(self.take(now)),
            wait => Err(wait),
        }
    }

    /// The same for a request that is made whatever the limit says.
    pub fn take(&mut self, now: u64) -> Place {
        let last = self.last.replace(now);
        self.under_way += 1;
        self.unkept = self.unkept.saturating_add(1);
        Place { at: now, last }
    }

    /// The request ended: with an answer, without one, or given up.
    pub fn end(&mut self, _place: Place, now: u64) {
        self.leave(now, false);
    }

    /// The cloud refused the request for its rate (429), and wants none for so long (ms).
    ///
    /// What is learned is how many requests it took in the minute that ends with the pause. Without a limit in force not less than
    /// the contract's is believed at first; with one, not less than half of it at a time. Requests that were under
    /// way together count as one refusal.
    pub fn refused(&mut self, place: Place, now: u64, pause: u64) {
        self.used(now);
        let known = self.learned.is_some_and(|learned| place.at <= learned.at);
        if !known {
            let since = now + pause + WINDOW_MS - MINUTE_MS;
            let counts = |ended: &&Ended| !ended.refused && ended.leaves >= since;
            let taken = u32::try_from(self.ended.iter().filter(counts).count()).unwrap_or(u32::MAX);
            let limit = match self.limit(now).map(|limit| limit.requests) {
                None => taken.max(CONTRACT),
                Some(limit) => taken.clamp((limit / 2).max(1), (limit - 1).max(1)),
            };
            self.learned = Some(Learned { limit, at: now });
        }
        self.leave(now, true);
    }

    /// No request was made.
    pub fn cancel(&mut self, place: Place) {
        self.under_way = self.under_way.saturating_sub(1);
        self.unkept = self.unkept.saturating_sub(1);
        if self.last == Some(place.at) {
            self.last = place.last;
        }
    }

    /// Items a request may carry: the usual number, or the largest from when more wait than the requests that may go
    /// at once would carry until what waits fits into one of the usual size.
    pub fn batch_size(&mut self, now: u64, waiting: usize, usual: usize, largest: usize) -> usize {
        let used = self.used(now);
        let scarce =
            |limit: Limit| self.grown || waiting > burst(limit.requests).saturating_sub(used) * usual;
        self.grown = waiting > usual && self.limit(now).is_some_and(scarce);
        if self.grown { largest.max(usual) } else { usual }
    }

    /// Whether what is taken must be kept before another request begins.
    pub fn must_keep(&self, now: u64) -> bool {
        self.limit(now)
            .is_some_and(|limit| self.unkept >= allowance(limit.requests))
    }

    /// What to keep for the time after a restart; the caller stores it. None: there is no limit.
    pub fn keep(&mut self, now: u64) -> Option<Kept> {
        self.used(now);
        self.limit(now)?;
        self.unkept = 0;
        let mut counting: Vec<(u64, u32)> = Vec::new();
        let under_way = std::iter::repeat_n(WINDOW_MS, self.under_way);
        let ended = self.ended.iter().map(|ended| ended.leaves - now);
        for left in ended.chain(under_way) {
            let second = left.div_ceil(1000);
            match counting.last_mut() {
                Some((last, count)) if *last == second => *count += 1,
                _ => counting.push((second, 1)),
            }
        }
        Some(Kept {
            learned: self
                .learned
                .map(|learned| (learned.limit, now.saturating_sub(learned.at))),
            counting,
        })
    }

    /// A budget after a restart, `age` ms after this was kept. What may have been sent without being kept counts as
    /// sent just now.
    pub fn restored(kept: &Kept, set: u32, now: u64, age: u64) -> Self {
        let mut budget = Self {
            set,
            learned: kept.learned.map(|(limit, ago)| Learned {
                limit,
                at: now.saturating_sub(ago.saturating_add(age)),
            }),
            // So that the first request is kept.
            unkept: u32::MAX,
            ..Self::default()
        };
        for (second, count) in &kept.counting {
            let left = (second * 1000).saturating_sub(age);
            let ended = Ended {
                leaves: now + left,
                refused: false,
            };
            if left > 0 {
                budget.ended.extend(std::iter::repeat_n(ended, *count as usize));
            }
        }
        if let Some(limit) = budget.limit(now) {
            let ended = Ended {
                leaves: now + WINDOW_MS,
                refused: false,
            };
            let unknown = allowance(limit.requests) as usize;
            budget.ended.extend(std::iter::repeat_n(ended, unknown));
        }
        budget
    }

    fn leave(&mut self, now: u64, refused: bool) {
        self.under_way = self.under_way.saturating_sub(1);
        self.ended.push_back(Ended {
            leaves: now + WINDOW_MS,
            refused,
        });
    }
}

impl Learned {
    fn now(self, now: u64) -> Option<u32> {
        let doubled = now.saturating_sub(self.at) / DOUBLES_AFTER_MS;
        let limit = u32::try_from(doubled)
            .ok()
            .and_then(|times| 2u32.checked_pow(times))
            .and_then(|growth| self.limit.checked_mul(growth))?;
        (limit <= FORGOTTEN || doubled == 0).then_some(limit)
    }
}

fn burst(limit: u32) -> usize {
    (limit / 4).max(1) as usize
}

fn allowance(limit: u32) -> u32 {
    (limit / KEPT_EVERY).max(1)
}

#[cfg(test)]
mod tests;
