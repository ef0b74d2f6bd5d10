//! How a listing that has ended is told: its line in the sync log.

use super::Walk;
use crate::store::rows::LogRow;
use selaras_core::json::{Doc, quote};
use selaras_core::resync::Scope;
use selaras_core::stamp::Millis;

/// A scope as JSON.
pub(super) fn scope_text(scope: &Scope) -> String {
    let types: Vec<String> = scope
        .types
        .iter()
        .map(|entity_type| quote(entity_type.as_str()))
        .collect();
    let entities: Vec<String> = scope
        .entities
        .iter()
        .map(|key| {
            let (entity_type, id) = (quote(key.entity_type.as_str()), quote(key.id.as_str()));
            format!("{{\"entity_type\":{entity_type},\"entity_id\":{id}}}")
        })
        .collect();
    format!(
        "{{\"everything\":{},\"entity_types\":[{}],\"entities\":[{}]}}",
        scope.everything,
        types.join(","),
        entities.join(",")
    )
}

/// The line of the sync log for a listing that has ended, or was given up for this reason.
pub(super) fn log_row(walk: &Walk, error: Option<String>, now: Millis) -> LogRow {
    let Walk {
        pages,
        seen,
        applied,
        removed,
        restarts,
        unreadable,
        complete,
        ..
    } = walk;
    let mut types = walk.scope.types.clone();
    types.extend(walk.scope.entities.iter().map(|key| key.entity_type.clone()));
    let one = (types.len() == 1 && !walk.scope.everything).then(|| types.first().map(ToString::to_string));
    let status = match (&error, unreadable) {
        (Some(_), _) if *pages == 0 => 2,
        (Some(_), _) | (None, 1..) => 1,
        (None, 0) => 0,
    };
    LogRow {
        push: false,
        entity_type: one.flatten(),
        entity_count: applied + removed,
        status,
        error_message: error,
        started_at: walk.started_at,
        duration_ms: u64::try_from(now.minus(walk.started_at)).unwrap_or(0),
        details: Doc::from_trusted(format!(
            "{{\"resync\":{{\"scope\":{},\"pages\":{pages},\"seen\":{seen},\"applied\":{applied},\"removed\":{removed},\
             \"restarts\":{restarts},\"unreadable\":{unreadable},\"complete\":{complete}}}}}",
            scope_text(&walk.scope)
        )),
    }
}
