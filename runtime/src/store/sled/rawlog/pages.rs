//! The leaves that the log's messages make up, and the entries in them.
//!
//! Whole leaves share no key, except where a split or a merge was interrupted or where a newer state of a page was lost.
//! Then of each key the newest word counts: a leaf's whole state speaks for all the keys that belong to it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    Scope,
    bytes::{Head, Link},
    segments::{Body, Kind, Log, Message, SEGMENT, Walk},
};

/// Leaves that are kept as they were read.
const KEPT_LEAVES: usize = 8;

/// A state or a change of a page.
#[derive(Debug, Clone, Copy)]
struct Fragment {
    lsn: u64,
    body: Body,
}

/// A page's last whole state, and the changes after it.
struct Page {
    base: Fragment,
    /// The keys that belong to it, where it is a leaf.
    bounds: Option<Bounds>,
    links: Vec<Fragment>,
}

struct Bounds {
    low: Box<[u8]>,
    high: Box<[u8]>,
}

impl Bounds {
    fn reaches_past(&self, key: &[u8]) -> bool {
        self.high.is_empty() || *self.high > *key
    }

    fn reaches_farther(&self, other: &Self) -> bool {
        !other.high.is_empty() && self.reaches_past(&other.high)
    }
}

/// The pages as the log's last messages leave them.
pub(super) struct Pages {
    pages: HashMap<u64, Page>,
    pub(super) walk: Walk,
    /// Segments with changes of pages whose states the walk did not come upon.
    strays: HashSet<u64>,
    /// Nodes whose checksum holds but that make no sense, or whose own file is gone.
    pub(super) unreadable: u64,
}

impl Pages {
    /// What the messages up to the place `cut` leave.
    pub(super) fn read(log: &Log, cut: Option<u64>) -> Self {
        let mut pages = HashMap::new();
        let mut strays = HashSet::new();
        let mut unreadable = 0;
        let walk = log.walk(cut, |message, body| {
            if message.kind == Kind::Link && !pages.contains_key(&message.page) {
                strays.insert(message.lsn / SEGMENT);
            }
            if take(log, &mut pages, message, body).is_none() {
                unreadable += 1;
            }
        });
        Self {
            pages,
            walk,
            strays,
            unreadable,
        }
    }

    /// The numbers of segments that hold a part of a page, or may do so where the walk did not begin at the beginning.
    pub(super) fn live_segments(&self, scope: Scope) -> HashSet<u64> {
        let fragments = self
            .pages
            .values()
            .flat_map(|page| page.links.iter().chain([&page.base]));
        let strays = self.strays.iter().copied();
        fragments
            .map(|fragment| fragment.lsn / SEGMENT)
            .chain(strays.filter(|_| scope == Scope::SinceSnapshot))
            .collect()
    }

    pub(super) fn into_leaves(self, log: &Log) -> Leaves<'_> {
        let mut leaves: Vec<_> = self
            .pages
            .into_values()
            .filter_map(|page| {
                Some(Leaf {
                    bounds: page.bounds?,
                    base: page.base,
                    links: page.links,
                })
            })
            .collect();
        leaves.sort_unstable_by(|a, b| (&a.bounds.low, a.base.lsn).cmp(&(&b.bounds.low, b.base.lsn)));
        let mut farthest = Vec::with_capacity(leaves.len());
        let mut best = 0;
        for (at, leaf) in leaves.iter().enumerate() {
            if leaf.bounds.reaches_farther(&leaves[best].bounds) {
                best = at;
            }
            farthest.push(best);
        }
        let mut leaves = Leaves {
            log,
            leaves,
            farthest,
            kept: Vec::new(),
            unreadable: self.unreadable,
        };
        leaves.leave_out_foreign_links(&self.walk);
        leaves
    }
}

/// Takes a message over. None: it makes no sense.
fn take(log: &Log, pages: &mut HashMap<u64, Page>, message: &Message, body: &[u8]) -> Option<()> {
    let fragment = Fragment {
        lsn: message.lsn,
        body: message.body,
    };
    match message.kind {
        Kind::Canceled | Kind::Cap | Kind::Manifest => {}
        Kind::Free => {
            pages.remove(&message.page);
        }
        Kind::Link => {
            // One without a state before it was written anew since, at another place.
            if let Some(page) = pages.get_mut(&message.page) {
                page.links.push(fragment);
            }
        }
        Kind::Other => {
            let page = Page {
                base: fragment,
                bounds: None,
                links: Vec::new(),
            };
            pages.insert(message.page, page);
        }
        Kind::Node => {
            pages.remove(&message.page);
            let body = log.resolve(message.body, body.to_vec()).ok()?;
            let head = Head::read(&body)?;
            let bounds = head.leaf.then(|| Bounds {
                low: head.low.into(),
                high: head.high.into(),
            });
            let page = Page {
                base: fragment,
                bounds,
                links: Vec::new(),
            };
            pages.insert(message.page, page);
        }
    }
    Some(())
}

struct Leaf {
    bounds: Bounds,
    base: Fragment,
    links: Vec<Fragment>,
}

/// When a key was written, and what.
type Word = (u64, Option<Vec<u8>>);

/// The leaves, in the order of their first keys.
pub(super) struct Leaves<'a> {
    log: &'a Log,
    leaves: Vec<Leaf>,
    /// Of each leaf and those before it, the one that reaches farthest.
    farthest: Vec<usize>,
    kept: Vec<(usize, BTreeMap<Vec<u8>, Word>)>,
    /// Pages and changes that could not be read.
    pub(super) unreadable: u64,
}

/// A leaf some of whose entries are still to come.
struct Active {
    index: usize,
    left: BTreeMap<Vec<u8>, Word>,
}

impl Leaves<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    /// A change names its key without the prefix of the state it was made of, which the leaf's bounds decide. Where a newer
    /// state of the leaf may be lost, changes after that would name other keys: in a file that was cut, wherever a part
    /// of the log is missing; beside a hole, where the leaf does not fit between its neighbours.
    fn leave_out_foreign_links(&mut self, walk: &Walk) {
        let misfits: Vec<bool> = (0..self.leaves.len()).map(|at| !self.fits(at)).collect();
        let cut = walk.cut_short || (self.has_gap() && (walk.partial || walk.holes.is_empty()));
        for (leaf, misfit) in self.leaves.iter_mut().zip(misfits) {
            let holes = walk.holes.iter().filter(|_| misfit).map(|hole| hole.lsns.end);
            let missing = walk.missing.iter().filter(|_| cut).map(|lsns| lsns.end);
            let from = holes
                .chain(missing)
                .chain((misfit && walk.cut_short).then_some(leaf.base.lsn + 1))
                .filter(|end| *end > leaf.base.lsn)
                .min();
            let before = leaf.links.len();
            leaf.links.retain(|link| from.is_none_or(|from| link.lsn < from));
            self.unreadable += u64::from(leaf.links.len() < before);
        }
    }

    /// Whether a leaf begins where those before it end, and ends where the next begins.
    fn fits(&self, at: usize) -> bool {
        let bounds = &self.leaves[at].bounds;
        let before = at
            .checked_sub(1)
            .map(|before| &self.leaves[self.farthest[before]].bounds);
        let begins = match before {
            Some(before) => !before.reaches_past(&bounds.low),
            None => bounds.low.is_empty(),
        };
        let ends = match self.leaves.get(at + 1) {
            Some(after) => after.bounds.low == bounds.high,
            None => bounds.high.is_empty(),
        };
        begins && ends
    }

    /// Whether there are keys that belong to no leaf: one is lost. A split or a merge on its way leaves keys to two.
    fn has_gap(&self) -> bool {
        let begins = self
            .leaves
            .first()
            .is_some_and(|first| first.bounds.low.is_empty());
        let ends = self.leaves.iter().any(|leaf| leaf.bounds.high.is_empty());
        let between = self
            .leaves
            .iter()
            .skip(1)
            .zip(&self.farthest)
            .any(|(leaf, before)| {
                let before = &self.leaves[*before].bounds;
                before.high != leaf.bounds.low && !before.reaches_past(&leaf.bounds.low)
            });
        !begins || !ends || between
    }

    /// The entries of a leaf, with those that were deleted from it.
    fn load(&mut self, index: usize) -> BTreeMap<Vec<u8>, Word> {
        let leaf = &self.leaves[index];
        let mut entries = BTreeMap::new();
        let mut unreadable = 0;
        let base = self.log.body(leaf.base.body).ok();
        let read = base.as_deref().and_then(|base| {
            let head = Head::read(base)?;
            let prefix = head.prefix;
            let whole = |key: &[u8]| [prefix, key].concat();
            for (key, value) in head.entries()? {
                entries.insert(whole(key), (leaf.base.lsn, Some(value.to_vec())));
            }
            for link in &leaf.links {
                let body = self.log.body(link.body).ok();
                let (key, value) = match body.as_deref().and_then(Link::read) {
                    Some(Link::Set(key, value)) => (whole(key), Some(value.to_vec())),
                    Some(Link::Del(key)) => (whole(key), None),
                    Some(Link::Merge) => continue,
                    None => {
                        unreadable += 1;
                        continue;
                    }
                };
                if *leaf.bounds.low <= *key && leaf.bounds.reaches_past(&key) {
                    entries.insert(key, (link.lsn, value));
                } else {
                    unreadable += 1;
                }
            }
            Some(())
        });
        if read.is_none() {
            unreadable += 1;
        }
        self.unreadable += unreadable;
        entries
    }

    /// What lies under a key.
    pub(super) fn get(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        let mut at = self.leaves.partition_point(|leaf| *leaf.bounds.low <= *key);
        let mut newest: Word = (0, None);
        while at > 0 && self.leaves[self.farthest[at - 1]].bounds.reaches_past(key) {
            at -= 1;
            if !self.leaves[at].bounds.reaches_past(key) {
                continue;
            }
            let base = self.leaves[at].base.lsn;
            let word = self.kept(at).get(key).cloned().unwrap_or((base, None));
            if word.0 >= newest.0 {
                newest = word;
            }
        }
        newest.1
    }

    fn kept(&mut self, index: usize) -> &BTreeMap<Vec<u8>, Word> {
        let place = match self.kept.iter().position(|(kept, _)| *kept == index) {
            Some(place) => place,
            None => {
                let entries = self.load(index);
                if self.kept.len() == KEPT_LEAVES {
                    self.kept.remove(0);
                }
                self.kept.push((index, entries));
                self.kept.len() - 1
            }
        };
        &self.kept[place].1
    }

    /// Hands each entry below the key `to` to `each`, in order; what it answers ends it.
    pub(super) fn each<E>(
        &mut self,
        to: &[u8],
        mut each: impl FnMut(&mut Self, Vec<u8>, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut active: Vec<Active> = Vec::new();
        let mut next = 0;
        loop {
            let first = active
                .iter()
                .filter_map(|leaf| leaf.left.first_key_value())
                .map(|(key, _)| key)
                .min();
            let begins = self.leaves.get(next).map(|leaf| &*leaf.bounds.low);
            if let Some(low) = begins
                && low < to
                && first.is_none_or(|first| low <= first.as_slice())
            {
                let left = self.load(next);
                active.push(Active { index: next, left });
                next += 1;
                continue;
            }
            let Some(key) = first.filter(|key| key.as_slice() < to).cloned() else {
                return Ok(());
            };
            active.retain(|leaf| self.leaves[leaf.index].bounds.reaches_past(&key) || !leaf.left.is_empty());
            let mut newest: Word = (0, None);
            for leaf in &mut active {
                let of = &self.leaves[leaf.index];
                let mut word = leaf.left.remove(&key);
                if word.is_none() && of.bounds.reaches_past(&key) {
                    word = Some((of.base.lsn, None));
                }
                if let Some(word) = word
                    && word.0 >= newest.0
                {
                    newest = word;
                }
            }
            if let Some(value) = newest.1 {
                each(self, key, value)?;
            }
        }
    }
}
