//! Updates on their way in, from a pulled page or a webhook: each finds its entity, is mapped, and is applied or put
//! into its entity's inbox, all in one commit with what the caller adds to it (the checkpoint, a dedup key). What an
//! inbox holds is decided afterwards, in `decide`.

use crate::engine::Engine;
use crate::engine::api::Unavailable;
use crate::engine::parking::Origin as Parked;
use crate::engine::plugins::{StoreLookup, map_to_local};
use crate::engine::settings::Settings;
use crate::engine::tx::{Load, Tx, TxError, feed_row};
use crate::plugin::Failure;
use crate::store::rows::Origin;
use crate::store::{Batch, Counter, keys};
use selaras_core::echo::settle_echo;
use selaras_core::entity::Entity;
use selaras_core::id::{CloudId, EntityId, EntityKey, EntityType};
use selaras_core::receive::{Received, is_anothers, is_stale, receive, supersedes};
use selaras_core::resync::refetch;
use selaras_core::update::{Seen, Update};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// How often a commit that apps race is tried.
const LOOKS: usize = 50;

/// An update with the names under which the cloud speaks of its entity.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The outlet's type.
    pub entity_type: EntityType,
    /// The outlet's id, as the cloud knows it.
    pub local_id: Option<EntityId>,
    /// What it says.
    pub update: Update,
    /// It came by pull: asking the cloud again would say the same.
    pub pulled: bool,
    /// It came with a listing that was asked for to fetch again.
    pub listed: bool,
}

/// What became of an arrival.
#[derive(Clone, Debug)]
pub struct Landing {
    /// Its entity.
    pub key: EntityKey,
    /// What was done.
    pub became: Became,
}

/// What was done with an arrival.
#[derive(Clone, Debug)]
pub enum Became {
    /// Settled without a strategy.
    Received(Received),
    /// It waits in the inbox to be decided.
    Inboxed,
    /// It has neither number nor stamp, and the outlet has changes waiting: the entity is to be pulled.
    Unordered,
    /// Its mapper failed; it is kept whole.
    Parked(String),
}

impl Engine {
    /// Takes `arrivals` in, in one commit. `also` adds to that commit, knowing what became of each; a precondition of its own
    /// that fails comes out as `Ok(None)`, with nothing done.
    pub(crate) async fn take_in(
        &self,
        arrivals: &[Arrival],
        also: impl Fn(&mut Batch, &[Landing]),
    ) -> Result<Option<Vec<Landing>>, Unavailable> {
        self.take_in_from(arrivals, &[], also).await
    }

    /// The same, of arrivals that were parked: `from` says where each was. They are gone from there, or kept there on.
    pub(super) async fn take_in_from(
        &self,
        arrivals: &[Arrival],
        from: &[Parked],
        also: impl Fn(&mut Batch, &[Landing]),
    ) -> Result<Option<Vec<Landing>>, Unavailable> {
        for _ in 0..LOOKS {
            let settings = self.settings();
            let mut tx = Tx::new(&self.inner.rows, &settings);
            let keys = self.identify(&mut tx, arrivals)?;
            let seen = self.see(&settings, arrivals, &keys).await?;
            tx.is_listed = arrivals.iter().all(|arrival| arrival.listed);
            let mut landings = Vec::with_capacity(arrivals.len());
            for (at, ((arrival, key), seen)) in arrivals.iter().zip(keys).zip(seen).enumerate() {
                let from = from.get(at).copied();
                landings.push(self.land(&mut tx, &settings, (arrival, from), key, seen)?);
            }
            also(&mut tx.batch, &landings);
            match tx.commit().await {
                Ok(_) => {
                    self.inner.feed_moved();
                    return Ok(Some(landings));
                }
                Err(TxError::Refused) => return Ok(None),
                Err(TxError::Raced(key)) => {
                    tracing::debug!(%key, "an entity changed while an update came in");
                }
                Err(TxError::Unavailable(error)) => return Err(error),
            }
        }
        Err(Unavailable::Store(
            "the entities of this page are changed all the time; it is tried again".to_owned(),
        ))
    }

    /// Which entity each arrival means (rule 9); a name made here for those nobody knows.
    fn identify(&self, tx: &mut Tx<'_>, arrivals: &[Arrival]) -> Result<Vec<EntityKey>, Unavailable> {
        let mut made: HashMap<(EntityType, CloudId), EntityId> = HashMap::new();
        let mut keys = Vec::with_capacity(arrivals.len());
        for arrival in arrivals {
            let cloud_id = arrival.update.cloud_id.clone();
            let name = cloud_id.map(|id| (arrival.entity_type.clone(), id));
            let known = name.as_ref().and_then(|name| made.get(name)).cloned();
            let id = match known {
                Some(id) => id,
                None => match find(tx, arrival)? {
                    Some(id) => self.heir(tx, arrival, id)?,
                    None => self.new_id(),
                },
            };
            if let Some(name) = name {
                made.insert(name, id.clone());
            }
            keys.push(EntityKey {
                entity_type: arrival.entity_type.clone(),
                id,
            });
        }
        Ok(keys)
    }

    /// Who has the arrival's name at the cloud now: `owner`, or a new record where another entity took up a name that
    /// `owner` had parted with.
    fn heir(&self, tx: &mut Tx<'_>, arrival: &Arrival, owner: EntityId) -> Result<EntityId, Unavailable> {
        let key = EntityKey {
            entity_type: arrival.entity_type.clone(),
            id: owner,
        };
        let entity = tx.entity(&key, Load::Whole)?;
        let name = arrival.update.cloud_id.as_ref();
        let Some(name) = name.filter(|_| is_anothers(entity, &arrival.update)) else {
            return Ok(key.id);
        };
        entity.record.give_up_name(name);
        let heir = self.new_id();
        let row = keys::two(keys::BY_CLOUD_ID, key.entity_type.as_str(), name.as_str());
        tx.batch.put(row, heir.as_str().as_bytes().to_vec());
        tx.release(name);
        Ok(heir)
    }

    /// The entity that the cloud means, if there is one already.
    pub(crate) fn known(&self, arrival: &Arrival) -> Result<Option<EntityKey>, Unavailable> {
        let settings = self.settings();
        let Some(id) = find(&mut Tx::new(&self.inner.rows, &settings), arrival)? else {
            return Ok(None);
        };
        let key = EntityKey {
            entity_type: arrival.entity_type.clone(),
            id,
        };
        Ok(self.inner.rows.record(&key)?.map(|_| key))
    }

    fn new_id(&self) -> EntityId {
        EntityId::parse(&self.inner.time.ulid()).expect("invariant: a ULID is an id")
    }

    /// What the mappers make of the arrivals, in their order.
    async fn see(
        &self,
        settings: &Settings,
        arrivals: &[Arrival],
        keys: &[EntityKey],
    ) -> Result<Vec<Option<Result<Seen, Failure>>>, Unavailable> {
        let mut seen: Vec<Option<Result<Seen, Failure>>> = (0..arrivals.len()).map(|_| None).collect();
        let mut by_type: BTreeMap<&EntityType, Vec<usize>> = BTreeMap::new();
        for (at, arrival) in arrivals.iter().enumerate() {
            by_type.entry(&arrival.entity_type).or_default().push(at);
        }
        for (entity_type, indexes) in by_type {
            let binding = settings.binding(entity_type.as_str());
            let lookup = Arc::new(StoreLookup::new(self.inner.rows.clone(), self.inner.time.clone()));
            let updates = indexes
                .iter()
                .map(|at| (&keys[*at], &arrivals[*at].update))
                .collect();
            let host = &self.inner.host;
            let mapped = map_to_local(host, settings, &binding, updates, lookup, self.now()).await;
            for (at, outcome) in indexes.into_iter().zip(mapped) {
                seen[at] = Some(outcome);
            }
        }
        Ok(seen)
    }

    fn land(
        &self,
        tx: &mut Tx<'_>,
        settings: &Settings,
        (arrival, from): (&Arrival, Option<Parked>),
        key: EntityKey,
        seen: Option<Result<Seen, Failure>>,
    ) -> Result<Landing, Unavailable> {
        let update = &arrival.update;
        let entity = tx.entity(&key, Load::Whole)?;
        let unheard = !entity.is_known();
        entity.record.note_deletion(update);
        let version = entity.record.version;
        let mut settled = 0;
        let stale = is_stale(entity, update) || from.is_some_and(|from| is_overtaken(entity, update, from));
        if let Some(Ok(seen)) = &seen
            && !stale
            && !matches!(seen, Seen::Skipped(_))
        {
            // Before a later update takes the inbox's one place.
            settled += settle_echo(entity, update, seen);
        }
        let take = if arrival.listed { refetch } else { receive };
        let busy = entity.record.conflict.is_some() || entity.record.inbox.is_some();
        let became = if stale {
            Became::Received(Received::Stale)
        } else if !arrival.pulled && !update.is_ordered() && entity.is_unsynced() {
            // Nobody can say whether it is news: the entity is pulled instead (rule 4).
            Became::Unordered
        } else if let Some(Err(failure)) = &seen {
            // Also beside an open conflict, which keeps the side that a person can look at.
            let error = format!("{}: {}", failure.code.as_str(), failure.message);
            match self.park(tx, settings, (&key, version), (update, failure), from)? {
                true => Became::Parked(error),
                false => Became::Received(Received::Stale),
            }
        } else if busy {
            inbox(entity, update)
        } else {
            match seen {
                Some(Ok(seen)) => match take(entity, update, &seen) {
                    Received::Contested | Received::Waits => inbox(entity, update),
                    received => Became::Received(received),
                },
                Some(Err(_)) | None => inbox(entity, update),
            }
        };
        match &became {
            Became::Parked(_) | Became::Unordered => {}
            Became::Received(Received::Stale) if from.is_none() => {}
            Became::Received(_) | Became::Inboxed => self.unpark(tx, &key, update, from)?,
        }
        if let Became::Received(Received::Agreed { settled: agreed }) = &became {
            settled += agreed;
        }
        if settled > 0 {
            tx.batch.count(Counter::Synced, i64::from(settled));
        }
        let entity = tx.get(&key).expect("invariant: loaded above");
        // A deletion of what nobody here has heard of is no news to apps.
        if matches!(became, Became::Received(Received::Applied)) && !(unheard && entity.record.doc.is_none())
        {
            let row = feed_row(entity, Origin::Cloud, self.now());
            tx.feed(&row);
        }
        Ok(Landing { key, became })
    }
}

/// The outlet's id of the entity that the cloud means, if there is one already or it names one that can be used.
fn find(tx: &mut Tx<'_>, arrival: &Arrival) -> Result<Option<EntityId>, Unavailable> {
    let cloud_id = arrival.update.cloud_id.as_ref();
    if let Some(cloud_id) = cloud_id
        && let Some(id) = tx.by_cloud_id(&arrival.entity_type, cloud_id)?
    {
        return Ok(Some(id));
    }
    let Some(id) = &arrival.local_id else {
        return Ok(None);
    };
    let key = EntityKey {
        entity_type: arrival.entity_type.clone(),
        id: id.clone(),
    };
    let entity = tx.entity(&key, Load::Whole)?;
    let usable = !entity.is_known() || cloud_id.is_none() || entity.answers_to_local_id();
    Ok(usable.then(|| id.clone()))
}

/// Whether an update that was parked is older than what the outlet did since, though it has no number to say so: the cloud
/// has taken that, or its update cannot be placed at all.
fn is_overtaken(entity: &Entity, update: &Update, from: Parked) -> bool {
    let moved = entity.record.version != from.version;
    moved && update.version.is_none() && !(update.is_ordered() && entity.is_unsynced())
}

/// Puts the update into the entity's inbox, unless a newer one is there.
fn inbox(entity: &mut Entity, update: &Update) -> Became {
    if entity
        .record
        .inbox
        .as_ref()
        .is_some_and(|waiting| !supersedes(update, waiting))
    {
        return Became::Received(Received::Stale);
    }
    entity.record.inbox = Some(update.clone());
    Became::Inboxed
}

#[cfg(test)]
mod tests {
    use super::*;
    use selaras_core::accept::{Incoming, accept};
    use selaras_core::json::Doc;
    use selaras_core::stamp::Millis;

    #[test]
    fn what_was_parked_without_a_number_is_older_than_what_the_outlet_did_since_and_the_cloud_took() {
        let mut entity = Entity::new(EntityKey::parse("product", "p").unwrap());
        let from = Parked {
            number: 1,
            version: entity.record.version,
        };
        let bare = Update::default();
        let stamped = Update {
            stamp: Some(Millis(1)),
            ..Update::default()
        };
        let numbered = Update {
            version: Some(1),
            ..stamped.clone()
        };
        let judged =
            |entity: &Entity| [&bare, &stamped, &numbered].map(|update| is_overtaken(entity, update, from));
        assert_eq!(judged(&entity), [false; 3], "nothing was done since");
        let change = Incoming {
            doc: Some(Doc::parse("{}").unwrap()),
            stamp: Millis(2).into(),
            by: None,
            change_id: "ch".to_owned(),
            order: 2,
            now: Millis(2),
        };
        accept(&mut entity, change, true);
        assert_eq!(
            judged(&entity),
            [true, false, false],
            "both sides changed: a strategy is asked"
        );
        entity.items.clear();
        assert_eq!(
            judged(&entity),
            [true, true, false],
            "its number tells what it is"
        );
    }
}
