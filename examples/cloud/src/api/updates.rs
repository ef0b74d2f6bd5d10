//! `GET …/updates`: what changed since a checkpoint. Everyone is told everything, also what they pushed themselves:
//! an outlet recognises its own change and both sides stay sure that they hold the same.
//!
//! Updates are sent as `items` with the document in `data`, never flat. A flat element shares its names with the
//! envelope, so a document with a field of its own called `action` or `operation` could not be told apart.

use std::fmt;

use axum::extract::{RawQuery, State};
use http::StatusCode;

use super::auth::Caller;
use crate::app::Shared;
use crate::error::{ApiError, ApiResult, json_text};
use crate::json::push_text;
use crate::store::entities::Entity;
use crate::store::feed::{self, Page};

/// Entities in a page when the caller does not say.
const DEFAULT_LIMIT: usize = 500;
/// And at most.
const MAX_LIMIT: usize = 5_000;
/// What an outlet sends before it has a checkpoint.
const BEGINNING: &str = "1970-01-01T00:00:00Z";

/// Where a reader stands. On the wire it is opaque: `s1.{generation}.{seq}`, with `.full` while the reader is still
/// on its first way through everything.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Checkpoint {
    generation: String,
    seq: i64,
    full: bool,
}

impl Checkpoint {
    /// `None`: not made by this database, so only a fresh start helps.
    fn parse(since: &str, generation: &str) -> Option<Self> {
        let generation = generation.to_owned();
        if since.is_empty() || since == BEGINNING {
            return Some(Self {
                generation,
                seq: 0,
                full: true,
            });
        }
        let mut parts = since.strip_prefix("s1.")?.split('.');
        let same = parts.next()? == generation;
        let seq = parts.next()?.parse().ok().filter(|seq| *seq >= 0)?;
        let full = match parts.next() {
            None => false,
            Some("full") => true,
            Some(_) => return None,
        };
        same.then_some(Self {
            generation,
            seq,
            full,
        })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s1.{}.{}", self.generation, self.seq)?;
        if self.full { f.write_str(".full") } else { Ok(()) }
    }
}

/// Answers one page.
///
/// # Errors
/// 410 for a checkpoint of another database, 422 for a bad limit, 500 when the store fails.
pub async fn pull(State(cloud): State<Shared>, _: Caller, RawQuery(query): RawQuery) -> ApiResult {
    let query = query.unwrap_or_default();
    let limit = match parameter(&query, "limit") {
        None => DEFAULT_LIMIT,
        Some(text) => match text.parse() {
            Ok(0) | Err(_) => return Err(ApiError::invalid("limit takes a number from 1")),
            Ok(limit) => MAX_LIMIT.min(limit),
        },
    };
    let gone = || {
        let message = "this checkpoint is not from this database; pull again from the start";
        ApiError::new(StatusCode::GONE, "checkpoint_gone", message)
    };
    let since = parameter(&query, "since").unwrap_or_default();
    let at = Checkpoint::parse(&since, cloud.store.generation()).ok_or_else(gone)?;
    let body = cloud
        .store
        .read(move |tx| Ok(feed::read(tx, at.seq, limit)?.map(|page| render(&page, &at))))
        .await?
        .ok_or_else(gone)?;
    Ok(json_text(StatusCode::OK, body))
}

fn parameter(query: &str, name: &str) -> Option<String> {
    let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.rfind(|(key, _)| *key == name)?;
    let mut bytes = value.bytes();
    let mut out = Vec::with_capacity(value.len());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            b'+' => b' ',
            other => other,
        });
    }
    String::from_utf8(out).ok()
}

fn render(page: &Page, at: &Checkpoint) -> String {
    let bytes: usize = page
        .entities
        .iter()
        .map(|e| 320 + e.doc.as_ref().map_or(0, String::len))
        .sum();
    let (mut items, mut deleted) = (String::with_capacity(bytes), String::new());
    for entity in &page.entities {
        match &entity.doc {
            Some(doc) => write_item(&mut items, entity, doc),
            None => write_tombstone(&mut deleted, entity),
        }
    }
    let next = Checkpoint {
        seq: page.next,
        full: at.full && page.has_more,
        ..at.clone()
    };
    let complete = if at.full && !page.has_more {
        ",\"complete\":true"
    } else {
        ""
    };
    format!(
        "{{\"success\":true,\"data\":{{\"items\":[{items}],\"deleted\":[{deleted}],\
         \"sync_checkpoint\":\"{next}\",\"has_more\":{}{complete}}}}}",
        page.has_more
    )
}

fn write_item(out: &mut String, entity: &Entity, doc: &str) {
    write_head(out, entity);
    out.push_str(",\"updated_at\":");
    push_text(out, &entity.updated_at);
    out.push_str(if entity.version == 1 {
        ",\"action\":\"create\""
    } else {
        ",\"action\":\"update\""
    });
    out.push_str(",\"data\":");
    out.push_str(doc);
    out.push('}');
}

fn write_tombstone(out: &mut String, entity: &Entity) {
    write_head(out, entity);
    out.push_str(",\"deleted_at\":");
    push_text(out, &entity.updated_at);
    out.push('}');
}

fn write_head(out: &mut String, entity: &Entity) {
    if !out.is_empty() {
        out.push(',');
    }
    out.push_str("{\"entity_type\":");
    push_text(out, &entity.entity_type);
    out.push_str(",\"cloud_id\":");
    push_text(out, &entity.cloud_id);
    for (name, value) in [
        (",\"local_id\":", &entity.local_id),
        (",\"change_id\":", &entity.change_id),
    ] {
        if let Some(value) = value {
            out.push_str(name);
            push_text(out, value);
        }
    }
    out.push_str(",\"version\":");
    out.push_str(&entity.version.to_string());
    out.push_str(",\"updated_by\":");
    push_text(out, &entity.updated_by);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_read_back_and_strangers_are_refused() {
        let full = Checkpoint::parse(BEGINNING, "G").unwrap();
        assert_eq!(
            full,
            Checkpoint {
                generation: "G".to_owned(),
                seq: 0,
                full: true
            }
        );
        for checkpoint in [
            full,
            Checkpoint {
                generation: "G".to_owned(),
                seq: 12,
                full: false,
            },
        ] {
            assert_eq!(Checkpoint::parse(&checkpoint.to_string(), "G"), Some(checkpoint));
        }
        for strange in [
            "s1.H.12",
            "s1.G.-1",
            "s1.G.x",
            "s1.G.1.y",
            "2026-01-27T11:15:00Z",
            "s2.G.1",
        ] {
            assert_eq!(Checkpoint::parse(strange, "G"), None, "{strange}");
        }
    }

    #[test]
    fn query_values_are_decoded() {
        let query = "limit=5&since=1970-01-01T00%3A00%3A00%2B07%3A00";
        assert_eq!(
            parameter(query, "since").as_deref(),
            Some("1970-01-01T00:00:00+07:00")
        );
        assert_eq!(parameter(query, "limit").as_deref(), Some("5"));
        assert_eq!(parameter(query, "other"), None);
    }
}
