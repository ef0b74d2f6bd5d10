//! What must hold, and when it is looked at: at any time, at a crash, when the faults have ended, and in the end. The
//! promises are numbered as in the design: 1 durable, 2 once, 3 order, 4 no silent overwrite, 5 checkpoint, 6
//! convergence, 7 deletes, 8 outages, 9 one bad thing, 10 decisions, 11 bounds.

use crate::cloud::place_of;
use crate::outlet::{Acked, Outlet, host};
use crate::rows::Fed;
use crate::world::World;
use selaras::plugin::{CallContext, CallLimits, Case, Decided, Decision, Document, NoLookup};
use selaras_core::conflict::{Conflict, Side};
use selaras_core::entity::Entity;
use selaras_core::id::EntityKey;
use selaras_core::json::Doc;
use selaras_core::payload::same_state;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Requests of an outlet in an hour, where it has pages of a few elements to ask for and little to send.
const MOST_REQUESTS: u64 = 600;

/// A promise that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which; a run that is cut down must break the same.
    pub promise: &'static str,
    /// How.
    pub what: String,
}

fn broken<T>(promise: &'static str, what: String) -> Result<T, Broken> {
    Err(Broken { promise, what })
}

/// A webhook took effect twice.
pub fn twice(outlet: usize, number: usize) -> Broken {
    Broken {
        promise: "2 once",
        what: format!("outlet {outlet} took webhook {number} a second time for new"),
    }
}

/// At any time: no retries are used up but by what was said of the items themselves (8), what both sides are said to have
/// agreed on is something the cloud has had (rule 2), and a queue does not grow while the line is bad (11).
pub fn at_any_time(outlet: &Outlet, world: &World) -> Result<(), Broken> {
    let cloud = world.net.cloud.lock().expect("no panic holds it");
    for entity in outlet.waiting() {
        let name = (
            outlet.number,
            entity.key.entity_type.to_string(),
            entity.key.id.to_string(),
        );
        let blames = cloud.blames.get(&name).copied().unwrap_or(0);
        let used: u32 = entity.items.iter().map(|item| item.retries).sum();
        if used > blames {
            let what = format!(
                "{} at outlet {}: {used} retries used, {blames} failures told",
                entity.key, outlet.number
            );
            return broken("8 an outage costs nothing", what);
        }
        let base = entity.record.base_doc().flatten();
        if number_of(base).is_some_and(|n| !cloud.held.contains(&n)) {
            let what = format!(
                "{} at outlet {} rests on {base:?}, which the cloud never had",
                entity.key, outlet.number
            );
            return broken("4 no silent overwrite", what);
        }
        if world.plan.coalesce && entity.items.len() > 2 {
            let what = format!(
                "{} at outlet {}: {} items",
                entity.key,
                outlet.number,
                entity.items.len()
            );
            return broken("11 bounded", what);
        }
    }
    Ok(())
}

/// At a crash: what was acknowledged is durable (1), and the checkpoint covers only what is here (5).
pub fn at_a_crash(outlet: &Outlet, world: &World) -> Result<(), Broken> {
    let feed = outlet.feed();
    durable(outlet, &feed)?;
    covered(outlet, world)
}

fn durable(outlet: &Outlet, feed: &[Fed]) -> Result<(), Broken> {
    let told: BTreeSet<(&EntityKey, u64)> = feed.iter().map(|entry| (&entry.key, entry.version)).collect();
    for acked in outlet.acked().iter().filter(|acked| acked.change_id.is_some()) {
        if !told.contains(&(&acked.key, acked.version)) {
            let what = format!("outlet {} lost {acked:?}, which was answered", outlet.number);
            return broken("1 durable before 2xx", what);
        }
    }
    let mut names = BTreeSet::new();
    for entry in feed {
        if let Some(id) = &entry.change_id
            && !names.insert(id)
        {
            return broken(
                "2 once",
                format!("outlet {} took change {id} twice", outlet.number),
            );
        }
    }
    Ok(())
}

fn covered(outlet: &Outlet, world: &World) -> Result<(), Broken> {
    let rows = outlet.rows();
    let checkpoint: Option<String> = rows.meta("checkpoint").expect("the rows can be read");
    let place = checkpoint.and_then(|text| place_of(&text));
    let Some(place) = place else { return Ok(()) };
    let cloud = world.net.cloud.lock().expect("no panic holds it");
    // The newest state of each entity that was listed up to there.
    let listed = cloud
        .newest
        .iter()
        .filter(|at| **at < place)
        .map(|at| &cloud.log[*at]);
    for state in listed.filter(|state| state.version > 0) {
        let found = rows
            .by_cloud_id(&state.entity_type, &state.cloud_id)
            .expect("the rows can be read");
        let id = found.or_else(|| cloud.local_id(outlet.number, state.entity).map(str::to_owned));
        let entity = id.map(|id| {
            let key = EntityKey::parse(&state.entity_type, &id).expect("a key");
            rows.entity(&key).expect("the rows can be read")
        });
        let here = entity.as_ref().map_or(0, |entity| {
            let record = &entity.record;
            let inbox = record
                .inbox
                .as_ref()
                .and_then(|update| update.version)
                .unwrap_or(0);
            record.cloud_version.max(inbox)
        });
        let former = entity.as_ref().is_some_and(|entity| {
            let record = &entity.record;
            record
                .former_ids
                .iter()
                .any(|former| former.id.as_str() == state.cloud_id)
                || record
                    .cloud_id
                    .as_ref()
                    .is_some_and(|id| id.as_str() != state.cloud_id)
        });
        if here < state.version && !former && (entity.is_some() || state.doc.is_some()) {
            let what = format!(
                "outlet {}: checkpoint {place} covers {} {} v{}, here is v{here}",
                outlet.number, state.entity_type, state.cloud_id, state.version
            );
            return broken("5 the checkpoint never runs ahead", what);
        }
    }
    Ok(())
}

/// When the faults have ended and nobody has helped: nothing waits but what a person must decide, what the cloud
/// failed too often, and what it cannot bear (8, 9).
pub fn without_a_person(world: &World) -> Result<(), Broken> {
    let poison = world.net.cloud.lock().expect("no panic holds it").poison.clone();
    for outlet in &world.outlets {
        if outlet.engine().is_none() || outlet.app_waits() {
            return broken(
                "8 an outage costs nothing",
                format!("outlet {} does not come back", outlet.number),
            );
        }
        for entity in outlet.waiting() {
            let record = &entity.record;
            let bad = entity
                .items
                .iter()
                .any(|item| number_of(item.snapshot.as_ref()).is_some_and(|n| poison.contains(&n)));
            if record.conflict.is_none() && record.failed == 0 && !bad {
                let what = format!(
                    "{} at outlet {} still waits: {:?}",
                    entity.key, outlet.number, entity.items
                );
                return broken("9 one bad thing stops only itself", what);
            }
        }
    }
    Ok(())
}

/// Whether nothing is left to do.
pub fn is_calm(world: &World) -> bool {
    world
        .outlets
        .iter()
        .all(|outlet| outlet.engine().is_some() && !outlet.app_waits() && outlet.waiting().is_empty())
}

/// What is left.
pub fn restless(world: &World) -> Broken {
    let left: Vec<String> = world
        .outlets
        .iter()
        .flat_map(|outlet| {
            outlet
                .waiting()
                .into_iter()
                .map(|entity| format!("outlet {}: {entity:?}", outlet.number))
        })
        .collect();
    Broken {
        promise: "6 convergence",
        what: format!("it never comes to rest: {}", left.join("; ")),
    }
}

/// What the cloud is asked is bounded whatever it answers (11).
pub fn asked_little(world: &World) -> Result<(), Broken> {
    let requests = world.trace.counts().get("requests").copied().unwrap_or(0);
    let hours = world.time.ms().cast_unsigned() / 3_600_000 + 1;
    let most = MOST_REQUESTS * hours * world.outlets.len() as u64;
    if requests > most {
        return broken("11 bounded", format!("{requests} requests in {hours} hours"));
    }
    Ok(())
}

/// In the end.
pub async fn in_the_end(world: &World) -> Result<(), Broken> {
    for outlet in &world.outlets {
        let feed = outlet.feed();
        durable(outlet, &feed)?;
        covered(outlet, world)?;
        equal(outlet, world)?;
        let conflicts = outlet.conflicts();
        kept(outlet, world, &feed, &conflicts)?;
        for conflict in &conflicts {
            world.trace.count(verdict(&conflict.decision));
            repeats(outlet, conflict).await?;
        }
    }
    asked_little(world)?;
    in_order(world)
}

/// Outlet and cloud hold the same (6, 7).
fn equal(outlet: &Outlet, world: &World) -> Result<(), Broken> {
    let cloud = world.net.cloud.lock().expect("no panic holds it");
    let mut here: BTreeMap<(String, String), Entity> = BTreeMap::new();
    for entity in outlet.entities() {
        if entity.record.doc.is_none() {
            continue;
        }
        let Some(id) = &entity.record.cloud_id else {
            return broken(
                "6 convergence",
                format!("the cloud has no {} of outlet {}", entity.key, outlet.number),
            );
        };
        let name = (entity.key.entity_type.to_string(), id.to_string());
        if let Some(twin) = here.insert(name, entity.clone()) {
            let what = format!(
                "outlet {} has {} and {} for one",
                outlet.number, twin.key, entity.key
            );
            return broken("6 convergence", what);
        }
    }
    for state in cloud.states() {
        let name = (state.entity_type.clone(), state.cloud_id.clone());
        let entity = here.remove(&name);
        let ours = entity.as_ref().and_then(|entity| entity.record.doc.as_ref());
        let theirs = cloud.at_outlet(state);
        let theirs = theirs.map(|doc| Doc::parse(&doc.to_string()).expect("a document"));
        if !same_state(ours, theirs.as_ref()) {
            let promise = if theirs.is_none() {
                "7 deletes stay deleted"
            } else {
                "6 convergence"
            };
            let what = format!(
                "{name:?}: {ours:?} at outlet {}, {theirs:?} v{} at the cloud; {:?}",
                outlet.number,
                state.version,
                entity.as_ref().map(|entity| &entity.record)
            );
            return broken(promise, what);
        }
    }
    match here.into_iter().next() {
        Some((name, _)) => broken(
            "6 convergence",
            format!("outlet {} has {name:?}, which nobody knows", outlet.number),
        ),
        None => Ok(()),
    }
}

/// What an app was promised reached the cloud, was replaced by the app itself, or lost by a recorded verdict that keeps
/// it (4).
fn kept(outlet: &Outlet, world: &World, feed: &[Fed], conflicts: &[Conflict]) -> Result<(), Broken> {
    let cloud = world.net.cloud.lock().expect("no panic holds it");
    let applied: BTreeSet<u64> = cloud
        .effects
        .iter()
        .filter(|effect| effect.outlet == outlet.number)
        .filter_map(|effect| effect.n)
        .collect();
    let lost: BTreeSet<u64> = conflicts
        .iter()
        .filter_map(|c| number_of(c.local.doc.as_ref()))
        .collect();
    let mut next: BTreeMap<(&EntityKey, u64), &'static str> = BTreeMap::new();
    let mut last: BTreeMap<&EntityKey, u64> = BTreeMap::new();
    for entry in feed {
        if let Some(before) = last.insert(&entry.key, entry.version) {
            next.insert((&entry.key, before), entry.origin);
        }
    }
    for acked in outlet.acked() {
        let Some(n) = acked.n else { continue };
        let after = next.get(&(&acked.key, acked.version)).copied();
        let folded = after == Some("app") && world.plan.coalesce;
        let given_up = after == Some("app") && lost_later(&acked, outlet, &lost);
        if !applied.contains(&n) && !lost.contains(&n) && !folded && !given_up {
            let what = format!(
                "outlet {}: {acked:?} is gone without a verdict, then came {after:?}",
                outlet.number
            );
            return broken("4 no silent overwrite", what);
        }
    }
    Ok(())
}

/// Without folding, a verdict over a later change of the entity supersedes all that waited with it.
fn lost_later(acked: &Acked, outlet: &Outlet, lost: &BTreeSet<u64>) -> bool {
    let later = outlet.acked();
    let mut later = later
        .iter()
        .filter(|other| other.key == acked.key && other.version > acked.version);
    later.any(|other| other.n.is_none_or(|n| lost.contains(&n)))
}

/// Each change took effect once, in order (2, 3). A cloud that does not dedup may repeat the last (rule 19), and what was
/// decided for against the cloud is pushed anew (rule 7).
fn in_order(world: &World) -> Result<(), Broken> {
    let cloud = world.net.cloud.lock().expect("no panic holds it");
    // A verdict may lift a change's number above the cloud's: this is what it was accepted as.
    let mut accepted: BTreeMap<(usize, u64), u64> = BTreeMap::new();
    for outlet in &world.outlets {
        let acked = outlet.acked().into_iter();
        let numbered = acked.filter_map(|acked| Some(((outlet.number, acked.n?), acked.version)));
        accepted.extend(numbered);
    }
    // Up to which version each entity's changes were decided for.
    let mut decided_for: BTreeMap<(usize, String, String), u64> = BTreeMap::new();
    for outlet in &world.outlets {
        let conflicts = outlet.conflicts().into_iter();
        for conflict in conflicts.filter(|conflict| conflict.decision == "keep_local") {
            let entity = (outlet.number, conflict.entity_type, conflict.entity_id);
            let version = decided_for.entry(entity).or_default();
            *version = conflict.local.version.max(*version);
        }
    }
    let mut seen = BTreeSet::new();
    let mut versions: BTreeMap<(usize, &str, &str), u64> = BTreeMap::new();
    for effect in &cloud.effects {
        let name = (
            effect.outlet,
            effect.entity_type.as_str(),
            effect.local_id.as_str(),
        );
        let entity = (name.0, effect.entity_type.clone(), effect.local_id.clone());
        let accepted = effect.n.and_then(|n| accepted.get(&(effect.outlet, n)));
        let version = *accepted.unwrap_or(&effect.version);
        let anew = decided_for.get(&entity).is_some_and(|upto| *upto >= version);
        let once = world.plan.manner.dedups && !anew;
        if let Some(n) = effect.n
            && !seen.insert((name, n))
            && once
        {
            return broken("2 once", format!("{effect:?} took effect before"));
        }
        let before = versions.insert(name, effect.version).unwrap_or(0);
        let falls = effect.version < before && !anew;
        if falls || (once && effect.version == before) {
            return broken("3 order", format!("{effect:?} after v{before}"));
        }
    }
    Ok(())
}

/// The same question gets the same verdict (10).
async fn repeats(outlet: &Outlet, conflict: &Conflict) -> Result<(), Broken> {
    let Some(question) = &conflict.question else {
        return Ok(());
    };
    let sides = question.sides.as_deref();
    let (base, local, theirs) = match sides {
        Some(sides) => (&sides.base, &sides.local, &sides.cloud),
        None => (&conflict.base, &conflict.local, &conflict.cloud),
    };
    let document = |side: &Side| Document {
        entity_type: conflict.entity_type.clone(),
        id: conflict.entity_id.clone(),
        cloud_id: conflict.cloud_id.clone(),
        version: side.version,
        deleted: side.doc.is_none(),
        modified_ms: side.modified_at.and_then(|at| u64::try_from(at.0).ok()),
        modified_by: side.modified_by.clone(),
        body: side
            .doc
            .as_ref()
            .map_or_else(|| Arc::from("null"), |doc| Arc::from(doc.as_str())),
    };
    let case = Case {
        base: base.as_ref().map(document),
        local: document(local),
        cloud: document(theirs),
    };
    let cx = CallContext {
        outlet_id: format!("outlet-{}", outlet.number),
        outlet_code: format!("O-{}", outlet.number),
        now_ms: u64::try_from(conflict.asked_at.0).unwrap_or_default(),
        settings: Arc::from(conflict.settings.as_str()),
        limits: CallLimits::default(),
    };
    let again: Decided = host()
        .resolve(&conflict.strategy, cx, case, Arc::new(NoLookup))
        .await;
    let said = again.outcome.map(|verdict| match verdict.decision {
        Decision::KeepLocal => "keep_local",
        Decision::TakeCloud => "take_cloud",
        Decision::Merge(_) => "merge",
        Decision::Delete => "delete",
        Decision::Defer => "defer",
    });
    if said.as_ref().is_ok_and(|said| *said == question.verdict) {
        return Ok(());
    }
    broken(
        "10 decisions repeat",
        format!("{conflict:?} is now decided as {said:?}"),
    )
}

fn verdict(decision: &str) -> &'static str {
    match decision {
        "keep_local" => "conflicts: keep_local",
        "take_cloud" => "conflicts: take_cloud",
        "merge" => "conflicts: merge",
        "delete" => "conflicts: delete",
        "agreed" => "conflicts: agreed",
        _ => "conflicts: others",
    }
}

fn number_of(doc: Option<&Doc>) -> Option<u64> {
    let value: Value = serde_json::from_str(doc?.as_str()).expect("a document is JSON");
    value["n"].as_u64()
}
