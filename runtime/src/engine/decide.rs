//! Inboxes are decided: mapped, compared, and where both sides changed the strategy is asked. Reads first; each
//! decision commits with the record's `rev` as precondition, and a change that slips in only causes a second look.
//! A plugin that fails never decides: the conflict is deferred with its code.

mod tally;
mod write;

pub use tally::{Tally, Verdicts};
pub(super) use write::write_conflict;

use crate::engine::Engine;
use crate::engine::api::{Resolution, Unavailable};
use crate::engine::case::{Asked, Contest};
use crate::engine::inflow::Arrival;
use crate::engine::plugins::{StoreLookup, context, map_to_local};
use crate::engine::settings::Settings;
use crate::plugin::{self, Failure};
use crate::store::keys;
use crate::store::rows::Origin;
use selaras_core::conflict::{Conflict, Phase};
use selaras_core::entity::Entity;
use selaras_core::id::EntityKey;
use selaras_core::json::Doc;
use selaras_core::receive::{Received, is_anothers, receive};
use selaras_core::settle::{Decision, Means, settle};
use selaras_core::update::{Seen, Update};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Conflicts of one entity without a success in between, after which a person decides.
const CONFLICTS_IN_ROW: u32 = 8;
/// How often an entity that apps change meanwhile is looked at in one go; the next run goes on.
const LOOKS: usize = 20;
/// Entities decided in one commit.
const BATCH: usize = 200;

/// An entity with the update that waits for it.
struct Waiting {
    before: Entity,
    update: Update,
}

/// An entity as a decision leaves it, with what is recorded of it.
struct Settled {
    before: Entity,
    after: Entity,
    resolution: Resolution,
    conflict: Option<Conflict>,
    parked: Option<(Update, Failure)>,
    origin: Option<Origin>,
    synced: u32,
}

impl Engine {
    /// Decides what waits, oldest names first, until nothing decidable is left or `until` says stop.
    pub(crate) async fn decide_all(&self, until: impl Fn() -> bool) -> Result<Tally, Unavailable> {
        let mut tally = Tally::default();
        let (mut from, to) = keys::all(keys::INBOX);
        while !until() {
            let rows = self
                .inner
                .rows
                .store()
                .scan(&from, &to, crate::store::Direction::Forward, BATCH)
                .map_err(crate::store::rows::RowError::from)?;
            let Some((last, _)) = rows.last() else { break };
            from = last.clone();
            from.push(0);
            let keys = rows
                .iter()
                .filter_map(|(row, _)| keys::parse_entity(&row[1..]))
                .collect();
            for (_, resolution) in self.decide(keys).await? {
                tally.add(resolution);
            }
        }
        Ok(tally)
    }

    /// Decides these entities' inboxes. Those that cannot be decided now (an item's outcome is unknown, or apps keep
    /// changing them) come out as pending.
    pub(crate) async fn decide(
        &self,
        keys: Vec<EntityKey>,
    ) -> Result<Vec<(EntityKey, Resolution)>, Unavailable> {
        let mut by_type: BTreeMap<String, Vec<EntityKey>> = BTreeMap::new();
        for key in keys {
            by_type.entry(key.entity_type.to_string()).or_default().push(key);
        }
        let mut done = Vec::new();
        for (entity_type, mut left) in by_type {
            for _ in 0..LOOKS {
                let settings = self.settings();
                let settled = self.look(&settings, &entity_type, &left).await?;
                left.clear();
                self.write(&settings, settled, &mut done, &mut left).await?;
                if left.is_empty() {
                    break;
                }
            }
            done.extend(left.into_iter().map(|key| (key, Resolution::Pending)));
        }
        Ok(done)
    }

    /// Works out the decisions, reading only.
    async fn look(
        &self,
        settings: &Settings,
        entity_type: &str,
        keys: &[EntityKey],
    ) -> Result<Vec<Settled>, Unavailable> {
        let binding = settings.binding(entity_type);
        let lookup = Arc::new(StoreLookup::new(self.inner.rows.clone(), self.inner.time.clone()));
        let mut waiting = Vec::with_capacity(keys.len());
        for key in keys {
            let before = self.inner.rows.entity(key)?;
            let Some(update) = before.record.inbox.clone() else {
                continue;
            };
            if is_anothers(&before, &update) {
                self.pass_on(key, update).await?;
            } else {
                waiting.push(Waiting { before, update });
            }
        }
        let updates = waiting.iter().map(|w| (&w.before.key, &w.update)).collect();
        let host = &self.inner.host;
        let seen = map_to_local(host, settings, &binding, updates, lookup.clone(), self.now()).await;
        let mut settled = Vec::with_capacity(waiting.len());
        let mut contests = Vec::new();
        for (waiting, seen) in waiting.into_iter().zip(seen) {
            match self.compare(waiting, seen)? {
                Compared::Settled(done) => settled.push(*done),
                Compared::Contested(contest) => contests.push(*contest),
            }
        }
        let (ask, too_many): (Vec<_>, Vec<_>) = contests
            .into_iter()
            .partition(|c| c.is_askable() && c.before.record.conflicts_in_row < CONFLICTS_IN_ROW);
        let cases = ask.iter().map(Contest::case).collect();
        let now = self.now();
        let cx = context(settings, &binding, &binding.strategy, now);
        let verdicts = host
            .resolve_many(&binding.strategy, cx.clone(), cases, lookup)
            .await;
        for (contest, decided) in ask.into_iter().zip(verdicts) {
            let asked = Asked::by_strategy(&cx, decided, now);
            settled.push(self.settle(contest, asked));
        }
        for contest in too_many {
            let asked = Asked::nobody(&binding, &contest, now);
            settled.push(self.settle(contest, asked));
        }
        Ok(settled)
    }

    /// What waited here is of another entity, which has taken up a name this one had: it becomes a record of its own.
    async fn pass_on(&self, key: &EntityKey, update: Update) -> Result<(), Unavailable> {
        let arrival = Arrival {
            entity_type: key.entity_type.clone(),
            local_id: None,
            update,
            pulled: true,
            listed: false,
        };
        self.take_in(&[arrival], |_, _| {}).await.map(drop)
    }

    fn compare(&self, waiting: Waiting, seen: Result<Seen, Failure>) -> Result<Compared, Unavailable> {
        let Waiting { before, update } = waiting;
        let mut after = before.clone();
        after.record.inbox = None;
        let seen = match seen {
            Ok(seen) => seen,
            Err(failure) if before.record.conflict.is_some() => {
                // A person decides; what they look at stays until it can be translated.
                tracing::warn!(key = %before.key, %failure, "the cloud's side of an open conflict cannot be translated");
                let same = before.clone();
                return Ok(Compared::Settled(Box::new(Settled::plain(
                    before,
                    same,
                    Resolution::Manual,
                ))));
            }
            Err(failure) => {
                let parked = Some((update, failure));
                return Ok(Compared::Settled(Box::new(Settled {
                    parked,
                    ..Settled::plain(before, after, Resolution::Pending)
                })));
            }
        };
        let received = receive(&mut after, &update, &seen);
        let open = match &before.record.conflict {
            Some(id) => self.open_conflict(id)?,
            None => None,
        };
        let (resolution, origin, synced) = match received {
            Received::Contested => {
                let contest = Contest::new(before, update, seen, open, &self.inner.time);
                return Ok(match contest.open {
                    // A person decides already; they are shown the new side.
                    Some(_) => Compared::Settled(Box::new(self.refresh(contest))),
                    None => Compared::Contested(Box::new(contest)),
                });
            }
            Received::Waits => {
                after.record.inbox = Some(update);
                (Resolution::Pending, None, 0)
            }
            Received::Stale => (Resolution::Stale, None, 0),
            Received::Agreed { settled } => (Resolution::Agreed, None, settled),
            Received::Unchanged => (Resolution::Stale, None, 0),
            Received::Applied => (Resolution::Applied, Some(Origin::Cloud), 0),
            Received::Filtered => (Resolution::Filtered, None, 0),
        };
        let conflict = open.map(|open| {
            after.record.conflict = None;
            let result = after.record.doc.clone();
            Conflict {
                phase: Phase::Resolved,
                decision: "agreed".to_owned(),
                reason: "both sides came to say the same".to_owned(),
                resolved_at: Some(self.now()),
                result,
                ..open
            }
        });
        let keeps_conflict =
            conflict.is_some() && !matches!(received, Received::Agreed { .. } | Received::Applied);
        if keeps_conflict {
            // Nothing was decided: the conflict and its newest cloud side stay as they are.
            let mut same = before.clone();
            same.record.inbox.clone_from(&before.record.inbox);
            return Ok(Compared::Settled(Box::new(Settled::plain(
                before,
                same,
                Resolution::Manual,
            ))));
        }
        Ok(Compared::Settled(Box::new(Settled {
            conflict,
            origin,
            synced,
            ..Settled::plain(before, after, resolution)
        })))
    }

    /// The open conflict's record follows the newest cloud side.
    fn refresh(&self, contest: Contest) -> Settled {
        let after = contest.before.clone();
        let open = contest
            .open
            .clone()
            .expect("invariant: only an open conflict is refreshed");
        Settled {
            conflict: Some(open.with_sides(contest.sides.clone())),
            ..Settled::plain(contest.before, after, Resolution::Manual)
        }
    }

    /// What the answer does to the entity, and its record.
    pub(super) fn settle_contest(
        &self,
        contest: Contest,
        asked: Asked,
    ) -> (Entity, Entity, Conflict, Resolution) {
        let settled = self.settle(contest, asked);
        let conflict = settled
            .conflict
            .expect("invariant: a settled contest is recorded");
        (settled.before, settled.after, conflict, settled.resolution)
    }

    fn settle(&self, contest: Contest, asked: Asked) -> Settled {
        let time = &self.inner.time;
        let number = match &contest.open {
            Some(open) => open.id.clone(),
            None => self.inner.rows.store().reserve().to_string(),
        };
        let means = Means {
            change_ids: (0..contest.before.items.len().max(1))
                .map(|_| time.ulid())
                .collect(),
            order: self.inner.rows.store().reserve(),
            conflict_id: number.clone(),
            stamp: time.stamp(),
            now: self.now(),
        };
        let mut after = contest.before.clone();
        settle(&mut after, &contest.update, &contest.seen, &asked.decision, means);
        let resolution = match &asked.decision {
            Decision::KeepLocal => Resolution::LocalWins,
            Decision::TakeCloud => Resolution::CloudWins,
            Decision::Merge(_) => Resolution::Merged,
            Decision::Delete => Resolution::Deleted,
            Decision::Defer => Resolution::Manual,
        };
        let origin = match asked.decision {
            Decision::KeepLocal | Decision::Defer => None,
            _ => Some(Origin::Resolution),
        };
        let conflict = contest.record(number, asked, &after, time.now());
        Settled {
            conflict: Some(conflict),
            origin,
            ..Settled::plain(contest.before, after, resolution)
        }
    }

    fn open_conflict(&self, id: &str) -> Result<Option<Conflict>, Unavailable> {
        let Ok(number) = id.parse() else { return Ok(None) };
        Ok(self.inner.rows.conflict(number)?)
    }
}

enum Compared {
    Settled(Box<Settled>),
    Contested(Box<Contest>),
}

impl Settled {
    fn plain(before: Entity, after: Entity, resolution: Resolution) -> Self {
        Self {
            before,
            after,
            resolution,
            conflict: None,
            parked: None,
            origin: None,
            synced: 0,
        }
    }
}

/// A plugin's decision in the words of the rules.
pub(super) fn decision(verdict: plugin::Decision) -> Decision {
    match verdict {
        plugin::Decision::KeepLocal => Decision::KeepLocal,
        plugin::Decision::TakeCloud => Decision::TakeCloud,
        plugin::Decision::Merge(body) => Decision::Merge(Doc::from_trusted(body)),
        plugin::Decision::Delete => Decision::Delete,
        plugin::Decision::Defer => Decision::Defer,
    }
}
