//! `updates`: a page with extensions and an opaque checkpoint, or a plain one by timestamp.

use super::Kind;
use super::state::{Entity, State};
use crate::harness::json_text::{members, object, quote};
use selaras_core::stamp::Millis;
use std::collections::BTreeMap;

/// What an outlet that has no checkpoint asks with.
const BEGINNING: &str = "1970-01-01T00:00:00Z";
/// A checkpoint that does not survive sloppy escaping.
const MARK: &str = "at +%&é=";
/// The checkpoint of a feed from which nothing was read.
pub const CHECKPOINT_ZERO: &str = "at +%&é=0";

/// The answer to `updates`.
pub(super) fn page(kind: Kind, state: &mut State, since: &str) -> Result<String, String> {
    if let Some(scripted) = state.pages.pop_front() {
        return Ok(format!(r#"{{"success":true,"data":{scripted}}}"#));
    }
    let data = match kind {
        Kind::Extended => extended(state, since)?,
        Kind::Plain => plain(state, since)?,
    };
    Ok(format!(r#"{{"success":true,"data":{data}}}"#))
}

fn extended(state: &State, since: &str) -> Result<String, String> {
    let place = since.strip_prefix(MARK);
    // In the middle of a listing from the beginning, checkpoints say so.
    let listed = place.and_then(|place| place.strip_prefix('L'));
    let is_full = listed.is_some() || since == BEGINNING;
    let after: u64 = match listed.or(place) {
        Some(place) => place.parse().map_err(|_| format!("the checkpoint {since:?}"))?,
        None if since == BEGINNING => 0,
        None => return Err(format!("a checkpoint that was never given out: {since:?}")),
    };
    let mut newer: Vec<&Entity> = state.entities.values().filter(|e| e.seq > after).collect();
    newer.sort_by_key(|e| e.seq);
    let has_more = newer.len() > state.page_size;
    newer.truncate(state.page_size);
    let last = newer.last().map_or(after, |e| e.seq);
    let (deleted, living): (Vec<&Entity>, Vec<&Entity>) = newer.into_iter().partition(|e| e.deleted);
    Ok(format!(
        r#"{{"items":[{}],"deleted":[{}],"sync_checkpoint":{},"has_more":{has_more},"complete":{}}}"#,
        join(&living, |e| object(
            envelope(e, "updated_at", true).chain([("data".to_owned(), e.data.clone())])
        )),
        join(&deleted, |e| object(envelope(e, "deleted_at", true))),
        quote(&format!(
            "{MARK}{}{last}",
            if is_full && has_more { "L" } else { "" }
        )),
        is_full && !has_more,
    ))
}

fn plain(state: &State, since: &str) -> Result<String, String> {
    let since = Millis::parse_rfc3339(since).ok_or_else(|| format!("the checkpoint {since:?}"))?;
    let newer = || state.entities.values().filter(|e| e.updated_at_ms >= since.0);
    let mut collections: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entity in newer().filter(|e| !e.deleted) {
        let flat = object(
            envelope(entity, "updated_at", false)
                .filter(|(name, _)| name != "entity_type")
                .chain([("action".to_owned(), quote("update"))])
                .chain(members(&entity.data)),
        );
        collections
            .entry(plural(&entity.entity_type))
            .or_default()
            .push(flat);
    }
    let deleted: Vec<String> = newer()
        .filter(|e| e.deleted)
        .map(|e| object(envelope(e, "deleted_at", false)))
        .collect();
    collections.insert("deleted".to_owned(), deleted);
    // A whole second, as such clouds have it: what was written within it comes again next time.
    let now = Millis(state.now_ms() / 1000 * 1000).to_rfc3339();
    let arrays = collections
        .into_iter()
        .map(|(name, list)| (name, format!("[{}]", list.join(","))));
    Ok(object(
        arrays.chain([("sync_checkpoint".to_owned(), quote(&now))]),
    ))
}

fn envelope(entity: &Entity, stamp: &str, with_change: bool) -> impl Iterator<Item = (String, String)> {
    let mut fields = vec![
        ("entity_type", quote(&entity.entity_type)),
        ("cloud_id", quote(&entity.cloud_id)),
        ("version", entity.version.to_string()),
        (stamp, quote(&Millis(entity.updated_at_ms).to_rfc3339())),
        ("updated_by", quote(&entity.updated_by)),
    ];
    if let Some(local_id) = &entity.local_id {
        fields.push(("local_id", quote(local_id)));
    }
    if let Some(change_id) = entity.change_id.as_ref().filter(|_| with_change) {
        fields.push(("change_id", quote(change_id)));
    }
    let fields: Vec<_> = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    fields.into_iter()
}

fn join(entities: &[&Entity], print: impl Fn(&Entity) -> String) -> String {
    entities.iter().map(|e| print(e)).collect::<Vec<_>>().join(",")
}

fn plural(entity_type: &str) -> String {
    match entity_type.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{entity_type}s"),
    }
}
