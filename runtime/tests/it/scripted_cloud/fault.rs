//! What can go wrong on command, and the order in which it does.

use std::collections::{HashMap, VecDeque};

/// A call of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// `GET ping`.
    Ping,
    /// `POST sync/batch`.
    Batch,
    /// `POST orders`, `transactions`, `products`.
    Document,
    /// `GET updates`.
    Updates,
    /// `POST conflicts/{id}/resolve`.
    Resolve,
    /// `POST analytics/daily`.
    Analytics,
    /// What the contract does not have.
    Other,
}

impl Call {
    /// Each of them.
    pub const ALL: [Call; 7] = [
        Call::Ping,
        Call::Batch,
        Call::Document,
        Call::Updates,
        Call::Resolve,
        Call::Analytics,
        Call::Other,
    ];
}

/// One misbehaviour.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// None: it does what it should, before the faults that are queued behind this.
    None,
    /// The connection closes and nothing was done.
    DropBefore,
    /// It is done, and the connection closes without an answer.
    DropAfter,
    /// Nothing is done until the cloud is released, and no answer comes before.
    HangBefore,
    /// It is done, and no answer comes until the cloud is released.
    HangAfter,
    /// An error status with a body in the contract's shape; nothing was done.
    Status(u16),
    /// 429 with `retry_after`; nothing was done.
    RateLimited(u32),
    /// 429 with this `Retry-After` header; nothing was done.
    RetryAfter(String),
    /// A login page with status 200; nothing was done.
    Html,
    /// It is done, and the answer comes byte by byte and never to its end.
    Drip,
    /// It is done, and the answer's JSON ends in the middle.
    Truncated,
    /// It is done, and the results are not in the answer.
    NoResults,
    /// It is done, and the results come last first.
    Reordered,
    /// It is done, and the answer has only the first half of the results.
    Short,
    /// It is done, and the answer has each result twice.
    Doubled,
    /// It is done, and the answer also holds results for entities nobody sent, twice, before the real ones.
    Strangers,
    /// This body with status 200; nothing was done.
    Body(String),
}

/// Faults to come.
#[derive(Default)]
pub(super) struct Script {
    queued: HashMap<Call, VecDeque<Fault>>,
    standing: HashMap<Call, Fault>,
}

impl Script {
    pub fn queue(&mut self, call: Call, fault: Fault) {
        self.queued.entry(call).or_default().push_back(fault);
    }

    pub fn standing(&mut self, call: Call, fault: Fault) {
        self.standing.insert(call, fault);
    }

    pub fn queued(&self) -> usize {
        self.queued.values().map(VecDeque::len).sum()
    }

    /// The fault for a call that came now.
    pub fn take(&mut self, call: Call) -> Option<Fault> {
        let queued = self.queued.get_mut(&call).and_then(VecDeque::pop_front);
        queued.or_else(|| self.standing.get(&call).cloned())
    }
}
