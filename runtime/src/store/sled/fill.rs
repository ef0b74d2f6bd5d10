//! Fills a new tree so that its leaves are full and lie on the disk in one piece each.
//!
//! Only for a store in the making: nothing here is one batch. It must not know what the rows mean.
//!
//! Why: sled splits a leaf of 17 entries, whatever their size, and leaves 9 in the left one, so entries that come in
//! order leave every leaf about half full. A leaf takes some hundred bytes of memory for as long as the store is open, and
//! a read of one that is not in memory fetches each piece it was written in.

use ::sled::Db;

use super::{super::StoreError, engine_error};

/// Bytes that wait before they are handed to the engine.
const WINDOW_BYTES: usize = 2 << 20;

/// Entries in a full leaf.
const LEAF: usize = 16;

/// Of as many entries as a full leaf has, those that come first: as many as a split leaves in a leaf. The others then find
/// room in it.
const FIRST: [usize; 9] = [0, 2, 4, 6, 8, 10, 12, 14, 15];

/// Those of the first whose values come last. A leaf that was split off and has taken 7 entries lies in 8 pieces; over 10 of
/// them it is written anew, whole. (A write of what is there already would be none.)
const LAST: [usize; 3] = [0, 6, 12];

/// What a key holds until its value comes. No stored value is empty.
const PLACEHOLDER: &[u8] = &[];

type Waiting = (Vec<u8>, Vec<u8>);

/// Entries on their way into the tree.
#[derive(Default)]
pub(super) struct Fill {
    waiting: Vec<Waiting>,
    bytes: usize,
}

impl Fill {
    /// Adds what lies under a key in the engine. Each key once; in order of keys the leaves come out full.
    ///
    /// # Errors
    /// When the engine cannot write.
    pub(super) fn add(&mut self, db: &Db, key: &[u8], raw: Vec<u8>) -> Result<(), StoreError> {
        self.bytes += key.len() + raw.len();
        self.waiting.push((key.to_vec(), raw));
        if self.bytes > WINDOW_BYTES {
            self.hand_over(db)?;
        }
        Ok(())
    }

    /// Hands over what waits: first what leaves leaves with room for the rest, then the rest.
    ///
    /// # Errors
    /// When the engine cannot write.
    pub(super) fn hand_over(&mut self, db: &Db) -> Result<(), StoreError> {
        self.bytes = 0;
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_unstable();
        let put = |key: &[u8], raw: &[u8]| db.insert(key, raw).map(drop).map_err(engine_error);
        for (place, (key, raw)) in in_leaf(&waiting, |place| FIRST.contains(&place)) {
            put(key, if LAST.contains(&place) { PLACEHOLDER } else { raw })?;
        }
        for (_, (key, raw)) in in_leaf(&waiting, |place| !FIRST.contains(&place)) {
            put(key, raw)?;
        }
        for (_, (key, raw)) in in_leaf(&waiting, |place| LAST.contains(&place)) {
            put(key, raw)?;
        }
        waiting.clear();
        // The room is kept for the next.
        self.waiting = waiting;
        Ok(())
    }
}

/// The entries at some of the places in a leaf, in order.
fn in_leaf(waiting: &[Waiting], at: impl Fn(usize) -> bool) -> impl Iterator<Item = (usize, &Waiting)> {
    let places = (0..LEAF).cycle().zip(waiting);
    places.filter(move |(place, _)| at(*place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(entries: usize, backwards: bool) -> (Db, u64) {
        let config = ::sled::Config::new().temporary(true).flush_every_ms(None);
        let db = config.open().expect("opens");
        let mut fill = Fill::default();
        let mut bytes = 0;
        for at in 0..entries {
            let at = if backwards { entries - 1 - at } else { at };
            let (key, raw) = entry(at);
            bytes += (key.len() + raw.len()) as u64;
            fill.add(&db, &key, raw).expect("writes");
        }
        fill.hand_over(&db).expect("writes");
        db.flush().expect("writes");
        (db, bytes)
    }

    fn entry(at: usize) -> ([u8; 8], Vec<u8>) {
        ((at as u64).to_be_bytes(), vec![at as u8; 1 + at * 7 % 2000])
    }

    #[test]
    fn every_entry_gets_its_value_however_many_there_are_and_in_whatever_order() {
        for (entries, backwards) in [
            (0, false),
            (1, false),
            (15, true),
            (16, false),
            (17, true),
            (5000, true),
        ] {
            let (db, _) = filled(entries, backwards);
            assert_eq!(db.len(), entries);
            for at in 0..entries {
                let (key, raw) = entry(at);
                assert_eq!(db.get(key).expect("reads").expect("is there"), raw, "{at}");
            }
        }
    }

    #[test]
    fn the_file_takes_little_more_than_what_is_in_it() {
        let (db, bytes) = filled(20_000, false);
        let file = db.size_on_disk().expect("asks");
        assert!(file * 2 < bytes * 3, "{file} for {bytes}");
    }
}
