//! Who goes next when more waits than one batch takes: lower priorities first, but nobody waits for ever. It deals the
//! places of a batch; it does not know what waits, only how much of each kind.
//!
//! Of twenty places two go to the newest of the class whose turn it is (what was made just now is not behind the day's
//! backlog), two to the classes behind it, four to changes in backoff whose time has come, and the rest to the oldest of the
//! first class. Places that nobody of their kind wants go to the first class that has something. And every tenth
//! batch begins with whatever has led longest ago, so that batches of one item starve nobody either.

/// Classes of priority, 0 first.
pub const CLASSES: usize = 10;
/// Where retries stand beside the classes.
const RETRIES: usize = CLASSES;
/// Every so many batches one begins with what has led longest ago.
const LEAD_EVERY: u64 = 10;

/// How many wait of each kind; as many as fit into a batch is enough.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// By priority.
    pub ready: [usize; CLASSES],
    /// Changes in backoff whose time has come.
    pub retries: usize,
}

/// Who gets a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The one of a class that waits longest.
    Oldest(usize),
    /// The one of a class that came last.
    Newest(usize),
    /// The retry that has been due longest.
    Retry,
}

/// Whose turn it is, from batch to batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    batches: u64,
    /// In which batch each kind last led; 0: in none.
    led: [u64; CLASSES + 1],
}

/// The priority of a type that no binding gives one: what customers paid before what is counted on shelves.
pub fn default_priority(entity_type: &str) -> u8 {
    match entity_type {
        "order" | "transaction" => 3,
        _ => 5,
    }
}

impl Turns {
    /// Deals the places of the next batch, in the order in which they are to be filled. A batch that takes only the
    /// first of them is dealt fairly, too.
    pub fn deal(&mut self, places: usize, waiting: Waiting) -> Vec<Pick> {
        let mut left = Left(waiting);
        let mut picks = Vec::with_capacity(places.min(1_000));
        self.batches += 1;
        if self.batches.is_multiple_of(LEAD_EVERY)
            && places > 0
            && let Some(leader) = left.kinds().min_by_key(|kind| self.led[*kind])
        {
            self.led[leader] = self.batches;
            picks.extend(left.take(leader));
        }
        let mut turn = usize::try_from(self.batches).unwrap_or(0);
        for place in picks.len().. {
            if picks.len() >= places {
                break;
            }
            let Some(first) = left.first() else {
                if left.take(RETRIES).map(|pick| picks.push(pick)).is_none() {
                    break;
                }
                continue;
            };
            let wanted = match place % 20 {
                9 | 19 => {
                    turn += 1;
                    left.behind(first, turn)
                }
                2 | 12 => {
                    left.take(first);
                    picks.push(Pick::Newest(first));
                    continue;
                }
                1 | 5 | 13 | 17 => Some(RETRIES),
                _ => None,
            };
            let pick = wanted.and_then(|kind| left.take(kind));
            picks.extend(pick.or_else(|| left.take(first)));
        }
        picks
    }
}

/// What still has no place.
struct Left(Waiting);

impl Left {
    fn count(&mut self, kind: usize) -> &mut usize {
        self.0.ready.get_mut(kind).unwrap_or(&mut self.0.retries)
    }

    fn take(&mut self, kind: usize) -> Option<Pick> {
        let count = self.count(kind);
        *count = count.checked_sub(1)?;
        Some(if kind == RETRIES {
            Pick::Retry
        } else {
            Pick::Oldest(kind)
        })
    }

    /// The kinds of which something is left.
    fn kinds(&self) -> impl Iterator<Item = usize> {
        let Self(Waiting { ready, retries }) = *self;
        (0..=CLASSES).filter(move |kind| *ready.get(*kind).unwrap_or(&retries) > 0)
    }

    fn first(&self) -> Option<usize> {
        self.0.ready.iter().position(|count| *count > 0)
    }

    /// The class behind the first whose turn it is.
    fn behind(&self, first: usize, turn: usize) -> Option<usize> {
        let behind = |class: &usize| *class > first && *class < CLASSES;
        let many = self.kinds().filter(behind).count();
        self.kinds().filter(behind).nth(turn.checked_rem(many)?)
    }
}

#[cfg(test)]
mod tests;
