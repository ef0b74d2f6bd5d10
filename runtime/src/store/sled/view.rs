//! What readers see: the last durable commit, whole.
//!
//! sled shows a batch to readers entry by entry, and before it is on the disk. So while a group is on its way, what
//! its keys held before is laid over the tree, and taken off when the group is durable. A reader holds the cover in
//! place for the length of one page. It must not write.

use std::{cmp::Ordering, collections::BTreeMap, ops::Bound};

use ::sled::{Db, IVec, Tree};
use parking_lot::{RwLock, RwLockReadGuard};

use super::{
    super::{Direction, Entry, RESERVED, StoreError},
    chunks::{self, Stored},
    engine_error,
};

/// What keys held before the group that is on its way.
type Cover = BTreeMap<Vec<u8>, Option<IVec>>;

/// The tree and what covers it.
pub(super) struct View {
    tree: Tree,
    cover: RwLock<Cover>,
}

impl View {
    pub(super) fn new(db: &Db) -> Self {
        Self {
            tree: Tree::clone(db),
            cover: RwLock::default(),
        }
    }

    /// The durable state of this moment, until the answer is dropped. Keep it for a page, not for longer: a commit
    /// that is durable waits for it before it is answered.
    pub(super) fn read(&self) -> Snapshot<'_> {
        Snapshot {
            tree: &self.tree,
            cover: self.cover.read(),
        }
    }

    /// Keeps showing `before` for its keys, whatever happens to them in the tree.
    pub(super) fn hide(&self, before: Cover) {
        *self.cover.write() = before;
    }

    /// Shows the tree as it is.
    pub(super) fn reveal(&self) {
        let cover = std::mem::take(&mut *self.cover.write());
        // Freed here, not while readers wait for the lock.
        drop(cover);
    }
}

/// One moment's durable state.
pub(super) struct Snapshot<'a> {
    tree: &'a Tree,
    cover: RwLockReadGuard<'a, Cover>,
}

impl Snapshot<'_> {
    /// The value under a user's key.
    pub(super) fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.raw(key)?.map(|raw| self.whole(&raw)).transpose()
    }

    /// Users' entries with `from <= key < to`.
    pub(super) fn scan(
        &self,
        from: &[u8],
        to: &[u8],
        direction: Direction,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let to = to.min([RESERVED].as_slice());
        if from >= to {
            return Ok(Vec::new());
        }
        let rows = self.tree.range(from..to);
        let covered = self
            .cover
            .range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
        match direction {
            Direction::Forward => self.merge(rows, covered, Ordering::Less, limit),
            Direction::Backward => self.merge(rows.rev(), covered.rev(), Ordering::Greater, limit),
        }
    }

    /// Merges two runs in the same order; of equal keys the covered one counts. A key comes before another when it
    /// compares as `earlier`.
    fn merge<'c>(
        &self,
        mut rows: impl Iterator<Item = ::sled::Result<(IVec, IVec)>>,
        mut covered: impl Iterator<Item = (&'c Vec<u8>, &'c Option<IVec>)>,
        earlier: Ordering,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        let mut row = rows.next().transpose().map_err(engine_error)?;
        let mut cover = covered.next();
        while entries.len() < limit {
            let order = match (&row, &cover) {
                (None, None) => break,
                (Some(_), None) => earlier,
                (None, Some(_)) => earlier.reverse(),
                (Some((row, _)), Some((cover, _))) => row.as_ref().cmp(cover.as_slice()),
            };
            if order == earlier {
                let (key, raw) = row.take().expect("invariant: a row was just compared");
                entries.push((key.to_vec(), self.whole(&raw)?));
            } else {
                if order == Ordering::Equal {
                    row = None;
                }
                if let Some((key, Some(raw))) = cover.take() {
                    entries.push((key.clone(), self.whole(raw)?));
                }
                cover = covered.next();
            }
            if row.is_none() {
                row = rows.next().transpose().map_err(engine_error)?;
            }
        }
        Ok(entries)
    }

    /// What lies under any key.
    fn raw(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        match self.cover.get(key) {
            Some(before) => Ok(before.clone()),
            None => self.tree.get(key).map_err(engine_error),
        }
    }

    fn whole(&self, raw: &IVec) -> Result<Vec<u8>, StoreError> {
        match chunks::read(raw)? {
            Stored::Inline(value) => Ok(value.to_vec()),
            Stored::Chunked(marker) => marker.join(|key| self.raw(key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::btree_map, option, prelude::*};

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever a group does to the tree, readers see the state before it until it is revealed.
        #[test]
        fn a_group_on_its_way_is_invisible_from_any_side(
            old in btree_map(0..40_u8, 0..200_u8, 0..40),
            new in btree_map(0..40_u8, option::of(0..200_u8), 0..40),
            from in 0..40_u8, to in 0..45_u8, limit in 0..50_usize,
        ) {
            let db = ::sled::Config::new().temporary(true).open().expect("opens");
            let view = View::new(&db);
            for (key, value) in &old {
                db.insert([*key], chunks::inline(vec![*value])).expect("writes");
            }
            view.hide(new.keys().map(|key| (vec![*key], db.get([*key]).expect("reads"))).collect());
            let mut now = old.clone();
            for (key, value) in new {
                match value {
                    Some(value) => {
                        now.insert(key, value);
                        db.insert([key], chunks::inline(vec![value])).expect("writes");
                    }
                    None => {
                        now.remove(&key);
                        db.remove([key]).expect("removes");
                    }
                }
            }
            for state in [old, now] {
                for direction in [Direction::Forward, Direction::Backward] {
                    let seen = view.read().scan(&[from], &[to], direction, limit).expect("scans");
                    prop_assert_eq!(seen, expected(&state, from, to, direction, limit));
                }
                for key in 0..40 {
                    let seen = view.read().value(&[key]).expect("reads");
                    prop_assert_eq!(seen, state.get(&key).map(|value| vec![*value]));
                }
                view.reveal();
            }
        }
    }

    fn expected(
        state: &BTreeMap<u8, u8>,
        from: u8,
        to: u8,
        direction: Direction,
        limit: usize,
    ) -> Vec<Entry> {
        let rows = state
            .iter()
            .filter(|(key, _)| (from..to).contains(key))
            .map(|(key, value)| (vec![*key], vec![*value]));
        match direction {
            Direction::Forward => rows.take(limit).collect(),
            Direction::Backward => rows.rev().take(limit).collect(),
        }
    }
}
