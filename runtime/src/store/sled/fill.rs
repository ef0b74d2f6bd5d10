//! Fills a new tree so that its leaves are full and lie on the disk in one piece each.
//!
//! Only for a store in the making: nothing here is one batch. It must not know what the rows mean.
//!
//! Why: sled splits a leaf of more than 16 entries into halves, whatever their size, so entries that come in order leave
//! every leaf half full; a leaf takes about 250 bytes of memory as long as the store is open, and a read of one that is
//! not in memory fetches each piece it was written in.

use ::sled::Db;

use super::{super::StoreError, engine_error};

/// Bytes that wait before they are handed to the engine.
const WINDOW_BYTES: usize = 2 << 20;

/// Two writes in each leaf of 16 make it whole: it has taken 8 since it was split off, and the tenth is answered with a
/// new copy of the leaf.
const AGAIN_EVERY: usize = 8;

/// Entries on their way into the tree.
#[derive(Default)]
pub(super) struct Fill {
    waiting: Vec<(Vec<u8>, Vec<u8>)>,
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

    /// Hands over what waits: every second entry first, which leaves leaves of 8, then those between.
    ///
    /// # Errors
    /// When the engine cannot write.
    pub(super) fn hand_over(&mut self, db: &Db) -> Result<(), StoreError> {
        self.bytes = 0;
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.sort_unstable();
        let halves = waiting.iter().step_by(2).chain(waiting.iter().skip(1).step_by(2));
        let again = waiting.iter().step_by(AGAIN_EVERY);
        for (key, raw) in halves.chain(again) {
            db.insert(key, raw.as_slice()).map_err(engine_error)?;
        }
        waiting.clear();
        // The room is kept for the next.
        self.waiting = waiting;
        Ok(())
    }
}
