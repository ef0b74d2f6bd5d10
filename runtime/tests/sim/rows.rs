//! What an outlet has in its rows, read as they are: what the promises are judged by.

use crate::outlet::{Acked, Outlet, everything};
use selaras::store::rows::FeedRow;
use selaras::store::{Direction, FEED_PREFIX, feed_key, keys};
use selaras_core::conflict::Conflict;
use selaras_core::entity::Entity;
use selaras_core::id::EntityKey;

/// What the feed says of an entity.
pub struct Fed {
    /// Which.
    pub key: EntityKey,
    /// Its version.
    pub version: u64,
    /// What changed it.
    pub origin: &'static str,
    /// The change's id, where an app or the cloud named it.
    pub change_id: Option<String>,
}

impl Outlet {
    /// Everything that changed its entities, in order.
    pub fn feed(&self) -> Vec<Fed> {
        let rows = self.rows();
        let from = feed_key(1);
        let to = [FEED_PREFIX + 1];
        let found = rows.page((&from, &to), Direction::Forward, everything().limit);
        let found: Vec<(Vec<u8>, FeedRow)> = found.expect("the rows can be read");
        let entry = |(_, row): (Vec<u8>, FeedRow)| Fed {
            key: EntityKey::parse(&row.entity_type, &row.entity_id).expect("a key"),
            version: row.version,
            origin: row.origin.as_str(),
            change_id: row.change_id,
        };
        found.into_iter().map(entry).collect()
    }

    /// What was answered to the app.
    pub fn acked(&self) -> Vec<Acked> {
        self.app.lock().expect("no panic holds it").acked.clone()
    }

    /// Entities with something left to do.
    pub fn waiting(&self) -> Vec<Entity> {
        let mut all = self.entities();
        all.retain(|entity| {
            !entity.items.is_empty() || entity.record.inbox.is_some() || entity.record.conflict.is_some()
        });
        all
    }

    /// Every recorded conflict.
    pub fn conflicts(&self) -> Vec<Conflict> {
        let rows = self.rows();
        let (from, to) = keys::all(keys::CONFLICT);
        let found = rows.page((&from, &to), Direction::Forward, everything().limit);
        let found: Vec<(Vec<u8>, Conflict)> = found.expect("the rows can be read");
        found.into_iter().map(|(_, conflict)| conflict).collect()
    }
}
