//! What readers see: the last durable commit, whole.
//!
//! sled shows a batch to readers entry by entry, and before it is on the disk. So while a group is on its way, what
//! its keys held before is laid over the tree, and taken off when the group is durable. A reader holds the cover in
//! place for the length of one page. An export has a cover of its own, to which every group adds until it ends: it sees
//! one moment while commits go on. It must not write.

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

/// Bytes that an export's cover may grow to; then commits wait for its end.
const EXPORT_COVER_BYTES: usize = 32 << 20;

/// The tree and what covers it.
pub(super) struct View {
    tree: Tree,
    covers: RwLock<Covers>,
    /// Held for reading as long as an export lasts.
    exporting: RwLock<()>,
}

/// What lies over the tree.
#[derive(Default)]
struct Covers {
    /// Until the group on its way is durable.
    group: Cover,
    /// Until these exports end.
    exports: BTreeMap<u64, ExportCover>,
}

#[derive(Default)]
struct ExportCover {
    before: Cover,
    bytes: usize,
}

impl View {
    pub(super) fn new(db: &Db) -> Self {
        Self {
            tree: Tree::clone(db),
            covers: RwLock::default(),
            exporting: RwLock::default(),
        }
    }

    /// The durable state of this moment, until the answer is dropped. Keep it for a page, not for longer: a commit
    /// that is durable waits for it before it is answered.
    pub(super) fn read(&self) -> Snapshot<'_> {
        Snapshot {
            tree: &self.tree,
            covers: self.covers.read(),
            export: None,
        }
    }

    /// The durable state of this moment, for as long as the answer lives.
    pub(super) fn export(&self) -> Export<'_> {
        let lasting = self.exporting.read();
        let mut covers = self.covers.write();
        let id = covers.exports.last_key_value().map_or(0, |(last, _)| last + 1);
        let cover = ExportCover {
            before: covers.group.clone(),
            bytes: 0,
        };
        covers.exports.insert(id, cover);
        drop(covers);
        Export {
            view: self,
            id,
            _lasting: lasting,
        }
    }

    /// Keeps showing `before` for its keys, whatever happens to them in the tree. Waits for exports that would have to
    /// remember too much.
    pub(super) fn hide(&self, before: Cover) {
        let mut covers = self.covers.write();
        for cover in covers.exports.values_mut() {
            for (key, value) in &before {
                if !cover.before.contains_key(key) {
                    cover.bytes += key.len() + value.as_ref().map_or(0, |value| value.len()) + 64;
                    cover.before.insert(key.clone(), value.clone());
                }
            }
        }
        covers.group = before;
        let full = covers
            .exports
            .values()
            .any(|cover| cover.bytes > EXPORT_COVER_BYTES);
        drop(covers);
        if full {
            drop(self.exporting.write());
        }
    }

    /// Shows the tree as it is.
    pub(super) fn reveal(&self) {
        let cover = std::mem::take(&mut self.covers.write().group);
        // Freed here, not while readers wait for the lock.
        drop(cover);
    }
}

/// One moment's durable state, for as long as it takes.
pub(super) struct Export<'a> {
    view: &'a View,
    id: u64,
    _lasting: RwLockReadGuard<'a, ()>,
}

impl Export<'_> {
    /// That state, for a page.
    pub(super) fn read(&self) -> Snapshot<'_> {
        Snapshot {
            tree: &self.view.tree,
            covers: self.view.covers.read(),
            export: Some(self.id),
        }
    }
}

impl Drop for Export<'_> {
    fn drop(&mut self) {
        let cover = self.view.covers.write().exports.remove(&self.id);
        drop(cover);
    }
}

/// One moment's durable state.
pub(super) struct Snapshot<'a> {
    tree: &'a Tree,
    covers: RwLockReadGuard<'a, Covers>,
    export: Option<u64>,
}

impl Snapshot<'_> {
    fn cover(&self) -> &Cover {
        match self.export {
            None => &self.covers.group,
            Some(id) => &self.covers.exports[&id].before,
        }
    }

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
            .cover()
            .range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
        match direction {
            Direction::Forward => self.merge(rows, covered, Ordering::Less, limit),
            Direction::Backward => self.merge(rows.rev(), covered.rev(), Ordering::Greater, limit),
        }
    }

    /// Reads every entry with all its parts, and counts them.
    pub(super) fn read_all(&self) -> Result<u64, StoreError> {
        let mut entries = 0;
        for row in self.tree.range::<&[u8], _>(..[RESERVED].as_slice()) {
            let (_, raw) = row.map_err(engine_error)?;
            if let Stored::Chunked(marker) = chunks::read(&raw)? {
                marker.join(|key| self.raw(key))?;
            }
            entries += 1;
        }
        Ok(entries)
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
    pub(super) fn raw(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        match self.cover().get(key) {
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

    #[test]
    fn an_export_sees_one_moment_while_groups_go_by() {
        let db = ::sled::Config::new().temporary(true).open().expect("opens");
        let view = View::new(&db);
        let put = |key: u8, value: u8| db.insert([key], chunks::inline(vec![value])).expect("writes");
        let group = |keys: &[u8]| {
            let before = keys
                .iter()
                .map(|key| (vec![*key], db.get([*key]).expect("reads")));
            view.hide(before.collect());
        };
        put(1, 1);
        put(2, 1);
        // A group that is not durable yet is not in it.
        group(&[2, 3]);
        put(2, 2);
        put(3, 2);
        let export = view.export();
        view.reveal();
        for value in 3..10 {
            group(&[1, 2, 4]);
            put(1, value);
            db.remove([2]).expect("removes");
            put(4, value);
            view.reveal();
        }
        let seen = export
            .read()
            .scan(&[0], &[9], Direction::Forward, 9)
            .expect("scans");
        assert_eq!(seen, [(vec![1], vec![1]), (vec![2], vec![1])]);
        drop(export);
        let now = view
            .read()
            .scan(&[0], &[9], Direction::Forward, 9)
            .expect("scans");
        assert_eq!(now, [(vec![1], vec![9]), (vec![3], vec![2]), (vec![4], vec![9])]);
        assert!(view.covers.read().exports.is_empty());
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
